//! From a row's sums to its scores and its class.
//!
//! The specification says little here; what it leaves open is done as onnxruntime does it.

use super::TreeError;
use super::attributes::{Aggregate, Attributes, Outputs, PostTransform};

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finish {
    outputs: usize,
    base_values: Vec<f32>,
    post_transform: PostTransform,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Regressor {
        /// What sums are divided by.
        divisor: Option<f32>,
    },
    Classifier {
        binary: Option<Binary>,
    },
}

/// Two classes of which only one has weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Binary {
    /// The weights are probabilities: the second class wins above a half.
    Probability,
    /// Some weights are negative: the second class wins above zero.
    Margin,
}

impl Finish {
    pub(super) fn classifier(attributes: &Attributes<'_>, post_transform: PostTransform) -> Result<Self, TreeError> {
        check_base_values(attributes.outputs, attributes.base_values)?;
        let kind = Kind::Classifier { binary: binary(attributes) };
        Ok(Self {
            outputs: attributes.outputs.count(),
            base_values: attributes.base_values.to_vec(),
            post_transform,
            kind,
        })
    }

    pub(super) fn regressor(
        targets: usize,
        base_values: &[f32],
        post_transform: PostTransform,
        aggregate: Aggregate,
        trees: usize,
    ) -> Result<Self, TreeError> {
        check_base_values(Outputs::Targets(targets), base_values)?;
        let kind = Kind::Regressor { divisor: (aggregate == Aggregate::Average).then_some(trees as f32) };
        Ok(Self { outputs: targets, base_values: base_values.to_vec(), post_transform, kind })
    }

    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    pub(super) fn is_classifier(&self) -> bool {
        matches!(self.kind, Kind::Classifier { .. })
    }

    /// Finishes the scores of a row, of which trees have `seen` some; answers with its class, 0 for a regressor.
    pub(super) fn row(&self, scores: &mut [f32], seen: &[bool]) -> usize {
        match self.kind {
            Kind::Regressor { divisor } => {
                self.targets(scores, seen, divisor);
                0
            }
            Kind::Classifier { .. } if self.outputs == 1 => self.only_class(scores),
            Kind::Classifier { binary } if self.outputs == 2 => self.two_classes(scores, seen, binary),
            Kind::Classifier { .. } => self.classes(scores, seen),
        }
    }

    fn targets(&self, scores: &mut [f32], seen: &[bool], divisor: Option<f32>) {
        if let Some(divisor) = divisor {
            scores.iter_mut().for_each(|score| *score /= divisor);
        }
        scores.iter_mut().zip(&self.base_values).for_each(|(score, base)| *score += base);
        match scores {
            // One target knows no other transform.
            [score] if self.post_transform == PostTransform::Probit => *score = probit(*score),
            [_] => {}
            scores => {
                forget_unseen(scores, seen);
                self.post_transform.apply(scores);
            }
        }
    }

    fn only_class(&self, scores: &mut [f32]) -> usize {
        scores[0] += self.base_values.first().copied().unwrap_or(0.0);
        if self.post_transform == PostTransform::Probit {
            scores[0] = probit(scores[0]);
        }
        0
    }

    fn classes(&self, scores: &mut [f32], seen: &[bool]) -> usize {
        scores.iter_mut().zip(&self.base_values).for_each(|(score, base)| *score += base);
        let based = !self.base_values.is_empty();
        let mut best = None;
        for (class, &score) in scores.iter().enumerate().filter(|&(class, _)| based || seen[class]) {
            if best.is_none_or(|best: usize| score > scores[best]) {
                best = Some(class);
            }
        }
        self.post_transform.apply(scores);
        best.unwrap_or(0)
    }

