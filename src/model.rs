//! ONNX to a running model. The only folder that names tract; it knows nothing of sealing, images or HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bundle::Files;

/// Values for what a graph leaves open, so that every shape is known at load (tract is 4 to 8 times faster then).
#[derive(Debug, Clone, Default)]
pub struct Binding {
    /// Full shape of an input by its name; stands above `dimensions`.
    pub inputs: BTreeMap<String, Vec<usize>>,
    /// Values of symbolic dimensions by name. A leading (batch) dimension that is named nowhere is bound to 1.
    pub dimensions: BTreeMap<String, usize>,
}

/// Element types that cross the border of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DType {
    Bool,
    U8,
    I8,
    I16,
    I32,
    I64,
    U16,
    U32,
    U64,
    F16,
    F32,
    F64,
    Text,
}

/// Name, element type and bound shape of one input or output.
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    /// As the graph names it.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Every dimension bound.
    pub shape: Vec<usize>,
}

/// Names, element types and shapes of a graph's inputs and outputs, in the graph's order.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphSignature {
    /// In the graph's order.
    pub inputs: Vec<Port>,
    /// In the graph's order.
    pub outputs: Vec<Port>,
}

/// A dense row-major tensor.
#[derive(Debug, Clone)]
pub struct Tensor(());

/// Rust types a [`Tensor`] can hold.
pub trait Element: Copy + 'static {}
impl Element for f32 {}
impl Element for f64 {}
impl Element for i64 {}
impl Element for i32 {}
impl Element for u8 {}
impl Element for bool {}

impl Tensor {
    /// A tensor of `shape` from row-major `values`.
    ///
    /// # Errors
    /// The number of values is not the product of the shape.
    pub fn new<T: Element>(shape: &[usize], values: &[T]) -> Result<Self, RunError> {
        let _ = (shape, values);
        todo!()
    }
    /// A zeroed tensor that `fill` writes in place, so that pixels are laid out without a copy.
    pub fn filled<T: Element>(shape: &[usize], fill: impl FnOnce(&mut [T])) -> Self {
        let _ = (shape, fill);
        todo!()
    }
    /// Every dimension.
    pub fn shape(&self) -> &[usize] {
        todo!()
    }
    /// Element type.
    pub fn dtype(&self) -> DType {
        todo!()
    }
    /// The values, row-major, if they are of type `T`.
    pub fn values<T: Element>(&self) -> Option<&[T]> {
        todo!()
    }
}

/// A scanned, optimised graph, shared by the inference threads.
#[derive(Debug)]
pub struct Graph(());

impl Graph {
    /// Scans, parses, binds and optimises the ONNX file `name` of `files`, runs it once and compares every output's
    /// shape with the declared one.
    ///
    /// # Errors
    /// The graph is unsafe (scan), cannot be parsed or run by tract, or answers with another shape than it declares.
    pub fn load(files: &Files, name: &str, binding: &Binding) -> Result<Arc<Self>, LoadError> {
        let _ = (files, name, binding);
        todo!()
    }
    /// What goes in and what comes out.
    pub fn signature(&self) -> &GraphSignature {
        todo!()
    }
    /// The state one inference thread runs this graph with.
    pub fn session(self: &Arc<Self>) -> Result<Session, RunError> {
        todo!()
    }
}

/// One inference thread's state of one graph.
pub struct Session(());

impl Session {
    /// Runs the graph: `inputs` and the answer are in the signature's order; shapes and types are checked.
    pub fn run(&mut self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, RunError> {
        let _ = inputs;
        todo!()
    }
}

/// Inference threads, each with its own `S`, behind one bounded queue.
pub struct Pool<S>(std::marker::PhantomData<S>);

impl<S: 'static> Pool<S> {
    /// Starts `threads` threads named `infer-N`; each makes its `S` first. `queue` jobs may wait.
    pub fn start(threads: usize, queue: usize, make: impl Fn() -> S + Send + Sync + 'static) -> Self {
        let _ = (threads, queue, make);
        todo!()
    }
    /// Hands `job` to the next free thread, or gives it up at once when the queue is full. A panic in a job is caught,
    /// the thread's `S` is made anew.
    pub fn submit(&self, job: impl FnOnce(&mut S) + Send + 'static) -> Result<(), QueueFull> {
        let _ = job;
        todo!()
    }
    /// Jobs that wait.
    pub fn depth(&self) -> usize {
        todo!()
    }
}

/// All inference threads are busy and the queue is full.
#[derive(Debug, thiserror::Error)]
#[error("all inference threads are busy and {waiting} requests wait")]
pub struct QueueFull {
    /// Length of the queue.
    pub waiting: usize,
}

/// Why a graph is not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {}
