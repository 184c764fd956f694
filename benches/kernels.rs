//! `cargo bench --bench kernels -- MODEL.onnx SECONDS [--plain-tract | --operators | --threads N | --inputs N]`: one graph, as
//! one line of JSON; on this thread, or one request at a time to N inference threads.
//!
//! `median_ms` of a run on random numbers, `load_ms`, `rss_mb` after it, and `max_abs`: how far the answers lie from those of
//! tract's own kernels, as a part of the largest one; `operators`: the milliseconds of a run that each of ours takes. With
//! `--inputs` nothing is timed: `max_abs` over so many inputs, and of how many outputs the largest number stands in the
//! same place (`same_largest` of `outputs`).

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use strongroom::bundle::Files;
use strongroom::model::{Binding, Graph, Pool, Session, Tensor, resident_memory};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tract_onnx::prelude::{
    Framework, InferenceFact, InferenceModelExt, IntoTValue, IntoTensor, TValue, TVec, TractResult, TypedSimplePlan,
    tract_ndarray::ArrayD,
};
use tract_onnx::tract_core::plan::SimplePlan;
use tract_onnx::tract_hir::infer::Factoid;

const USAGE: &str =
    "cargo bench --bench kernels -- MODEL.onnx SECONDS [--plain-tract | --operators | --threads N | --inputs N]";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    // `cargo test` runs benches with `--test`: measuring is not testing.
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    let [model, seconds, options @ ..] = &arguments[..] else { misused() };
    let (model, limit) = (Path::new(model), Duration::from_secs_f64(seconds.parse().expect("SECONDS is a number")));
    let said = match options {
        [] => alone(model, limit),
        [option] if option == "--plain-tract" => plain_tract(model, limit),
        [option] if option == "--operators" => operators(model, limit),
        [option, threads] if option == "--threads" => together(model, limit, threads.parse().expect("N is a number")),
        [option, inputs] if option == "--inputs" => compare(model, inputs.parse().expect("N is a number")),
        _ => misused(),
    };
    println!("{said}");
}

fn misused() -> ! {
    eprintln!("usage: {USAGE}");
    std::process::exit(2);
}

/// As an inference thread runs it.
fn alone(model: &Path, limit: Duration) -> serde_json::Value {
    let (graph, load) = load(model);
    let mut session = graph.session().expect("a session");
    measure(model, &graph, load, limit, move |inputs| session.run(inputs).expect("a run"))
}

/// As a pool of threads that have nothing else to do runs it.
fn together(model: &Path, limit: Duration, threads: usize) -> serde_json::Value {
    let (graph, load) = load(model);
    let made = Arc::clone(&graph);
    let pool = Pool::start(threads, 1, move || made.session()).expect("inference threads");
    measure(model, &graph, load, limit, |inputs| {
        let (tell, told) = mpsc::channel();
        let job = move |session: &mut Session| drop(tell.send(session.run(inputs).expect("a run")));
        pool.submit(job).expect("a thread that is free");
        told.recv().expect("an answer")
    })
}

fn load(model: &Path) -> (Arc<Graph>, Duration) {
    let before = Instant::now();
    let bytes = std::fs::read(model).expect("the model can be read");
    let files = Files::from([("model.onnx".to_owned(), Bytes::from(bytes))]);
    let graph = Graph::load(&files, "model.onnx", &Binding::default()).expect("the graph loads");
    graph.session().expect("a session");
    (graph, before.elapsed())
}

/// Numbers for each input, and what makes tensors of them.
struct Inputs {
    shapes: Vec<Vec<usize>>,
    numbers: Vec<Vec<f32>>,
}

impl Inputs {
    fn new(shapes: Vec<Vec<usize>>, draw: &mut impl FnMut() -> f32) -> Self {
        let numbers = shapes.iter().map(|shape| (0..shape.iter().product()).map(|_| draw()).collect()).collect();
        Self { shapes, numbers }
    }

    fn of(graph: &Graph, draw: &mut impl FnMut() -> f32) -> Self {
        Self::new(graph.signature().inputs.iter().map(|port| port.shape.clone()).collect(), draw)
    }

    fn tensors(&self) -> Vec<Tensor> {
        let both = self.shapes.iter().zip(&self.numbers);
        both.map(|(shape, numbers)| Tensor::new(shape, numbers).expect("an input")).collect()
    }

    fn values(&self) -> TVec<TValue> {
        let both = self.shapes.iter().zip(&self.numbers);
        let array = |(shape, numbers): (&Vec<usize>, &Vec<f32>)| ArrayD::from_shape_vec(&shape[..], numbers.clone());
        both.map(|of_input| array(of_input).expect("as many numbers").into_tensor().into_tvalue()).collect()
    }
}

fn measure(
    model: &Path,
    graph: &Graph,
    load: Duration,
    limit: Duration,
    mut run: impl FnMut(Vec<Tensor>) -> Vec<Tensor>,
) -> serde_json::Value {
    let inputs = Inputs::of(graph, &mut random());
    let median = median(limit, || inputs.tensors(), &mut run);
    let resident = resident_memory();
    let answers = run(inputs.tensors());
    let expected = tract(model).expect("tract loads it").run(inputs.values()).expect("tract runs it");
    let apart = outputs(&answers, &expected).map(|(found, expected)| apart(found, expected));
    report(median, load, resident, Some(apart.fold(0.0, f32::max)))
}

