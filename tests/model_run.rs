//! Graphs that load: what they are bound to, what goes in and what comes out.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use strongroom::bundle::Files;
use strongroom::model::{Binding, DType, Graph, LoadError, Port, RunError, Tensor};

fn files(name: &str) -> Files {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/graphs");
    let read = |file: &str| std::fs::read(folder.join(file)).unwrap().into();
    Files::from([("m.onnx".to_owned(), read(&format!("{name}.onnx"))), ("weights.bin".to_owned(), read("weights.bin"))])
}

fn load_bound(name: &str, binding: &Binding) -> Result<Arc<Graph>, LoadError> {
    Graph::load(&files(name), "m.onnx", binding)
}

fn load(name: &str) -> Arc<Graph> {
    load_bound(name, &Binding::default()).unwrap_or_else(|error| panic!("{name}: {error:?}"))
}

fn port(name: &str, dtype: DType, shape: &[usize]) -> Port {
    Port { name: name.to_owned(), dtype, shape: shape.to_vec() }
}

fn run(graph: &Arc<Graph>, inputs: Vec<Tensor>) -> Vec<Tensor> {
    graph.session().unwrap().run(inputs).unwrap()
}

fn row(values: &[f32]) -> Vec<Tensor> {
    vec![Tensor::new(&[1, values.len()], values).unwrap()]
}

#[test]
fn a_leading_dimension_named_nowhere_is_1() {
    for name in ["gemm", "leading_dimension_unnamed"] {
        let graph = load(name);
        assert_eq!(graph.signature().inputs, [port("x", DType::F32, &[1, 3])], "{name}");
        assert_eq!(graph.signature().outputs, [port("y", DType::F32, &[1, 4])], "{name}");
    }
}

#[test]
fn a_symbol_is_bound_by_name() {
    let dimensions = BTreeMap::from([("N".to_owned(), 2), ("H".to_owned(), 4), ("W".to_owned(), 6)]);
    let graph = load_bound("height_and_width", &Binding { dimensions, ..Binding::default() }).unwrap();
    assert_eq!(graph.signature().outputs, [port("y", DType::F32, &[2, 3, 4, 6])]);
}

#[test]
fn a_full_shape_binds_the_symbols_it_covers() {
    let inputs = BTreeMap::from([("x".to_owned(), vec![1, 3, 8, 5])]);
    let graph = load_bound("height_and_width", &Binding { inputs, ..Binding::default() }).unwrap();
    assert_eq!(graph.signature().outputs, [port("y", DType::F32, &[1, 3, 8, 5])]);
}

#[test]
fn a_shape_against_the_graph_is_refused() {
    let shapes: [&[usize]; 4] = [&[1, 4, 8, 5], &[1, 3, 8], &[1, 3, 0, 5], &[2, 3, 8, 5]];
    for shape in shapes {
        let inputs = BTreeMap::from([("x".to_owned(), shape.to_vec())]);
        let dimensions = BTreeMap::from([("N".to_owned(), 1)]);
        let refused = load_bound("height_and_width", &Binding { inputs, dimensions }).unwrap_err();
        assert!(matches!(refused, LoadError::Binding { .. }), "{shape:?}: {refused}");
    }
}

#[test]
fn a_shape_for_an_input_the_graph_lacks_is_refused() {
    let inputs = BTreeMap::from([("pixels".to_owned(), vec![1, 3])]);
    let refused = load_bound("gemm", &Binding { inputs, ..Binding::default() }).unwrap_err();
    assert_eq!(refused.to_string(), "input names: the graph has x, the binding says pixels");
}

#[test]
fn initializers_among_the_inputs_are_no_inputs() {
    assert_eq!(load("initializers_among_inputs").signature().inputs.len(), 1);
}

#[test]
fn a_graph_computes() {
    for name in ["gemm", "gemm_opset_9", "gemm_opset_21", "initializers_among_inputs", "external"] {
        let outputs = run(&load(name), row(&[8.0, 16.0, 24.0]));
        assert_eq!(outputs[0].values::<f32>().unwrap(), [33.0, 40.0, 47.0, 54.0], "{name}");
    }
}

