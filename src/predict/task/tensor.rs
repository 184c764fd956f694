//! Named tensors to named tensors, as the Open Inference Protocol v2 has them.

use std::sync::Arc;

use crate::bundle;
use crate::model::{Binding, DType, Port, Tensor};
use crate::predict::answer::{Answer, OutputTensor, Tensors, Values};
use crate::predict::request::NamedTensor;

use super::graphs::{self, Graphs, LoadedGraph};
use super::{LoadError, PredictError, Running};

pub(in crate::predict) struct TensorTask {
    graph: Arc<LoadedGraph>,
    model_name: String,
    model_version: String,
}

impl TensorTask {
    pub(super) fn load(
        task: &bundle::TensorTask,
        manifest: &bundle::Manifest,
        graphs: &mut Graphs<'_>,
    ) -> Result<Self, LoadError> {
        let binding = Binding { dimensions: task.dimensions.clone(), ..Binding::default() };
        let graph = graphs.load(&task.graph, &binding)?;
        Ok(Self { graph, model_name: manifest.name.clone(), model_version: manifest.version.clone() })
    }

    /// Inputs and outputs as the graph names them.
    pub(super) fn graph(&self) -> &LoadedGraph {
        &self.graph
    }

    /// Whether an answer is one array of numbers.
    pub(super) fn answers_one_array(&self) -> bool {
        matches!(self.graph.signature().outputs.as_slice(), [only] if only.dtype != DType::Text)
    }

    /// One run: every input of the graph must be among `tensors`, and nothing else.
    pub(super) fn answer(&self, running: &mut Running<'_>, tensors: Vec<NamedTensor>) -> Result<Answer, PredictError> {
        let inputs = arrange(&self.graph.signature().inputs, tensors)?;
        let outputs = graphs::run(running.graphs, &self.graph, inputs)?;
        let named = self.graph.signature().outputs.iter().zip(outputs);
        let outputs = named.map(|(port, tensor)| output(port, &tensor)).collect::<Result<_, _>>()?;
        let (model_name, model_version) = (self.model_name.clone(), self.model_version.clone());
        Ok(Answer::Tensors(Tensors { model_name, model_version, outputs }))
    }
}

/// The tensors in the order of the graph's inputs, each of its type and shape.
fn arrange(ports: &[Port], mut tensors: Vec<NamedTensor>) -> Result<Vec<Tensor>, PredictError> {
    if let ([_], [only]) = (ports, tensors.as_mut_slice()) {
        // npy and CSV carry no names.
        if only.name.is_empty() {
            only.name.clone_from(&ports[0].name);
        }
    }
    let inputs = ports.iter().map(|port| take(port, &mut tensors)).collect::<Result<_, _>>()?;
    match tensors.first() {
        None => Ok(inputs),
        Some(stranger) => Err(PredictError::InvalidInput {
            what: "inputs".to_owned(),
            expected: ports.iter().map(|port| port.name.as_str()).collect::<Vec<_>>().join(", "),
            found: format!("{:?}", stranger.name),
        }),
    }
}

fn take(port: &Port, tensors: &mut Vec<NamedTensor>) -> Result<Tensor, PredictError> {
    let invalid = |found: String| PredictError::InvalidInput {
        what: format!("input {}", port.name),
        expected: format!("{:?} {:?}", port.dtype, port.shape),
        found,
    };
    let place = tensors.iter().position(|tensor| tensor.name == port.name).ok_or_else(|| invalid("none".to_owned()))?;
    let sent = tensors.swap_remove(place);
    if sent.datatype != port.dtype || sent.shape != port.shape {
        return Err(invalid(format!("{:?} {:?}", sent.datatype, sent.shape)));
    }
    // Half precision comes as f32.
    if sent.tensor.dtype() == port.dtype { Ok(sent.tensor) } else { Ok(sent.tensor.cast(port.dtype)?) }
}

fn output(port: &Port, tensor: &Tensor) -> Result<OutputTensor, PredictError> {
    graphs::check_finite(port, tensor)?;
    let half = tensor.dtype() == DType::F16;
    let cast = if half { Some(tensor.cast(DType::F32)?) } else { None };
    let values = values(cast.as_ref().unwrap_or(tensor))
        .ok_or_else(|| PredictError::BadAnswer { output: port.name.clone(), reason: "its values cannot be read" })?;
    let datatype = if half { "FP16" } else { values.datatype() };
    Ok(OutputTensor { name: port.name.clone(), datatype, shape: tensor.shape().to_vec(), data: values })
}

fn values(tensor: &Tensor) -> Option<Values> {
    Some(match tensor.dtype() {
        DType::Bool => Values::Bool(tensor.values::<bool>()?.to_vec()),
        DType::U8 => Values::U8(tensor.values::<u8>()?.to_vec()),
        DType::I8 => Values::I8(tensor.values::<i8>()?.to_vec()),
        DType::I16 => Values::I16(tensor.values::<i16>()?.to_vec()),
        DType::I32 => Values::I32(tensor.values::<i32>()?.to_vec()),
        DType::I64 => Values::I64(tensor.values::<i64>()?.to_vec()),
        DType::U16 => Values::U16(tensor.values::<u16>()?.to_vec()),
        DType::U32 => Values::U32(tensor.values::<u32>()?.to_vec()),
        DType::U64 => Values::U64(tensor.values::<u64>()?.to_vec()),
        DType::F16 => return None,
        DType::F32 => Values::F32(tensor.values::<f32>()?.to_vec()),
        DType::F64 => Values::F64(tensor.values::<f64>()?.to_vec()),
        DType::Text => Values::Text(tensor.strings()?.to_vec()),
    })
}
