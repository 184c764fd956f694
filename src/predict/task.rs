//! The tasks: what a model's answer means.

mod centerface;
mod classify;
mod detect;
mod embed;
mod faces;
mod tabular;
mod tensor;

use bytes::Bytes;

use crate::bundle::{self, Bundle, Labels};

use super::answer::Answer;
use super::graphs::{GraphSession, Graphs, LoadedGraph};
use super::request::{Items, Reads};
use super::response::Answers;
use super::{LoadError, PredictError, geometry, graphs, image};

/// One bundle's task with its graphs loaded and checked.
pub(super) enum Task {
    Classify(classify::Classify),
    Detect(detect::Detect),
    Embed(embed::Embed),
    Faces(Box<faces::Faces>),
    Tabular(tabular::Tabular),
    Tensor(tensor::TensorTask),
}

/// What a task runs with: one thread's graphs and the bounds of one image.
pub(super) struct Running<'a> {
    pub(super) graphs: &'a mut [GraphSession],
    pub(super) limits: &'a image::ImageLimits,
    /// Whether nobody waits for the answer any more.
    pub(super) abandoned: &'a dyn Fn() -> bool,
}

impl Running<'_> {
    /// Asked before every piece of work that takes long.
    fn go_on(&self) -> Result<(), PredictError> {
        if (self.abandoned)() { Err(PredictError::Abandoned) } else { Ok(()) }
    }
}

impl Task {
    pub(super) fn load(bundle: &Bundle, graphs: &mut Graphs<'_>) -> Result<Self, LoadError> {
        Ok(match &bundle.manifest().task {
            bundle::Task::Classify(task) => Self::Classify(classify::Classify::load(task, bundle, graphs)?),
            bundle::Task::Detect(task) => Self::Detect(detect::Detect::load(task, bundle, graphs)?),
            bundle::Task::Embed(task) => Self::Embed(embed::Embed::load(task, graphs)?),
            bundle::Task::Faces(task) => Self::Faces(Box::new(faces::Faces::load(task, bundle, graphs)?)),
            bundle::Task::Tabular(task) => Self::Tabular(tabular::Tabular::load(task, graphs)?),
            bundle::Task::Tensor(task) => Self::Tensor(tensor::TensorTask::load(task, bundle.manifest(), graphs)?),
        })
    }

    /// As the manifest's table is called.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Classify(_) => "classify",
            Self::Detect(_) => "detect",
            Self::Embed(_) => "embed",
            Self::Faces(_) => "faces",
            Self::Tabular(_) => "tabular",
            Self::Tensor(_) => "tensor",
        }
    }

    pub(super) fn reads(&self) -> Reads {
        match self {
            Self::Classify(_) | Self::Detect(_) | Self::Embed(_) | Self::Faces(_) => Reads::Images,
            Self::Tabular(_) => Reads::Rows,
            Self::Tensor(_) => Reads::Tensors,
        }
    }

    pub(super) fn answers(&self) -> Answers {
        match self {
            Self::Classify(_) => Answers::Labels,
            Self::Detect(_) | Self::Faces(_) => Answers::Structured,
            Self::Embed(_) => Answers::Embedding,
            Self::Tabular(_) => Answers::Row,
            Self::Tensor(task) if task.answers_one_array() => Answers::Tensors,
            Self::Tensor(_) => Answers::Structured,
        }
    }

    /// The graph of a task that answers with tensors: what it takes is what the graph takes.
    pub(super) fn tensor_graph(&self) -> Option<&LoadedGraph> {
        match self {
            Self::Tensor(task) => Some(task.graph()),
            Self::Classify(_) | Self::Detect(_) | Self::Embed(_) | Self::Faces(_) | Self::Tabular(_) => None,
        }
    }

    /// One answer per item, in order.
    pub(super) fn answer(&self, running: &mut Running<'_>, items: Items) -> Result<Vec<Answer>, PredictError> {
        match (self, items) {
            (Self::Classify(task), Items::Images(images)) => each(running, images, |r, image| task.answer(r, image)),
            (Self::Detect(task), Items::Images(images)) => each(running, images, |r, image| task.answer(r, image)),
            (Self::Embed(task), Items::Images(images)) => each(running, images, |r, image| task.answer(r, image)),
            (Self::Faces(task), Items::Images(images)) => each(running, images, |r, image| task.answer(r, image)),
            (Self::Faces(task), Items::Compare(images)) => Ok(vec![task.compare(running, &images)?]),
            (Self::Tabular(task), Items::Rows(rows)) => task.answer(running, rows),
            (Self::Tensor(task), Items::Tensors(records)) => {
                records.into_iter().map(|tensors| task.answer(running, tensors)).collect()
            }
            (_, Items::Compare(_)) => Err(NO_COMPARING),
            (_, Items::Images(_) | Items::Rows(_) | Items::Tensors(_)) => Err(OTHER_ITEMS),
        }
    }
}

const NO_COMPARING: PredictError = PredictError::Unsupported { asked: "compare", reason: "its task is not faces" };
/// The codec reads what [`Task::reads`] says, so that no request comes here.
const OTHER_ITEMS: PredictError =
    PredictError::Unsupported { asked: "read this", reason: "its task reads other items" };

/// Decodes, answers and drops one image after the other: only one is in memory at a time.
fn each(
    running: &mut Running<'_>,
    images: Vec<Bytes>,
    answer: impl Fn(&mut Running<'_>, &image::RgbImage) -> Result<Answer, PredictError>,
) -> Result<Vec<Answer>, PredictError> {
    let mut answers = Vec::with_capacity(images.len());
    for (item, bytes) in images.into_iter().enumerate() {
        running.go_on()?;
        let image = image::decode(item, &bytes, running.limits)?;
        drop(bytes);
        answers.push(answer(running, &image)?);
    }
    Ok(answers)
}

/// The labels, of which there must be `classes`, as many as `graph` tells apart.
fn labels(bundle: &Bundle, labels: &Labels, graph: &LoadedGraph, classes: usize) -> Result<Vec<String>, LoadError> {
    let labels = read_labels(bundle, labels, graph)?;
    if labels.len() == classes {
        return Ok(labels);
    }
    Err(graph.mismatch(format!("expected {classes} labels, one per class of the graph, found {}", labels.len())))
}

fn read_labels(bundle: &Bundle, labels: &Labels, graph: &LoadedGraph) -> Result<Vec<String>, LoadError> {
    match labels {
        Labels::List(list) => Ok(list.clone()),
        Labels::File(name) => {
            let text = std::str::from_utf8(bundle.file(name)?)
                .map_err(|_| graph.mismatch(format!("labels file {name} is not UTF-8 text")))?;
            Ok(text.lines().map(|line| line.trim().to_owned()).collect())
        }
    }
}
