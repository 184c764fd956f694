//! Decision trees: `TreeEnsembleClassifier`, `TreeEnsembleRegressor` and `TreeEnsemble` of `ai.onnx.ml`.
//!
//! Nothing here trusts the file an ensemble comes from: [`Ensemble::new`] checks all of it, and evaluation then walks
//! with bounds-checked indices only.
//!
//! Why it is fast. Every comparison of the format becomes one form, "integer key of the feature < integer threshold":
//! a float's bits, made monotone, order as the float does, and a NaN becomes the largest or the smallest key, whichever
//! sends it where the node wants it. A node is then eight bytes, its two children stand side by side, and a step is two
//! loads, a comparison and an addition without a branch to mispredict. Several rows (or, for few rows, several trees)
//! walk at once, so that their loads overlap.

mod attributes;
mod block;
mod error;
mod finish;
mod graph;
mod indexed;
mod layout;
mod test;
mod walk;

#[cfg(test)]
mod tests;

pub use attributes::{Attributes, Leaves, Nodes, Outputs, PostTransform};
pub use error::TreeError;
pub use indexed::Indexed;

use attributes::Aggregate;
use finish::Finish;
use layout::Layout;

/// A validated ensemble, laid out for evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Ensemble {
    layout: Layout,
    finish: Finish,
    aggregate: Aggregate,
}

impl Ensemble {
    /// Checks the attributes of a node and lays its trees out.
    ///
    /// # Errors
    /// The first attribute that does not fit, with its entry.
    pub fn new(attributes: &Attributes<'_>) -> Result<Self, TreeError> {
        let aggregate = Aggregate::parse(attributes.aggregate_function, attributes.outputs)?;
        let post_transform = PostTransform::parse(attributes.post_transform)?;
        let forest = graph::resolve(attributes)?;
        let finish = match attributes.outputs {
            Outputs::Classes(_) => Finish::classifier(attributes, post_transform)?,
            Outputs::Targets(targets) => {
                Finish::regressor(targets, attributes.base_values, post_transform, aggregate, forest.roots.len())?
            }
        };
        Ok(Self { layout: Layout::new(&forest, attributes.outputs.count())?, finish, aggregate })
    }

    /// The same of version 5, whose links are places and not ids.
    ///
    /// # Errors
    /// As [`Ensemble::new`].
    pub fn indexed(attributes: &Indexed<'_>) -> Result<Self, TreeError> {
        let aggregate = Aggregate::numbered(attributes.aggregate_function)?;
        let post_transform = PostTransform::numbered(attributes.post_transform)?;
        let forest = indexed::resolve(attributes)?;
        let finish = Finish::regressor(attributes.targets, &[], post_transform, aggregate, forest.roots.len())?;
        Ok(Self { layout: Layout::new(&forest, attributes.targets)?, finish, aggregate })
    }

    /// Scores of a row: the number of classes or targets.
    pub fn outputs(&self) -> usize {
        self.finish.outputs()
    }

    /// Features a row must have at least.
    pub fn features(&self) -> usize {
        self.layout.features
    }

    /// Whether [`Ensemble::classify`] has a meaning.
    pub fn is_classifier(&self) -> bool {
        self.finish.is_classifier()
    }

    /// The scores of `rows`, `features` numbers each, one row after the other: [`Ensemble::outputs`] for a row.
    ///
    /// # Errors
    /// `rows` is not a whole number of rows, a row has fewer features than the trees read, or `scores` has another length.
    pub fn scores(&self, rows: &[f32], features: usize, scores: &mut [f32]) -> Result<(), TreeError> {
        self.check(rows, features, scores.len())?;
        block::evaluate(self, rows, features, scores, &mut []);
        Ok(())
    }

    /// As [`Ensemble::scores`], and into `classes` the index of every row's class among the labels.
    ///
    /// # Errors
    /// As [`Ensemble::scores`]; the ensemble is no classifier, or `classes` is not as long as there are rows.
    pub fn classify(
        &self,
        rows: &[f32],
        features: usize,
        scores: &mut [f32],
        classes: &mut [usize],
    ) -> Result<(), TreeError> {
        let count = self.check(rows, features, scores.len())?;
        if !self.is_classifier() || classes.len() != count {
            return Err(TreeError::Classes { rows: count, found: classes.len() });
        }
        block::evaluate(self, rows, features, scores, classes);
        Ok(())
    }

    fn check(&self, rows: &[f32], features: usize, scores: usize) -> Result<usize, TreeError> {
        if features < self.features() || features == 0 {
            return Err(TreeError::Features { needed: self.features().max(1), found: features });
        }
        let count = rows.len() / features;
        if count.checked_mul(features) != Some(rows.len()) || count.checked_mul(self.outputs()) != Some(scores) {
            return Err(TreeError::Rows { values: rows.len(), features, scores });
        }
        Ok(count)
    }
}
