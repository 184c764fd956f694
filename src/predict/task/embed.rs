//! Image to a vector.

use std::sync::Arc;

use bytes::Bytes;

use crate::bundle::{self, ImageInput, Pooling};
use crate::predict::answer::{Answer, Embedding};

use super::graphs::{self, Graphs, LoadedGraph, OutputAt};
use super::{LoadError, PredictError, Running};

pub(in crate::predict) struct Embed {
    graph: Arc<LoadedGraph>,
    input: ImageInput,
    output: OutputAt,
    pooling: Pooling,
    normalize: bool,
}

impl Embed {
    pub(super) fn load(task: &bundle::Embed, graphs: &mut Graphs<'_>) -> Result<Self, LoadError> {
        let graph = graphs.load_image(&task.graph, &task.input)?;
        let output = graph.float_output(task.output.as_deref())?;
        check_shape(&graph, &output, task.pooling)?;
        let input = task.input.clone();
        Ok(Self { graph, input, output, pooling: task.pooling, normalize: task.normalize })
    }

    pub(super) fn answer(&self, running: &mut Running<'_>, place: usize, file: Bytes) -> Result<Answer, PredictError> {
        let fitted = running.fitted(place, file, &self.input)?;
        let outputs = graphs::run(running.graphs, &self.graph, vec![fitted.tensor])?;
        let mut embedding = pool(self.output.floats(&outputs)?, self.output.shape(), self.pooling);
        if self.normalize {
            scale_to_unit(&mut embedding);
        }
        Ok(Answer::Embedding(Embedding { embedding }))
    }
}

/// Refuses an output that the pooling cannot make one vector of.
fn check_shape(graph: &LoadedGraph, output: &OutputAt, pooling: Pooling) -> Result<(), LoadError> {
    let shape = output.shape();
    let (fits, expected) = match pooling {
        Pooling::None => (shape.iter().filter(|&&side| side != 1).count() <= 1, "[1, D]"),
        Pooling::Mean => (matches!(shape, [1, _, _] | [1, _, _, _]), "[1, T, D] or [1, D, H, W]"),
        Pooling::First => (matches!(shape, [1, _, _]), "[1, T, D]"),
    };
    if fits && shape.iter().product::<usize>() > 0 {
        return Ok(());
    }
    Err(graph.mismatch(format!("output {} expected {expected}, found {shape:?}", output.name())))
}

fn pool(values: &[f32], shape: &[usize], pooling: Pooling) -> Vec<f32> {
    match (pooling, shape) {
        (Pooling::First, [.., size]) => values.iter().take(*size).copied().collect(),
        (Pooling::Mean, [_, _, size]) => (0..*size).map(|i| mean(values.iter().skip(i).step_by(*size))).collect(),
        (Pooling::Mean, [_, _, height, width]) => {
            values.chunks_exact(height * width).map(|map| mean(map.iter())).collect()
        }
        (Pooling::None | Pooling::Mean | Pooling::First, _) => values.to_vec(),
    }
}

fn mean<'a>(values: impl Iterator<Item = &'a f32>) -> f32 {
    let (mut sum, mut count) = (0.0_f64, 0.0_f64);
    for &value in values {
        sum += f64::from(value);
        count += 1.0;
    }
    (sum / count.max(1.0)) as f32
}

/// Leaves the zero vector as it is: it has no direction.
fn scale_to_unit(vector: &mut [f32]) {
    let length = vector.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|v| *v = (f64::from(*v) / length) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_pooling_averages_over_positions() {
        assert_eq!(pool(&[1.0, 2.0, 3.0, 6.0], &[1, 2, 2], Pooling::Mean), [2.0, 4.0]);
        assert_eq!(pool(&[1.0, 2.0, 3.0, 6.0], &[1, 2, 1, 2], Pooling::Mean), [1.5, 4.5]);
    }

    #[test]
    fn first_pooling_takes_the_class_token() {
        assert_eq!(pool(&[1.0, 2.0, 3.0, 6.0], &[1, 2, 2], Pooling::First), [1.0, 2.0]);
    }

    #[test]
    fn a_scaled_vector_has_length_one_and_zero_stays() {
        let (mut vector, mut zero) = ([3.0, 4.0], [0.0; 2]);
        scale_to_unit(&mut vector);
        scale_to_unit(&mut zero);
        assert_eq!((vector, zero), ([0.6, 0.8], [0.0; 2]));
    }
}