/// Many answers, beside those of tract's own kernels.
fn compare(model: &Path, count: usize) -> serde_json::Value {
    let (graph, _) = load(model);
    let mut session = graph.session().expect("a session");
    let plain = tract(model).expect("tract loads it");
    let (mut draw, mut most, mut same, mut all) = (random(), 0_f32, 0_usize, 0_usize);
    for _ in 0..count {
        let inputs = Inputs::of(&graph, &mut draw);
        let answers = session.run(inputs.tensors()).expect("a run");
        for (found, expected) in outputs(&answers, &plain.run(inputs.values()).expect("tract runs it")) {
            most = most.max(apart(found, expected));
            same += usize::from(largest(found) == largest(expected));
            all += 1;
        }
    }
    serde_json::json!({ "inputs": count, "max_abs": most, "same_largest": same, "outputs": all })
}

/// Outputs that are `f32`: ours, and tract's.
fn outputs<'a>(found: &'a [Tensor], expected: &'a [TValue]) -> impl Iterator<Item = (&'a [f32], &'a [f32])> {
    found.iter().zip(expected).filter_map(|(found, expected)| {
        let expected = expected.try_as_plain_ram().ok()?;
        Some((found.values::<f32>()?, expected.as_slice::<f32>().ok()?))
    })
}

/// How far they are apart, as a part of the largest number.
fn apart(found: &[f32], expected: &[f32]) -> f32 {
    let largest = expected.iter().fold(f32::MIN_POSITIVE, |largest, number| largest.max(number.abs()));
    let off = |(found, expected): (&f32, &f32)| if found == expected { 0.0 } else { (found - expected).abs() };
    // What is no number is as far off as can be: `f32::max` would pass over it.
    let off = found.iter().zip(expected).map(off).map(|off| if off.is_nan() { f32::INFINITY } else { off });
    off.fold(0.0, f32::max) / largest
}

/// Where the largest number stands.
fn largest(numbers: &[f32]) -> Option<usize> {
    numbers.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(place, _)| place)
}

/// What each of our operators takes.
fn operators(model: &Path, limit: Duration) -> serde_json::Value {
    let (graph, _) = load(model);
    let (mut session, inputs) = (graph.session().expect("a session"), Inputs::of(&graph, &mut random()));
    let spent = Spent::default();
    let subscriber = tracing_subscriber::registry().with(spent.clone());
    let mut runs = 0;
    tracing::subscriber::with_default(subscriber, || {
        let run = |inputs| {
            runs += 1;
            session.run(inputs).expect("a run")
        };
        median(limit, || inputs.tensors(), run)
    });
    let spent = spent.0.lock().expect("no panic before");
    let of_run = spent.iter().map(|(operator, microseconds)| (operator.clone(), microseconds / 1e3 / f64::from(runs)));
    serde_json::json!({ "operators": of_run.collect::<BTreeMap<_, _>>() })
}

/// Microseconds by operator, from what the engine logs.
#[derive(Clone, Default)]
struct Spent(Arc<Mutex<BTreeMap<String, f64>>>);

impl<S: Subscriber> Layer<S> for Spent {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut step = Step::default();
        event.record(&mut step);
        if let Step { operator: Some(operator), microseconds } = step {
            *self.0.lock().expect("no panic before").entry(operator).or_default() += microseconds;
        }
    }
}

#[derive(Default)]
struct Step {
    operator: Option<String>,
    microseconds: f64,
}

impl Visit for Step {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "operator" {
            self.operator = Some(value.to_owned());
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "microseconds" {
            self.microseconds = value;
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

fn plain_tract(model: &Path, limit: Duration) -> serde_json::Value {
    let before = Instant::now();
    let plan = tract(model).expect("tract loads it");
    let load = before.elapsed();
    let facts = plan.model().input_outlets().expect("inputs").to_vec();
    let shape = |outlet| plan.model().outlet_fact(outlet).expect("a fact").shape.as_concrete().expect("bound").to_vec();
    let shapes: Vec<Vec<usize>> = facts.into_iter().map(shape).collect();
    let inputs = Inputs::new(shapes, &mut random());
    let median = median(limit, || inputs.values(), |values| plan.run(values).expect("a run"));
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

/// From -1 to 1, the same each time.
fn random() -> impl FnMut() -> f32 {
    let mut state = 0x9E37_79B9_u32;
    move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / u32::MAX as f32 * 2.0 - 1.0
    }
}

fn median<I, O>(limit: Duration, inputs: impl Fn() -> I, mut run: impl FnMut(I) -> O) -> Duration {
    run(inputs());
    let (begun, mut times) = (Instant::now(), Vec::new());
    while times.is_empty() || begun.elapsed() < limit {
        let inputs = inputs();
        let before = Instant::now();
        let answers = run(inputs);
        times.push(before.elapsed());
        drop(answers);
    }
    times.sort_unstable();
    times[times.len() / 2]
}

fn report(median: Duration, load: Duration, resident: Option<u64>, off: Option<f32>) -> serde_json::Value {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    serde_json::json!({ "median_ms": ms(median), "load_ms": ms(load), "rss_mb": resident.map(|bytes| bytes / 1_000_000),
        "max_abs": off })
}
