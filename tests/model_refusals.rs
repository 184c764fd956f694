//! Which ONNX files are refused, and in which words. The files are made by `tests/graphs/make.py`.

use std::error::Error;
use std::path::PathBuf;

use proptest::prelude::*;
use strongroom::bundle::Files;
use strongroom::model::{Binding, Graph, LoadError, ScanError};

fn graphs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/graphs")
}

fn files(name: &str) -> Files {
    let file = format!("{name}.onnx");
    let read = |file: &str| std::fs::read(graphs().join(file)).unwrap().into();
    Files::from([(file.clone(), read(&file)), ("weights.bin".to_owned(), read("weights.bin"))])
}

fn refusal(name: &str) -> LoadError {
    Graph::load(&files(name), &format!("{name}.onnx"), &Binding::default()).expect_err(name)
}

fn words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

fn scan_refusal(name: &str) -> ScanError {
    match refusal(name) {
        LoadError::Scan { source, .. } => source,
        other => panic!("{name}: {}", words(&other)),
    }
}

fn assert_scan(name: &str, expected: &str) {
    let found = scan_refusal(name).to_string();
    assert!(found.contains(expected), "{name}: expected `{expected}`, found `{found}`");
}

#[test]
fn operator_sets_below_9_and_above_21_are_refused() {
    assert_scan("opset_8", "operator set 8 of domain \"\" is not read; 9 to 21 are");
    assert_scan("opset_22", "operator set 22");
}

#[test]
fn every_operator_that_is_not_implemented_is_named_at_once() {
    assert_scan("unknown_operators", "not implemented: Det, com.microsoft::QLinearReduceMean");
}

#[test]
fn an_operator_counts_only_in_its_own_domain() {
    assert_scan("foreign_domain", "not implemented: org.example::Relu");
    assert_scan("ml_operator_without_its_domain", "not implemented: Normalizer");
}

#[test]
fn a_value_is_made_once_and_before_its_use() {
    assert_scan("cycle", "uses \"u\", which nothing before it makes");
    assert_scan("two_of_one_name", "two values are called \"y\"");
    assert_scan("two_initializers_of_one_name", "two values are called \"w\"");
    assert_scan("input_from_nowhere", "uses \"ghost\"");
    assert_scan("output_from_nowhere", "nothing makes output \"y\"");
}

#[test]
fn a_model_has_a_graph_with_outputs() {
    assert_scan("no_output", "no output");
    assert_scan("no_graph", "no graph");
}

#[test]
fn graphs_in_graphs_are_bounded() {
    assert_scan("graphs_nested_too_deep", "graphs inside graphs: 9 is beyond the limit of 8");
}

#[test]
fn what_a_graph_computes_is_bounded_before_it_runs() {
    assert_scan("input_beyond_memory", "numbers in input x: 1099511627776 is beyond the limit of 536870912");
    assert_scan("value_beyond_memory", "numbers in what node");
}

#[test]
fn sparse_weights_and_unknown_number_types_are_refused() {
    assert_scan("sparse_initializer", "sparse");
    assert_scan("bfloat16", "BFLOAT16");
    assert_scan("input_is_a_number_type_of_no_name", "element type 14");
}

#[test]
fn weights_that_are_no_numbers_are_refused_wherever_they_stand() {
    let places = [
        ("nan_float32", 2),
        ("nan_float16", 2),
        ("nan_float64", 2),
        ("infinity_float32", 2),
        ("infinity_float16", 2),
        ("infinity_float64", 2),
        ("nan_typed", 11),
        ("nan_in_a_constant", 1),
        ("nan_in_an_attribute", 1),
        ("nan_in_a_scalar_attribute", 0),
    ];
    for (name, place) in places {
        match scan_refusal(name) {
            ScanError::NotFinite { index, value, .. } => {
                assert_eq!(index, place, "{name}");
                assert_eq!(value.is_nan(), name.starts_with("nan"), "{name}");
            }
            other => panic!("{name}: {other}"),
        }
    }
}

#[test]
fn a_tensor_holds_what_its_shape_asks_for() {
    assert_scan("too_few_weights", "holds 11 values");
    assert_scan("half_a_weight", "47 bytes of values of 4 bytes");
    assert_scan("dimensions_overflow", "has the shape");
    assert_scan("negative_dimension", "has the shape [-3, -4]");
}

