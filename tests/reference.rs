//! The answers equal the references: tests/python/reference.py computes them with onnxruntime, numpy and Pillow, and
//! tests/reference holds what it wrote.

#[path = "support/bundles.rs"]
mod bundles;

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bundles::{Loaded, media_type, read, root};
use serde_json::{Value, json};
use strongroom::bundle::{Files, Pixels};
use strongroom::model::{Binding, Graph};
use strongroom::predict::image::{self, ImageLimits};

const SETUP: &str = "run `make test`, which sets up the test tools";

/// Boxes and landmarks, in pixels of the image.
const PIXELS: f64 = 1.0;
/// Of two embeddings.
const COSINE: f64 = 0.9999;
/// Of a graph's output for the same tensor, relative to the output's largest number.
const TENSOR: f64 = 1e-4;

fn reference(name: &str) -> Value {
    serde_json::from_slice(&read(root().join("tests/reference").join(name))).expect("JSON")
}

fn photos() -> Vec<(String, PathBuf)> {
    let artifacts = root().join("model-artifacts");
    let mut photos = vec![
        ("astronaut".to_owned(), artifacts.join("face-analyzer/self-test/astronaut.jpg")),
        ("portrait".to_owned(), artifacts.join("face-analyzer/self-test/portrait.webp")),
        ("chelsea".to_owned(), artifacts.join("imagenet-efficientnet-lite0/self-test/chelsea.jpg")),
    ];
    for entry in std::fs::read_dir(root().join("tests/reference/photos")).expect("the photos are there") {
        let path = entry.expect("an entry").path();
        photos.push((path.file_stem().expect("a name").to_string_lossy().into_owned(), path));
    }
    photos.sort();
    photos
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Number(number) => vec![number.as_f64().expect("finite")],
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        Value::Object(fields) => fields.values().flat_map(numbers).collect(),
        Value::Null | Value::Bool(_) | Value::String(_) => panic!("no number: {value}"),
    }
}

fn farthest(a: &Value, b: &Value) -> f64 {
    let (a, b) = (numbers(a), numbers(b));
    assert_eq!(a.len(), b.len());
    a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn cosine(a: &Value, b: &Value) -> f64 {
    let (a, b) = (numbers(a), numbers(b));
    assert_eq!(a.len(), b.len());
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
}

#[test]
fn faces_lie_where_the_reference_finds_them_and_say_the_same() {
    let mut faces = Loaded::sample("face-analyzer");
    let expected = reference("faces.json");
    for (name, path) in photos() {
        let found = faces.answer(media_type(&path), read(&path));
        let (found, expected) = (&found["results"], &expected[&name]["results"]);
        let (found, expected) = (found.as_array().expect("a list"), expected.as_array().expect("a list"));
        assert_eq!(found.len(), expected.len(), "{name}: number of faces");
        for (found, expected) in found.iter().zip(expected) {
            compare_face(&name, found, expected);
        }
    }
}

fn compare_face(name: &str, found: &Value, expected: &Value) {
    let area = farthest(&found["facial_area"], &expected["facial_area"]);
    let cosine = cosine(&found["embedding"], &expected["embedding"]);
    let confidence = farthest(&found["face_confidence"], &expected["face_confidence"]);
    let age = farthest(&found["age"], &expected["age"]);
    let gender = farthest(&found["gender"], &expected["gender"]);
    let emotion = farthest(&found["emotion"], &expected["emotion"]);
    println!(
        "{name}: area {area:.3} px, cosine {cosine:.6}, confidence {confidence:.5}, age {age:.3}, gender {gender:.3}, \
         emotion {emotion:.3}"
    );
    assert!(area < PIXELS, "{name}: box or landmarks {area} px apart");
    assert!(cosine >= COSINE, "{name}: cosine {cosine}");
    assert!(confidence < 0.01, "{name}: confidence {confidence} apart");
    assert!(age < 2.0, "{name}: age {age} years apart");
    assert!(gender < 2.0 && emotion < 2.0, "{name}: gender {gender}, emotion {emotion} per cent apart");
    assert_eq!(found["dominant_gender"], expected["dominant_gender"], "{name}");
    assert_eq!(found["dominant_emotion"], expected["dominant_emotion"], "{name}");
}

#[test]
fn classes_and_scores_are_the_references() {
    let mut classifier = Loaded::sample("imagenet-efficientnet-lite0");
    let expected = reference("classify.json");
    for (name, path) in photos() {
        let found = classifier.answer(media_type(&path), read(&path));
        let (found, expected) = (found.as_array().expect("a list"), expected[&name].as_array().expect("a list"));
        // Where two classes score the same but for the rounding of pixels, either may come first.
        if expected[0]["score"].as_f64() > expected[1]["score"].as_f64().map(|second| second + 0.02) {
            assert_eq!(found[0]["label"], expected[0]["label"], "{name}");
        }
        assert_eq!(found.len(), expected.len(), "{name}");
        for expected in expected.iter().filter(|it| it["score"].as_f64() > Some(0.03)) {
            let twin = found.iter().find(|it| it["label"] == expected["label"]);
            let apart = farthest(&twin.unwrap_or_else(|| panic!("{name}: no {expected}"))["score"], &expected["score"]);
            println!("{name}: {} {apart:.5}", expected["label"]);
            assert!(apart < 0.02, "{name}: {expected} is {apart} apart");
        }
    }
}

#[test]
fn rows_are_labelled_as_the_reference_labels_them() {
    let mut iris = Loaded::sample("iris-random-forest");
    let table = read(root().join("model-artifacts/iris-random-forest/self-test/flowers.csv"));
    let (found, expected) = (iris.answer("text/csv", table), reference("flowers.json"));
    let (found, expected) = (&found["predictions"], &expected["predictions"]);
    let (found, expected) = (found.as_array().expect("a list"), expected.as_array().expect("a list"));
    assert_eq!(found.len(), 5);
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found["label"], expected["label"]);
        assert!(farthest(&found["scores"], &expected["scores"]) < 1e-6, "{found} {expected}");
    }
}

