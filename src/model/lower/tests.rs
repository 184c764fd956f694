use tract_onnx::prelude::{Datum, Framework, InferenceModelExt, Tensor, tvec};
use tract_onnx::tract_core::model::SpecialOps;
use tract_onnx::tract_core::ops::cast::Cast;
use tract_onnx::tract_core::ops::math::{add, div, mul, sub};
use tract_onnx::tract_core::plan::SimplePlan;

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

/// Of weights that a graph makes from bytes, as many as the shapes say.
fn made(bytes: [usize; 4], scale: [usize; 4], fold: bool) -> Vec<f32> {
    let count = |shape: [usize; 4]| shape.iter().product::<usize>();
    let tensor = |shape: [usize; 4], seed: usize| {
        let numbers: Vec<f32> = (0..count(shape)).map(|at| ((at * 7 + seed) % 13) as f32 * 0.37 - 1.0).collect();
        Tensor::from_shape(&shape, &numbers).expect("a tensor")
    };
    let held: Vec<u8> = (0..count(bytes)).map(|at| (at * 31 % 256) as u8).collect();
    let mut model = TypedModel::default();
    let held = model.add_const("bytes", Tensor::from_shape(&bytes, &held).expect("a tensor")).expect("a constant");
    let wired = model.wire_node("cast", Cast::new(f32::datum_type()), &[held]).expect("a cast");
    let scale_outlet = model.add_const("scale", tensor(scale, 1)).expect("a constant");
    let offset = model.add_const("offset", tensor(scale, 5)).expect("a constant");
    let operators = [(mul(), false), (add(), false), (sub(), false), (sub(), true), (div(), true)];
    let mut wire = wired[0];
    for (at, (operator, is_turned)) in operators.into_iter().enumerate() {
        let other = if at == 0 { scale_outlet } else { offset };
        let inputs = if is_turned { [other, wire] } else { [wire, other] };
        wire = model.wire_node(format!("step {at}"), operator, &inputs).expect("an operator")[0];
    }
    model.select_output_outlets(&[wire]).expect("an output");
    if fold {
        fold::fold(&mut model).expect("it folds");
        assert!(model.outlet_fact(wire).expect("a fact").konst.is_some(), "{bytes:?} {scale:?} was not folded");
    }
    let answer = SimplePlan::new(model).and_then(|plan| plan.run(tvec!())).expect("it runs");
    answer[0].try_as_plain_ram().and_then(|view| Ok(view.as_slice::<f32>()?.to_vec())).expect("numbers")
}

#[test]
fn folded_weights_are_those_that_the_graph_computes_bit_by_bit() {
    for scale in [[5, 1, 1, 1], [1, 1, 1, 1], [5, 3, 2, 4], [1, 3, 1, 1], [1, 1, 1, 4], [5, 3, 1, 1]] {
        let bits = |fold| made([5, 3, 2, 4], scale, fold).into_iter().map(f32::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(true), bits(false), "{scale:?}");
    }
}

#[test]
fn constants_that_many_operators_read_are_not_folded_into_more_than_memory_holds() {
    let mut model = TypedModel::default();
    let held = model.add_const("bytes", Tensor::zero::<u8>(&[1000]).expect("a tensor")).expect("a constant");
    let outlets: Vec<OutletId> = (0..100)
        .map(|at| model.wire_node(format!("{at}"), Cast::new(f32::datum_type()), &[held]).expect("a cast")[0])
        .collect();
    model.select_output_outlets(&outlets).expect("outputs");
    fold::fold(&mut model).expect("it folds what it may");
    let folded = model.nodes().iter().filter(|node| node.op_is::<Const>()).count();
    assert_eq!(folded, 1 + 8);
}
