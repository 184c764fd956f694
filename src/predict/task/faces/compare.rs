//! Whether two images show the same person: the distance of their best faces' embeddings against a threshold.

use bytes::Bytes;

use crate::bundle::Metric;
use crate::predict::answer::{Answer, Comparison, FacialArea};

use super::{Chips, EmbeddingGraph, Faces, PredictError, Running, facial_area, image};

impl Faces {
    /// Compares the best face of each image. Only what comparing needs is run: no age, gender or emotion.
    pub(in crate::predict::task) fn compare(
        &self,
        running: &mut Running<'_>,
        images: &[Bytes; 2],
    ) -> Result<Answer, PredictError> {
        const NO_EMBEDDING: PredictError =
            PredictError::Unsupported { asked: "compare", reason: "its manifest names no embedding graph" };
        let graph = self.embedding.as_ref().ok_or(NO_EMBEDDING)?;
        let (first, first_area) = self.best_face(graph, running, 0, &images[0])?;
        let (second, second_area) = self.best_face(graph, running, 1, &images[1])?;
        let distance = distance(graph.metric, &first, &second);
        Ok(Answer::Comparison(Comparison {
            verified: distance <= graph.threshold,
            distance,
            threshold: graph.threshold,
            similarity_metric: match graph.metric {
                Metric::Euclidean => "euclidean",
                Metric::Cosine => "cosine",
            },
            facial_areas: [first_area, second_area],
        }))
    }

    fn best_face(
        &self,
        graph: &EmbeddingGraph,
        running: &mut Running<'_>,
        item: usize,
        bytes: &Bytes,
    ) -> Result<(Vec<f32>, FacialArea), PredictError> {
        running.go_on()?;
        let image = running.image(item, bytes.clone())?;
        let found = self.detector.find(running, &image)?;
        let best = found.first().ok_or(PredictError::NoFace { item })?;
        let embedding = graph.embed(running, &mut Chips { image: &image, found: best, cut: Vec::new() })?;
        image::give_back(image);
        Ok((embedding, facial_area(best)))
    }
}

/// Summed in `f64`. Vectors without a direction are as far apart as orthogonal ones.
fn distance(metric: Metric, a: &[f32], b: &[f32]) -> f32 {
    let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(&x, &y)| f(x.into(), y.into())).sum::<f64>();
    let distance = match metric {
        Metric::Euclidean => sum(&|x, y| (x - y) * (x - y)).sqrt(),
        Metric::Cosine => {
            let lengths = (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt();
            if lengths > 0.0 { 1.0 - sum(&|x, y| x * y) / lengths } else { 1.0 }
        }
    };
    distance as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn euclidean_is_the_length_of_the_difference() {
        assert_eq!(distance(Metric::Euclidean, &[1.0, 2.0], &[4.0, 6.0]), 5.0);
    }

    #[test]
    fn cosine_ignores_length() {
        assert!(distance(Metric::Cosine, &[1.0, 0.0], &[7.0, 0.0]).abs() < 1e-7);
        assert_eq!(distance(Metric::Cosine, &[1.0, 0.0], &[0.0, 2.0]), 1.0);
        assert_eq!(distance(Metric::Cosine, &[0.0, 0.0], &[0.0, 2.0]), 1.0);
    }
}