    fn two_classes(&self, scores: &mut [f32], seen: &[bool], binary: Option<Binary>) -> usize {
        let mut both = seen[1];
        match *self.base_values {
            [_, base] if both => {
                scores[1] = base + scores[0];
                scores[0] = -scores[1];
            }
            [first, second] => {
                scores[0] += first;
                scores[1] += second;
                both = true;
            }
            [base] => scores[0] += base,
            _ => {}
        }
        let decisive = if seen[1] {
            scores[1]
        } else if seen[0] {
            scores[0]
        } else {
            0.0
        };
        let wins = if binary == Some(Binary::Probability) { decisive > 0.5 } else { decisive > 0.0 };
        if both {
            forget_unseen(scores, seen);
            self.post_transform.apply(scores);
        } else {
            self.complete(scores, binary);
        }
        usize::from(wins)
    }

    /// Makes two scores of the one that trees gave.
    fn complete(&self, scores: &mut [f32], binary: Option<Binary>) {
        let score = scores[0];
        let based = !self.base_values.is_empty();
        let pair = match (self.post_transform, binary) {
            // onnxruntime writes one score here, and leaves the memory of the other as it is.
            (PostTransform::Probit, _) => [probit(score), 0.0],
            (_, None) if based => [score, 0.0],
            (PostTransform::Logistic, _) => [logistic(-score), logistic(score)],
            (_, Some(Binary::Probability)) => [1.0 - score, score],
            _ => [-score, score],
        };
        scores.copy_from_slice(&pair);
    }
}

fn check_base_values(outputs: Outputs, base_values: &[f32]) -> Result<(), TreeError> {
    let found = base_values.len();
    let fits = match outputs {
        Outputs::Classes(2) => found <= 2,
        outputs => found == 0 || found == outputs.count(),
    };
    if fits {
        return Ok(());
    }
    let problem = format!("has {found} entries, expected none or one for each of {}", outputs.count());
    Err(TreeError::attribute("base_values", problem))
}

fn binary(attributes: &Attributes<'_>) -> Option<Binary> {
    let (first, rest) = attributes.leaves.ids.split_first()?;
    if attributes.outputs != Outputs::Classes(2) || rest.iter().any(|id| id != first) {
        return None;
    }
    let margin = attributes.leaves.weights.iter().any(|&weight| weight < 0.0);
    Some(if margin { Binary::Margin } else { Binary::Probability })
}

/// What no leaf has scored is 0, base value or not.
fn forget_unseen(scores: &mut [f32], seen: &[bool]) {
    scores.iter_mut().zip(seen).filter(|(_, seen)| !**seen).for_each(|(score, _)| *score = 0.0);
}

impl PostTransform {
    /// Transforms a row's scores.
    pub fn apply(self, scores: &mut [f32]) {
        match self {
            Self::Identity => {}
            Self::Logistic => scores.iter_mut().for_each(|score| *score = logistic(*score)),
            Self::Probit => scores.iter_mut().for_each(|score| *score = probit(*score)),
            Self::Softmax => softmax(scores, |_| false),
            Self::SoftmaxZero => softmax(scores, |score| score.abs() <= 1e-7),
        }
    }
}

/// The softmax of the scores; `spared` ones only shrink by the factor that all of them do.
fn softmax(scores: &mut [f32], spared: impl Fn(f32) -> bool) {
    let most = scores.iter().fold(-f32::MAX, |most, &score| if score > most { score } else { most });
    let shrink = (-most).exp();
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        if spared(*score) {
            *score *= shrink;
        } else {
            *score = (*score - most).exp();
            sum += *score;
        }
    }
    scores.iter_mut().for_each(|score| *score /= sum);
}

fn logistic(value: f32) -> f32 {
    let above = 1.0 / (1.0 + (-value.abs()).exp());
    if value < 0.0 { 1.0 - above } else { above }
}

/// The inverse of the normal distribution, by Winitzki's approximation of the inverse error function.
fn probit(value: f32) -> f32 {
    const A: f32 = 0.147;
    let x = 2.0 * value - 1.0;
    let log = ((1.0 - x) * (1.0 + x)).ln();
    let half = 2.0 / (std::f32::consts::PI * A) + 0.5 * log;
    let root = (-half + (half * half - 1.0 / A * log).sqrt()).sqrt();
    std::f32::consts::SQRT_2 * if x < 0.0 { -root } else { root }
}
