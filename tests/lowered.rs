//! Graphs answer on our kernels what they answer on tract's: those of the sample bundles, and small ones of
//! `tests/python/lowered_graphs.py`, one for each rule.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use strongroom::bundle::Files;
use strongroom::model::{Binding, Graph, Tensor};
use tract_onnx::prelude::{
    Framework, InferenceFact, InferenceModelExt, IntoTValue, IntoTensor, TVec, TractResult, TypedSimplePlan,
    tract_ndarray::ArrayD,
};
use tract_onnx::tract_core::plan::SimplePlan;
use tract_onnx::tract_hir::infer::Factoid;

/// Of the largest number of an output. Sums are taken in another order, over up to some thousand products a layer, and
/// a face detector's outputs on noise are small differences of large numbers.
const APART: f32 = 5e-5;

/// The graph on tract's kernels alone, with the shapes that `graph` was bound to.
fn plain(file: &Path, graph: &Graph) -> TractResult<Arc<TypedSimplePlan>> {
    let mut plain = tract_onnx::onnx().with_ignore_output_shapes(true).model_for_path(file)?;
    for (slot, port) in graph.signature().inputs.iter().enumerate() {
        let datum = plain.input_fact(slot)?.datum_type.concretize().expect("a type");
        plain.set_input_fact(slot, InferenceFact::dt_shape(datum, &port.shape))?;
    }
    SimplePlan::new(plain.into_optimized()?)
}

/// Numbers from -1 to 1, told apart by `seed`.
fn random(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / u32::MAX as f32 * 2.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Compares the graph in `file` with plain tract on `rounds` random inputs, one session answering them all; `apart` is of
/// the largest number of an output.
fn compare(file: &Path, rounds: u32, apart: f32) {
    let shown = file.display();
    let files = Files::from([("m.onnx".to_owned(), std::fs::read(file).unwrap().into())]);
    let graph = Graph::load(&files, "m.onnx", &Binding::default()).unwrap_or_else(|error| panic!("{shown}: {error:?}"));
    let plain = plain(file, &graph).unwrap();
    let mut session = graph.session().unwrap();
    for seed in 1..=rounds {
        let inputs: Vec<(Vec<usize>, Vec<f32>)> = graph
            .signature()
            .inputs
            .iter()
            .map(|port| (port.shape.clone(), random(port.shape.iter().product(), seed)))
            .collect();
        let values: TVec<_> = inputs
            .iter()
            .map(|(shape, numbers)| {
                ArrayD::from_shape_vec(&shape[..], numbers.clone()).unwrap().into_tensor().into_tvalue()
            })
            .collect();
        let expected = plain.run(values).unwrap();
        let tensors = inputs.iter().map(|(shape, numbers)| Tensor::new(shape, numbers).unwrap()).collect();
        let found = session.run(tensors).unwrap();
        for (port, (found, expected)) in graph.signature().outputs.iter().zip(found.iter().zip(&expected)) {
            let expected = expected.try_as_plain_ram().unwrap();
            let (Some(found), Ok(expected)) = (found.values::<f32>(), expected.as_slice::<f32>()) else { continue };
            let largest = expected.iter().fold(f32::MIN_POSITIVE, |largest, number| largest.max(number.abs()));
            let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off <= apart * largest, "{shown}, {}: {off} apart, of {largest}", port.name);
        }
    }
}

fn compare_small(name: &str) {
    compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lowered").join(name).with_extension("onnx"), 3, APART);
}

/// Of graphs whose scales are powers of two: nothing but bytes is rounded, so all answer the same.
fn compare_exactly(name: &str) {
    compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lowered").join(name).with_extension("onnx"), 9, 0.0);
}

#[test]
fn the_graphs_of_the_sample_bundles_answer_as_on_tract_alone() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("model-artifacts");
    let bundles = std::fs::read_dir(samples).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files = bundles.flat_map(|bundle| std::fs::read_dir(bundle).unwrap().map(|entry| entry.unwrap().path()));
    let graphs: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|end| end == "onnx")).collect();
    assert_eq!(graphs.len(), 7, "{graphs:?}");
    // Our trees stand in for tract's before it types a graph: there is nothing of tract's to compare them with.
    for graph in graphs.iter().filter(|graph| !graph.ends_with("iris_rf.onnx")) {
        compare(graph, 2, APART);
    }
}

#[test]
fn attention_within_windows_is_not_taken_for_attention_over_all_pixels() {
    compare_small("attention_in_windows");
}

#[test]
fn attention_over_all_tokens_with_normalisation_and_gelu_is_a_transformer() {
    compare_small("transformer");
}

#[test]
fn a_residual_network_adds_before_it_clamps() {
    compare_small("residual");
}

#[test]
fn squeeze_and_excite_multiplies_each_plane_by_its_own_number() {
    compare_small("squeeze_and_excite");
}

#[test]
fn what_is_concatenated_is_made_in_place_or_copied() {
    compare_small("concatenated");
}

#[test]
fn a_transposed_convolution_is_one_for_each_remainder_of_the_stride() {
    compare_small("transposed");
}

#[test]
fn groups_of_any_size_are_convolved_by_themselves() {
    compare_small("groups");
}

#[test]
fn an_average_whose_window_overhangs_is_left_to_tract() {
    compare_small("overhanging_average");
}

#[test]
fn a_graph_whose_padding_is_beyond_memory_is_left_to_tract() {
    compare_small("far_padding");
}

#[test]
fn several_images_are_computed_one_by_one() {
    compare_small("three_images");
}

#[test]
fn a_quantized_network_answers_as_the_numbers_that_its_bytes_mean() {
    compare_exactly("quantized");
}

#[test]
fn signed_bytes_are_quantized_as_unsigned_ones() {
    compare_exactly("quantized_signed");
}

#[test]
fn quantized_weights_that_the_kernels_do_not_know_are_computed_as_numbers() {
    compare_exactly("quantized_in_part");
}
