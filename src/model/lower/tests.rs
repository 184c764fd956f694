use tract_onnx::prelude::{Framework, InferenceModelExt};

use super::*;

/// The operators of a graph of tests/lowered that are left to tract.
fn left_of(name: &str) -> String {
    let file = format!("{}/tests/lowered/{name}.onnx", env!("CARGO_MANIFEST_DIR"));
    let mut reader = tract_onnx::onnx().with_ignore_output_shapes(true);
    dequantize::register(&mut reader.op_register);
    let typed = reader.model_for_path(file).and_then(|graph| graph.into_typed()).expect("a graph that tract reads");
    let lowered = lower(typed, Level::detect()).and_then(|graph| graph.into_optimized()).expect("a graph that runs");
    left(&lowered).into_keys().collect::<Vec<_>>().join(", ")
}

#[test]
fn a_quantized_network_is_one_operator_from_its_input_to_its_output() {
    for name in ["quantized", "quantized_signed", "quantized_in_part"] {
        assert_eq!(left_of(name), "", "{name}");
    }
}

#[test]
fn a_network_in_single_precision_is_one_operator_too() {
    for name in ["residual", "squeeze_and_excite", "groups", "three_images", "transformer"] {
        assert_eq!(left_of(name), "", "{name}");
    }
}

#[test]
fn what_the_kernels_cannot_compute_is_left_to_tract_and_named() {
    assert_eq!(left_of("overhanging_average"), "OptSumPool");
}
