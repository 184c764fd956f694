//! The graphs of a bundle: loaded with every shape bound, checked against the manifest, run with their answers checked.

use std::sync::Arc;

use crate::bundle::{Files, ImageInput, Layout, Pixels};
use crate::model::{self, Binding, DType, Graph, GraphSignature, Port, Tensor};

use super::{LoadError, PredictError};

/// A graph under the name the manifest gives it.
pub(super) struct LoadedGraph {
    file: String,
    slot: usize,
    graph: Arc<Graph>,
}

/// The graphs loaded so far, in the order of their slots.
pub(super) struct Graphs<'a> {
    files: &'a Files,
    loaded: Vec<Arc<LoadedGraph>>,
}

/// One output of a graph, found and checked at load.
#[derive(Debug, Clone)]
pub(super) struct OutputAt {
    index: usize,
    port: Port,
}

impl<'a> Graphs<'a> {
    pub(super) fn new(files: &'a Files) -> Self {
        Self { files, loaded: Vec::new() }
    }

    pub(super) fn into_loaded(self) -> Vec<Arc<LoadedGraph>> {
        self.loaded
    }

    pub(super) fn load(&mut self, file: &str, binding: &Binding) -> Result<Arc<LoadedGraph>, LoadError> {
        let graph =
            Graph::load(self.files, file, binding).map_err(|source| LoadError::Graph { graph: file.into(), source })?;
        let loaded = Arc::new(LoadedGraph { file: file.into(), slot: self.loaded.len(), graph });
        self.loaded.push(Arc::clone(&loaded));
        Ok(loaded)
    }

    /// Loads a graph whose only input is an image.
    pub(super) fn load_image(&mut self, file: &str, input: &ImageInput) -> Result<Arc<LoadedGraph>, LoadError> {
        self.load_pixels(file, input.name.as_deref(), &input.pixels, [input.height, input.width])
    }

    /// Loads a graph whose only input is pixels of `[height, width]`.
    pub(super) fn load_pixels(
        &mut self,
        file: &str,
        name: Option<&str>,
        pixels: &Pixels,
        size: [u32; 2],
    ) -> Result<Arc<LoadedGraph>, LoadError> {
        let [height, width] = size.map(|side| side as usize);
        let shape = match pixels.layout {
            Layout::Nchw => vec![1, 3, height, width],
            Layout::Nhwc => vec![1, height, width, 3],
        };
        let graph = self.load_shaped(file, name, &shape)?;
        let port = graph.only_input(name)?;
        if port.dtype != DType::F32 || port.shape != shape {
            let found = format!("{:?} {:?}", port.dtype, port.shape);
            return Err(graph.mismatch(format!("input {} expected F32 {shape:?}, found {found}", port.name)));
        }
        Ok(graph)
    }

    /// Binds the one input to `shape`. Where the manifest does not name it, the graph is asked first: it either has no
    /// open dimension but the batch, or its refusal says which input has.
    fn load_shaped(&mut self, file: &str, name: Option<&str>, shape: &[usize]) -> Result<Arc<LoadedGraph>, LoadError> {
        let bound = |name: &str| Binding { inputs: [(name.to_owned(), shape.to_vec())].into(), ..Binding::default() };
        if let Some(name) = name {
            return self.load(file, &bound(name));
        }
        match self.load(file, &Binding::default()) {
            Err(LoadError::Graph { source: model::LoadError::Unbound { input, .. }, .. }) => {
                self.load(file, &bound(&input))
            }
            loaded => loaded,
        }
    }
}

impl LoadedGraph {
    pub(super) fn signature(&self) -> &GraphSignature {
        self.graph.signature()
    }

    /// Its one input, which must be called `name` where the manifest says so.
    pub(super) fn only_input(&self, name: Option<&str>) -> Result<&Port, LoadError> {
        let inputs = &self.signature().inputs;
        match (inputs.as_slice(), name) {
            ([port], None) => Ok(port),
            ([port], Some(name)) if port.name == name => Ok(port),
            (_, name) => {
                let expected = name.map_or("one input".into(), |name| format!("one input, {name}"));
                Err(self.mismatch(format!("expected {expected}, found {}", names(inputs))))
            }
        }
    }

