//! What a manifest must hold beyond its form. Every problem is collected; the user mends them in one go.

use super::manifest::{
    Classify, Decoder, Detect, Embed, FaceChip, Faces, ImageInput, Interpolation, Jpeg, Labels, Limits, Manifest,
    Pixels, Resize, Tabular, Task,
};
use super::{Files, labels};

/// Longest side of an input, in pixels: beyond every model in use, and 3 x 4 bytes a pixel stay under 1 GB.
const MAX_SIDE: u32 = 8192;
const MAX_NAME: usize = 63;

pub(super) fn problems(manifest: &Manifest, files: &Files) -> Vec<String> {
    let mut found = Problems { files, list: Vec::new() };
    found.identity(manifest);
    found.limits(&manifest.limits);
    match &manifest.task {
        Task::Classify(task) => found.classify(task),
        Task::Detect(task) => found.detect(task),
        Task::Embed(task) => found.embed(task),
        Task::Faces(task) => found.faces(task),
        Task::Tabular(task) => found.tabular(task),
        Task::Tensor(task) => {
            found.file("task.tensor.graph", &task.graph);
            let zero = task.dimensions.iter().filter(|(_, number)| **number == 0).map(|(name, _)| name.as_str());
            found.require(zero.clone().count() == 0, || {
                format!("task.tensor.dimensions: {} must not be 0", zero.collect::<Vec<_>>().join(", "))
            });
        }
    }
    for (index, vector) in manifest.self_test.iter().enumerate() {
        let key = format!("self_test[{index}]");
        found.file(&format!("{key}.input"), &vector.input);
        found.file(&format!("{key}.expected"), &vector.expected);
        let tolerance = vector.tolerance;
        found.require(tolerance.is_finite() && tolerance >= 0.0, || format!("{key}.tolerance is {tolerance}"));
        let media_type = &vector.media_type;
        found.require(media_type.contains('/'), || format!("{key}.media_type `{media_type}` is no media type"));
    }
    found.list
}

struct Problems<'a> {
    files: &'a Files,
    list: Vec<String>,
}

