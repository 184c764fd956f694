//! What the tasks make of a graph's answers, and what they refuse.

#[path = "support/bundles.rs"]
mod bundles;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bundles::{Loaded, read, root};
use bytes::Bytes;
use serde_json::{Value, json};
use strongroom::bundle::{Bundle, Files};
use strongroom::predict::image::{RgbImage, encode_png};
use strongroom::predict::{LoadError, PredictError, Predictor, Request, SelfTestError};

const HEAD: &str = "name = \"m\"\nversion = \"1\"\nlicense = \"MIT\"\n";

/// A bundle of one of the graphs of tests/predict.
fn files(graph: &str, task: &str) -> Files {
    let graph = read(root().join("tests/predict").join(graph));
    let manifest = format!("{HEAD}{task}");
    Files::from([("m.onnx".to_owned(), graph), ("model.toml".to_owned(), manifest.into())])
}

fn refusal(files: Files) -> LoadError {
    match Predictor::load(Bundle::from_files(files).expect("a bundle")) {
        Ok(_) => panic!("it was loaded"),
        Err(error) => error,
    }
}

fn failure(loaded: &mut Loaded, media_type: &str, body: impl Into<Bytes>) -> PredictError {
    let request = Request { media_type: Some(media_type.to_owned()), accept: None, body: body.into() };
    match loaded.predictor.predict(&mut loaded.session, &request, &|| false) {
        Ok(response) => panic!("{}", String::from_utf8_lossy(&response.body)),
        Err(error) => error,
    }
}

fn picture(width: u32, height: u32) -> Vec<u8> {
    encode_png(&RgbImage::from_pixel(width, height, [90, 120, 150].into())).expect("a picture")
}

