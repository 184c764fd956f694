//! Bytes become numbers, and numbers become bytes.

use std::collections::HashMap;

use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{AttributeProto, NodeProto, TensorProto};

use super::Constants;
use super::names::Names;
use super::quantized::is_byte;

/// What the nodes of a graph become.
#[derive(Default)]
pub(super) struct Spelled {
    pub(super) nodes: Vec<NodeProto>,
    pub(super) initializers: Vec<TensorProto>,
    /// What a DequantizeLinear made, by its inputs and its axis: whoever reads the same value reads the same one.
    plain: HashMap<(Vec<String>, Option<i64>), String>,
    /// The scale and the zero point of a value of bytes.
    steps: HashMap<String, [String; 2]>,
}

impl Spelled {
    /// The numbers that `value` means, the first of `input`, which are those of a DequantizeLinear.
    pub(super) fn dequantize(
        &mut self,
        names: &mut Names,
        value: &str,
        input: Vec<String>,
        axis: Option<i64>,
    ) -> String {
        let key = (input, axis);
        if let Some(made) = self.plain.get(&key) {
            return made.clone();
        }
        let output = names.fresh(&format!("{value}.plain"));
        self.nodes.push(NodeProto {
            input: key.0.clone(),
            output: vec![output.clone()],
            name: output.clone(),
            op_type: "DequantizeLinear".to_owned(),
            attribute: axis.map(|axis| integer("axis", axis)).into_iter().collect(),
            ..NodeProto::default()
        });
        self.plain.insert(key, output.clone());
        output
    }

    /// Makes the bytes `made` of `value`, by a scale and a zero point.
    pub(super) fn quantize(&mut self, names: &mut Names, value: String, steps: [String; 2], made: &str) {
        let [scale, zero_point] = steps.clone();
        self.nodes.push(NodeProto {
            input: vec![value, scale, zero_point],
            output: vec![made.to_owned()],
            name: names.fresh(&format!("{made}.quantize")),
            op_type: "QuantizeLinear".to_owned(),
            ..NodeProto::default()
        });
        self.steps.insert(made.to_owned(), steps);
    }

    /// A node that is none of those spelled out. What only moves bytes, or chooses among them, is done to the numbers that they
    /// mean: so the pairs around it meet, and it is computed with its neighbours. No number changes by it.
    pub(super) fn keep(&mut self, mut node: NodeProto, names: &mut Names, constants: &Constants) {
        let moved = moves_bytes(&node).then(|| self.steps.get(&node.input[0]).cloned()).flatten();
        let Some([scale, zero_point]) = moved else {
            self.note(&node, constants);
            return self.nodes.push(node);
        };
        let (value, made) = (node.input[0].clone(), node.output[0].clone());
        node.input[0] = self.dequantize(names, &value, vec![value.clone(), scale.clone(), zero_point.clone()], None);
        let plain = names.fresh(&format!("{made}.plain"));
        node.output[0].clone_from(&plain);
        self.nodes.push(node);
        self.quantize(names, plain, [scale, zero_point], &made);
    }

    /// Remembers the steps of a QuantizeLinear of the file.
    fn note(&mut self, node: &NodeProto, constants: &Constants) {
        let ([_, scale, zero_point], [made]) = (&*node.input, &*node.output) else { return };
        let one = |name: &str| constants.named(name).filter(|constant| constant.len() == 1);
        let is_known = one(scale).is_some() && one(zero_point).is_some_and(|zero| is_byte(zero.data_type));
        if node.op_type == "QuantizeLinear" && node.domain.is_empty() && is_known {
            self.steps.insert(made.clone(), [scale.clone(), zero_point.clone()]);
        }
    }
}

fn moves_bytes(node: &NodeProto) -> bool {
    let operator = node.op_type.as_str();
    let moves = matches!(operator, "Flatten" | "MaxPool" | "Reshape" | "Squeeze" | "Transpose" | "Unsqueeze");
    moves && node.domain.is_empty() && !node.input.is_empty() && node.output.len() == 1
}

pub(super) fn integer(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: AttributeType::Int as i32, i, ..AttributeProto::default() }
}
