//! The tasks: what a model's answer means.

mod centerface;
mod classify;
mod detect;
mod embed;
mod faces;
mod tabular;
mod tensor;

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::bundle::{self, Bundle, ImageInput, Labels};

use super::answer::Answer;
use super::graphs::{GraphSession, Graphs, LoadedGraph};
use super::request::{Item, ReadItem, Reads};
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
    /// What reading images came to so far.
    pub(super) images: Images,
}

/// The images that were decoded for some answers.
#[derive(Debug, Clone, Default)]
pub struct Images {
    /// Time it took.
    pub decoding: Duration,
    /// Of each, in millions of pixels.
    pub megapixels: Vec<f32>,
}

impl<'a> Running<'a> {
    pub(super) fn new(
        graphs: &'a mut [GraphSession],
        limits: &'a image::ImageLimits,
        abandoned: &'a dyn Fn() -> bool,
    ) -> Self {
        Self { graphs, limits, abandoned, images: Images::default() }
    }

    /// Asked before every piece of work that takes long.
    fn go_on(&self) -> Result<(), PredictError> {
        if (self.abandoned)() { Err(PredictError::Abandoned) } else { Ok(()) }
    }

    /// The file is given back as soon as it is decoded.
    fn image(&mut self, item: usize, bytes: Bytes) -> Result<image::RgbImage, PredictError> {
        let begun = Instant::now();
        let decoded = image::decode(item, &bytes, self.limits);
        self.count(begun, decoded.as_ref().ok().map(image::RgbImage::dimensions));
        decoded
    }

    /// As [`Self::image`], for a task that needs the image as a graph's input only.
    fn fitted(&mut self, item: usize, bytes: Bytes, input: &ImageInput) -> Result<image::Fitted, PredictError> {
        let begun = Instant::now();
        let decoded = image::Picture::decode(item, &bytes, self.limits, input);
        self.count(begun, decoded.as_ref().ok().map(image::Picture::size));
        drop(bytes);
        decoded?.fit(input)
    }

    fn count(&mut self, begun: Instant, decoded: Option<(u32, u32)>) {
        self.images.decoding += begun.elapsed();
        let megapixels = decoded.map(|(width, height)| width as f32 * height as f32 / 1e6);
        self.images.megapixels.extend(megapixels);
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

    /// One answer per item, in order, each made when it is asked for; the first item is the `first`th of its request.
    pub(super) fn answer_each<'a>(
        &'a self,
        running: &'a mut Running<'_>,
        first: usize,
        items: Vec<ReadItem>,
    ) -> impl Iterator<Item = Result<Answer, PredictError>> + 'a {
        let mut columns = tabular::Columns::default();
        items.into_iter().enumerate().map(move |(place, item)| {
            running.go_on()?;
            self.answer(running, &mut columns, first + place, item?)
        })
    }

    fn answer(
        &self,
        running: &mut Running<'_>,
        columns: &mut tabular::Columns,
        place: usize,
        item: Item,
    ) -> Result<Answer, PredictError> {
        match (self, item) {
            (_, Item::Image(bytes)) => self.answer_image(running, place, bytes),
            (Self::Faces(task), Item::Compare(images)) => task.compare(running, &images),
            (Self::Tabular(task), Item::Row(row)) => task.answer(running, columns, place, row),
            (Self::Tensor(task), Item::Tensors(tensors)) => task.answer(running, tensors),
            (_, Item::Compare(_)) => Err(NO_COMPARING),
            (_, Item::Row(_) | Item::Tensors(_)) => Err(OTHER_ITEMS),
        }
    }

    fn answer_image(&self, running: &mut Running<'_>, place: usize, bytes: Bytes) -> Result<Answer, PredictError> {
        match self {
            Self::Classify(task) => task.answer(running, place, bytes),
            Self::Detect(task) => task.answer(running, place, bytes),
            Self::Embed(task) => task.answer(running, place, bytes),
            Self::Faces(task) => task.answer(running, place, bytes),
            Self::Tabular(_) | Self::Tensor(_) => Err(OTHER_ITEMS),
        }
    }
}

const NO_COMPARING: PredictError = PredictError::Unsupported { asked: "compare", reason: "its task is not faces" };
/// The codec reads what [`Task::reads`] says, so that no request comes here.
const OTHER_ITEMS: PredictError =
    PredictError::Unsupported { asked: "read this", reason: "its task reads other items" };

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
