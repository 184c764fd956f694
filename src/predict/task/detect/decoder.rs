//! How boxes are read from a detector's outputs: one reader per family of detectors.

use crate::bundle;
use crate::model::{DType, Tensor};

use super::centerface::Found;
use super::{Candidate, Centerface, LoadError, LoadedGraph, OutputAt, PredictError, Rect, activate, sigmoid};

/// `exp` of more is no box of any picture; keeps boxes finite whatever the graph says.
const LARGEST_LOG: f32 = 10.0;

/// Width and height of the graph's input.
type Size = [f32; 2];

pub(super) enum Decoder {
    Centerface(Centerface),
    YoloGrid { grid: OutputAt, anchors: Vec<[f32; 2]>, size: Size },
    Yolov8 { output: OutputAt },
    Boxes { boxes: OutputAt, scores: OutputAt, classes: Option<OutputAt> },
    Detr { logits: OutputAt, boxes: OutputAt, size: Size },
}

impl Decoder {
    /// The reader, and how many classes the graph tells apart where its shapes say so.
    pub(super) fn new(task: &bundle::Detect, graph: &LoadedGraph) -> Result<(Self, Option<usize>), LoadError> {
        let size = [task.input.width as f32, task.input.height as f32];
        match &task.decoder {
            bundle::Decoder::Centerface {} => Ok((Self::Centerface(Centerface::new(graph)?), Some(1))),
            bundle::Decoder::YoloGrid { anchors } => yolo_grid(graph, anchors, size),
            bundle::Decoder::Yolov8 {} => yolov8(graph),
            bundle::Decoder::Boxes { boxes, scores, classes } => {
                let decoder = Self::Boxes {
                    boxes: graph.float_output(Some(boxes))?,
                    scores: graph.float_output(Some(scores))?,
                    classes: classes.as_deref().map(|name| graph.output(Some(name))).transpose()?,
                };
                Ok((decoder, None))
            }
            bundle::Decoder::Detr {} => detr(graph, size),
        }
    }

    /// Whether one object may come as several boxes.
    pub(super) fn overlaps(&self) -> bool {
        match self {
            Self::Centerface(_) | Self::YoloGrid { .. } | Self::Yolov8 { .. } => true,
            Self::Boxes { .. } | Self::Detr { .. } => false,
        }
    }

    /// The output that says which class a box is of.
    pub(super) fn class_output(&self) -> &str {
        match self {
            Self::Centerface(_) => "heatmap",
            Self::YoloGrid { grid, .. } => grid.name(),
            Self::Yolov8 { output } => output.name(),
            Self::Boxes { classes, scores, .. } => classes.as_ref().unwrap_or(scores).name(),
            Self::Detr { logits, .. } => logits.name(),
        }
    }

    /// Every box whose score is at least `threshold`, in pixels of the input.
    pub(super) fn read(&self, outputs: &[Tensor], threshold: f32) -> Result<Vec<Candidate>, PredictError> {
        match self {
            Self::Centerface(maps) => Ok(maps.read(outputs, threshold)?.iter().map(face).collect()),
            Self::YoloGrid { grid, anchors, size } => {
                Ok(read_grid(grid.floats(outputs)?, grid.shape(), anchors, *size, threshold))
            }
            Self::Yolov8 { output } => Ok(read_yolov8(output.floats(outputs)?, output.last_dimension(), threshold)),
            Self::Boxes { boxes, scores, classes } => {
                let classes = classes.as_ref().map(|classes| class_indices(classes, outputs)).transpose()?;
                read_boxes(boxes, scores, outputs, classes.as_deref(), threshold)
            }
            Self::Detr { logits, boxes, size } => {
                let classes = logits.last_dimension();
                Ok(read_detr(logits.floats(outputs)?, classes, boxes.floats(outputs)?, *size, threshold))
            }
        }
    }
}

fn face(found: &Found) -> Candidate {
    Candidate { rect: found.rect, score: found.score, class: 0 }
}

