//! `cargo bench --bench kernels -- MODEL.onnx SECONDS [--plain-tract | --threads N]`: one graph, as one line of JSON; on one
//! thread, or one request at a time to N inference threads.
//!
//! `median_ms` of a run on random numbers, `load_ms`, `rss_mb` after it, and `max_abs`: how far the answers lie from those of
//! tract's own kernels, as a part of the largest one.

use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use strongroom::bundle::Files;
use strongroom::model::{Binding, Graph, Pool, Session, Tensor, resident_memory};
use tract_onnx::prelude::{
    Framework, InferenceFact, InferenceModelExt, IntoTValue, IntoTensor, TValue, TVec, TractResult, TypedSimplePlan,
    tract_ndarray::ArrayD, tvec,
};
use tract_onnx::tract_core::plan::SimplePlan;
use tract_onnx::tract_hir::infer::Factoid;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    // `cargo test` runs benches with `--test`: measuring is not testing.
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    let [model, seconds, options @ ..] = &arguments[..] else {
        eprintln!("usage: cargo bench --bench kernels -- MODEL.onnx SECONDS [--plain-tract | --threads N]");
        std::process::exit(2);
    };
    let limit = Duration::from_secs_f64(seconds.parse().expect("SECONDS is a number"));
    let said = match options {
        [] => ours(Path::new(model), limit, 1),
        [option, threads] if option == "--threads" => {
            ours(Path::new(model), limit, threads.parse().expect("N is a number"))
        }
        [option] if option == "--plain-tract" => plain_tract(Path::new(model), limit),
        _ => panic!("unknown options: {options:?}"),
    };
    println!("{said}");
}

fn ours(model: &Path, limit: Duration, threads: usize) -> serde_json::Value {
    let before = Instant::now();
    let bytes = std::fs::read(model).expect("the model can be read");
    let files = Files::from([("model.onnx".to_owned(), Bytes::from(bytes))]);
    let graph = Graph::load(&files, "model.onnx", &Binding::default()).expect("the graph loads");
    let made = std::sync::Arc::clone(&graph);
    let pool = Pool::start(threads, 1, move || made.session()).expect("inference threads");
    let load = before.elapsed();
    drop(files);
    let shapes: Vec<Vec<usize>> = graph.signature().inputs.iter().map(|port| port.shape.clone()).collect();
    let numbers: Vec<Vec<f32>> = shapes.iter().map(|shape| random(shape.iter().product())).collect();
    let inputs = || {
        let both = shapes.iter().zip(&numbers);
        both.map(|(shape, numbers)| Tensor::new(shape, numbers).expect("an input")).collect::<Vec<_>>()
    };
    let run = || {
        let (inputs, (tell, told)) = (inputs(), mpsc::channel());
        let job = move |session: &mut Session| drop(tell.send(session.run(inputs).expect("a run")));
        pool.submit(job).expect("a thread that is free");
        told.recv().expect("an answer")
    };
    let median = median(limit, || drop(run()));
    let resident = resident_memory();
    let answers = run();
    let expected = tract(model).expect("tract loads it").run(values(&shapes, &numbers)).expect("tract runs it");
    let off = answers.iter().zip(&expected).filter_map(|(found, expected)| {
        let expected = expected.try_as_plain_ram().ok()?;
        let (found, expected) = (found.values::<f32>()?, expected.as_slice::<f32>().ok()?);
        let largest = expected.iter().fold(f32::MIN_POSITIVE, |largest, number| largest.max(number.abs()));
        let off = found.iter().zip(expected).map(|(found, expected)| (found - expected).abs());
        Some(off.fold(0.0, f32::max) / largest)
    });
    report(median, load, resident, Some(off.fold(0.0, f32::max)))
}

fn plain_tract(model: &Path, limit: Duration) -> serde_json::Value {
    let before = Instant::now();
    let plan = tract(model).expect("tract loads it");
    let load = before.elapsed();
    let facts = plan.model().input_outlets().expect("inputs").to_vec();
    let shape = |outlet| plan.model().outlet_fact(outlet).expect("a fact").shape.as_concrete().expect("bound").to_vec();
    let shapes: Vec<Vec<usize>> = facts.into_iter().map(shape).collect();
    let numbers: Vec<Vec<f32>> = shapes.iter().map(|shape| random(shape.iter().product())).collect();
    let median = median(limit, || drop(plan.run(values(&shapes, &numbers)).expect("a run")));
    report(median, load, resident_memory(), None)
}

type Plan = std::sync::Arc<TypedSimplePlan>;

/// The graph on tract's kernels alone, every open dimension bound to 1.
fn tract(model: &Path) -> TractResult<Plan> {
    let mut graph = tract_onnx::onnx().with_ignore_output_shapes(true).model_for_path(model)?;
    for input in 0..graph.inputs.len() {
        let fact = graph.input_fact(input)?.clone();
        let dims =
            fact.shape.dims().map(|dim| dim.concretize().and_then(|dim| dim.as_i64()).map_or(1, |dim| dim as usize));
        let dims: Vec<usize> = dims.collect();
        let datum = { fact.datum_type.concretize().expect("a type") };
        graph.set_input_fact(input, InferenceFact::dt_shape(datum, &dims))?;
    }
    SimplePlan::new(graph.into_optimized()?)
}

fn values(shapes: &[Vec<usize>], numbers: &[Vec<f32>]) -> TVec<TValue> {
    let mut values = tvec!();
    for (shape, numbers) in shapes.iter().zip(numbers) {
        let array = ArrayD::from_shape_vec(&shape[..], numbers.clone());
        values.push(array.expect("as many numbers").into_tensor().into_tvalue());
    }
    values
}

/// From -1 to 1, the same each time.
fn random(count: usize) -> Vec<f32> {
    let mut state = 0x9E37_79B9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / u32::MAX as f32 * 2.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn median(limit: Duration, mut run: impl FnMut()) -> Duration {
    run();
    let (begun, mut times) = (Instant::now(), Vec::new());
    while times.is_empty() || begun.elapsed() < limit {
        let before = Instant::now();
        run();
        times.push(before.elapsed());
    }
    times.sort_unstable();
    times[times.len() / 2]
}

fn report(median: Duration, load: Duration, resident: Option<u64>, off: Option<f32>) -> serde_json::Value {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    serde_json::json!({ "median_ms": ms(median), "load_ms": ms(load), "rss_mb": resident.map(|bytes| bytes / 1_000_000),
        "max_abs": off })
}
