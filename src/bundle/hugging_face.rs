//! A Hugging Face export read as it is: `config.json` says what the model does, `preprocessor_config.json` how an image
//! becomes its input, `model.onnx` (or `onnx/model.onnx`) is the graph, as `optimum-cli export onnx` writes them.

mod field;
mod preprocessor;

use serde_json::Value;

use self::field::Json;
use super::manifest::{
    Activation, Answers, Classify, Decoder, Detect, Embed, ImageInput, Labels, Limits, Manifest, Pooling, Task,
};
use super::{BundleError, Files};

pub(super) const CONFIG_FILE: &str = "config.json";
const PREPROCESSOR_FILE: &str = "preprocessor_config.json";
const GRAPHS: [&str; 2] = ["model.onnx", "onnx/model.onnx"];
/// What SPDX calls a licence nobody stated.
const NO_LICENSE: &str = "NOASSERTION";
/// The files say no version of the model itself; one that must be told from the next needs a `model.toml`.
const NO_VERSION: &str = "0.0.0";

pub(super) fn read(files: &Files) -> Result<Manifest, BundleError> {
    let graph = GRAPHS.into_iter().find(|graph| files.contains_key(*graph));
    let (Some(config), Some(graph)) = (files.get(CONFIG_FILE), graph) else { return Err(BundleError::NoManifest) };
    let missing = || BundleError::MissingFile { name: PREPROCESSOR_FILE.to_owned() };
    let preprocessor = files.get(PREPROCESSOR_FILE).ok_or_else(missing)?;
    let config = Json::parse(CONFIG_FILE, config)?;
    let input = preprocessor::image_input(&Json::parse(PREPROCESSOR_FILE, preprocessor)?)?;
    Ok(Manifest {
        name: name(&config),
        version: NO_VERSION.to_owned(),
        license: license(&config, files),
        description: String::new(),
        task: task(&config, graph, input)?,
        limits: Limits::default(),
        answers: Answers::default(),
        self_test: Vec::new(),
    })
}

/// The last part of where the weights came from, or the architecture's name, in the letters a name may have.
fn name(config: &Json) -> String {
    let origin = config.text("_name_or_path").filter(|path| !path.is_empty()).or_else(|| config.text("model_type"));
    let last = origin.unwrap_or("model").trim_end_matches('/').rsplit('/').next().unwrap_or("model");
    let allowed = |letter: char| if letter.is_ascii_alphanumeric() || "-._".contains(letter) { letter } else { '-' };
    let clean: String = last.to_ascii_lowercase().chars().map(allowed).take(63).collect();
    let clean = clean.trim_start_matches(['-', '.', '_']);
    if clean.is_empty() { "model".to_owned() } else { clean.to_owned() }
}

/// `license` of `config.json`, or of the front matter of the model card.
fn license(config: &Json, files: &Files) -> String {
    let card = files.get("README.md").and_then(|card| std::str::from_utf8(card.get(..card.len().min(1 << 16))?).ok());
    let front_matter = card.and_then(|card| card.strip_prefix("---\n")).and_then(|card| card.split("\n---").next());
    let line = front_matter.and_then(|text| text.lines().find_map(|line| line.strip_prefix("license:")));
    let stated = config.text("license").or(line.map(str::trim)).filter(|license| !license.is_empty());
    stated.unwrap_or(NO_LICENSE).to_owned()
}

fn task(config: &Json, graph: &str, input: ImageInput) -> Result<Task, BundleError> {
    let architecture = config.require("architectures")?.get(0).and_then(Value::as_str);
    let architecture = architecture.ok_or_else(|| config.wrong("architectures", "names none"))?;
    let graph = graph.to_owned();
    if architecture.ends_with("ForImageClassification") || architecture.ends_with("ForImageClassificationWithTeacher") {
        return classify(config, graph, input).map(Task::Classify);
    }
    if let Some(family) = architecture.strip_suffix("ForObjectDetection") {
        if !SOFTMAX_DETECTORS.contains(&family) {
            let remedy = "export it with its boxes decoded and write a model.toml with the decoder boxes";
            return Err(config.wrong("architectures", format!("{architecture} scores boxes unlike DETR; {remedy}")));
        }
        return detect(config, graph, input).map(Task::Detect);
    }
    embed(architecture, graph, input).map(Task::Embed).ok_or_else(|| {
        config.wrong("architectures", format!("{architecture} is none that is served as it is; write a model.toml"))
    })
}

/// Their last class means that there is nothing. The later kin (Conditional, Deformable, RT-DETR, D-FINE) have no such
/// class and score each on its own.
const SOFTMAX_DETECTORS: [&str; 3] = ["Detr", "TableTransformer", "Yolos"];
/// Models with a class token, which stands for the image.
const CLASS_TOKEN: [&str; 8] = ["ViT", "DeiT", "Beit", "Data2VecVision", "Dinov2", "ViTMSN", "ViTMAE", "CLIPVision"];
/// Models that average their last map themselves to classify.
const AVERAGED: [&str; 12] = [
    "Bit",
    "ConvNext",
    "ConvNextV2",
    "EfficientNet",
    "Levit",
    "MobileNetV1",
    "MobileNetV2",
    "MobileViT",
    "RegNet",
    "ResNet",
    "Swin",
    "Swinv2",
];

fn classify(config: &Json, graph: String, input: ImageInput) -> Result<Classify, BundleError> {
    let labels = labels(config)?;
    let activation = match config.text("problem_type") {
        Some("multi_label_classification") => Activation::Sigmoid,
        Some("regression") => Activation::None,
        _ if labels.len() == 1 => Activation::Sigmoid,
        _ => Activation::Softmax,
    };
    let output = Some("logits".to_owned());
    Ok(Classify { graph, input, output, activation, labels: Labels::List(labels), top_k: 5 })
}

/// DETR and its kin choose among boxes by themselves: nothing is dropped for overlapping another.
fn detect(config: &Json, graph: String, input: ImageInput) -> Result<Detect, BundleError> {
    let labels = Labels::List(labels(config)?);
    let decoder = Decoder::Detr {};
    Ok(Detect { graph, input, decoder, labels, score_threshold: 0.5, iou_threshold: 1.0, max_detections: 100 })
}

/// A bare model gives a map of vectors; which of them stands for the image is known of these families only.
fn embed(architecture: &str, graph: String, input: ImageInput) -> Option<Embed> {
    let (output, pooling) = if architecture.ends_with("VisionModelWithProjection") {
        ("image_embeds", Pooling::None)
    } else {
        let family = architecture.strip_suffix("Model")?;
        let known = |families: &[&str]| families.contains(&family);
        let pooling = known(&CLASS_TOKEN).then_some(Pooling::First);
        ("last_hidden_state", pooling.or_else(|| known(&AVERAGED).then_some(Pooling::Mean))?)
    };
    Some(Embed { graph, input, output: Some(output.to_owned()), pooling, normalize: false })
}

/// `id2label` in the order of its ids, which must be 0, 1, 2 and so on.
fn labels(config: &Json) -> Result<Vec<String>, BundleError> {
    let object = config.require("id2label")?.as_object().ok_or_else(|| config.wrong("id2label", "is no object"))?;
    let label = |id: usize| {
        let label = object.get(&id.to_string()).ok_or_else(|| config.wrong("id2label", format!("has no \"{id}\"")))?;
        label.as_str().map(str::to_owned).ok_or_else(|| config.wrong("id2label", format!("\"{id}\" is no text")))
    };
    (0..object.len()).map(label).collect()
}
