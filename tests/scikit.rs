//! What scikit-learn's models become answers as onnxruntime does: pipelines as skl2onnx writes them, and single operators.
//! The files are made by `tests/python/scikit_fixtures.py`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use prost::Message;
use serde_json::Value;
use strongroom::bundle::Files;
use strongroom::model::{Binding, DType, Graph, Tensor};
use tract_onnx::pb::{AttributeProto, ModelProto, NodeProto};

/// Of the largest number of an output: sums are taken in another order.
const APART: f64 = 2e-6;

fn fixtures(alone: bool) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scikit");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = |file: &PathBuf| file.file_name().unwrap().to_str().unwrap().starts_with("alone_") == alone;
    let mut files: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|end| end == "json") && named(file)).collect();
    files.sort();
    files
}

/// The values of a table, or of its first row alone.
struct Held<'a> {
    shape: Vec<usize>,
    values: &'a [Value],
}

impl<'a> Held<'a> {
    fn of(held: &'a Value, whole: bool) -> Self {
        let mut shape: Vec<usize> =
            held["shape"].as_array().unwrap().iter().map(|dim| dim.as_u64().unwrap() as usize).collect();
        let values = held["values"].as_array().unwrap();
        let count = if whole { shape[0] } else { 1 };
        let values = &values[..values.len() / shape[0] * count];
        shape[0] = count;
        Self { shape, values }
    }

    /// Absent ones are NaN.
    fn numbers(&self) -> Vec<f64> {
        self.values.iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
    }

    fn tensor(&self, dtype: DType) -> Tensor {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        match dtype {
            DType::Text => Tensor::text(&self.shape, self.values.iter().map(text).collect()).unwrap(),
            dtype => Tensor::new(&self.shape, &self.numbers()).unwrap().cast(dtype).unwrap(),
        }
    }
}

fn words(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What is wrong with the answers to one fixture, asked as a whole or for its first row.
fn compare(file: &Path, whole: bool) -> Result<(), String> {
    let fixture: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let files = Files::from([("m.onnx".to_owned(), std::fs::read(file.with_extension("onnx")).unwrap().into())]);
    let rows = Held::of(&fixture["rows"], whole);
    let shape = (fixture["input"].as_str().unwrap().to_owned(), rows.shape.clone());
    let binding = Binding { inputs: BTreeMap::from([shape]), ..Binding::default() };
    let graph = Graph::load(&files, "m.onnx", &binding).map_err(|error| words(&error))?;
    let asked = rows.tensor(graph.signature().inputs[0].dtype);
    let found = graph.session().unwrap().run(vec![asked]).map_err(|error| words(&error))?;
    let expected = fixture["outputs"].as_array().unwrap();
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).try_for_each(|(found, expected)| compare_output(found, &Held::of(expected, whole)))
}

fn compare_output(found: &Tensor, expected: &Held<'_>) -> Result<(), String> {
    if found.shape() != expected.shape {
        return Err(format!("shape {:?}, expected {:?}", found.shape(), expected.shape));
    }
    if let Some(texts) = found.strings() {
        let same = texts.iter().zip(expected.values).all(|(text, expected)| expected.as_str() == Some(text));
        return if same { Ok(()) } else { Err(format!("{texts:?}, expected {:?}", expected.values)) };
    }
    let found = found.cast(DType::F64).unwrap();
    let (found, expected) = (found.values::<f64>().unwrap(), expected.numbers());
    let largest = expected.iter().fold(f64::MIN_POSITIVE, |largest, number| largest.max(number.abs()));
    let close = |(a, b): (&f64, &f64)| (a.is_nan() && b.is_nan()) || (a - b).abs() <= APART * largest;
    if found.iter().zip(&expected).all(close) { Ok(()) } else { Err(format!("{found:?}, expected {expected:?}")) }
}

