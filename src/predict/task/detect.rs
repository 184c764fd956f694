//! Image to boxes with labels and scores.

mod decoder;

use std::sync::Arc;

use bytes::Bytes;

use crate::bundle::{self, Bundle, ImageInput};
use crate::predict::answer::{Answer, Corners, Detection};

use super::centerface::{self, Centerface};
use super::classify::{activate, sigmoid};
use super::geometry::{self, Rect, Scored};
use super::graphs::{self, Graphs, LoadedGraph, OutputAt};
use super::{LoadError, PredictError, Running, labels};

use decoder::Decoder;

pub(in crate::predict) struct Detect {
    graph: Arc<LoadedGraph>,
    input: ImageInput,
    decoder: Decoder,
    labels: Vec<String>,
    score_threshold: f32,
    iou_threshold: f32,
    most: usize,
}

/// A box in the plane of the detector's input.
struct Candidate {
    rect: Rect,
    score: f32,
    class: usize,
}

impl Scored for Candidate {
    fn rect(&self) -> &Rect {
        &self.rect
    }
    fn score(&self) -> f32 {
        self.score
    }
    fn class(&self) -> usize {
        self.class
    }
}

impl Detect {
    pub(super) fn load(task: &bundle::Detect, bundle: &Bundle, graphs: &mut Graphs<'_>) -> Result<Self, LoadError> {
        let graph = graphs.load_image(&task.graph, &task.input)?;
        let (decoder, classes) = Decoder::new(task, &graph)?;
        let labels = match classes {
            Some(classes) => labels(bundle, &task.labels, &graph, classes)?,
            None => super::read_labels(bundle, &task.labels, &graph)?,
        };
        Ok(Self {
            graph,
            input: task.input.clone(),
            decoder,
            labels,
            score_threshold: task.score_threshold,
            iou_threshold: task.iou_threshold,
            most: task.max_detections,
        })
    }

    pub(super) fn answer(&self, running: &mut Running<'_>, place: usize, file: Bytes) -> Result<Answer, PredictError> {
        let fitted = running.fitted(place, file, &self.input)?;
        let outputs = graphs::run(running.graphs, &self.graph, vec![fitted.tensor])?;
        let candidates = self.decoder.read(&outputs, self.score_threshold)?;
        let found = self.choose(candidates);
        let (width, height) = (fitted.size.0 as f32, fitted.size.1 as f32);
        let detections = found.iter().filter_map(|found| {
            let (left, top) = fitted.placement.to_image(found.rect.left, found.rect.top);
            let (right, bottom) = fitted.placement.to_image(found.rect.right, found.rect.bottom);
            let rect = Rect { left, top, right, bottom }.clip(width, height);
            (!rect.is_empty()).then(|| self.detection(found, &rect))
        });
        Ok(Answer::Detections(detections.collect::<Result<_, _>>()?))
    }

    /// Detectors that answer with a set (DETR) or suppress overlaps in the graph (torchvision) are taken at their word.
    fn choose(&self, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
        if self.decoder.overlaps() {
            return geometry::suppress(candidates, self.iou_threshold, self.most);
        }
        geometry::best_first(&mut candidates);
        candidates.truncate(self.most);
        candidates
    }

    fn detection(&self, found: &Candidate, rect: &Rect) -> Result<Detection, PredictError> {
        let label = self.labels.get(found.class).ok_or_else(|| PredictError::BadAnswer {
            output: self.decoder.class_output().to_owned(),
            reason: "a class has no label",
        })?;
        let corners = Corners { xmin: rect.left, ymin: rect.top, xmax: rect.right, ymax: rect.bottom };
        Ok(Detection { label: label.clone(), score: found.score, corners })
    }
}
