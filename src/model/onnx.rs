//! From an ONNX file in memory to a graph that runs.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use strongroom_kernels::Level;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::{
    Framework, InferenceModel, InferenceModelExt, OutletId, TDim, TValue, TVec, TractResult, TypedModel,
    TypedSimplePlan, TypedSimpleState,
};
use tract_onnx::tract_core::plan::{SimplePlan, SimpleState};

use super::constants::{Constants, Kept};
use super::error::Cause;
use super::reclaim::return_freed_memory;
use super::signature::{self, Declared};
use super::weights::Settled;
use super::{
    Binding, DType, GraphSignature, LoadError, Port, RunError, ScanError, Tensor, dequantize, lower, ml, quantize,
    scan, spell, weights,
};
use crate::bundle::Files;

type Plan = Arc<TypedSimplePlan>;
type State = TypedSimpleState;

/// A scanned, optimised graph, shared by the inference threads.
pub struct Graph {
    plan: Plan,
    signature: GraphSignature,
}

impl Graph {
    /// Scans, parses, binds and optimises the ONNX file `name` of `files` and compares every output's shape with the
    /// declared one: on a first run, unless it is certain, as it is where our kernels compute nearly all of it.
    ///
    /// Shapes that the file gives for values inside the graph are honoured first. Only when tract then refuses the
    /// graph, it is loaded once more without them, and a warning is logged: that way alone some graphs load that answer
    /// nonsense (an empty tensor), which is why the first run is compared either way.
    ///
    /// # Errors
    /// The graph is unsafe (scan), cannot be parsed or run by tract, or answers with another shape than it declares.
    pub fn load(files: &Files, name: &str, binding: &Binding) -> Result<Arc<Self>, LoadError> {
        let load = |shapes: Shapes, kept: Kept| {
            let load = |kernels| Prepared::read(files, name, binding)?.load(name, Way { shapes, kept, kernels });
            match load(Kernels::Ours) {
                Err(LoadError::Engine { stage: LOWER, source, .. }) => {
                    tracing::warn!(graph = name, error = %source, "the graph runs on tract's kernels alone");
                    load(Kernels::TractsAlone)
                }
                loaded => loaded,
            }
        };
        let quick = load(Shapes::Honoured, Kept::Opaque);
        let Err(LoadError::Engine { .. }) = quick else { return quick.map(Arc::new) };
        // tract may have needed more of the constants than it is known to; what it says then is about the file.
        let strict = load(Shapes::Honoured, Kept::Nothing);
        let Err(LoadError::Engine { stage, source, .. }) = strict else { return strict.map(Arc::new) };
        match load(Shapes::Ignored, Kept::Nothing) {
            Ok(graph) => {
                tracing::warn!(graph = name, cause = %source, "shapes inside the graph are wrong and were left aside");
                Ok(Arc::new(graph))
            }
            // tract cannot load it either way: the first refusal is about the file as it is.
            Err(LoadError::Engine { .. }) => Err(LoadError::Engine { stage, name: name.to_owned(), source }),
            Err(other) => Err(other),
        }
    }

    /// What goes in and what comes out.
    pub fn signature(&self) -> &GraphSignature {
        &self.signature
    }

    /// The state one inference thread runs this graph with.
    ///
    /// # Errors
    /// tract cannot make it.
    pub fn session(self: &Arc<Self>) -> Result<Session, RunError> {
        Ok(Session { state: fresh_state(&self.plan)?, graph: Arc::clone(self) })
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Graph").field("signature", &self.signature).finish_non_exhaustive()
    }
}

/// One inference thread's state of one graph.
pub struct Session {
    graph: Arc<Graph>,
    state: State,
}