#[test]
fn symbols_of_values_inside_are_bound_with_the_inputs() {
    let outputs = run(&load("symbols_inside"), row(&[1.0, -1.0, 2.0, 0.0]));
    assert_eq!(outputs[0].values::<f32>().unwrap(), [2.0, 0.0, 4.0, 0.0]);
}

#[test]
fn wrong_shapes_of_values_inside_are_left_aside_when_the_answer_is_as_declared() {
    let outputs = run(&load("wrong_shapes_inside"), row(&[1.0, -1.0, 2.0, 0.0]));
    assert_eq!(outputs[0].values::<f32>().unwrap(), [2.0, 0.0, 4.0, 0.0]);
}

#[test]
fn subnormal_weights_are_zero_and_the_smallest_normal_ones_are_kept() {
    for name in ["subnormal_weights", "subnormal_weights_typed"] {
        let outputs = run(&load(name), row(&[2f32.powi(120); 4]));
        let kept = 2f32.powi(120) * f32::MIN_POSITIVE;
        assert_eq!(outputs[0].values::<f32>().unwrap(), [0.0, 0.0, kept, 2f32.powi(120)], "{name}");
    }
}

#[test]
fn a_single_infinity_is_a_bound_and_no_weight() {
    assert_eq!(run(&load("one_infinity_alone"), row(&[-5.0; 4]))[0].values::<f32>().unwrap(), [-5.0; 4]);
}

#[test]
fn a_dimension_that_depends_on_values_is_0_in_the_signature() {
    let graph = load("positions_of_the_nonzero");
    assert_eq!(graph.signature().outputs, [port("y", DType::I64, &[2, 0])]);
    let outputs = run(&graph, row(&[0.0, 3.0, 0.0, 4.0]));
    assert_eq!((outputs[0].shape(), outputs[0].values::<i64>().unwrap()), (&[2, 2][..], &[0, 0, 1, 3][..]));
}

#[test]
fn shapes_computed_by_a_graph_are_integers() {
    let outputs = run(&load("shape_of_the_input"), row(&[0.0; 4]));
    assert_eq!((outputs[0].dtype(), outputs[0].values::<i64>().unwrap()), (DType::I64, &[1, 4][..]));
}

#[test]
fn every_element_type_goes_through() {
    let f16 = Tensor::new(&[1, 2], &[0.5f32, -2.0]).unwrap().cast(DType::F16).unwrap();
    let tensors = [
        ("identity_f16", f16),
        ("identity_f64", Tensor::new(&[1, 2], &[0.1f64, -2.0]).unwrap()),
        ("identity_i64", Tensor::new(&[1, 2], &[i64::MIN, i64::MAX]).unwrap()),
        ("identity_u8", Tensor::new(&[1, 2], &[0u8, 255]).unwrap()),
        ("identity_bool", Tensor::new(&[1, 2], &[true, false]).unwrap()),
        ("identity_text", Tensor::text(&[1, 2], vec!["a".to_owned(), "b".to_owned()]).unwrap()),
    ];
    for (name, tensor) in tensors {
        let output = run(&load(name), vec![tensor.clone()]).remove(0);
        assert_eq!((output.dtype(), output.shape()), (tensor.dtype(), tensor.shape()), "{name}");
        assert_eq!(output.strings(), tensor.strings(), "{name}");
        assert_eq!(output.values::<i64>(), tensor.values::<i64>(), "{name}");
        assert_eq!(output.values::<bool>(), tensor.values::<bool>(), "{name}");
        assert_eq!(output.values::<u8>(), tensor.values::<u8>(), "{name}");
        let same = output.cast(DType::F64).ok().map(|t| t.values::<f64>().unwrap().to_vec());
        assert_eq!(same, tensor.cast(DType::F64).ok().map(|t| t.values::<f64>().unwrap().to_vec()), "{name}");
    }
}