fn near(found: &Value, expected: &Value) {
    match (found, expected) {
        (Value::Number(a), Value::Number(b)) => {
            assert!((a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-3, "{found} {expected}");
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a.iter().zip(b).for_each(|(a, b)| near(a, b)),
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => a.iter().for_each(|(key, a)| near(a, &b[key])),
        _ => assert_eq!(found, expected),
    }
}

fn classifier(graph: &str, labels: &str, rest: &str) -> Files {
    let task = "[task.classify]\ngraph = \"m.onnx\"\ninput = { width = 40, height = 20 }\n";
    files(graph, &format!("{task}labels = {labels}\n{rest}"))
}

#[test]
fn classes_come_best_first_and_equals_in_the_order_of_the_labels() {
    let mut model =
        Loaded::of(classifier("classes.onnx", r#"["a", "b", "c", "d"]"#, "activation = \"softmax\"\ntop_k = 3"));
    let found = model.answer("image/png", picture(7, 5));
    let labels: Vec<_> = found.as_array().unwrap().iter().map(|it| it["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["b", "c", "d"]);
    near(&found[0]["score"], &json!(0.399_488_3));
}

#[test]
fn an_input_without_a_name_is_bound_to_the_manifests_size() {
    let mut model = Loaded::of(classifier("classes_of_any_size.onnx", r#"["a", "b", "c", "d"]"#, ""));
    assert_eq!(model.answer("image/png", picture(7, 5))[0]["label"], "b");
}

#[test]
fn labels_must_be_as_many_as_classes() {
    let error = refusal(classifier("classes.onnx", r#"["a", "b"]"#, ""));
    assert_eq!(
        error.to_string(),
        "the manifest does not fit graph m.onnx: expected 4 labels, one per class of the graph, found 2"
    );
}

#[test]
fn an_output_that_is_not_there_is_named_with_those_that_are() {
    let error = refusal(classifier("classes.onnx", r#"["a", "b", "c", "d"]"#, "output = \"scores\""));
    assert_eq!(error.to_string(), "the manifest does not fit graph m.onnx: expected output scores, found logits");
}

#[test]
fn an_input_of_another_size_than_the_manifests_is_refused() {
    let task = "[task.classify]\ngraph = \"m.onnx\"\ninput = { width = 41, height = 20 }\nlabels = [\"a\"]";
    let error = refusal(files("classes.onnx", task));
    assert!(error.to_string().contains("expected F32 [1, 3, 20, 41], found F32 [1, 3, 20, 40]"), "{error}");
}

#[test]
fn vectors_are_pooled_and_scaled() {
    let task = "[task.embed]\ngraph = \"m.onnx\"\ninput = { width = 40, height = 20 }\n";
    let mut mean = Loaded::of(files("vectors.onnx", &format!("{task}pooling = \"mean\"")));
    near(&mean.answer("image/png", picture(7, 5)), &json!({"embedding": [2.0, 4.0]}));
    let mut first = Loaded::of(files("vectors.onnx", &format!("{task}pooling = \"first\"\nnormalize = true")));
    near(&first.answer("image/png", picture(7, 5)), &json!({"embedding": [0.447_213_6, 0.894_427_2]}));
    let unpooled = refusal(files("vectors.onnx", task));
    assert!(unpooled.to_string().contains("expected [1, D], found [1, 2, 2]"), "{unpooled}");
}

fn detector(graph: &str, decoder: &str, labels: &str) -> Loaded {
    let input = "input = { width = 40, height = 20, resize = { letterbox = {} } }";
    Loaded::of(files(
        graph,
        &format!("[task.detect]\ngraph = \"m.onnx\"\n{input}\ndecoder = {decoder}\nlabels = {labels}"),
    ))
}

fn found(label: &str, score: f64, corners: [f64; 4]) -> Value {
    let [xmin, ymin, xmax, ymax] = corners;
    json!({"label": label, "score": score, "box": {"xmin": xmin, "ymin": ymin, "xmax": xmax, "ymax": ymax}})
}

/// A picture of 80 x 80 lies at a quarter of its size in the middle of the 40 x 20 input: 10 columns of filling.
#[test]
fn yolov8_boxes_come_back_to_the_picture_without_overlaps() {
    let mut model = detector("yolov8.onnx", "{ yolov8 = {} }", r#"["cat", "dog"]"#);
    let expected = json!([found("cat", 0.9, [0.0, 24.0, 16.0, 56.0]), found("dog", 0.7, [40.0, 0.0, 80.0, 80.0])]);
    near(&model.answer("image/png", picture(80, 80)), &expected);
}

#[test]
fn boxes_the_graph_has_suppressed_itself_are_taken_at_its_word() {
    let decoder = r#"{ boxes = { boxes = "boxes", scores = "scores", classes = "labels" } }"#;
    let mut model = detector("boxes.onnx", decoder, r#"["cat", "dog"]"#);
    let expected = json!([found("dog", 0.9, [0.0, 0.0, 40.0, 80.0]), found("cat", 0.6, [0.0, 0.0, 40.0, 80.0])]);
    near(&model.answer("image/png", picture(80, 80)), &expected);
}

#[test]
fn a_class_without_a_label_is_the_models_fault() {
    let decoder = r#"{ boxes = { boxes = "boxes", scores = "scores", classes = "labels" } }"#;
    let mut model = detector("boxes.onnx", decoder, r#"["cat"]"#);
    let error = failure(&mut model, "image/png", picture(80, 80));
    assert!(matches!(error, PredictError::BadAnswer { .. }), "{error}");
}

#[test]
fn detr_answers_with_what_is_something() {
    let mut model = detector("detr.onnx", "{ detr = {} }", r#"["cat", "dog"]"#);
    let expected = json!([found("dog", 0.999_753, [0.0, 20.0, 80.0, 60.0])]);
    near(&model.answer("image/png", picture(80, 80)), &expected);
}

#[test]
fn a_grid_is_read_with_its_anchors() {
    let decoder = "{ yolo-grid = { anchors = [[0.5, 0.5], [1.0, 1.0]] } }";
    let mut model = detector("grid.onnx", decoder, r#"["face"]"#);
    // Cell (1, 2) of 10 x 10 pixels: centre (25, 15), 5 x 5.
    let expected = json!([found("face", 0.999_877, [50.0, 50.0, 70.0, 70.0])]);
    near(&model.answer("image/png", picture(80, 80)), &expected);
}

const RECIPROCAL: &str = r#"[task.tabular]
graph = "m.onnx"
score_output = "y"
features = [{ name = "a", min = -1.0, max = 4.0 }, { name = "b", min = 0.0 }, { name = "c" }]
"#;

#[test]
fn rows_are_read_by_order_and_by_name() {
    let mut model = Loaded::of(files("reciprocal.onnx", RECIPROCAL));
    let ordered = model.answer("text/csv", "1,2,4\n2,4,8");
    let named = model.answer("text/csv", "c,a,b\n4,1,2\n8,2,4");
    assert_eq!(ordered, named);
    near(&ordered, &json!({"predictions": [{"scores": [1.0, 0.5, 0.25]}, {"scores": [0.5, 0.25, 0.125]}]}));
}

#[test]
fn a_value_out_of_range_is_refused_with_the_column_and_the_range() {
    let mut model = Loaded::of(files("reciprocal.onnx", RECIPROCAL));
    for (body, expected) in [
        ("1,2,4\n5,2,4", "row 1, column a: expected a number from -1 to 4, found one out of it"),
        ("1,-2,4", "row 0, column b: expected a number of at least 0, found one out of it"),
        ("1,2", "row 0: expected 3 columns (a, b, c), found 2"),
        ("a,b,d\n1,2,3", "row 0: expected only the columns a, b, c, found column d"),
        ("a,b\n1,2", "row 0, column c: expected a number, found none"),
    ] {
        assert_eq!(failure(&mut model, "text/csv", body).to_string(), expected);
    }
}

#[test]
fn a_number_that_is_not_finite_is_an_error_and_never_an_answer() {
    let mut model = Loaded::of(files("reciprocal.onnx", RECIPROCAL));
    let error = failure(&mut model, "text/csv", "1,2,0");
    assert!(matches!(&error, PredictError::BadAnswer { output, .. } if output == "y"), "{error}");
    near(&model.answer("text/csv", "1,2,4")["predictions"][0]["scores"], &json!([1.0, 0.5, 0.25]));
}

#[test]
fn tensors_go_in_and_out_by_name() {
    let mut model = Loaded::of(files("reciprocal.onnx", "[task.tensor]\ngraph = \"m.onnx\""));
    let input = |name: &str, shape: [usize; 2]| {
        let data = vec![2.0; shape[0] * shape[1]];
        json!({"inputs": [{"name": name, "datatype": "FP32", "shape": shape, "data": data}]}).to_string()
    };
    let answer = model.answer("application/json", input("x", [1, 3]));
    near(&answer["outputs"][0]["data"], &json!([0.5, 0.5, 0.5]));
    assert_eq!((&answer["model_name"], &answer["outputs"][0]["name"]), (&json!("m"), &json!("y")));
    for (body, expected) in [
        (input("z", [1, 3]), "input x: expected F32 [1, 3], found none"),
        (input("x", [1, 4]), "input x: expected F32 [1, 3], found F32 [1, 4]"),
    ] {
        assert_eq!(failure(&mut model, "application/json", body).to_string(), expected);
    }
}

/// The face analyzer's manifest up to its age table.
fn faces_only(embedding: bool) -> Files {
    let mut files = bundles::files("face-analyzer");
    let manifest = String::from_utf8(files["model.toml"].to_vec()).expect("text");
    let end = if embedding { "# Estimates" } else { "# Two faces" };
    let (kept, _) = manifest.split_once(end).expect("the comment before the tables");
    files.insert("model.toml".to_owned(), kept.to_owned().into());
    files
}

fn astronaut() -> Bytes {
    read(root().join("model-artifacts/face-analyzer/self-test/astronaut.jpg"))
}

#[test]
fn face_attributes_are_off_unless_the_manifest_names_their_graphs() {
    let mut model = Loaded::of(faces_only(false));
    let answer = model.answer("image/jpeg", astronaut());
    let keys: Vec<_> = answer["results"][0].as_object().expect("a face").keys().collect();
    assert_eq!(keys, ["face_confidence", "facial_area"]);
    let images = [STANDARD.encode(astronaut()), STANDARD.encode(astronaut())];
    let body = json!({"task": "compare", "images": images}).to_string();
    assert_eq!(
        failure(&mut model, "application/json", body).to_string(),
        "this model cannot compare: its manifest names no embedding graph"
    );
}

#[test]
fn comparing_needs_a_face_in_each_image() {
    let mut model = Loaded::of(faces_only(true));
    let body =
        |a: &[u8], b: &[u8]| json!({"task": "compare", "images": [STANDARD.encode(a), STANDARD.encode(b)]}).to_string();
    let itself = model.answer("application/json", body(&astronaut(), &astronaut()));
    assert_eq!((&itself["verified"], &itself["distance"]), (&json!(true), &json!(0.0)));
    let error = failure(&mut model, "application/json", body(&astronaut(), &picture(80, 80)));
    assert_eq!(error.to_string(), "no face found in image 1");
}

#[test]
fn a_wrong_self_test_names_the_place() {
    let mut files = bundles::files("iris-random-forest");
    let text = String::from_utf8(files["self-test/flowers.json"].to_vec()).expect("text");
    files.insert("self-test/flowers.json".to_owned(), text.replacen("versicolor", "virginica", 1).into());
    let mut loaded = Loaded::of(files);
    let error = loaded.predictor.self_test(&mut loaded.session).expect_err("another answer");
    assert!(matches!(&error, SelfTestError::Differs { at, .. } if at == "/predictions/1/label"), "{error}");
}

#[test]
fn a_request_that_nobody_waits_for_is_given_up_before_its_next_item() {
    let mut model = Loaded::of(files("reciprocal.onnx", RECIPROCAL));
    for wanted in [0, 1, 5] {
        let asked = std::cell::Cell::new(0);
        let abandoned = || asked.replace(asked.get() + 1) == wanted;
        let body = Bytes::from("1,2,4\n".repeat(100));
        let request = Request { media_type: Some("text/csv".to_owned()), accept: None, body };
        let result = model.predictor.predict(&mut model.session, &request, &abandoned);
        assert!(matches!(result, Err(PredictError::Abandoned)));
        assert_eq!(asked.get(), wanted + 1);
    }
}

#[test]
fn images_are_given_up_before_they_are_decoded() {
    let mut faces = Loaded::sample("face-analyzer");
    let body = json!({"instances": vec!["R0lGODlhAQABAAAAACw="; 3]}).to_string();
    let request = Request { media_type: Some("application/json".to_owned()), accept: None, body: body.into() };
    let result = faces.predictor.predict(&mut faces.session, &request, &|| true);
    assert!(matches!(result, Err(PredictError::Abandoned)));
}

#[test]
fn a_named_column_may_stand_anywhere_and_only_once() {
    let mut model = Loaded::of(files("reciprocal.onnx", RECIPROCAL));
    let mixed = json!({"instances": [{"a": 1, "b": 2, "c": 4}, {"c": 4, "b": 2, "a": 1}, [1, 2, 4]]}).to_string();
    let one = json!({"scores": [1.0, 0.5, 0.25]});
    near(&model.answer("application/json", mixed), &json!({"predictions": [one, one, one]}));
}