impl Problems<'_> {
    fn require(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds {
            self.list.push(problem());
        }
    }

    fn identity(&mut self, manifest: &Manifest) {
        let (name, version) = (&manifest.name, &manifest.version);
        self.require(is_name(name), || {
            format!("name `{name}` must be 1 to {MAX_NAME} of a-z, 0-9, `-`, `.`, `_`, the first a letter or digit")
        });
        self.require(is_version(version), || {
            format!("version `{version}` must begin with a digit and hold only letters, digits, `.`, `-`, `+`")
        });
        self.require(!manifest.license.trim().is_empty(), || "license is empty".to_owned());
    }

    fn limits(&mut self, limits: &Limits) {
        let all = [limits.megapixels as usize, limits.image_mb as usize, limits.items()];
        self.require(all.iter().all(|limit| *limit > 0), || "limits: none may be 0".to_owned());
    }

    /// A path of the bundle that must be there.
    fn file(&mut self, key: &str, path: &str) {
        if !is_inside(path) {
            self.list.push(format!("{key}: `{path}` must be a relative path without `..`"));
        } else if !self.files.contains_key(path) {
            self.list.push(format!("{key}: the bundle has no file `{path}`"));
        }
    }

    fn labels(&mut self, key: &str, labels: &Labels) {
        if let Labels::File(path) = labels {
            self.file(key, path);
            if !self.files.contains_key(path) {
                return;
            }
        }
        match labels::resolve(labels, self.files) {
            Ok(list) => self.require(!list.is_empty(), || format!("{key} is empty")),
            Err(problem) => self.list.push(format!("{key}: {problem}")),
        }
    }

    fn share(&mut self, key: &str, value: f32) {
        self.require((0.0..=1.0).contains(&value), || format!("{key} is {value}; 0 to 1 is allowed"));
    }

    fn image(&mut self, key: &str, input: &ImageInput) {
        let sides = 1..=MAX_SIDE;
        for (side, value) in [("width", input.width), ("height", input.height)] {
            self.require(sides.contains(&value), || format!("{key}.{side} is {value}; 1 to {MAX_SIDE} is allowed"));
        }
        if let Resize::ShorterSide(side) | Resize::ShorterSideFloor(side) = input.resize {
            let longest = input.width.max(input.height);
            self.require((longest..=MAX_SIDE).contains(&side), || {
                format!(
                    "{key}.resize.shorter-side is {side}; {longest} (what is cut out of it) to {MAX_SIDE} is allowed"
                )
            });
        }
        self.require(input.jpeg == Jpeg::Full || input.interpolation != Interpolation::Nearest, || {
            format!(
                "{key}.jpeg: `reduced` leaves no pixel for interpolation `nearest` to take; `full` is allowed with it"
            )
        });
        self.pixels(&format!("{key}.pixels"), &input.pixels);
    }

    fn pixels(&mut self, key: &str, pixels: &Pixels) {
        let finite = pixels.mean.iter().chain(&pixels.std).chain([&pixels.scale]).all(|number| number.is_finite());
        self.require(finite, || format!("{key}: scale, mean and std must be finite"));
        self.require(!pixels.std.contains(&0.0), || format!("{key}.std must not be 0"));
        self.require(pixels.scale != 0.0, || format!("{key}.scale must not be 0"));
    }

    fn classify(&mut self, task: &Classify) {
        self.file("task.classify.graph", &task.graph);
        self.image("task.classify.input", &task.input);
        self.labels("task.classify.labels", &task.labels);
        self.require(task.top_k > 0, || "task.classify.top_k must not be 0".to_owned());
    }

    fn detect(&mut self, task: &Detect) {
        self.file("task.detect.graph", &task.graph);
        self.image("task.detect.input", &task.input);
        self.labels("task.detect.labels", &task.labels);
        self.share("task.detect.score_threshold", task.score_threshold);
        self.share("task.detect.iou_threshold", task.iou_threshold);
        self.require(task.max_detections > 0, || "task.detect.max_detections must not be 0".to_owned());
        if let Decoder::YoloGrid { anchors } = &task.decoder {
            let sound = anchors.iter().flatten().all(|side| side.is_finite() && *side > 0.0) && !anchors.is_empty();
            self.require(sound, || "task.detect.decoder.yolo-grid.anchors must be pairs of numbers above 0".to_owned());
        }
    }

    fn embed(&mut self, task: &Embed) {
        self.file("task.embed.graph", &task.graph);
        self.image("task.embed.input", &task.input);
    }

    fn faces(&mut self, task: &Faces) {
        self.file("task.faces.detector.graph", &task.detector.graph);
        self.image("task.faces.detector.input", &task.detector.input);
        self.require(task.detector.input.jpeg == Jpeg::Full, || {
            "task.faces.detector.input.jpeg is `reduced`; only `full` is allowed: faces are cut out of the whole picture"
                .to_owned()
        });
        self.share("task.faces.detector.score_threshold", task.detector.score_threshold);
        self.share("task.faces.detector.iou_threshold", task.detector.iou_threshold);
        self.require(task.detector.max_faces > 0, || "task.faces.detector.max_faces must not be 0".to_owned());
        if let Some(embedding) = &task.embedding {
            self.face_graph("embedding", &embedding.graph, &embedding.chip);
            let threshold = embedding.threshold;
            let sound = threshold.is_finite() && threshold > 0.0;
            self.require(sound, || format!("task.faces.embedding.threshold is {threshold}; it must be above 0"));
        }
        if let Some(age) = &task.age {
            self.face_graph("age", &age.graph, &age.chip);
        }
        for (key, attribute) in [("gender", &task.gender), ("emotion", &task.emotion)] {
            if let Some(attribute) = attribute {
                self.face_graph(key, &attribute.graph, &attribute.chip);
                self.labels(&format!("task.faces.{key}.labels"), &attribute.labels);
            }
        }
    }

    fn face_graph(&mut self, key: &str, graph: &str, chip: &FaceChip) {
        self.file(&format!("task.faces.{key}.graph"), graph);
        let (size, padding) = (chip.size, chip.padding);
        self.require((8..=MAX_SIDE).contains(&size), || {
            format!("task.faces.{key}.chip.size is {size}; 8 to {MAX_SIDE} is allowed")
        });
        self.require((0.0..=4.0).contains(&padding), || {
            format!("task.faces.{key}.chip.padding is {padding}; 0 to 4 is allowed")
        });
        self.pixels(&format!("task.faces.{key}.chip.pixels"), &chip.pixels);
    }

    fn tabular(&mut self, task: &Tabular) {
        self.file("task.tabular.graph", &task.graph);
        self.require(!task.features.is_empty(), || "task.tabular.features is empty".to_owned());
        let mut seen = std::collections::BTreeSet::new();
        for feature in &task.features {
            let name = &feature.name;
            self.require(!name.is_empty(), || "task.tabular.features: a name is empty".to_owned());
            self.require(seen.insert(name), || format!("task.tabular.features: `{name}` is there twice"));
            let (min, max) = (feature.min.unwrap_or(f64::MIN), feature.max.unwrap_or(f64::MAX));
            self.require(min <= max, || format!("task.tabular.features: `{name}` allows nothing ({min} to {max})"));
        }
        self.require(task.label_output.is_none() || !task.labels.is_empty(), || {
            "task.tabular.labels is empty, but label_output needs them".to_owned()
        });
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    first && name.len() <= MAX_NAME && name.bytes().all(allowed)
}

fn is_version(version: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-+".contains(&byte);
    version.as_bytes().first().is_some_and(u8::is_ascii_digit)
        && version.len() <= MAX_NAME
        && version.bytes().all(allowed)
}

/// Whether `path` stays inside the bundle on every system: relative, `/` between the parts, none of them `.` or `..`.
pub(crate) fn is_inside(path: &str) -> bool {
    !path.contains(['\\', '\0']) && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}