impl Session {
    /// Runs the graph on the calling thread: `inputs` and the answer are in the signature's order; shapes and types are
    /// checked. After an error the session is as new.
    ///
    /// # Errors
    /// An input does not fit the signature, or tract fails.
    pub fn run(&mut self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, RunError> {
        check_inputs(&self.graph.signature.inputs, &inputs)?;
        self.run_checked(inputs)
    }

    /// Runs on zeros: the first run takes longer, for its memory is touched for the first time.
    ///
    /// # Errors
    /// tract fails.
    pub fn warm_up(&mut self) -> Result<(), RunError> {
        let zeros = self.graph.signature.inputs.iter().map(|port| Tensor::zeros(port.dtype, &port.shape));
        let zeros = zeros.collect::<Result<_, _>>()?;
        self.run_checked(zeros).map(drop)
    }

    fn run_checked(&mut self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, RunError> {
        let values = inputs.into_iter().map(Tensor::into_value).collect::<TVec<TValue>>();
        let ran = catch_unwind(AssertUnwindSafe(|| self.state.run(values)));
        match ran {
            Ok(Ok(outputs)) => outputs.into_iter().map(Tensor::from_value).collect(),
            // tract's causes may quote numbers of the request; its outermost words name the node.
            Ok(Err(failure)) => self.renew(RunError::engine(one_line(&failure.to_string()))),
            Err(_) => self.renew(RunError::Panicked),
        }
    }

    /// What goes in and what comes out.
    pub fn signature(&self) -> &GraphSignature {
        &self.graph.signature
    }

    fn renew<T>(&mut self, failure: RunError) -> Result<T, RunError> {
        self.state = fresh_state(&self.graph.plan)?;
        Err(failure)
    }
}

fn fresh_state(plan: &Plan) -> Result<State, RunError> {
    SimpleState::new(plan).map_err(RunError::engine)
}

fn check_inputs(ports: &[Port], inputs: &[Tensor]) -> Result<(), RunError> {
    if ports.len() != inputs.len() {
        return Err(RunError::InputCount { expected: ports.len(), found: inputs.len() });
    }
    let misfit =
        ports.iter().zip(inputs).find(|(port, input)| port.dtype != input.dtype() || port.shape != input.shape());
    let Some((port, input)) = misfit else { return Ok(()) };
    Err(RunError::Input { input: port.name.clone(), expected: port.to_string(), found: describe(input) })
}

fn describe(tensor: &Tensor) -> String {
    format!("{:?} {:?}", tensor.dtype(), tensor.shape())
}

/// Whether the shapes a file gives for values inside the graph (`value_info`) count.
#[derive(Clone, Copy)]
enum Shapes {
    Honoured,
    Ignored,
}

/// Whose kernels compute a graph.
#[derive(Clone, Copy)]
enum Kernels {
    Ours,
    TractsAlone,
}

/// How a graph is loaded.
#[derive(Clone, Copy)]
struct Way {
    shapes: Shapes,
    kept: Kept,
    kernels: Kernels,
}

/// The stage of which a failure leaves a graph that tract can run.
const LOWER: &str = "lower";

/// A graph that is safe, with its constants beside it.
struct Prepared {
    model: ModelProto,
    constants: Constants,
    inputs: Vec<Port>,
    declared: Vec<Declared>,
}

impl Prepared {
    fn read(files: &Files, name: &str, binding: &Binding) -> Result<Self, LoadError> {
        let file = files.get(name).ok_or_else(|| LoadError::MissingFile { name: name.to_owned() })?;
        let refused = |source: ScanError| LoadError::Scan { name: name.to_owned(), source };
        let (mut model, raw) = scan::read(file).map_err(refused)?;
        let Settled { weights, flushed, tensors } = weights::settle(&mut model, &raw, files, name).map_err(refused)?;
        tracing::info!(graph = name, weights, flushed, "weights checked");
        spell::out(&mut model, &tensors).map_err(refused)?;
        let Some(graph) = model.graph.as_mut() else { return Err(refused(ScanError::malformed("there is no graph"))) };
        let (inputs, declared) = signature::bind(graph, binding).map_err(|error| error.in_file(name))?;
        let constants = Constants::withdraw(graph, tensors);
        Ok(Self { model, constants, inputs, declared })
    }

    fn load(self, name: &str, way: Way) -> Result<Graph, LoadError> {
        let mut parsed = guarded("read", name, || parse(&self.model, way.shapes))?;
        guarded("read", name, || self.constants.place(&mut parsed, way.kept))?;
        let mut typed = guarded("analyse", name, || parsed.into_typed())?;
        guarded("analyse", name, || self.constants.place_kept(&mut typed))?;
        let Self { inputs, declared, constants, model } = self;
        // What tract has no need of any more is given back before memory is asked for again.
        drop((constants, model));
        bound_values(&typed, name)?;
        let lowered = match way.kernels {
            Kernels::Ours => guarded(LOWER, name, || lower::lower(typed, Level::detect()))?,
            Kernels::TractsAlone => typed,
        };
        let lowered = guarded("optimise", name, || quantize::bounded(lowered))?;
        let optimised = guarded("optimise", name, || lowered.into_optimized())?;
        let is_certain = matches!(way.shapes, Shapes::Honoured) && lower::is_certain(&optimised);
        let plan = guarded("plan", name, || SimplePlan::new(optimised))?;
        let found = match is_certain.then(|| planned(&plan)).flatten() {
            Some(planned) => planned,
            None => first_run(&plan, name, &inputs)?,
        };
        let outputs = settle_outputs(&plan, &declared, &found)?;
        let left = lower::left(plan.model());
        let left: Vec<String> = left.iter().map(|(name, count)| format!("{count} {name}")).collect();
        tracing::info!(graph = name, left_to_tract = left.join(", "), "kernels chosen");
        return_freed_memory();
        Ok(Graph { plan, signature: GraphSignature { inputs, outputs } })
    }
}

/// Refuses a graph one of whose values is beyond any model in use, before a run asks for its memory.
fn bound_values(model: &TypedModel, name: &str) -> Result<(), LoadError> {
    let facts = model.nodes().iter().flat_map(|node| node.outputs.iter().map(move |output| (node, &output.fact)));
    for (node, fact) in facts {
        let count = fact.shape.as_concrete().map(signature::volume);
        if let Some(found) = count.filter(|count| *count > signature::MAX_VALUES) {
            let what = format!("numbers in what node {} makes", node.name);
            let source = ScanError::Limit { what, found, limit: signature::MAX_VALUES };
            return Err(LoadError::Scan { name: name.to_owned(), source });
        }
    }
    Ok(())
}

fn parse(model: &ModelProto, shapes: Shapes) -> TractResult<InferenceModel> {
    let ignore = match shapes {
        Shapes::Honoured => false,
        Shapes::Ignored => true,
    };
    // Declared output shapes are compared with the first run's; tract is told nothing of them.
    let mut reader = tract_onnx::onnx().with_ignore_value_info(ignore).with_ignore_output_shapes(true);
    ml::register(&mut reader.op_register);
    dequantize::register(&mut reader.op_register);
    reader.model_for_proto_model(model)
}

/// Runs one stage of tract; a panic there is that stage's error.
fn guarded<T, E: Into<Cause>>(
    stage: &'static str,
    name: &str,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<T, LoadError> {
    let outcome = catch_unwind(AssertUnwindSafe(work)).map_err(|panic| Cause::from(panic_text(panic.as_ref())));
    let outcome = outcome.and_then(|result| result.map_err(Into::into));
    let words = |source: Cause| Cause::from(one_line(&chain(source.as_ref())));
    outcome.map_err(|source| LoadError::Engine { stage, name: name.to_owned(), source: words(source) })
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("no message"))
}

/// Element type and shape of an answer.
type Answered = (DType, Vec<usize>);

fn first_run(plan: &Plan, name: &str, inputs: &[Port]) -> Result<Vec<Answered>, LoadError> {
    guarded("run", name, || {
        let zeros = inputs.iter().map(|port| Tensor::zeros(port.dtype, &port.shape).map(Tensor::into_value));
        let values = zeros.collect::<Result<TVec<TValue>, RunError>>()?;
        let outputs = plan.run(values).map_err(RunError::engine)?.into_iter().map(Tensor::from_value);
        let answered = |output: Tensor| (output.dtype(), output.shape().to_vec());
        outputs.map(|output| output.map(answered)).collect::<Result<Vec<_>, RunError>>()
    })
}

/// What a graph answers of which that is certain; `None` where it is symbolic integers.
fn planned(plan: &Plan) -> Option<Vec<Answered>> {
    let model = plan.model();
    let answered = |outlet: &OutletId| {
        let fact = model.outlet_fact(*outlet).ok()?;
        Some((DType::of(fact.datum_type)?, fact.shape.as_concrete()?.to_vec()))
    };
    model.outputs.iter().map(answered).collect()
}

/// The outputs' ports, when the answers are what is declared.
fn settle_outputs(plan: &Plan, declared: &[Declared], found: &[Answered]) -> Result<Vec<Port>, LoadError> {
    let settle = |(slot, (declared, (dtype, found))): (usize, (&Declared, &Answered))| {
        let shape = settled_shape(plan, slot, declared, found).filter(|_| *dtype == declared.dtype);
        if let Some(shape) = shape {
            return Ok(Port { name: declared.name.clone(), dtype: declared.dtype, shape });
        }
        let (expected, found) = (declared.to_string(), format!("{dtype:?} {found:?}"));
        Err(LoadError::Output { output: declared.name.clone(), expected, found })
    };
    declared.iter().zip(found).enumerate().map(settle).collect()
}

/// The answer's shape if it is as declared and nothing in it is empty; 0 where neither the file nor tract gives a
/// number, because the dimension depends on the values of the inputs.
fn settled_shape(plan: &Plan, slot: usize, declared: &Declared, found: &[usize]) -> Option<Vec<usize>> {
    let fact = plan.model().output_fact(slot).ok()?;
    let open = vec![None; found.len()];
    let expected = declared.shape.as_ref().unwrap_or(&open);
    if expected.len() != found.len() || fact.rank() != expected.len() {
        return None;
    }
    let settle = |((&expected, &found), inferred): ((&Option<usize>, &usize), &TDim)| match expected {
        Some(expected) => (expected == found && found > 0).then_some(found),
        None if inferred.as_i64().is_none() => Some(0),
        None => (found > 0).then_some(found),
    };
    expected.iter().zip(found).zip(fact.shape.iter()).map(settle).collect()
}

/// tract prints whole nodes, over many lines; this is for one line of a log.
fn one_line(words: &str) -> String {
    const LONGEST: usize = 600;
    words.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect()
}

/// An error with its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
