use tract_onnx::prelude::{Framework, InferenceModelExt};

use super::*;

/// The operators of a graph of tests/lowered that are left, constants aside.
fn operators(name: &str) -> Vec<String> {
    let file = format!("{}/tests/lowered/{name}.onnx", env!("CARGO_MANIFEST_DIR"));
    let mut reader = tract_onnx::onnx().with_ignore_output_shapes(true);
    dequantize::register(&mut reader.op_register);
    let typed = reader.model_for_path(file).and_then(|graph| graph.into_typed()).expect("a graph that tract reads");
    let model = lower(typed, Level::detect()).expect("a graph that can be lowered");
    let order = model.eval_order().expect("a graph without a circle");
    let names = order.into_iter().map(|id| model.node(id).op.name().to_string());
    names.filter(|name| name != "Const").collect()
}

#[test]
fn a_quantized_network_is_one_operator_from_its_input_to_its_output() {
    for name in ["quantized", "quantized_signed", "quantized_in_part"] {
        assert_eq!(operators(name), ["Source", "Lowered"], "{name}");
    }
}

#[test]
fn a_network_in_single_precision_is_one_operator_too() {
    for name in ["residual", "squeeze_and_excite", "groups", "three_images", "transformer"] {
        assert_eq!(operators(name), ["Source", "Lowered"], "{name}");
    }
}

#[test]
fn what_the_kernels_cannot_compute_is_left_as_it_is() {
    assert!(operators("overhanging_average").iter().any(|name| name.contains("Pool")));
}