#[test]
fn inputs_go_in_the_order_of_the_signature() {
    let graph = load("two_inputs");
    let names: Vec<&str> = graph.signature().inputs.iter().map(|port| port.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let inputs = [row(&[5.0, 7.0]), row(&[1.0, 2.0])].concat();
    assert_eq!(run(&graph, inputs)[0].values::<f32>().unwrap(), [4.0, 5.0]);
}

#[test]
fn an_input_that_does_not_fit_is_refused_and_the_session_goes_on() {
    let mut session = load("gemm").session().unwrap();
    let wrong = [Tensor::new(&[3], &[0f32; 3]).unwrap(), Tensor::new(&[1, 3], &[0f64; 3]).unwrap()];
    for tensor in wrong {
        assert!(matches!(session.run(vec![tensor]), Err(RunError::Input { .. })));
    }
    assert!(matches!(session.run(vec![]), Err(RunError::InputCount { expected: 1, found: 0 })));
    assert_eq!(session.run(row(&[0.0; 3])).unwrap()[0].values::<f32>().unwrap(), [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn a_tensor_holds_as_many_values_as_its_shape() {
    assert!(matches!(Tensor::new(&[2, 2], &[0f32; 3]), Err(RunError::Count { expected: 4, found: 3, .. })));
    assert!(matches!(Tensor::text(&[2], vec![]), Err(RunError::Count { .. })));
    assert!(matches!(Tensor::new::<f32>(&[usize::MAX, 2], &[]), Err(RunError::TooLarge { .. })));
}

#[test]
fn a_tensor_is_filled_in_place_from_zeros() {
    let tensor = Tensor::filled::<f32>(&[2, 2], |values| values[3] = 7.0);
    assert_eq!((tensor.shape(), tensor.values::<f32>().unwrap()), (&[2, 2][..], &[0.0, 0.0, 0.0, 7.0][..]));
    assert_eq!(tensor.values::<i32>(), None);
}

#[test]
fn a_tensor_beyond_the_address_space_is_one_that_no_graph_takes() {
    let tensor = Tensor::filled::<f32>(&[usize::MAX, 2], |_| panic!("there is nothing to fill"));
    assert!(matches!(load("gemm").session().unwrap().run(vec![tensor]), Err(RunError::Input { .. })));
}

/// The fields of a message: number, key and all, and content where there is one.
fn fields(mut bytes: &[u8]) -> Vec<(u8, &[u8], &[u8])> {
    fn varint(bytes: &mut &[u8]) -> usize {
        let len = bytes.iter().position(|byte| *byte < 0x80).unwrap() + 1;
        let (head, rest) = bytes.split_at(len);
        *bytes = rest;
        head.iter().rev().fold(0, |number, byte| number << 7 | usize::from(byte & 0x7f))
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let from = bytes;
        let key = varint(&mut bytes);
        let number = varint(&mut bytes);
        let (content, rest) = bytes.split_at(if key & 7 == 2 { number } else { 0 });
        bytes = rest;
        found.push(((key >> 3) as u8, &from[..from.len() - rest.len()], content));
    }
    found
}

#[test]
fn a_graph_in_pieces_is_one_graph() {
    const GRAPH: u8 = 7;
    let whole = files("gemm").remove("m.onnx").unwrap();
    let mut cut = Vec::new();
    for (number, field, content) in fields(&whole) {
        if number != GRAPH {
            cut.extend_from_slice(field);
            continue;
        }
        for (_, inner, _) in fields(content) {
            cut.push(GRAPH << 3 | 2);
            let len = inner.len();
            assert!(len < 1 << 14);
            cut.extend([(len & 0x7f) as u8 | 0x80, (len >> 7) as u8]);
            cut.extend_from_slice(inner);
        }
    }
    let graph = Graph::load(&Files::from([("m.onnx".to_owned(), cut.into())]), "m.onnx", &Binding::default()).unwrap();
    let answers = |graph: &Arc<Graph>| run(graph, row(&[1.0, 2.0, 3.0]))[0].values::<f32>().unwrap().to_vec();
    assert_eq!(answers(&graph), answers(&load("gemm")));
}

#[test]
fn a_warm_up_leaves_a_session_as_new() {
    let graph = load("gemm");
    let mut session = graph.session().unwrap();
    session.warm_up().unwrap();
    let answers = session.run(row(&[1.0, 2.0, 3.0])).unwrap();
    assert_eq!(answers[0].values::<f32>(), run(&graph, row(&[1.0, 2.0, 3.0]))[0].values::<f32>());
}
