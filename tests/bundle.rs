//! `model.toml`: what is read, what is refused, and in which words.

use proptest::prelude::*;
use strongroom::bundle::{
    Bundle, BundleError, Decoder, Files, Interpolation, Jpeg, Labels, Limits, MAX_MANIFEST_LEN, Position, Resize, Task,
};

const CLASSIFIER: &str = r#"
name = "pets"
version = "1.2.0"
license = "Apache-2.0"

[task.classify]
graph = "model.onnx"
labels = "labels.txt"

[task.classify.input]
width = 224
height = 224
"#;

fn files(manifest: &str) -> Files {
    let files = [
        ("model.toml", manifest),
        ("model.onnx", "graph"),
        ("labels.txt", "cat\ndog\n"),
        ("in.jpg", "i"),
        ("out.json", "o"),
    ];
    files.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned().into())).collect()
}

fn read(manifest: &str) -> Result<Bundle, BundleError> {
    Bundle::from_files(files(manifest))
}

fn refusal(manifest: &str) -> String {
    read(manifest).expect_err(manifest).to_string()
}

/// The classifier with one passage replaced.
fn with(old: &str, new: &str) -> String {
    assert!(CLASSIFIER.contains(old), "{old}");
    CLASSIFIER.replace(old, new)
}

#[test]
fn a_short_manifest_has_defaults_for_the_rest() {
    let bundle = read(CLASSIFIER).unwrap();
    let manifest = bundle.manifest();
    assert_eq!((manifest.name.as_str(), manifest.version.as_str()), ("pets", "1.2.0"));
    assert_eq!(manifest.limits, Limits { megapixels: 40, image_mb: 25, items: Some(100) });
    let Task::Classify(task) = &manifest.task else { panic!("{:?}", manifest.task) };
    assert_eq!(
        (task.top_k, &task.input.resize, task.input.interpolation),
        (5, &Resize::Stretch, Interpolation::Bilinear)
    );
    assert_eq!(task.input.jpeg, Jpeg::Full);
    assert_eq!(bundle.labels(&task.labels).unwrap(), ["cat", "dog"]);
}

#[test]
fn every_form_of_resize_is_read() {
    let forms = [
        ("\"stretch\"", Resize::Stretch),
        ("{ shorter-side = 256 }", Resize::ShorterSide(256)),
        ("{ letterbox = {} }", Resize::Letterbox { position: Position::Center, fill: [0; 3] }),
        (
            "{ letterbox = { position = \"top-left\", fill = [114, 114, 114] } }",
            Resize::Letterbox { position: Position::TopLeft, fill: [114; 3] },
        ),
    ];
    for (text, expected) in forms {
        let bundle = read(&format!("{CLASSIFIER}resize = {text}\n")).unwrap();
        let Task::Classify(task) = &bundle.manifest().task else { panic!("{text}") };
        assert_eq!(task.input.resize, expected, "{text}");
    }
}

#[test]
fn fewer_pixels_of_a_jpeg_are_allowed_where_an_input_is_all_that_is_made_of_it() {
    let reduced = read(&format!("{CLASSIFIER}jpeg = \"reduced\"\n")).unwrap();
    let Task::Classify(task) = &reduced.manifest().task else { panic!("{:?}", reduced.manifest().task) };
    assert_eq!(task.input.jpeg, Jpeg::Reduced);
    let nearest = refusal(&format!("{CLASSIFIER}jpeg = \"reduced\"\ninterpolation = \"nearest\"\n"));
    assert!(
        nearest.contains("task.classify.input.jpeg: `reduced` leaves no pixel for interpolation `nearest`"),
        "{nearest}"
    );
    let faces = |jpeg| {
        let head = "name = \"t\"\nversion = \"1\"\nlicense = \"MIT\"\n[task.faces.detector]\ngraph = \"model.onnx\"\n";
        read(&format!("{head}input = {{ width = 640, height = 480, jpeg = \"{jpeg}\" }}\n"))
    };
    assert!(faces("full").is_ok());
    let refused = faces("reduced").unwrap_err().to_string();
    assert!(refused.contains("task.faces.detector.input.jpeg is `reduced`; only `full` is allowed"), "{refused}");
}