#[test]
fn external_data_lies_inside_the_bundle() {
    assert_scan("external_in_the_parent", "outside the bundle");
    assert_scan("external_absolute", "outside the bundle");
    assert_scan("external_backslash", "outside the bundle");
    assert_scan("external_without_location", "outside the bundle");
    assert_scan("external_missing", "no file other.bin");
}

#[test]
fn external_data_lies_inside_its_file_and_fits_the_shape() {
    assert_scan("external_behind_the_end", "reach behind the end");
    assert_scan("external_offset_behind_the_end", "offset 1099511627776 is behind the end");
    assert_scan("external_wrong_length", "44 bytes");
    assert_scan("external_length_no_number", "length is no number");
}

#[test]
fn an_answer_other_than_declared_is_refused() {
    for name in ["declares_another_shape", "declares_another_rank", "declares_another_type"] {
        let refusal = refusal(name);
        assert!(matches!(refusal, LoadError::Output { .. }), "{name}: {}", words(&refusal));
    }
    let text = refusal("declares_another_shape").to_string();
    assert_eq!(text, "output y: the graph declares F32 [1, 5], the first run answered F32 [1, 4]");
}

#[test]
fn a_graph_that_answers_an_empty_tensor_is_refused() {
    for name in ["answers_empty", "answers_empty_when_relaxed"] {
        let refusal = refusal(name);
        assert!(matches!(refusal, LoadError::Output { .. }), "{name}: {}", words(&refusal));
    }
}

#[test]
fn a_dimension_without_a_number_is_named() {
    let text = refusal("height_and_width").to_string();
    assert_eq!(text, "dimension H of input x is bound to nothing");
}

#[test]
fn a_missing_file_is_named() {
    let text = Graph::load(&Files::new(), "model.onnx", &Binding::default()).unwrap_err().to_string();
    assert_eq!(text, "the bundle has no file model.onnx");
}

#[test]
fn a_truncated_file_is_refused_at_every_length() {
    let whole = files("gemm").remove("gemm.onnx").unwrap();
    for len in 0..whole.len() {
        let files = Files::from([("m.onnx".to_owned(), whole.slice(..len))]);
        // A cut between two fields of the outermost message may leave a whole model without its operator set.
        if let Err(error) = Graph::load(&files, "m.onnx", &Binding::default()) {
            assert!(matches!(error, LoadError::Scan { .. }), "{len}: {}", words(&error));
        } else {
            assert!(len > whole.len() - 8, "{len} of {}", whole.len());
        }
    }
}

/// A field that holds `content`.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut len = content.len();
    while len > 0x7f {
        bytes.push((len & 0x7f) as u8 | 0x80);
        len >>= 7;
    }
    bytes.push(len as u8);
    bytes.extend(content);
    bytes
}

#[test]
fn a_few_bytes_cannot_ask_for_much_memory() {
    let nodes = field(7, &field(1, &[]).repeat(500_000));
    let inputs_of_a_node = field(7, &field(1, &field(1, &[]).repeat(500_000)));
    let expected =
        ["nodes: 50001 is beyond the limit of 50000", "messages and strings in the ONNX file: 400001 is beyond"];
    for (file, expected) in [nodes, inputs_of_a_node].into_iter().zip(expected) {
        let files = Files::from([("m.onnx".to_owned(), file.into())]);
        let found = words(&Graph::load(&files, "m.onnx", &Binding::default()).unwrap_err());
        assert!(found.contains(expected), "{found}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let files = Files::from([("m.onnx".to_owned(), bytes.into())]);
        let _ = Graph::load(&files, "m.onnx", &Binding::default());
    }

    #[test]
    fn a_flipped_byte_never_panics(at in 0usize..200, flip in 1u8..=255) {
        let mut bytes = files("gemm").remove("gemm.onnx").unwrap().to_vec();
        let at = at % bytes.len();
        bytes[at] ^= flip;
        let files = Files::from([("m.onnx".to_owned(), bytes.into())]);
        let _ = Graph::load(&files, "m.onnx", &Binding::default());
    }
}