fn yolo_grid(graph: &LoadedGraph, anchors: &[[f32; 2]], size: Size) -> Result<(Decoder, Option<usize>), LoadError> {
    let grid = graph.float_output(None)?;
    let per_anchor = grid.last_dimension().checked_div(anchors.len()).unwrap_or(0);
    let divides = per_anchor * anchors.len() == grid.last_dimension();
    if !matches!(grid.shape(), [1, _, _, _]) || !divides || per_anchor < 5 {
        let expected = format!("[1, H, W, {} * (5 + classes)]", anchors.len());
        return Err(graph.mismatch(format!("output {} expected {expected}, found {:?}", grid.name(), grid.shape())));
    }
    // A grid for one class needs no class scores and has none.
    let classes = (per_anchor - 5).max(1);
    Ok((Decoder::YoloGrid { grid, anchors: anchors.to_vec(), size }, Some(classes)))
}

fn yolov8(graph: &LoadedGraph) -> Result<(Decoder, Option<usize>), LoadError> {
    let output = graph.float_output(None)?;
    match output.shape() {
        [1, rows, count] if *rows > 4 && *count > 0 => {
            let classes = rows - 4;
            Ok((Decoder::Yolov8 { output }, Some(classes)))
        }
        shape => Err(graph.mismatch(format!("output {} expected [1, 4 + classes, N], found {shape:?}", output.name()))),
    }
}

fn detr(graph: &LoadedGraph, size: Size) -> Result<(Decoder, Option<usize>), LoadError> {
    let logits = graph.float_output(Some("logits"))?;
    let classes = match logits.shape() {
        [1, _, classes] if *classes > 1 => classes - 1,
        shape => return Err(graph.mismatch(format!("output logits expected [1, N, classes + 1], found {shape:?}"))),
    };
    let count = logits.shape().get(1).copied().unwrap_or(0);
    let boxes = graph.output_of_shape(Some("pred_boxes"), &[1, count, 4])?;
    Ok((Decoder::Detr { logits, boxes, size }, Some(classes)))
}

/// YOLOv2: the cell and a sigmoid place the centre, the anchor and an exponential make the size; a softmax over class
/// scores, where there are any, weighs the score.
fn read_grid(grid: &[f32], shape: &[usize], anchors: &[[f32; 2]], size: Size, threshold: f32) -> Vec<Candidate> {
    let [_, rows, columns, channels] = shape else { return Vec::new() };
    let per_anchor = channels.checked_div(anchors.len()).unwrap_or(0).max(5);
    let cell_size = [size[0] / *columns as f32, size[1] / *rows as f32];
    let mut found = Vec::new();
    for (index, values) in grid.chunks_exact(per_anchor).enumerate() {
        let (cell, anchor) = (index / anchors.len(), anchors[index % anchors.len()]);
        let [tx, ty, tw, th, logit, ref classes @ ..] = *values else { continue };
        let (class, weight) = best(&activate(classes, bundle::Activation::Softmax)).unwrap_or((0, 1.0));
        let score = sigmoid(logit) * weight;
        if score < threshold {
            continue;
        }
        let x = ((cell % columns) as f32 + sigmoid(tx)) * cell_size[0];
        let y = ((cell / columns) as f32 + sigmoid(ty)) * cell_size[1];
        let side = |t: f32, axis: usize| t.min(LARGEST_LOG).exp() * anchor[axis] * cell_size[axis];
        found.push(Candidate { rect: Rect::from_center(x, y, side(tw, 0), side(th, 1)), score, class });
    }
    found
}

/// Column by column: centre, size, then one score per class. Read row by row, as it lies in memory.
fn read_yolov8(values: &[f32], count: usize, threshold: f32) -> Vec<Candidate> {
    let rows: Vec<&[f32]> = values.chunks_exact(count.max(1)).collect();
    let [xs, ys, widths, heights, scores @ ..] = rows.as_slice() else { return Vec::new() };
    let mut best = vec![(0, f32::NEG_INFINITY); count];
    for (class, scores) in scores.iter().enumerate() {
        for (best, &score) in best.iter_mut().zip(*scores).filter(|(best, score)| **score > best.1) {
            *best = (class, score);
        }
    }
    let candidate = |(at, &(class, score)): (usize, &(usize, f32))| {
        let rect = Rect::from_center(*xs.get(at)?, *ys.get(at)?, *widths.get(at)?, *heights.get(at)?);
        (score >= threshold).then_some(Candidate { rect, score, class })
    };
    best.iter().enumerate().filter_map(candidate).collect()
}