    /// The output called `name`, or the only one.
    pub(super) fn output(&self, name: Option<&str>) -> Result<OutputAt, LoadError> {
        let outputs = &self.signature().outputs;
        let index = match name {
            Some(name) => outputs.iter().position(|port| port.name == name),
            None if outputs.len() == 1 => Some(0),
            None => None,
        };
        let found = index.and_then(|index| Some(OutputAt { index, port: outputs.get(index)?.clone() }));
        found.ok_or_else(|| {
            let expected =
                name.map_or("one output, or `output` in the manifest".into(), |name| format!("output {name}"));
            self.mismatch(format!("expected {expected}, found {}", names(outputs)))
        })
    }

    /// The output called `name`, or the only one, of numbers in `shape`.
    pub(super) fn output_of_shape(&self, name: Option<&str>, shape: &[usize]) -> Result<OutputAt, LoadError> {
        let output = self.float_output(name)?;
        if output.shape() == shape {
            return Ok(output);
        }
        Err(self.mismatch(format!("output {} expected {shape:?}, found {:?}", output.port.name, output.shape())))
    }

    /// The output called `name`, or the only one, of `f32` numbers.
    pub(super) fn float_output(&self, name: Option<&str>) -> Result<OutputAt, LoadError> {
        let output = self.output(name)?;
        if output.port.dtype == DType::F32 {
            return Ok(output);
        }
        Err(self.mismatch(format!("output {} expected F32, found {:?}", output.port.name, output.port.dtype)))
    }

    pub(super) fn mismatch(&self, reason: String) -> LoadError {
        LoadError::Mismatch { graph: self.file.clone(), reason }
    }
}

impl OutputAt {
    pub(super) fn name(&self) -> &str {
        &self.port.name
    }

    pub(super) fn dtype(&self) -> DType {
        self.port.dtype
    }

    /// As bound at load.
    pub(super) fn shape(&self) -> &[usize] {
        &self.port.shape
    }

    pub(super) fn last_dimension(&self) -> usize {
        self.port.shape.last().copied().unwrap_or(1)
    }

    /// Its tensor among a run's answers: NaN and infinity are an error, never an answer.
    pub(super) fn of<'t>(&self, outputs: &'t [Tensor]) -> Result<&'t Tensor, PredictError> {
        let tensor = outputs.get(self.index).ok_or_else(|| self.unlike_declared())?;
        check_finite(&self.port, tensor)?;
        Ok(tensor)
    }

    /// Its values among a run's answers.
    pub(super) fn floats<'t>(&self, outputs: &'t [Tensor]) -> Result<&'t [f32], PredictError> {
        self.of(outputs)?.values::<f32>().ok_or_else(|| self.unlike_declared())
    }

    pub(super) fn unlike_declared(&self) -> PredictError {
        PredictError::BadAnswer { output: self.port.name.clone(), reason: "not of the declared shape and type" }
    }
}

/// One inference thread's state of one graph.
pub(super) struct GraphSession {
    session: model::Session,
}

impl GraphSession {
    pub(super) fn new(graph: &Arc<LoadedGraph>) -> Result<Self, model::RunError> {
        Ok(Self { session: graph.graph.session()? })
    }

    pub(super) fn warm_up(&mut self) -> Result<(), model::RunError> {
        self.session.warm_up()
    }

    fn run(&mut self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, PredictError> {
        Ok(self.session.run(inputs)?)
    }
}

/// Runs `graph` in its slot of `sessions`. Outputs are checked where they are read: nobody minds NaN in the others.
pub(super) fn run(
    sessions: &mut [GraphSession],
    graph: &LoadedGraph,
    inputs: Vec<Tensor>,
) -> Result<Vec<Tensor>, PredictError> {
    match sessions.get_mut(graph.slot) {
        Some(session) => session.run(inputs),
        None => Err(PredictError::BadAnswer { output: graph.file.clone(), reason: "the session has no such graph" }),
    }
}

/// Refuses NaN and infinities in the output `port`.
pub(super) fn check_finite(port: &Port, tensor: &Tensor) -> Result<(), PredictError> {
    if is_finite(tensor) {
        return Ok(());
    }
    Err(PredictError::BadAnswer { output: port.name.clone(), reason: "it holds a number that is not finite" })
}

fn is_finite(tensor: &Tensor) -> bool {
    if tensor.dtype() == DType::F16 {
        return tensor.cast(DType::F32).is_ok_and(|tensor| is_finite(&tensor));
    }
    let floats = tensor.values::<f32>().is_none_or(|values| values.iter().all(|v| v.is_finite()));
    floats && tensor.values::<f64>().is_none_or(|values| values.iter().all(|v| v.is_finite()))
}

fn names(ports: &[Port]) -> String {
    let names: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
