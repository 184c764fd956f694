//! Networks as onnxruntime's quantizer writes them, as operators of its own and as pairs of QuantizeLinear and
//! DequantizeLinear, answer as onnxruntime does. The files are made by `tests/python/quantized_graphs.py`.

use std::path::{Path, PathBuf};

use prost::Message;
use serde_json::Value;
use strongroom::bundle::Files;
use strongroom::model::{Binding, Graph, LoadError, Tensor};
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as Dim};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto, type_proto,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/quantized")
}

fn words(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn load(model: Vec<u8>) -> Result<std::sync::Arc<Graph>, LoadError> {
    Graph::load(&Files::from([("m.onnx".to_owned(), model.into())]), "m.onnx", &Binding::default())
}

fn numbers(held: &Value) -> Vec<f32> {
    held.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

/// By how many steps each number of each output is off.
fn steps_off(name: &str) -> Vec<i64> {
    let fixture: Value =
        serde_json::from_slice(&std::fs::read(folder().join(format!("{name}.json"))).unwrap()).unwrap();
    let model = std::fs::read(folder().join(format!("{name}.onnx"))).unwrap();
    let graph = load(model).unwrap_or_else(|error| panic!("{name}: {}", words(&error)));
    let asked = Tensor::new(&graph.signature().inputs[0].shape, &numbers(&fixture["input"])).unwrap();
    let found = graph.session().unwrap().run(vec![asked]).unwrap();
    let outputs = fixture["outputs"].as_array().unwrap();
    assert_eq!(found.len(), outputs.len(), "{name}");
    let mut off = Vec::new();
    for (found, output) in found.iter().zip(outputs) {
        let (found, expected) = (found.values::<f32>().unwrap(), numbers(&output["numbers"]));
        assert_eq!(found.len(), expected.len(), "{name}");
        let step = output["step"].as_f64().unwrap() as f32;
        off.extend(found.iter().zip(&expected).map(|(a, b)| ((a - b) / step).round().abs() as i64));
    }
    off
}

/// onnxruntime adds integers up and rounds their product with a scale; here numbers are added up that were rounded
/// before. What lies in the middle between two steps may go either way, and what follows from it too.
fn compare(name: &str) {
    let off = steps_off(name);
    let (most, some) = (off.iter().max().unwrap(), off.iter().filter(|off| **off > 0).count());
    assert!(*most <= 1 && some * 5 <= off.len(), "{name}: {some} of {} are off, by up to {most} steps", off.len());
}

#[test]
fn a_network_of_quantized_operators_answers_as_onnxruntime_does() {
    for form in ["u8", "u8_channels", "i8_channels"] {
        compare(&format!("network_operators_{form}"));
        compare(&format!("products_operators_{form}"));
    }
}

#[test]
fn a_network_of_quantizing_pairs_answers_as_onnxruntime_does() {
    for form in ["u8", "u8_channels", "i8_channels"] {
        compare(&format!("network_pairs_{form}"));
        compare(&format!("products_pairs_{form}"));
    }
}

#[test]
fn a_network_that_is_quantized_while_it_runs_answers_as_onnxruntime_does() {
    compare("network_dynamic");
    compare("products_dynamic");
}

/// A model whose nodes follow each other from `x` to `y`; those with a word behind their name read the scale `step` and
/// the zero point of that name.
fn chain(operators: &[&str], numbers: i64) -> Vec<u8> {
    let port = |name: &str| {
        let dim = [1, numbers].map(|dim| Dimension { value: Some(Dim::DimValue(dim)), ..Dimension::default() });
        let shape = Some(TensorShapeProto { dim: dim.to_vec() });
        let tensor = type_proto::Tensor { elem_type: DataType::Float as i32, shape };
        let value = Some(type_proto::Value::TensorType(tensor));
        let r#type = Some(TypeProto { value, ..TypeProto::default() });
        ValueInfoProto { name: name.to_owned(), r#type, ..ValueInfoProto::default() }
    };
    let constant = |name: &str, kind: DataType, floats: &[f32], integers: &[i32]| TensorProto {
        name: name.to_owned(),
        data_type: kind as i32,
        float_data: floats.to_vec(),
        int32_data: integers.to_vec(),
        ..TensorProto::default()
    };
    let name = |place: usize| match place {
        0 => "x".to_owned(),
        place if place == operators.len() => "y".to_owned(),
        place => format!("v{place}"),
    };
    let node = |(place, operator): (usize, &&str)| {
        let (op_type, zero) = operator.split_once(' ').unwrap_or((operator, ""));
        let mut input = vec![name(place)];
        if !zero.is_empty() {
            input.extend(["step".to_owned(), zero.to_owned()]);
        }
        NodeProto { op_type: op_type.to_owned(), input, output: vec![name(place + 1)], ..NodeProto::default() }
    };
    let graph = GraphProto {
        node: operators.iter().enumerate().map(node).collect(),
        input: vec![port("x")],
        output: vec![port("y")],
        initializer: vec![
            constant("step", DataType::Float, &[0.5], &[]),
            constant("zero_u8", DataType::Uint8, &[], &[128]),
            constant("zero_i8", DataType::Int8, &[], &[-28]),
        ],
        ..GraphProto::default()
    };
    let opset_import = vec![OperatorSetIdProto { version: 17, ..OperatorSetIdProto::default() }];
    ModelProto { ir_version: 8, opset_import, graph: Some(graph), ..ModelProto::default() }.encode_to_vec()
}

fn answer(operators: &[&str], numbers: &[f32]) -> Vec<f32> {
    let graph = load(chain(operators, numbers.len() as i64)).unwrap_or_else(|error| panic!("{}", words(&error)));
    let asked = Tensor::new(&[1, numbers.len()], numbers).unwrap();
    graph.session().unwrap().run(vec![asked]).unwrap()[0].values::<f32>().unwrap().to_vec()
}

const UNSIGNED: [&str; 2] = ["QuantizeLinear zero_u8", "DequantizeLinear zero_u8"];
const SIGNED: [&str; 2] = ["QuantizeLinear zero_i8", "DequantizeLinear zero_i8"];

#[test]
fn numbers_beyond_all_steps_become_the_last_one() {
    let numbers = [1e30, -1e30, 3e9, -3e9, 1.25, 1.75];
    assert_eq!(answer(&UNSIGNED, &numbers), [63.5, -64.0, 63.5, -64.0, 1.0, 2.0]);
    assert_eq!(answer(&SIGNED, &numbers), [77.5, -50.0, 77.5, -50.0, 1.0, 2.0]);
}

#[test]
fn what_stands_between_integers_of_two_kinds_reads_them_as_what_they_are() {
    let operators = [UNSIGNED[0], UNSIGNED[1], "Abs", SIGNED[0], SIGNED[1]];
    assert_eq!(answer(&operators, &[-3.0, 0.5, 40.0, 60.0]), [3.0, 0.5, 40.0, 60.0]);
}

#[test]
fn a_softmax_between_integers_is_no_table_of_single_numbers() {
    let operators = [UNSIGNED[0], UNSIGNED[1], "Softmax", UNSIGNED[0], UNSIGNED[1]];
    assert_eq!(answer(&operators, &[0.0, 0.5, 9.0]), [0.0, 0.0, 1.0]);
}

/// Why the first fixture is refused when the first node of `operator` is changed.
fn refusal(operator: &str, change: impl FnOnce(&mut NodeProto)) -> String {
    changed("network_operators_u8_channels", operator, change)
}

fn changed(name: &str, operator: &str, change: impl FnOnce(&mut NodeProto)) -> String {
    let model = std::fs::read(folder().join(format!("{name}.onnx"))).unwrap();
    let mut model = ModelProto::decode(&*model).unwrap();
    let nodes = &mut model.graph.as_mut().unwrap().node;
    change(nodes.iter_mut().find(|node| node.op_type == operator).unwrap());
    words(&load(model.encode_to_vec()).expect_err("a refusal"))
}

fn assert_words(found: &str, expected: &str) {
    assert!(found.contains(expected), "expected `{expected}`, found `{found}`");
}

#[test]
fn another_layout_is_refused() {
    let layout = AttributeProto { name: "channels_last".to_owned(), r#type: 2, i: 1, ..AttributeProto::default() };
    let found = refusal("QLinearAveragePool", |node| node.attribute.push(layout));
    assert_words(&found, "(QLinearAveragePool): expected channels_last = 0, found another layout");
}

#[test]
fn an_input_that_is_left_out_is_named() {
    assert_words(&refusal("QLinearConv", |node| node.input.truncate(6)), "expected an input 6, found 6 inputs");
    assert_words(&refusal("QLinearAdd", |node| node.input[0].clear()), "(QLinearAdd): expected an input 0");
    assert_words(
        &refusal("QLinearConcat", |node| node.input.truncate(7)),
        "again and again after the first 2, found 7",
    );
    assert_words(&refusal("QLinearMul", |node| node.output.push("more".to_owned())), "expected one output, found 2");
}

#[test]
fn a_scale_or_zero_point_that_is_computed_is_refused() {
    let found = refusal("QLinearAdd", |node| node.input[1] = node.input[0].clone());
    assert_words(&found, "expected a scale of constant 32-bit numbers as input 1, found");
    let found = refusal("QLinearAdd", |node| node.input[2] = node.input[0].clone());
    assert_words(&found, "expected a zero point of constant 8-bit integers as input 2, found");
}

#[test]
fn a_scale_of_another_kind_is_refused() {
    let found = refusal("QLinearConv", |node| node.input[1] = node.input[3].clone());
    assert_words(&found, "expected a scale of constant 32-bit numbers as input 1, found");
    let found = refusal("QLinearConv", |node| node.input[1] = node.input[4].clone());
    assert_words(&found, "expected one scale for");
}

#[test]
fn a_zero_point_left_out_is_zero_of_the_type_of_the_others() {
    let name = "network_operators_u8";
    let mut model = ModelProto::decode(&*std::fs::read(folder().join(format!("{name}.onnx"))).unwrap()).unwrap();
    let graph = model.graph.as_mut().unwrap();
    // A softmax is counted from zero: nothing changes.
    let node = graph.node.iter_mut().find(|node| node.op_type == "QLinearSoftmax").unwrap();
    assert_eq!(node.input.pop().unwrap(), "v15_zero_point");
    load(model.encode_to_vec()).unwrap_or_else(|error| panic!("{}", words(&error)));
}

#[test]
fn whatever_input_is_left_out_there_is_an_answer_or_an_error() {
    for name in ["network_operators_u8_channels", "products_operators_u8_channels"] {
        let model = ModelProto::decode(&*std::fs::read(folder().join(format!("{name}.onnx"))).unwrap()).unwrap();
        let nodes = model.graph.as_ref().unwrap().node.iter().enumerate();
        let quantized = nodes.filter(|(_, node)| node.op_type.starts_with('Q') && !node.domain.is_empty());
        for (node, place) in quantized.flat_map(|(node, of)| (0..of.input.len()).map(move |place| (node, place))) {
            for change in [Vec::clear, |inputs: &mut Vec<String>| inputs.swap(0, 1)] {
                let mut model = model.clone();
                let inputs = &mut model.graph.as_mut().unwrap().node[node].input;
                let mut rest = inputs.split_off(place);
                if rest.len() > 1 {
                    change(&mut rest);
                }
                inputs.append(&mut rest);
                let found = load(model.encode_to_vec()).err().map(|error| words(&error)).unwrap_or_default();
                assert!(!found.contains("panicked"), "{name}, {node}, {place}: {found}");
            }
        }
    }
}

#[test]
fn names_that_the_file_has_already_are_not_taken_again() {
    let name = "products_operators_u8";
    let mut model = ModelProto::decode(&*std::fs::read(folder().join(format!("{name}.onnx"))).unwrap()).unwrap();
    let graph = model.graph.as_mut().unwrap();
    let first = graph.node.iter().find(|node| node.op_type == "QLinearMatMul").unwrap().output[0].clone();
    let wanted = format!("{first}.plain.1");
    for node in &mut graph.node {
        for name in node.input.iter_mut().chain(&mut node.output).filter(|name| *name == "x_quantized") {
            *name = wanted.clone();
        }
    }
    load(model.encode_to_vec()).unwrap_or_else(|error| panic!("{}", words(&error)));
}