fn read_boxes(
    boxes: &OutputAt,
    scores: &OutputAt,
    outputs: &[Tensor],
    classes: Option<&[usize]>,
    threshold: f32,
) -> Result<Vec<Candidate>, PredictError> {
    let (corners, score_values) = (boxes.floats(outputs)?, scores.floats(outputs)?);
    let counts_fit = corners.len() == 4 * score_values.len() && classes.is_none_or(|c| c.len() == score_values.len());
    if !counts_fit {
        let reason = "boxes, scores and classes are not equally many";
        return Err(PredictError::BadAnswer { output: boxes.name().to_owned(), reason });
    }
    let candidates = corners.chunks_exact(4).zip(score_values).enumerate().filter_map(|(at, (corners, &score))| {
        let [left, top, right, bottom] = *corners else { return None };
        let class = classes.and_then(|classes| classes.get(at)).copied().unwrap_or(0);
        (score >= threshold).then_some(Candidate { rect: Rect { left, top, right, bottom }, score, class })
    });
    Ok(candidates.collect())
}

/// Exporters write class indices as integers or as floats.
fn class_indices(classes: &OutputAt, outputs: &[Tensor]) -> Result<Vec<usize>, PredictError> {
    let integers = classes.of(outputs)?.cast(DType::I64)?;
    let values = integers.values::<i64>().ok_or_else(|| classes.unlike_declared())?;
    // A negative class has no label: refused where labels are looked up.
    Ok(values.iter().map(|&class| usize::try_from(class).unwrap_or(usize::MAX)).collect())
}

/// A softmax over classes of which the last means that there is nothing.
fn read_detr(logits: &[f32], classes: usize, boxes: &[f32], size: Size, threshold: f32) -> Vec<Candidate> {
    let queries = logits.chunks_exact(classes.max(1)).zip(boxes.chunks_exact(4));
    let candidates = queries.filter_map(|(logits, place)| {
        let scores = activate(logits, bundle::Activation::Softmax);
        let (class, score) = best(scores.split_last()?.1)?;
        let [x, y, width, height] = *place else { return None };
        let rect = Rect::from_center(x * size[0], y * size[1], width * size[0], height * size[1]);
        (score >= threshold).then_some(Candidate { rect, score, class })
    });
    candidates.collect()
}

/// The highest score and its place; the first of equals.
fn best(scores: &[f32]) -> Option<(usize, f32)> {
    let places = scores.iter().copied().enumerate();
    places.reduce(|best, next| if next.1 > best.1 { next } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corners(found: &Candidate) -> [f32; 4] {
        [found.rect.left, found.rect.top, found.rect.right, found.rect.bottom]
    }

    #[test]
    fn a_grid_cell_places_its_box_by_sigmoid_and_anchor() {
        // Two columns, one row, one anchor of 1 x 2 cells, no class scores; cells of 10 x 20 pixels.
        let grid = [0.0, 0.0, 0.0, 0.0, -9.0, 0.0, 0.0, 0.0, 0.0, 9.0];
        let found = read_grid(&grid, &[1, 1, 2, 5], &[[1.0, 2.0]], [20.0, 20.0], 0.5);
        assert_eq!(found.len(), 1);
        assert_eq!(corners(&found[0]), [10.0, -10.0, 20.0, 30.0]);
        assert!((found[0].score - 0.999_876_6).abs() < 1e-6);
    }

    #[test]
    fn yolov8_reads_columns() {
        // Two boxes of two classes: rows are x, y, w, h, class 0, class 1.
        let values = [5.0, 50.0, 5.0, 60.0, 4.0, 20.0, 2.0, 10.0, 0.1, 0.2, 0.3, 0.9];
        let found = read_yolov8(&values, 2, 0.5);
        assert_eq!(found.len(), 1);
        assert_eq!((corners(&found[0]), found[0].class, found[0].score), ([40.0, 55.0, 60.0, 65.0], 1, 0.9));
    }

    #[test]
    fn detr_leaves_out_what_is_nothing() {
        // Two queries, classes a, b, nothing.
        let logits = [9.0, 0.0, 0.0, 0.0, 0.0, 9.0];
        let boxes = [0.5, 0.5, 0.5, 0.25, 0.5, 0.5, 1.0, 1.0];
        let found = read_detr(&logits, 3, &boxes, [100.0, 200.0], 0.5);
        assert_eq!(found.len(), 1);
        assert_eq!((corners(&found[0]), found[0].class), ([25.0, 75.0, 75.0, 125.0], 0));
    }
}
