//! Inputs with their expected answers, run before a model is called ready: does this build on this machine still answer
//! as the reference did?

use bytes::Bytes;
use serde_json::Value;

use crate::bundle::Bundle;

use super::{LoadError, Predictor, Request, SelfTestError, Session};

/// One vector with its files.
pub(super) struct Vector {
    pub(super) input: String,
    pub(super) request: Request,
    expected: String,
    expected_json: Bytes,
    tolerance: f64,
}

/// The manifest's vectors. The slices of `bundle`'s files are copied, so that they do not hold the whole of it.
pub(super) fn vectors(bundle: &Bundle) -> Result<Vec<Vector>, LoadError> {
    let vectors = bundle.manifest().self_test.iter().map(|vector| {
        let body = Bytes::copy_from_slice(bundle.file(&vector.input)?);
        let (media_type, accept) = (Some(vector.media_type.clone()), Some("application/json".to_owned()));
        Ok(Vector {
            input: vector.input.clone(),
            request: Request { media_type, accept, body },
            expected: vector.expected.clone(),
            expected_json: Bytes::copy_from_slice(bundle.file(&vector.expected)?),
            tolerance: vector.tolerance,
        })
    });
    vectors.collect()
}

/// Runs one vector and compares the answer, value by value.
pub(super) fn check(predictor: &Predictor, session: &mut Session, vector: &Vector) -> Result<(), SelfTestError> {
    let input = || vector.input.clone();
    let response = predictor
        .predict(session, &vector.request, &|| false)
        .map_err(|source| SelfTestError::Failed { input: input(), source })?;
    let parse = |bytes: &[u8], what: &str| {
        let not_json = |source| SelfTestError::NotJson { input: input(), what: what.to_owned(), source };
        serde_json::from_slice::<Value>(bytes).map_err(not_json)
    };
    let expected = parse(&vector.expected_json, &vector.expected)?;
    let found = parse(&response.body, "the answer")?;
    match difference(&expected, &found, vector.tolerance) {
        None => Ok(()),
        Some(Difference { at, expected, found }) => Err(SelfTestError::Differs { input: input(), at, expected, found }),
    }
}

/// The first place where two documents differ.
#[derive(Debug, PartialEq)]
struct Difference {
    at: String,
    expected: String,
    found: String,
}

/// Numbers may lie `tolerance * max(1, |expected|)` apart; all else must be equal. Objects have the same keys, arrays the
/// same length. `at` is a JSON pointer (RFC 6901).
fn difference(expected: &Value, found: &Value, tolerance: f64) -> Option<Difference> {
    let here = || Some(Difference { at: String::new(), expected: excerpt(expected), found: excerpt(found) });
    match (expected, found) {
        (Value::Number(a), Value::Number(b)) => {
            if near(a.as_f64(), b.as_f64(), tolerance) {
                None
            } else {
                here()
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(at, (a, b))| below(&at.to_string(), difference(a, b, tolerance)))
        }
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            a.iter().zip(b.values()).find_map(|((key, a), b)| below(key, difference(a, b, tolerance)))
        }
        (Value::Null | Value::Bool(_) | Value::String(_), _) if expected == found => None,
        _ => here(),
    }
}

fn near(expected: Option<f64>, found: Option<f64>, tolerance: f64) -> bool {
    let (Some(expected), Some(found)) = (expected, found) else { return false };
    (found - expected).abs() <= tolerance * expected.abs().max(1.0)
}

fn below(key: &str, difference: Option<Difference>) -> Option<Difference> {
    let key = key.replace('~', "~0").replace('/', "~1");
    difference.map(|found| Difference { at: format!("/{key}{}", found.at), ..found })
}

/// A value as JSON, cut where it is long: an error is one line.
fn excerpt(value: &Value) -> String {
    const LONGEST: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_may_differ_by_the_tolerance() {
        assert_eq!(difference(&json!([1, 1000.0]), &json!([1.0009, 1000.9]), 1e-3), None);
        let found = difference(&json!([1, 1000.0]), &json!([1, 1002.0]), 1e-3).unwrap();
        assert_eq!((found.at.as_str(), found.found.as_str()), ("/1", "1002.0"));
    }

    #[test]
    fn the_pointer_names_the_place() {
        let (a, b) = (json!({"results": [{"a/b": "man"}]}), json!({"results": [{"a/b": "woman"}]}));
        assert_eq!(difference(&a, &b, 1.0).unwrap().at, "/results/0/a~1b");
    }

    #[test]
    fn keys_and_lengths_must_be_equal() {
        for (a, b) in [
            (json!({"a": 1}), json!({"a": 1, "b": 2})),
            (json!({"a": 1}), json!({"b": 1})),
            (json!([1]), json!([1, 2])),
            (json!([1, 2]), json!([1])),
            (json!(null), json!(0)),
            (json!("1"), json!(1)),
            (json!(true), json!(false)),
        ] {
            assert!(difference(&a, &b, 1e9).is_some(), "{a} {b}");
        }
    }
}
