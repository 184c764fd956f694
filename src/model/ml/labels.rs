//! The names of classes.

use tract_onnx::pb::NodeProto;
use tract_onnx::tract_hir::internal::*;

use super::integers;

/// The labels of a classifier: a row of integers, of the attribute that this operator has for them, or of strings.
pub(super) fn labels(node: &NodeProto, numbered: &str) -> TractResult<Arc<Tensor>> {
    let strings = node.get_attr_opt_vec::<String>("classlabels_strings")?.unwrap_or_default();
    match (integers(node, numbered)?, strings.as_slice()) {
        ([], []) => bail!("attributes {numbered} and classlabels_strings are both empty, expected one"),
        (integers, []) => Ok(rctensor1(integers)),
        ([], strings) => Ok(rctensor1(strings)),
        _ => bail!("attributes {numbered} and classlabels_strings are both given, expected one"),
    }
}

/// The label of each class, or another value of each place: integers, numbers or strings.
pub(super) fn named(labels: &Tensor, classes: &[usize]) -> TractResult<TValue> {
    fn chosen<T: Datum>(labels: &[T], classes: &[usize]) -> TValue {
        tensor1(&classes.iter().map(|&class| labels[class].clone()).collect::<Vec<_>>()).into_tvalue()
    }
    let held = labels.try_as_plain_ram()?;
    match labels.datum_type() {
        DatumType::I64 => Ok(chosen(held.as_slice::<i64>()?, classes)),
        DatumType::F32 => Ok(chosen(held.as_slice::<f32>()?, classes)),
        _ => Ok(chosen(held.as_slice::<String>()?, classes)),
    }
}