#[test]
fn every_graph_answers_the_same_tensor_as_the_reference() {
    for (path, outputs) in reference("tensors.json").as_object().expect("graphs") {
        let (bundle, graph) = path.split_once('/').expect("bundle/graph");
        let files = bundles::files(bundle);
        let loaded = Graph::load(&files, graph, &Binding::default()).expect("it loads");
        let found = loaded.session().expect("a session").run(vec![input(graph)]).expect("it runs");
        for (port, tensor) in loaded.signature().outputs.iter().zip(&found) {
            let step = if tensor.len() > 1000 { 97 } else { 1 };
            let found: Vec<f64> =
                tensor.values::<f32>().expect("f32").iter().step_by(step).map(|&v| v.into()).collect();
            let expected = numbers(&outputs[&port.name]);
            let largest = expected.iter().fold(1e-6_f64, |largest, v| largest.max(v.abs()));
            let apart = farthest(&json!(found), &json!(expected)) / largest;
            println!("{graph} {}: {apart:.2e} of {largest:.3}", port.name);
            assert!(apart <= TENSOR, "{graph} {}: {apart}", port.name);
        }
    }
}

/// The pixels of tests/reference/chips as `tensors` of the script feeds them.
fn input(graph: &str) -> strongroom::model::Tensor {
    let dlib = |std: f32| Pixels { mean: [122.782, 117.001, 104.298], std: [std; 3], ..Pixels::default() };
    let lite = Pixels { mean: [127.0; 3], std: [128.0; 3], ..Pixels::default() };
    let (chip, pixels) = match graph {
        "centerface_640x480.onnx" => ("astronaut_chip_150", Pixels::default()),
        "face_recognition.onnx" => ("astronaut_chip_150", dlib(255.0)),
        "age.onnx" => ("astronaut_chip_64", dlib(256.0)),
        "gender.onnx" => ("astronaut_chip_32", dlib(256.0)),
        "face_expression.onnx" => ("astronaut_chip_112", dlib(255.0)),
        "efficientnet_lite0.onnx" => ("chelsea_224", lite),
        other => panic!("no input for {other}"),
    };
    let bytes = read(root().join("tests/reference/chips").join(chip).with_extension("png"));
    let limits = ImageLimits { pixels: 1_000_000, bytes: 1_000_000 };
    let image = image::decode(0, &bytes, &limits).expect("a chip");
    if !graph.starts_with("centerface") {
        return image::tensor(&image, &pixels);
    }
    let wall = image::RgbImage::from_fn(640, 480, |x, y| *image.get_pixel(x % 150, y % 150));
    image::tensor(&wall, &pixels)
}

