//! Faces in an image: box and landmarks and, where the manifest names their graphs, embedding, age, gender, emotion.
//!
//! CenterFace finds the faces; each is turned upright by a similarity transform of its five landmarks to dlib's mean
//! face, once per chip geometry, and every graph reads its chip. Field names and labels are DeepFace's.

mod compare;

use std::sync::Arc;

use bytes::Bytes;

use crate::bundle::{self, Bundle, FaceChip};
use crate::model::Tensor;
use crate::predict::answer::{self, Answer, Face, FacialArea};

use super::centerface::{Centerface, Found};
use super::classify::Scores;
use super::geometry::{self, Rect};
use super::graphs::{self, Graphs, LoadedGraph, OutputAt};
use super::image::{self, RgbImage, Similarity};
use super::{LoadError, PredictError, Running};

pub(in crate::predict) struct Faces {
    detector: Detector,
    embedding: Option<EmbeddingGraph>,
    age: Option<(ChipGraph, OutputAt)>,
    gender: Option<(ChipGraph, Scores)>,
    emotion: Option<(ChipGraph, Scores)>,
}

struct Detector {
    graph: Arc<LoadedGraph>,
    maps: Centerface,
    task: bundle::FaceDetector,
}

struct EmbeddingGraph {
    chip: ChipGraph,
    output: OutputAt,
    metric: bundle::Metric,
    threshold: f32,
}

/// A graph that reads an upright face.
struct ChipGraph {
    graph: Arc<LoadedGraph>,
    chip: FaceChip,
}

impl Faces {
    pub(super) fn load(task: &bundle::Faces, bundle: &Bundle, graphs: &mut Graphs<'_>) -> Result<Self, LoadError> {
        Ok(Self {
            detector: Detector::load(&task.detector, graphs)?,
            embedding: task.embedding.as_ref().map(|task| EmbeddingGraph::load(task, graphs)).transpose()?,
            age: task.age.as_ref().map(|task| load_age(task, graphs)).transpose()?,
            gender: task.gender.as_ref().map(|task| load_attribute(task, bundle, graphs)).transpose()?,
            emotion: task.emotion.as_ref().map(|task| load_attribute(task, bundle, graphs)).transpose()?,
        })
    }

    pub(super) fn answer(&self, running: &mut Running<'_>, place: usize, file: Bytes) -> Result<Answer, PredictError> {
        let image = running.image(place, file)?;
        let found = self.detector.find(running, &image)?;
        let faces = found.iter().map(|found| self.analyze(running, &image, found));
        let results = faces.collect::<Result<_, _>>()?;
        image::give_back(image);
        Ok(Answer::Faces(answer::Faces { results }))
    }

    fn analyze(&self, running: &mut Running<'_>, image: &RgbImage, found: &Found) -> Result<Face, PredictError> {
        running.go_on()?;
        let mut chips = Chips { image, found, cut: Vec::new() };
        let embedding = self.embedding.as_ref().map(|graph| graph.embed(running, &mut chips)).transpose()?;
        let age = self.age.as_ref().map(|(graph, output)| age(graph, output, running, &mut chips)).transpose()?;
        let gender = self.gender.as_ref().map(|graph| attribute(graph, running, &mut chips)).transpose()?;
        let emotion = self.emotion.as_ref().map(|graph| attribute(graph, running, &mut chips)).transpose()?;
        let (gender, dominant_gender) = gender.unzip();
        let (emotion, dominant_emotion) = emotion.unzip();
        let (facial_area, face_confidence) = (facial_area(found), found.score);
        Ok(Face { facial_area, face_confidence, embedding, age, gender, dominant_gender, emotion, dominant_emotion })
    }
}

impl Detector {
    fn load(task: &bundle::FaceDetector, graphs: &mut Graphs<'_>) -> Result<Self, LoadError> {
        let graph = graphs.load_image(&task.graph, &task.input)?;
        let maps = Centerface::new(&graph)?;
        Ok(Self { graph, maps, task: task.clone() })
    }

    /// Faces in pixels of `image`, best first. Boxes are cut at the image's edges; landmarks may lie outside. A face
    /// whose landmarks coincide cannot be turned upright and is dropped.
    fn find(&self, running: &mut Running<'_>, image: &RgbImage) -> Result<Vec<Found>, PredictError> {
        let fitted = image::fit(image, &self.task.input)?;
        let outputs = graphs::run(running.graphs, &self.graph, vec![fitted.tensor])?;
        let candidates = self.maps.read(&outputs, self.task.score_threshold)?;
        let found = geometry::suppress(candidates, self.task.iou_threshold, self.task.max_faces);
        let to_image = |[x, y]: [f32; 2]| <[f32; 2]>::from(fitted.placement.to_image(x, y));
        let (width, height) = (image.width() as f32, image.height() as f32);
        let placed = found.into_iter().map(|found| {
            let [left, top] = to_image([found.rect.left, found.rect.top]);
            let [right, bottom] = to_image([found.rect.right, found.rect.bottom]);
            let rect = Rect { left, top, right, bottom }.clip(width, height);
            Found { rect, score: found.score, landmarks: found.landmarks.map(to_image) }
        });
        Ok(placed.filter(|found| !found.rect.is_empty() && similarity(found, 150, 0.25).is_some()).collect())
    }
}