fn compare_all(files: &[PathBuf]) {
    let asked = files.iter().flat_map(|file| [(file, true), (file, false)]);
    let problem = |(file, whole): (&PathBuf, bool)| {
        compare(file, whole).err().map(|problem| format!("{}, whole {whole}: {problem}", file.display()))
    };
    let problems: Vec<String> = asked.filter_map(problem).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn pipelines_answer_as_onnxruntime_does() {
    let files = fixtures(false);
    assert_eq!(files.len(), 34);
    compare_all(&files);
}

#[test]
fn single_operators_answer_as_onnxruntime_does() {
    let files = fixtures(true);
    assert_eq!(files.len(), 33);
    compare_all(&files);
}

/// Why a fixture is refused when one of its operators is changed; nothing where it is not.
fn refusal(name: &str, operator: &str, change: impl FnOnce(&mut NodeProto)) -> Option<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scikit").join(name).with_extension("onnx");
    let mut model = ModelProto::decode(&*std::fs::read(file).unwrap()).unwrap();
    let nodes = &mut model.graph.as_mut().unwrap().node;
    change(nodes.iter_mut().find(|node| node.op_type == operator).unwrap());
    let files = Files::from([("m.onnx".to_owned(), model.encode_to_vec().into())]);
    Graph::load(&files, "m.onnx", &Binding::default()).err().map(|error| words(&error))
}

fn held<'n>(node: &'n mut NodeProto, name: &str) -> &'n mut AttributeProto {
    node.attribute.iter_mut().find(|held| held.name == name).unwrap()
}

#[test]
fn attributes_that_do_not_fit_are_named_with_what_was_expected() {
    type Change = fn(&mut NodeProto);
    let cases: [(&str, &str, Change, &str); 12] = [
        (
            "logistic",
            "Scaler",
            |node| held(node, "scale").floats.truncate(3),
            "hold 4 and 3 numbers, expected one each",
        ),
        ("logistic", "Normalizer", |node| held(node, "norm").s = b"L3".to_vec(), "is \"L3\", expected MAX, L1 or L2"),
        ("logistic", "LinearClassifier", |node| held(node, "coefficients").floats.truncate(11), "holds 11 numbers"),
        ("logistic", "LinearClassifier", |node| held(node, "classlabels_ints").ints.truncate(2), "2 class labels"),
        (
            "logistic",
            "LinearClassifier",
            |node| held(node, "coefficients").floats.truncate(9),
            "reads 3 numbers of a row",
        ),
        ("svc_pairs", "SVMClassifier", |node| held(node, "rho").floats.truncate(2), "rho holds 2 numbers, expected 3"),
        ("svc_pairs", "SVMClassifier", |node| held(node, "vectors_per_class").ints[0] = -1, "vectors_per_class"),
        ("svc_pairs", "SVMClassifier", |node| held(node, "vectors_per_class").ints[0] = i64::MAX, "support_vectors"),
        ("svr", "SVMRegressor", |node| held(node, "kernel_type").s = b"COSINE".to_vec(), "expected LINEAR, POLY, RBF"),
        ("imputer", "Imputer", |node| held(node, "imputed_value_floats").floats.truncate(2), "Imputer reads 2 numbers"),
        ("ordinal", "LabelEncoder", |node| held(node, "keys_floats").floats.truncate(1), "entries, expected as many"),
        (
            "logistic_maps",
            "ZipMap",
            |node| node.input.clear(),
            "(ZipMap): expected one input and one output, found 0 and 1",
        ),
    ];
    for (name, operator, change, expected) in cases {
        let found = refusal(name, operator, change).unwrap_or_default();
        assert!(found.contains(expected), "{name}, {operator}: expected `{expected}`, found `{found}`");
    }
}

#[test]
fn whatever_attribute_is_cut_short_or_left_out_nothing_panics() {
    for file in fixtures(false).iter().chain(&fixtures(true)) {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let model = ModelProto::decode(&*std::fs::read(file.with_extension("onnx")).unwrap()).unwrap();
        for node in model.graph.unwrap().node.iter().filter(|node| node.domain == "ai.onnx.ml") {
            for place in 0..node.attribute.len() {
                let shorter = |node: &mut NodeProto| {
                    let held = &mut node.attribute[place];
                    held.floats.pop();
                    held.ints.pop();
                    held.strings.pop();
                    held.s.pop();
                };
                let without = |node: &mut NodeProto| drop(node.attribute.remove(place));
                for found in [refusal(name, &node.op_type, shorter), refusal(name, &node.op_type, without)] {
                    assert!(!found.iter().any(|words| words.contains("panicked")), "{name}, {place}: {found:?}");
                }
            }
        }
    }
}
