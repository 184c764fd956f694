//! Image to labels with scores, best first.

use std::sync::Arc;

use bytes::Bytes;

use crate::bundle::{self, Activation, Bundle, ImageInput};

use super::graphs::{self, Graphs, LoadedGraph, OutputAt};
use super::{LoadError, PredictError, Running};
use crate::predict::answer::{Answer, LabelScore};

pub(in crate::predict) struct Classify {
    graph: Arc<LoadedGraph>,
    input: ImageInput,
    scores: Scores,
    top_k: usize,
}

/// An output with one number per class.
pub(super) struct Scores {
    output: OutputAt,
    activation: Activation,
    pub(super) labels: Vec<String>,
}

impl Classify {
    pub(super) fn load(task: &bundle::Classify, bundle: &Bundle, graphs: &mut Graphs<'_>) -> Result<Self, LoadError> {
        let graph = graphs.load_image(&task.graph, &task.input)?;
        let output = graph.float_output(task.output.as_deref())?;
        let labels = super::labels(bundle, &task.labels, &graph, class_count(&graph, &output)?)?;
        let scores = Scores { output, activation: task.activation, labels };
        Ok(Self { graph, input: task.input.clone(), scores, top_k: task.top_k })
    }

    pub(super) fn answer(&self, running: &mut Running<'_>, place: usize, file: Bytes) -> Result<Answer, PredictError> {
        let fitted = running.fitted(place, file, &self.input)?;
        let outputs = graphs::run(running.graphs, &self.graph, vec![fitted.tensor])?;
        Ok(Answer::Labels(self.scores.best(&outputs, self.top_k)?))
    }
}

impl Scores {
    /// An attribute of a face: as [`Classify`], without an image of its own.
    pub(super) fn load(
        attribute: &bundle::FaceAttribute,
        bundle: &Bundle,
        graph: &LoadedGraph,
    ) -> Result<Self, LoadError> {
        let output = graph.float_output(attribute.output.as_deref())?;
        let labels = super::labels(bundle, &attribute.labels, graph, class_count(graph, &output)?)?;
        Ok(Self { output, activation: attribute.activation, labels })
    }

    /// One score per label, in the labels' order.
    pub(super) fn all(&self, outputs: &[crate::model::Tensor]) -> Result<Vec<f32>, PredictError> {
        Ok(activate(self.output.floats(outputs)?, self.activation))
    }

    fn best(&self, outputs: &[crate::model::Tensor], most: usize) -> Result<Vec<LabelScore>, PredictError> {
        let mut scored: Vec<(f32, &String)> = self.all(outputs)?.into_iter().zip(&self.labels).collect();
        // A stable sort: equal scores keep the order of the labels.
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        Ok(scored.into_iter().take(most).map(|(score, label)| LabelScore { label: label.clone(), score }).collect())
    }
}

/// Scores from a graph's raw numbers; sums in `f64`, so that a thousand classes lose no digit.
pub(super) fn activate(raw: &[f32], activation: Activation) -> Vec<f32> {
    match activation {
        Activation::None => raw.to_vec(),
        Activation::Sigmoid => raw.iter().map(|&v| sigmoid(v)).collect(),
        Activation::Softmax => {
            let highest = raw.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let powers: Vec<f64> = raw.iter().map(|&v| f64::from(v - highest).exp()).collect();
            let sum: f64 = powers.iter().sum();
            powers.iter().map(|power| (power / sum) as f32).collect()
        }
    }
}

pub(super) fn sigmoid(v: f32) -> f32 {
    1.0 / (1.0 + (-v).exp())
}

/// `[1, C]`, or with more dimensions of 1.
fn class_count(graph: &LoadedGraph, output: &OutputAt) -> Result<usize, LoadError> {
    let classes = output.shape().iter().product();
    if classes > 0 && output.shape().contains(&classes) {
        return Ok(classes);
    }
    let reason = format!("output {} expected [1, classes], found {:?}", output.name(), output.shape());
    Err(graph.mismatch(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_sums_to_one_and_survives_large_numbers() {
        let scores = activate(&[1000.0, 1001.0, -1000.0], Activation::Softmax);
        assert!((scores[0] - 0.268_941_43).abs() < 1e-6 && (scores[1] - 0.731_058_6).abs() < 1e-6, "{scores:?}");
        assert_eq!(scores[2], 0.0);
    }

    #[test]
    fn sigmoid_takes_each_class_on_its_own() {
        assert_eq!(activate(&[0.0, 1000.0, -1000.0], Activation::Sigmoid), [0.5, 1.0, 0.0]);
    }
}