impl EmbeddingGraph {
    fn load(task: &bundle::FaceEmbedding, graphs: &mut Graphs<'_>) -> Result<Self, LoadError> {
        let chip = ChipGraph::load(&task.graph, &task.chip, graphs)?;
        let output = chip.graph.float_output(task.output.as_deref())?;
        if output.shape().iter().product::<usize>() != output.last_dimension() || output.last_dimension() == 0 {
            let reason = format!("output {} expected [1, D], found {:?}", output.name(), output.shape());
            return Err(chip.graph.mismatch(reason));
        }
        Ok(Self { chip, output, metric: task.metric, threshold: task.threshold })
    }

    fn embed(&self, running: &mut Running<'_>, chips: &mut Chips<'_>) -> Result<Vec<f32>, PredictError> {
        let outputs = self.chip.run(running, chips)?;
        Ok(self.output.floats(&outputs)?.to_vec())
    }
}

impl ChipGraph {
    fn load(file: &str, chip: &FaceChip, graphs: &mut Graphs<'_>) -> Result<Self, LoadError> {
        let graph = graphs.load_pixels(file, chip.name.as_deref(), &chip.pixels, [chip.size; 2])?;
        if !(0.0..=4.0).contains(&chip.padding) {
            return Err(graph.mismatch(format!("chip padding expected 0 to 4, found {}", chip.padding)));
        }
        Ok(Self { graph, chip: chip.clone() })
    }

    fn run(&self, running: &mut Running<'_>, chips: &mut Chips<'_>) -> Result<Vec<Tensor>, PredictError> {
        let tensor = image::tensor(chips.cut(self.chip.size, self.chip.padding)?, &self.chip.pixels);
        graphs::run(running.graphs, &self.graph, vec![tensor])
    }
}

/// One face's chips, each cut once for all graphs that read the same geometry.
struct Chips<'a> {
    image: &'a RgbImage,
    found: &'a Found,
    cut: Vec<(u32, f32, RgbImage)>,
}

impl Chips<'_> {
    fn cut(&mut self, size: u32, padding: f32) -> Result<&RgbImage, PredictError> {
        let known = self.cut.iter().position(|(s, p, _)| *s == size && *p == padding);
        let at = match known {
            Some(at) => at,
            None => {
                let chip = match similarity(self.found, size, padding) {
                    Some(similarity) => image::warp(self.image, &similarity, size)?,
                    // `find` has dropped such faces; a black chip keeps this path whole.
                    None => RgbImage::new(size, size),
                };
                self.cut.push((size, padding, chip));
                self.cut.len() - 1
            }
        };
        Ok(&self.cut[at].2)
    }
}

fn similarity(found: &Found, size: u32, padding: f32) -> Option<Similarity> {
    Similarity::between(&found.landmarks, &geometry::mean_face(size, padding))
}

fn load_age(task: &bundle::FaceAge, graphs: &mut Graphs<'_>) -> Result<(ChipGraph, OutputAt), LoadError> {
    let chip = ChipGraph::load(&task.graph, &task.chip, graphs)?;
    let output = chip.graph.output_of_shape(task.output.as_deref(), &[1, 1])?;
    Ok((chip, output))
}

fn load_attribute(
    task: &bundle::FaceAttribute,
    bundle: &Bundle,
    graphs: &mut Graphs<'_>,
) -> Result<(ChipGraph, Scores), LoadError> {
    let chip = ChipGraph::load(&task.graph, &task.chip, graphs)?;
    let scores = Scores::load(task, bundle, &chip.graph)?;
    Ok((chip, scores))
}

fn age(
    graph: &ChipGraph,
    output: &OutputAt,
    running: &mut Running<'_>,
    chips: &mut Chips<'_>,
) -> Result<f32, PredictError> {
    let outputs = graph.run(running, chips)?;
    output.floats(&outputs)?.first().copied().ok_or_else(|| output.unlike_declared())
}

/// Scores in per cent and the label of the highest, the first of equals.
fn attribute(
    (graph, scores): &(ChipGraph, Scores),
    running: &mut Running<'_>,
    chips: &mut Chips<'_>,
) -> Result<(answer::Scores, String), PredictError> {
    let outputs = graph.run(running, chips)?;
    let all = scores.all(&outputs)?;
    let mut dominant = (f32::NEG_INFINITY, "");
    let mut per_cent = answer::Scores::new();
    for (score, label) in all.into_iter().zip(&scores.labels) {
        if score > dominant.0 {
            dominant = (score, label);
        }
        per_cent.insert(label.clone(), score * 100.0);
    }
    Ok((per_cent, dominant.1.to_owned()))
}

/// `left` is the person's own left, as in DeepFace: the right side of an unmirrored picture.
fn facial_area(found: &Found) -> FacialArea {
    let [right_eye, left_eye, nose, mouth_right, mouth_left] = found.landmarks;
    FacialArea {
        x: found.rect.left,
        y: found.rect.top,
        w: found.rect.width(),
        h: found.rect.height(),
        left_eye,
        right_eye,
        nose,
        mouth_left,
        mouth_right,
    }
}
