//! The quantized operators of onnxruntime and ONNX, and what each is in plain ones.

use tract_onnx::pb::NodeProto;

/// An input of a quantized operator.
#[derive(Clone, Copy)]
pub(super) enum Read {
    /// As it is.
    Plain(usize),
    /// A value, its scale and its zero point, from this place on.
    Numbers(usize),
    /// The same of weights, whose scale may have one number for each place of an axis, counted from the back if negative.
    Weights(usize, i64),
    /// 32-bit integers in steps of the product of both scales, those after the first and the second input.
    Bias(usize, [usize; 2]),
    /// Value, scale and zero point again and again, from this place to the end.
    AllFrom(usize),
}

pub(super) struct Spelling {
    /// The plain operator.
    pub(super) plain: &'static str,
    pub(super) inputs: Vec<Read>,
    /// The place of the output's scale, before its zero point.
    pub(super) output: usize,
    /// The answer is not quantized where these are absent.
    pub(super) may_be_plain: bool,
}

const CONTRIB: &str = "com.microsoft";

/// How the node's operator is spelled, if it is a quantized one.
pub(super) fn spelling(node: &NodeProto) -> Option<Spelling> {
    use Read::{AllFrom, Bias, Numbers, Plain, Weights};
    let onnx = matches!(node.domain.as_str(), "" | "ai.onnx");
    let (plain, inputs, output) = match node.op_type.as_str() {
        "QLinearConv" if onnx || node.domain == CONTRIB => {
            ("Conv", vec![Numbers(0), Weights(3, 0), Bias(8, [1, 4])], 6)
        }
        "QLinearMatMul" if onnx => ("MatMul", vec![Numbers(0), Weights(3, -1)], 6),
        _ if node.domain != CONTRIB => return None,
        "QGemm" => ("Gemm", vec![Numbers(0), Weights(3, if turned(node) { 0 } else { -1 }), Bias(6, [1, 4])], 7),
        "QLinearAdd" => ("Add", vec![Numbers(0), Numbers(3)], 6),
        "QLinearMul" => ("Mul", vec![Numbers(0), Numbers(3)], 6),
        "QLinearAveragePool" => ("AveragePool", vec![Numbers(0)], 3),
        "QLinearGlobalAveragePool" => ("GlobalAveragePool", vec![Numbers(0)], 3),
        "QLinearLeakyRelu" => ("LeakyRelu", vec![Numbers(0)], 3),
        "QLinearSigmoid" => ("Sigmoid", vec![Numbers(0)], 3),
        "QLinearSoftmax" => ("Softmax", vec![Numbers(0)], 3),
        "QLinearConcat" => ("Concat", vec![AllFrom(2)], 0),
        "QLinearWhere" => ("Where", vec![Plain(0), Numbers(1), Numbers(4)], 7),
        _ => return None,
    };
    Some(Spelling { plain, inputs, output, may_be_plain: plain == "Gemm" })
}

/// Whether a QGemm's weights have a row for each of the outputs.
fn turned(node: &NodeProto) -> bool {
    node.attribute.iter().any(|attribute| attribute.name == "transB" && attribute.i != 0)
}