#[test]
fn distances_between_photos_of_one_person_are_the_references() {
    let mut faces = Loaded::sample("face-analyzer");
    let astronaut = root().join("model-artifacts/face-analyzer/self-test/astronaut.jpg");
    let paths: Vec<_> = photos();
    for (name, expected) in reference("distances.json").as_object().expect("names") {
        let (_, path) = paths.iter().find(|(it, _)| it == name).expect("the photo");
        let answer = compare(&mut faces, &astronaut, path);
        let apart = farthest(&answer["distance"], expected);
        println!("{name}: {} ({apart:.4} apart)", answer["distance"]);
        assert!(apart < 0.02, "{name}: {answer}, expected {expected}");
        assert_eq!(answer["verified"], true, "{name}");
    }
}

/// Photos of the PyPI package face_recognition, which are not ours to give on: `make test` fetches them.
#[test]
fn one_person_is_near_and_two_are_far() {
    let photos = tools().join("photos");
    assert!(photos.join("obama.jpg").is_file(), "{} is not there: {SETUP}", photos.display());
    let mut faces = Loaded::sample("face-analyzer");
    let photo = |name: &str| photos.join(name).with_extension("jpg");
    let one = ["obama", "obama2", "obama3"];
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        let answer = compare(&mut faces, &photo(one[a]), &photo(one[b]));
        println!("{} {}: {}", one[a], one[b], answer["distance"]);
        assert!(answer["distance"].as_f64().unwrap() < 0.45 && answer["verified"] == true, "{answer}");
    }
    let astronaut = root().join("model-artifacts/face-analyzer/self-test/astronaut.jpg");
    for name in one {
        for other in [photo("biden"), astronaut.clone()] {
            let answer = compare(&mut faces, &photo(name), &other);
            println!("{name} {}: {}", other.display(), answer["distance"]);
            assert!(answer["distance"].as_f64().unwrap() > 0.7 && answer["verified"] == false, "{answer}");
        }
    }
}

fn compare(faces: &mut Loaded, first: &Path, second: &Path) -> Value {
    let images = [first, second].map(|path| STANDARD.encode(read(path)));
    faces.answer("application/json", json!({"task": "compare", "images": images}).to_string())
}

#[test]
fn the_script_still_writes_the_committed_references() {
    let out = tempfile::tempdir().expect("a directory");
    let script = root().join("tests/python/reference.py");
    let status = Command::new(tools().join("py/bin/python")).arg(script).arg("answers").arg(out.path()).status();
    assert!(status.expect("the script starts").success());
    for name in ["faces.json", "distances.json", "classify.json", "flowers.json", "tensors.json"] {
        let written: Value = serde_json::from_slice(&read(out.path().join(name))).expect("JSON");
        assert_near(name, &written, &reference(name));
    }
}

/// Equal but for the last digits, which depend on the processor.
fn assert_near(at: &str, a: &Value, b: &Value) {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>(), "{at}");
            a.iter().zip(b.values()).for_each(|((key, a), b)| assert_near(&format!("{at}/{key}"), a, b));
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{at}");
            a.iter().zip(b).enumerate().for_each(|(i, (a, b))| assert_near(&format!("{at}/{i}"), a, b));
        }
        (Value::Number(_), Value::Number(_)) => {
            let (a, b) = (a.as_f64().expect("finite"), b.as_f64().expect("finite"));
            assert!((a - b).abs() <= 1e-3 * b.abs().max(1.0), "{at}: {a}, committed {b}");
        }
        _ => assert_eq!(a, b, "{at}"),
    }
}

/// The committed self-test vectors are the reference's answers too.
#[test]
fn the_bundles_expect_what_the_reference_computes() {
    for (bundle, file, expected) in [
        ("face-analyzer", "portrait.json", reference("faces.json")["portrait"].clone()),
        ("imagenet-efficientnet-lite0", "chelsea.json", reference("classify.json")["chelsea"].clone()),
        ("iris-random-forest", "flowers.json", reference("flowers.json")),
    ] {
        let files: Files = bundles::files(bundle);
        let committed: Value = serde_json::from_slice(&files[&format!("self-test/{file}")]).expect("JSON");
        assert_eq!(committed, expected, "{bundle}");
    }
}

#[test]
fn every_bundle_passes_its_self_test() {
    for bundle in ["face-analyzer", "imagenet-efficientnet-lite0", "iris-random-forest"] {
        let mut loaded = Loaded::sample(bundle);
        loaded.predictor.self_test(&mut loaded.session).unwrap_or_else(|error| panic!("{bundle}: {error}"));
    }
}

fn tools() -> PathBuf {
    std::env::var_os("STRONGROOM_TEST_TOOLS").unwrap_or_else(|| panic!("{SETUP}")).into()
}
