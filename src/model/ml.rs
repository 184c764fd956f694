//! Operators of `ai.onnx.ml`, as scikit-learn's models are made of: those tract lacks, and those it answers otherwise
//! than onnxruntime.

mod columns;
mod encode;
mod labels;
mod linear;
mod rows;
mod scale;
mod svm;
mod trees;

use strongroom_kernels::trees::PostTransform;
use tract_onnx::model::OnnxOpRegister;
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_hir::internal::{InferenceOp, Op, TractResult};

use encode::Lookup;
use rows::Rows;
use trees::Trees;

type Parsed = TractResult<(Box<dyn InferenceOp>, Vec<String>)>;

/// Adds the operators to those that tract reads ONNX with; its own of these names are replaced.
pub(super) fn register(operators: &mut OnnxOpRegister) {
    columns::register(operators);
    encode::register(operators);
    linear::register(operators);
    scale::register(operators);
    svm::register(operators);
    trees::register(operators);
}

/// Whether an operator of a graph that runs is one of them.
pub(super) fn is_ours(op: &dyn Op) -> bool {
    op.is::<Rows>() || op.is::<Lookup>() || op.is::<Trees>()
}

/// The numbers of an attribute; none where it is absent.
fn floats<'n>(node: &'n NodeProto, name: &str) -> TractResult<&'n [f32]> {
    Ok(node.get_attr_opt_slice::<f32>(name)?.unwrap_or_default())
}

/// The integers of an attribute; none where it is absent.
fn integers<'n>(node: &'n NodeProto, name: &str) -> TractResult<&'n [i64]> {
    Ok(node.get_attr_opt_slice::<i64>(name)?.unwrap_or_default())
}

/// The columns of a matrix whose rows have `columns` numbers, one after another.
fn turned(rows: &[f32], columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| rows.iter().skip(column).step_by(columns).copied()).collect()
}

/// Two classes of one score, as onnxruntime makes them: the first gets what the second lacks to 1, and there is no other
/// transform than the logistic one.
fn two_classes(score: f32, post_transform: PostTransform) -> [f32; 2] {
    let mut second = [score];
    if post_transform == PostTransform::Logistic {
        post_transform.apply(&mut second);
    }
    [1.0 - second[0], second[0]]
}

/// The place of the largest number, of the first of equal ones.
fn first_largest<T: PartialOrd>(numbers: &[T]) -> usize {
    let mut largest = 0;
    for (place, number) in numbers.iter().enumerate().skip(1) {
        if *number > numbers[largest] {
            largest = place;
        }
    }
    largest
}
