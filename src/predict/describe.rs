//! What a model takes, for people and programs that ask.

use serde::Serialize;
use utoipa::ToSchema;

use crate::bundle;

use super::task::Task;

/// One thing a model takes.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Input {
    /// Any size is taken; this is what it becomes.
    Image {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// One column of a table.
    Number {
        /// The column's name.
        name: String,
        /// Values below are refused.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        min: Option<f64>,
        /// Values above are refused.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        max: Option<f64>,
    },
    /// A tensor as the graph names it.
    Tensor {
        /// The graph's input.
        name: String,
        /// As the Open Inference Protocol v2 calls it.
        datatype: &'static str,
        /// Every dimension.
        shape: Vec<usize>,
    },
}

pub(super) fn inputs(manifest: &bundle::Task, task: &Task) -> Vec<Input> {
    match manifest {
        bundle::Task::Classify(task) => vec![image(&task.input)],
        bundle::Task::Detect(task) => vec![image(&task.input)],
        bundle::Task::Embed(task) => vec![image(&task.input)],
        bundle::Task::Faces(task) => vec![image(&task.detector.input)],
        bundle::Task::Tabular(task) => task.features.iter().map(number).collect(),
        bundle::Task::Tensor(_) => tensors(task),
    }
}

fn image(input: &bundle::ImageInput) -> Input {
    Input::Image { width: input.width, height: input.height }
}

fn number(feature: &bundle::Feature) -> Input {
    Input::Number { name: feature.name.clone(), min: feature.min, max: feature.max }
}

fn tensors(task: &Task) -> Vec<Input> {
    let ports = task.tensor_graph().map_or(&[][..], |graph| &graph.signature().inputs);
    let tensor = |port: &crate::model::Port| Input::Tensor {
        name: port.name.clone(),
        datatype: super::request::datatype(port.dtype),
        shape: port.shape.clone(),
    };
    ports.iter().map(tensor).collect()
}
