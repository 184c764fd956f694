//! `SVMClassifier` and `SVMRegressor`: support vector machines, as libsvm trains them.

mod coupling;
mod kernel;

use tract_onnx::model::{OnnxOpRegister, ParsingContext};
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_hir::internal::*;

use strongroom_kernels::trees::PostTransform;

use super::labels::labels;
use super::rows::{Row, Rows};
use super::{Parsed, first_largest, floats, integers, two_classes};
use coupling::coupled;
use kernel::Vectors;

pub(super) fn register(operators: &mut OnnxOpRegister) {
    operators.insert("SVMClassifier", classifier);
    operators.insert("SVMRegressor", regressor);
}

fn regressor(_: &ParsingContext<'_>, node: &NodeProto) -> Parsed {
    let supports = node.get_attr_opt::<usize>("n_supports")?.unwrap_or(0);
    let coefficients = floats(node, "coefficients")?;
    let &[rho, ..] = floats(node, "rho")? else { bail!("attribute rho is empty, expected a number") };
    // Without support vectors the coefficients are those of the features: one vector, of weight 1.
    let (vectors, weights) = match supports {
        0 => (Vectors::linear(coefficients)?, vec![1.0]),
        _ => (Vectors::parse(node, supports)?, coefficients.to_vec()),
    };
    if weights.len() != vectors.count() {
        bail!("attribute coefficients holds {} numbers, expected one for each of {supports} vectors", weights.len());
    }
    if PostTransform::parse(node.get_attr_opt("post_transform")?.unwrap_or("NONE"))? != PostTransform::Identity {
        bail!("attribute post_transform is not NONE, which a single value does not have");
    }
    let one_class = node.get_attr_opt::<i64>("one_class")?.unwrap_or(0) != 0;
    let (features, row) = (Some(vectors.features()), Arc::new(Regressor { vectors, weights, rho, one_class }));
    Rows { name: "SVMRegressor", row, features, columns: Some(1), labels: None }.parsed()
}

#[derive(Debug)]
struct Regressor {
    vectors: Vectors,
    weights: Vec<f32>,
    rho: f32,
    /// The answer is 1 for what is like the rows learnt, -1 for what is not.
    one_class: bool,
}

impl Row for Regressor {
    fn compute(&self, row: &[f32], made: &mut [f32]) -> usize {
        let nearness = self.vectors.nearness(row);
        let value = nearness.iter().zip(&self.weights).map(|(near, weight)| near * weight).sum::<f32>() + self.rho;
        made[0] = match self.one_class {
            true if value > 0.0 => 1.0,
            true => -1.0,
            false => value,
        };
        0
    }
}

fn classifier(_: &ParsingContext<'_>, node: &NodeProto) -> Parsed {
    let labels = labels(node, "classlabels_ints")?;
    let machine = Classifier::parse(node, labels.len())?;
    let (features, columns) = (Some(machine.vectors.features()), Some(machine.columns()));
    Rows { name: "SVMClassifier", row: Arc::new(machine), features, columns, labels: Some(labels) }.parsed()
}

/// One machine for each pair of classes.
#[derive(Debug)]
struct Classifier {
    vectors: Vectors,
    /// The places of each class's vectors.
    spans: Vec<std::ops::Range<usize>>,
    /// A row for each class but one: what a vector weighs against it, or the class after it from its own class on.
    weights: Vec<f32>,
    /// One a pair.
    rho: Vec<f32>,
    /// What makes a probability of a pair's score; none, or one a pair.
    sigmoids: Vec<(f32, f32)>,
    post_transform: PostTransform,
}

impl Classifier {
    fn parse(node: &NodeProto, classes: usize) -> TractResult<Self> {
        let mut spans = Vec::new();
        let mut end = 0_usize;
        for count in integers(node, "vectors_per_class")? {
            let start = end;
            let count = usize::try_from(*count).ok().and_then(|count| end.checked_add(count));
            end = count.ok_or_else(|| format_err!("attribute vectors_per_class counts less than none or too many"))?;
            spans.push(start..end);
        }
        if classes < 2 || spans.len() != classes {
            bail!(
                "attribute vectors_per_class is of {} classes, there are {classes} labels, expected two or more of each",
                spans.len()
            );
        }
        let vectors = Vectors::parse(node, end)?;
        let pairs = classes * (classes - 1) / 2;
        let exactly = |name: &str, numbers: &[f32], expected: usize| {
            ensure!(numbers.len() == expected, "attribute {name} holds {} numbers, expected {expected}", numbers.len());
            Ok(())
        };
        let weights = floats(node, "coefficients")?;
        exactly("coefficients", weights, end.saturating_mul(classes - 1))?;
        let rho = floats(node, "rho")?;
        exactly("rho", rho, pairs)?;
        let (slopes, offsets) = (floats(node, "prob_a")?, floats(node, "prob_b")?);
        if !slopes.is_empty() || !offsets.is_empty() {
            exactly("prob_a", slopes, pairs)?;
            exactly("prob_b", offsets, pairs)?;
        }
        let sigmoids: Vec<(f32, f32)> = slopes.iter().copied().zip(offsets.iter().copied()).collect();
        let post_transform = PostTransform::parse(node.get_attr_opt("post_transform")?.unwrap_or("NONE"))?;
        if classes == 2 && sigmoids.is_empty() && post_transform == PostTransform::Probit {
            bail!("attribute post_transform is PROBIT, which two classes of one score do not have");
        }
        Ok(Self { vectors, spans, weights: weights.to_vec(), rho: rho.to_vec(), sigmoids, post_transform })
    }

    fn columns(&self) -> usize {
        // Two classes have one score, written for each of them.
        if self.sigmoids.is_empty() { self.rho.len().max(2) } else { self.spans.len() }
    }

    /// The score of each pair, and how many pairs each class has won.
    fn pairs(&self, row: &[f32]) -> (Vec<f32>, Vec<usize>) {
        let nearness = self.vectors.nearness(row);
        let weighed = |against: usize, class: usize| {
            let weights = &self.weights[against * nearness.len()..][self.spans[class].clone()];
            let near = &nearness[self.spans[class].clone()];
            weights.iter().zip(near).map(|(weight, near)| f64::from(weight * near)).sum::<f64>()
        };
        let mut scores = Vec::with_capacity(self.rho.len());
        let mut won = vec![0; self.spans.len()];
        for first in 0..self.spans.len() {
            for second in first + 1..self.spans.len() {
                let rho = f64::from(self.rho[scores.len()]);
                let score = weighed(second - 1, first) + weighed(first, second) + rho;
                won[if score > 0.0 { first } else { second }] += 1;
                scores.push(score as f32);
            }
        }
        (scores, won)
    }
}

impl Row for Classifier {
    fn compute(&self, row: &[f32], made: &mut [f32]) -> usize {
        let (scores, won) = self.pairs(row);
        if !self.sigmoids.is_empty() {
            coupled(&scores, &self.sigmoids, made);
            self.post_transform.apply(made);
        } else if let [score] = *scores {
            made.copy_from_slice(&match self.post_transform {
                PostTransform::Identity => [-score, score],
                post_transform => two_classes(score, post_transform),
            });
        } else {
            made.copy_from_slice(&scores);
            self.post_transform.apply(made);
        }
        first_largest(&won)
    }
}
