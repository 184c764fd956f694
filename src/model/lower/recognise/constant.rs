//! Numbers that a graph holds.

use tract_onnx::prelude::Tensor;

/// All of a tensor's, where they are `f32`.
pub(in crate::model::lower) fn numbers(tensor: &Tensor) -> Option<&[f32]> {
    tensor.try_as_plain_ram().ok()?.as_slice::<f32>().ok()
}

/// The only one of a tensor.
pub(super) fn number(tensor: &Tensor) -> Option<f32> {
    match numbers(tensor)? {
        [number] => Some(*number),
        _ => None,
    }
}

/// One number for each channel, from as many or from one.
pub(super) fn spread(numbers: &[f32], channels: usize) -> Option<Vec<f32>> {
    match numbers {
        [number] => Some(vec![*number; channels]),
        numbers => (numbers.len() == channels).then(|| numbers.to_vec()),
    }
}
