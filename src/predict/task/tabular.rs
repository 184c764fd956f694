//! Rows of numbers to labels or values.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bundle::{self, Feature};
use crate::model::{Binding, DType, Tensor};
use crate::predict::answer::{Answer, Row};
use crate::predict::request::{RawRow, quoted};

use super::graphs::{self, Graphs, LoadedGraph, OutputAt};
use super::{LoadError, PredictError, Running};

/// Where the features are among the names of the rows read last: a table's header is looked up once.
#[derive(Default)]
pub(super) struct Columns {
    names: Option<Arc<[String]>>,
    order: Vec<usize>,
}

pub(in crate::predict) struct Tabular {
    graph: Arc<LoadedGraph>,
    dtype: DType,
    features: Vec<Feature>,
    label_output: Option<OutputAt>,
    score_output: OutputAt,
    labels: Vec<String>,
}

impl Tabular {
    pub(super) fn load(task: &bundle::Tabular, graphs: &mut Graphs<'_>) -> Result<Self, LoadError> {
        let graph = graphs.load(&task.graph, &Binding::default())?;
        let dtype = check_input(&graph, task)?;
        let score_output = graph.output(Some(&task.score_output))?;
        check_scores(&graph, &score_output, task.labels.len())?;
        let label_output = task.label_output.as_deref().map(|name| graph.output(Some(name))).transpose()?;
        // A graph that answers with its own texts needs no look-up: the scores say the same.
        let label_output = label_output.filter(|output| output.dtype() != DType::Text);
        let (features, labels) = (task.features.clone(), task.labels.clone());
        Ok(Self { graph, dtype, features, label_output, score_output, labels })
    }

    /// One run: the graph is bound to one row, which is how the engine is fastest. `number` is the row's place.
    pub(super) fn answer(
        &self,
        running: &mut Running<'_>,
        columns: &mut Columns,
        number: usize,
        row: RawRow,
    ) -> Result<Answer, PredictError> {
        let row = self.check(number, row, columns)?;
        let tensor = Tensor::new(&[1, row.len()], &row)?.cast(self.dtype)?;
        let outputs = graphs::run(running.graphs, &self.graph, vec![tensor])?;
        let scores = self.score_output.of(&outputs)?.cast(DType::F32)?;
        let scores = scores.values::<f32>().ok_or_else(|| self.score_output.unlike_declared())?.to_vec();
        let label = if self.labels.is_empty() { None } else { Some(self.label(&outputs, &scores)?) };
        Ok(Answer::Row(Row { label, scores }))
    }

    /// The row in the features' order, every value in its range.
    fn check(&self, number: usize, row: RawRow, columns: &mut Columns) -> Result<Vec<f64>, PredictError> {
        let values = match row {
            RawRow::Ordered(values) => self.check_count(number, values)?,
            RawRow::Named { names, values } => {
                if columns.names.as_ref().is_none_or(|known| !Arc::ptr_eq(known, &names)) {
                    *columns = Columns { order: self.order(number, &names)?, names: Some(names) };
                }
                columns.order.iter().filter_map(|&column| values.get(column).copied()).collect()
            }
        };
        for (feature, &value) in self.features.iter().zip(&values) {
            check_range(number, feature, value)?;
        }
        Ok(values)
    }

    fn check_count(&self, number: usize, values: Vec<f64>) -> Result<Vec<f64>, PredictError> {
        if values.len() == self.features.len() {
            return Ok(values);
        }
        let expected = format!("{} columns ({})", self.features.len(), self.feature_names());
        Err(invalid(format!("row {number}"), expected, values.len().to_string()))
    }

    /// Where among `names` each feature is.
    fn order(&self, number: usize, names: &[String]) -> Result<Vec<usize>, PredictError> {
        let mut places: BTreeMap<&str, usize> = names.iter().map(String::as_str).zip(0..).collect();
        let place = |feature: &Feature| {
            let missing =
                || invalid(format!("row {number}, column {}", feature.name), "a number".into(), "none".into());
            places.remove(feature.name.as_str()).ok_or_else(missing)
        };
        let order: Result<Vec<usize>, _> = self.features.iter().map(place).collect();
        // A column that is no feature is told first: it is why another is missing.
        match places.into_keys().find(|name| self.features.iter().all(|feature| feature.name != *name)) {
            None => order,
            Some(name) => {
                let expected = format!("only the columns {}", self.feature_names());
                Err(invalid(format!("row {number}"), expected, format!("column {}", quoted(name))))
            }
        }
    }

    fn feature_names(&self) -> String {
        let names: Vec<&str> = self.features.iter().map(|feature| feature.name.as_str()).collect();
        names.join(", ")
    }

    fn label(&self, outputs: &[Tensor], scores: &[f32]) -> Result<String, PredictError> {
        let source = self.label_output.as_ref().unwrap_or(&self.score_output);
        let class = match &self.label_output {
            Some(output) => output.of(outputs)?.cast(DType::I64)?.values::<i64>().and_then(|v| v.first().copied()),
            None => first_of_highest(scores),
        };
        let label = class.and_then(|class| self.labels.get(usize::try_from(class).ok()?)).cloned();
        label
            .ok_or_else(|| PredictError::BadAnswer { output: source.name().to_owned(), reason: "a class has no label" })
    }
}

fn first_of_highest(scores: &[f32]) -> Option<i64> {
    let places = scores.iter().copied().enumerate();
    let (place, _) = places.reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    i64::try_from(place).ok()
}

fn check_range(number: usize, feature: &Feature, value: f64) -> Result<(), PredictError> {
    let (low, high) = (feature.min.unwrap_or(f64::NEG_INFINITY), feature.max.unwrap_or(f64::INFINITY));
    if (low..=high).contains(&value) && (value as f32).is_finite() {
        return Ok(());
    }
    let expected = match (feature.min, feature.max) {
        (Some(low), Some(high)) => format!("a number from {low} to {high}"),
        (Some(low), None) => format!("a number of at least {low}"),
        (None, Some(high)) => format!("a number of at most {high}"),
        (None, None) => "a finite number".to_owned(),
    };
    Err(invalid(format!("row {number}, column {}", feature.name), expected, "one out of it".to_owned()))
}

fn invalid(what: String, expected: String, found: String) -> PredictError {
    PredictError::InvalidInput { what, expected, found }
}

fn check_input(graph: &LoadedGraph, task: &bundle::Tabular) -> Result<DType, LoadError> {
    let port = graph.only_input(task.input.as_deref())?;
    let expected = [1, task.features.len()];
    let is_number = !matches!(port.dtype, DType::Text | DType::Bool);
    if port.shape == expected && is_number {
        return Ok(port.dtype);
    }
    let found = format!("{:?} {:?}", port.dtype, port.shape);
    Err(graph.mismatch(format!("input {} expected numbers {expected:?}, one per feature, found {found}", port.name)))
}

fn check_scores(graph: &LoadedGraph, scores: &OutputAt, labels: usize) -> Result<(), LoadError> {
    let numbers: usize = scores.shape().iter().product();
    let fits = if labels == 0 { numbers > 0 } else { numbers == labels };
    if fits && scores.dtype() != DType::Text {
        return Ok(());
    }
    let expected = if labels == 0 { "values".to_owned() } else { format!("[1, {labels}], one score per label") };
    let found = format!("{:?} {:?}", scores.dtype(), scores.shape());
    Err(graph.mismatch(format!("output {} expected {expected}, found {found}", scores.name())))
}
