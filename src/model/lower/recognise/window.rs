//! Convolutions and pooling over images.

use strongroom_kernels::{Finish, Order, Pool, Pooling, Shape, Window};
use tract_onnx::prelude::Tensor;
use tract_onnx::tract_core::ops::cnn::{Conv, Deconv, KernelFormat, PaddingSpec, PoolSpec};
use tract_onnx::tract_core::ops::nn::DataFormat;

use super::super::layer::{ConvLayer, Layer, joined_groups};
use super::constant::{numbers, spread};
use super::{Recognised, Seen};

/// Groups that are computed as one have zeros between them: no more numbers than this, if there are many.
const MOST_WEIGHTS: usize = 1 << 22;

/// Most remainders of a transposed convolution's stride; each is a convolution.
const MOST_PHASES: usize = 64;

impl Seen<'_> {
    pub(super) fn conv(&self, conv: &Conv) -> Option<Recognised> {
        let ((view, from), bias) = (self.planes(0)?, self.constant(2)?);
        let window = window(&conv.pool_spec, from)?;
        let fits = conv.kernel_fmt == KernelFormat::OIHW && conv.q_params.is_none();
        let weights = self.weights(Order::OutputFirst, conv.pool_spec.output_channels)?;
        let [out_channels, of_group, rows, columns] = *weights.tensor.shape() else { return None };
        let is_whole = fits
            && [rows, columns] == window.kernel
            && out_channels == conv.pool_spec.output_channels
            && of_group * conv.group == from.channels
            && out_channels % conv.group == 0
            && is_compact(&weights.tensor, conv.group);
        let layer = is_whole.then_some(ConvLayer {
            window,
            groups: conv.group,
            weights,
            bias: spread(numbers(&bias)?, out_channels)?,
            adds: false,
            transposed: false,
            finish: Finish::default(),
        })?;
        Some(self.is(Layer::Conv(layer), &[0], view.clone(), vec![view]))
    }

    pub(super) fn pool(&self, spec: &PoolSpec, pooling: Pooling) -> Option<Recognised> {
        let (view, from) = self.planes(0)?;
        let window = window(spec, from)?;
        // Whether pixels behind the padding count, where the output is rounded up, is for tract to say.
        let pads = spec.computed_padding(&[from.height, from.width]);
        let overhangs = pads.iter().zip([from.height, from.width]).enumerate().any(|(axis, (pad, len))| {
            let declared = match &spec.padding {
                PaddingSpec::ExplicitOnnxPool(_, after, _) | PaddingSpec::Explicit(_, after) => {
                    after.get(axis).copied()
                }
                PaddingSpec::Valid | PaddingSpec::SameUpper | PaddingSpec::SameLower => None,
            };
            let end = pad.convoluted.saturating_sub(1) * window.stride[axis]
                + (window.kernel[axis] - 1) * window.dilation[axis]
                + 1;
            declared.is_some_and(|after| end > len + window.before[axis] + after)
        });
        if pooling == Pooling::MeanWhole && overhangs {
            return None;
        }
        Some(self.is(Layer::Pool(Pool { window, pooling }), &[0], view.clone(), vec![view]))
    }

    /// A transposed convolution that is one convolution for each remainder of the stride.
    pub(super) fn deconv(&self, conv: &Deconv) -> Option<Recognised> {
        let ((view, from), bias) = (self.planes(0)?, self.constant(2)?);
        let spec = &conv.pool_spec;
        let before = match &spec.padding {
            PaddingSpec::Valid => [0, 0],
            PaddingSpec::Explicit(before, _) => [*before.first()?, *before.get(1)?],
            PaddingSpec::ExplicitOnnxPool(..) | PaddingSpec::SameUpper | PaddingSpec::SameLower => return None,
        };
        let is_plain = spec.data_format == DataFormat::NCHW
            && spec.rank() == 2
            && conv.group == 1
            && conv.kernel_format == KernelFormat::OIHW
            && spec.dilations().iter().all(|dilation| *dilation == 1);
        let weights = is_plain.then(|| self.weights(Order::OutputFirst, spec.output_channels))??;
        let [out_channels, in_channels, rows, columns] = *weights.tensor.shape() else { return None };
        let stride = [spec.stride(0), spec.stride(1)];
        let window = Window { kernel: [rows, columns], stride, dilation: [1, 1], before };
        if stride[0].saturating_mul(stride[1]) > MOST_PHASES
            || in_channels != from.channels
            || out_channels != spec.output_channels
        {
            return None;
        }
        let layer = ConvLayer {
            window,
            groups: 1,
            weights,
            bias: spread(numbers(&bias)?, out_channels)?,
            adds: false,
            transposed: true,
            finish: Finish::default(),
        };
        let output = view.shape(self.output_dims())?;
        layer.phases([output.height, output.width])?;
        Some(self.is(Layer::Conv(layer), &[0], view.clone(), vec![view]))
    }
}

/// Whether the zeros between groups take no memory to speak of.
fn is_compact(weights: &Tensor, groups: usize) -> bool {
    let [outs, ins] = [weights.shape()[0] / groups, weights.shape()[1]];
    let is_depthwise = outs == 1 && ins == 1;
    let joined = if is_depthwise { 1 } else { joined_groups(groups, ins, outs) };
    joined <= strongroom_kernels::LANES || weights.len().saturating_mul(joined) <= MOST_WEIGHTS
}

/// The window of a convolution or pooling over images.
fn window(spec: &PoolSpec, from: Shape) -> Option<Window> {
    if spec.data_format != DataFormat::NCHW || spec.rank() != 2 {
        return None;
    }
    let pads = spec.computed_padding(&[from.height, from.width]);
    Some(Window {
        kernel: [spec.kernel_shape[0], spec.kernel_shape[1]],
        stride: [spec.stride(0), spec.stride(1)],
        dilation: [spec.dilation(0), spec.dilation(1)],
        before: [pads[0].pad_before, pads[1].pad_before],
    })
}
