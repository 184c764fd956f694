//! `LinearClassifier` and `LinearRegressor`.

use tract_onnx::model::{OnnxOpRegister, ParsingContext};
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_hir::internal::*;

use strongroom_kernels::trees::PostTransform;

use super::labels::labels;
use super::rows::{Row, Rows};
use super::{Parsed, floats};

pub(super) fn register(operators: &mut OnnxOpRegister) {
    operators.insert("LinearClassifier", classifier);
    operators.insert("LinearRegressor", regressor);
}

fn classifier(_: &ParsingContext<'_>, node: &NodeProto) -> Parsed {
    let labels = labels(node, "classlabels_ints")?;
    let intercepts = floats(node, "intercepts")?;
    let scores = if intercepts.is_empty() { labels.len() } else { intercepts.len() };
    let linear = Linear::parse(node, scores, intercepts)?;
    let last = match (scores, labels.len()) {
        (1, 2) if linear.post_transform == PostTransform::Probit => {
            bail!("attribute post_transform is PROBIT, which two classes of one score do not have")
        }
        (1, 2) => Last::SecondClass,
        (scores, found) if scores == found && found > 1 => Last::Classes,
        (scores, found) => bail!("{found} class labels do not name the classes of {scores} scores"),
    };
    let (features, columns) = (Some(linear.features), Some(labels.len()));
    let row = Arc::new(LinearModel { linear, last });
    Rows { name: "LinearClassifier", row, features, columns, labels: Some(labels) }.parsed()
}

fn regressor(_: &ParsingContext<'_>, node: &NodeProto) -> Parsed {
    let targets = node.get_attr_opt::<usize>("targets")?.unwrap_or(1);
    let intercepts = floats(node, "intercepts")?;
    if !intercepts.is_empty() && intercepts.len() != targets {
        bail!("attribute intercepts holds {} numbers, expected one for each of {targets} targets", intercepts.len());
    }
    let linear = Linear::parse(node, targets, intercepts)?;
    let (features, columns) = (Some(linear.features), Some(targets));
    let row = Arc::new(LinearModel { linear, last: Last::Targets });
    Rows { name: "LinearRegressor", row, features, columns, labels: None }.parsed()
}

#[derive(Debug)]
struct Linear {
    features: usize,
    /// The weights of a feature for all scores, feature by feature.
    weights: Vec<f32>,
    /// None, or one a score.
    intercepts: Vec<f32>,
    post_transform: PostTransform,
}

impl Linear {
    fn parse(node: &NodeProto, scores: usize, intercepts: &[f32]) -> TractResult<Self> {
        let coefficients = floats(node, "coefficients")?;
        if scores == 0 || coefficients.is_empty() || !coefficients.len().is_multiple_of(scores) {
            bail!("attribute coefficients holds {} numbers, expected a row for each of {scores}", coefficients.len());
        }
        let features = coefficients.len() / scores;
        Ok(Self {
            features,
            weights: super::turned(coefficients, features),
            intercepts: intercepts.to_vec(),
            post_transform: PostTransform::parse(node.get_attr_opt("post_transform")?.unwrap_or("NONE"))?,
        })
    }

    fn scores(&self, row: &[f32], scores: &mut [f32]) {
        scores.fill(0.0);
        for (number, weights) in row.iter().zip(self.weights.chunks_exact(scores.len())) {
            scores.iter_mut().zip(weights).for_each(|(score, weight)| *score += number * weight);
        }
        scores.iter_mut().zip(&self.intercepts).for_each(|(score, intercept)| *score += intercept);
    }
}

/// What scores become.
#[derive(Debug)]
enum Last {
    Targets,
    Classes,
    /// One score makes two classes.
    SecondClass,
}

#[derive(Debug)]
struct LinearModel {
    linear: Linear,
    last: Last,
}

impl Row for LinearModel {
    fn compute(&self, row: &[f32], made: &mut [f32]) -> usize {
        if let (Last::SecondClass, [first, second]) = (&self.last, &mut *made) {
            self.linear.scores(row, std::slice::from_mut(second));
            let class = usize::from(*second > 0.0);
            [*first, *second] = super::two_classes(*second, self.linear.post_transform);
            return class;
        }
        self.linear.scores(row, made);
        let class = super::first_largest(made);
        // One target knows no other transform, as in onnxruntime.
        if made.len() > 1 || self.linear.post_transform == PostTransform::Probit {
            self.linear.post_transform.apply(made);
        }
        class
    }
}