#[test]
fn every_decoder_is_read() {
    let decoders = [
        ("{ centerface = {} }", Decoder::Centerface {}),
        ("{ detr = {} }", Decoder::Detr {}),
        ("{ yolov8 = {} }", Decoder::Yolov8 {}),
        ("{ yolo-grid = { anchors = [[1.5, 2.0]] } }", Decoder::YoloGrid { anchors: vec![[1.5, 2.0]] }),
        (
            "{ boxes = { boxes = \"b\", scores = \"s\" } }",
            Decoder::Boxes { boxes: "b".to_owned(), scores: "s".to_owned(), classes: None },
        ),
    ];
    for (text, expected) in decoders {
        let manifest = CLASSIFIER.replace("task.classify", "task.detect");
        let bundle = read(&manifest.replace("labels =", &format!("decoder = {text}\nlabels ="))).unwrap();
        let Task::Detect(task) = &bundle.manifest().task else { panic!("{text}") };
        assert_eq!(task.decoder, expected, "{text}");
    }
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_nearest_known_one() {
    let slips = [
        ("graph = ", "grpah = ", "model.toml: line 7: unknown key `grpah`; did you mean `graph`?"),
        ("license = ", "licence = ", "model.toml: line 4: unknown key `licence`; did you mean `license`?"),
        ("task.classify", "task.clasify", "unknown name `clasify`; did you mean `classify`?"),
        ("height = ", "hight = ", "model.toml: line 12: unknown key `hight`; did you mean `height`?"),
    ];
    for (old, new, expected) in slips {
        let found = refusal(&CLASSIFIER.replace(old, new));
        assert!(found.contains(expected), "expected `{expected}`, found `{found}`");
    }
}

#[test]
fn an_unknown_key_like_no_other_is_refused_with_all_known_ones() {
    let found = refusal(&with("width = 224", "zzz = 1"));
    assert!(found.contains("unknown key `zzz`; known here: name, width, height, resize"), "{found}");
}

#[test]
fn keys_of_a_decoder_without_keys_are_refused() {
    let manifest = CLASSIFIER.replace("task.classify", "task.detect");
    let found = refusal(&manifest.replace("labels =", "decoder = { detr = { anchors = [] } }\nlabels ="));
    assert!(found.contains("line 8: unknown key `anchors`; none is known here"), "{found}");
}

#[test]
fn two_tasks_are_refused() {
    let found = refusal(&format!("{CLASSIFIER}[task.tensor]\ngraph = \"model.onnx\"\n"));
    assert!(found.contains("exactly one table is allowed here"), "{found}");
}

#[test]
fn all_problems_are_told_at_once() {
    let manifest = with("name = \"pets\"", "name = \"My Pets\"")
        .replace("\"1.2.0\"", "\"v1\"")
        .replace("model.onnx", "other.onnx")
        .replace("width = 224", "width = 0");
    let found = refusal(&manifest);
    for part in ["name `My Pets`", "version `v1`", "no file `other.onnx`", "input.width is 0"] {
        assert!(found.contains(part), "expected `{part}` in `{found}`");
    }
}

#[test]
fn values_that_make_no_sense_are_refused() {
    let vector = "[[self_test]]\ninput = \"in.jpg\"\nmedia_type = \"image/jpeg\"\nexpected = \"out.json\"\n";
    assert!(read(&format!("{CLASSIFIER}{vector}")).is_ok());
    let cases = [
        (with("width = 224", "width = 9000"), "8192"),
        (format!("{CLASSIFIER}resize = {{ shorter-side = 100 }}\n"), "shorter-side is 100"),
        (format!("{CLASSIFIER}pixels = {{ std = [1.0, 0.0, 1.0] }}\n"), "std must not be 0"),
        (format!("{CLASSIFIER}pixels = {{ scale = 0.0 }}\n"), "scale must not be 0"),
        (format!("{CLASSIFIER}pixels = {{ mean = [nan, 0.0, 0.0] }}\n"), "finite"),
        (with("labels = \"labels.txt\"", "labels = []"), "labels is empty"),
        (with("labels =", "top_k = 0\nlabels ="), "top_k"),
        (format!("{CLASSIFIER}[limits]\nitems = 0\n"), "limits"),
        (with("license = \"Apache-2.0\"", "license = \"\""), "license"),
        (format!("{CLASSIFIER}{}", vector.replace("out.json", "gone.json")), "self_test[0].expected"),
        (format!("{CLASSIFIER}{}", vector.replace("image/jpeg", "jpeg")), "no media type"),
        (format!("{CLASSIFIER}{vector}tolerance = -1.0\n"), "tolerance is -1"),
    ];
    for (manifest, expected) in cases {
        let found = refusal(&manifest);
        assert!(found.contains(expected), "expected `{expected}`, found `{found}`");
    }
}

#[test]
fn thresholds_are_shares() {
    let manifest =
        CLASSIFIER.replace("task.classify", "task.detect").replace("labels =", "decoder = { detr = {} }\nlabels =");
    assert!(read(&manifest).is_ok());
    for key in ["score_threshold", "iou_threshold"] {
        let found = refusal(&manifest.replace("labels =", &format!("{key} = 1.5\nlabels =")));
        assert!(found.contains(&format!("{key} is 1.5; 0 to 1 is allowed")), "{found}");
    }
}

#[test]
fn a_table_has_features_of_different_names() {
    let manifest = "name = \"t\"\nversion = \"1\"\nlicense = \"MIT\"\n[task.tabular]\ngraph = \"model.onnx\"\nscore_output = \"p\"\n";
    assert!(read(&format!("{manifest}features = [{{ name = \"a\" }}, {{ name = \"b\", min = 0.0 }}]\n")).is_ok());
    let twice =
        refusal(&format!("{manifest}features = [{{ name = \"a\" }}, {{ name = \"a\", min = 2.0, max = 1.0 }}]\n"));
    assert!(twice.contains("`a` is there twice") && twice.contains("allows nothing"), "{twice}");
}

#[test]
fn paths_stay_inside_the_bundle() {
    for path in ["../model.onnx", "/model.onnx", "a/../model.onnx", "./model.onnx", "a//b", "", "a\\\\b"] {
        let found = refusal(&with("\"model.onnx\"", &format!("\"{path}\"")));
        assert!(found.contains("must be a relative path without `..`"), "{path}: {found}");
    }
}

#[test]
fn labels_are_one_a_line() {
    let text = |text: &[u8]| {
        let mut files = files(CLASSIFIER);
        files.insert("labels.txt".to_owned(), text.to_vec().into());
        Bundle::from_files(files).map(|bundle| bundle.labels(&Labels::File("labels.txt".to_owned())).unwrap())
    };
    assert_eq!(text(b"a b\r\nc").unwrap(), ["a b", "c"]);
    for (bytes, expected) in
        [(&b"a\n\nb"[..], "line 2 is empty"), (b"", "no label"), (b"a\n\xff", "not UTF-8 at byte 2")]
    {
        let found = text(bytes).unwrap_err().to_string();
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn a_manifest_is_bounded() {
    let long = format!("{CLASSIFIER}# {}", "x".repeat(MAX_MANIFEST_LEN));
    assert!(matches!(read(&long), Err(BundleError::TooLong { .. })));
}

#[test]
fn a_directory_without_a_manifest_is_told_so() {
    assert!(matches!(Bundle::from_files(Files::new()), Err(BundleError::NoManifest)));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn no_change_of_one_letter_makes_it_panic(at in 0..CLASSIFIER.len(), letter in "[ -~]") {
        let mut text = CLASSIFIER.to_owned();
        text.replace_range(at..=at, &letter);
        let _ = read(&text);
    }
}

#[test]
fn the_examples_of_the_manual_are_read() {
    let manual = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/MODELS.md")).unwrap();
    let examples: Vec<&str> = manual.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        // Every quoted word stands for a file that is there.
        let words = example.split('"').skip(1).step_by(2).map(|word| (word.to_owned(), "x".into()));
        let manifest = [("model.toml".to_owned(), example.to_owned().into())];
        Bundle::from_files(words.chain(manifest).collect()).unwrap_or_else(|error| panic!("{error}\n{example}"));
    }
}

#[test]
fn every_key_of_the_manifest_is_in_the_manual() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/");
    let text = |path: &str| std::fs::read_to_string(format!("{root}{path}")).unwrap();
    let manual = text("docs/MODELS.md");
    let is_key_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let code = manual.split('`').skip(1).step_by(2);
    let named: std::collections::BTreeSet<&str> = code.flat_map(|code| code.split(|c| !is_key_letter(c))).collect();
    let mut keys = 0;
    for part in ["manifest.rs", "manifest/faces.rs", "manifest/image.rs", "manifest/tabular.rs", "manifest/task.rs"] {
        let source = text(&format!("src/bundle/{part}"));
        let fields = source.lines().filter_map(|line| line.trim().trim_start_matches("pub ").split_once(": "));
        for (key, _) in fields.filter(|(key, _)| !key.is_empty() && key.chars().all(is_key_letter)) {
            assert!(named.contains(key), "{part}: docs/MODELS.md does not name `{key}`");
            keys += 1;
        }
    }
    assert!(keys > 40, "{keys} keys");
}

#[test]
fn a_request_may_bring_fewer_images_than_rows() {
    assert_eq!(read(CLASSIFIER).unwrap().manifest().limits.items(), 100);
    let tensor = "name = \"t\"\nversion = \"1\"\nlicense = \"MIT\"\n[task.tensor]\ngraph = \"model.onnx\"\n";
    assert_eq!(read(tensor).unwrap().manifest().limits.items(), 10_000);
    assert_eq!(read(&format!("{CLASSIFIER}[limits]\nitems = 7\n")).unwrap().manifest().limits.items(), 7);
}
