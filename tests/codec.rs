//! Request forms and answer formats.

#[path = "support/hostile.rs"]
mod hostile;

use std::slice;

use bytes::Bytes;
use strongroom::bundle::Limits;
use strongroom::model::DType;
use strongroom::predict::request::{self, Decoded, Envelope, Item, NamedTensor, RawRow, Reads};
use strongroom::predict::response::{self, Answers, Format};
use strongroom::predict::{
    Answer, Corners, Detection, Embedding, LabelScore, OutputTensor, PredictError, Request, Row, Tensors, Values,
};

use hostile::{array, base64};

const PNG: &[u8] = include_bytes!("images/rgb.png");

#[test]
fn an_image_body_is_one_bare_image_whatever_its_type_is_called() {
    for media_type in [
        Some("image/png"),
        Some("IMAGE/JPEG"),
        Some("application/x-image"),
        Some("application/octet-stream"),
        Some("file-path/raw-bytes"),
        Some("application/x-www-form-urlencoded"),
        Some("image/png; q=1"),
        None,
    ] {
        assert_eq!(images(media_type, PNG), (vec![PNG.to_vec()], Envelope::Bare), "{media_type:?}");
    }
}

#[test]
fn json_without_a_content_type_is_found_by_its_first_byte() {
    let body = format!(" {{\"inputs\":\"{}\"}}", base64(PNG));
    assert_eq!(images(None, body.as_bytes()), (vec![PNG.to_vec()], Envelope::Bare));
}

#[test]
fn json_forms_of_images_keep_their_envelope() {
    let text = base64(PNG);
    for (body, count, envelope) in [
        (format!(r#"{{"instances":[{{"b64":"{text}"}}]}}"#), 1, Envelope::Predictions),
        (format!(r#"{{"instances":[{{"image":{{"b64":"{text}"}}}},"{text}"]}}"#), 2, Envelope::Predictions),
        (format!(r#"{{"inputs":"{text}","parameters":{{"top_k":3}}}}"#), 1, Envelope::Bare),
        (format!(r#"{{"inputs":{{"b64":"{text}"}}}}"#), 1, Envelope::Bare),
        (format!(r#"{{"inputs":["{text}"]}}"#), 1, Envelope::List),
        (format!(r#"{{"images":["{text}","{text}"]}}"#), 2, Envelope::Predictions),
        (format!(r#"{{"b64":"{text}"}}"#), 1, Envelope::Bare),
        (format!(r#"{{"image":"{text}"}}"#), 1, Envelope::Bare),
        (format!(r#"["{text}",{{"b64":"{text}"}}]"#), 2, Envelope::List),
        (format!(r#""{text}""#), 1, Envelope::Bare),
    ] {
        assert_eq!(
            images(Some("application/json"), body.as_bytes()),
            (vec![PNG.to_vec(); count], envelope),
            "{body:.40}"
        );
    }
}

#[test]
fn base64_is_read_in_every_common_spelling() {
    let text = base64(&[0xFB, 0xEF, 0xFF, 0x01]);
    assert_eq!(text, "++//AQ==");
    for spelling in [
        "++//AQ==",
        "++//AQ",
        "--__AQ==",
        "--__AQ",
        "data:image/png;base64,++//AQ==",
        "DATA:;base64,++//AQ",
        r"++//\nAQ==\n",
        " ++// AQ",
        r"++\/\/AQ==",
    ] {
        let body = format!(r#"{{"inputs":"{spelling}"}}"#);
        assert_eq!(images(Some("application/json"), body.as_bytes()).0, [[0xFB, 0xEF, 0xFF, 0x01]], "{spelling}");
    }
}

#[test]
fn base64_beyond_the_image_limit_is_refused() {
    let limits = Limits { image_mb: 1, ..Limits::default() };
    let body = format!(r#"{{"inputs":"{}"}}"#, "A".repeat(1_400_000));
    let result = request::decode(&request(Some("application/json"), body.as_bytes()), Reads::Images, &limits);
    assert!(matches!(result, Err(PredictError::ImageTooLarge { .. })), "{result:?}");
}

#[test]
fn compare_takes_two_images() {
    let text = base64(PNG);
    let body = format!(r#"{{"images":["{text}","{text}"],"task":"compare"}}"#);
    let decoded = decode(Some("application/json"), body.as_bytes(), Reads::Images).unwrap();
    assert_eq!(decoded.envelope, Envelope::Bare);
    assert!(matches!(&decoded.items[..], [Ok(Item::Compare([one, other]))] if one == PNG && other == PNG));
}

#[test]
fn json_lines_hold_an_image_each() {
    let text = base64(PNG);
    let body = format!("{{\"b64\":\"{text}\"}}\r\n\n\"{text}\"\n{{\"image\":\"{text}\"}}");
    for media_type in ["application/jsonlines", "application/x-ndjson"] {
        assert_eq!(images(Some(media_type), body.as_bytes()), (vec![PNG.to_vec(); 3], Envelope::Lines));
    }
}

#[test]
fn uploads_of_one_file_are_bare_of_several_are_predictions() {
    let part = |headers: &str| [format!("--x y\r\n{headers}\r\n\r\n").as_bytes(), PNG, b"\r\n"].concat();
    let named = part("Content-Disposition: form-data; name=\"f\"; filename=\"a.png\"\r\nContent-Type: image/png");
    let typed = part("Content-Disposition: form-data; name=\"f\"\r\nContent-Type: image/png");
    let task = |task| format!("--x y\r\nContent-Disposition: form-data; name=\"task\"\r\n\r\n{task}\r\n").into_bytes();
    let kind = Some("Multipart/Form-Data; boundary=\"x y\"");
    let end = b"--x y--\r\n".to_vec();
    assert_eq!(images(kind, &[named.clone(), end.clone()].concat()), (vec![PNG.to_vec()], Envelope::Bare));
    assert_eq!(
        images(kind, &[named.clone(), typed.clone(), end.clone()].concat()),
        (vec![PNG.to_vec(); 2], Envelope::Predictions)
    );
    let compare = decode(kind, &[task("compare"), named, typed, end].concat(), Reads::Images).unwrap();
    assert!(matches!(compare.items[..], [Ok(Item::Compare(_))]));
}

#[test]
fn csv_rows_are_ordered_without_and_named_with_a_header() {
    let (found, envelope) = rows(Some("text/csv; charset=UTF-8"), b"5.1, 3.5\r\n\r\n4.9,-3e-1\n");
    assert_eq!(found, [ordered(&[5.1, 3.5]), ordered(&[4.9, -0.3])]);
    assert_eq!(envelope, Envelope::Predictions);
    assert_eq!(rows(Some("text/csv"), b"\xEF\xBB\xBFa,\"b, c\"\n1,2\n").0, [named(&[("a", 1.0), ("b, c", 2.0)])]);
    assert_eq!(rows(None, b"1,2").0, [ordered(&[1.0, 2.0])]);
}

#[test]
fn json_forms_of_rows_keep_their_envelope() {
    let one = || vec![ordered(&[1.0, 2.5])];
    let by_name = || vec![named(&[("a", 1.0), ("b", 2.5)])];
    for (body, found, envelope) in [
        (r#"{"instances":[[1,2.5]]}"#, one(), Envelope::Predictions),
        (r#"{"instances":[{"features":[1,2.5]}]}"#, one(), Envelope::Predictions),
        (r#"{"instances":[{"a":1,"b":2.5}]}"#, by_name(), Envelope::Predictions),
        (r#"{"inputs":[[1,2.5]]}"#, one(), Envelope::List),
        (r#"{"inputs":[1,2.5]}"#, one(), Envelope::Bare),
        (r#"{"inputs":{"a":1,"b":2.5}}"#, by_name(), Envelope::Bare),
        (r#"{"features":[1,2.5]}"#, one(), Envelope::Bare),
        (r#"{"a":1,"b":2.5}"#, by_name(), Envelope::Bare),
        ("[[1,2.5]]", one(), Envelope::List),
        ("[1,2.5]", one(), Envelope::Bare),
    ] {
        assert_eq!(rows(Some("application/json"), body.as_bytes()), (found, envelope), "{body}");
    }
}

#[test]
fn json_lines_hold_a_row_each() {
    let (found, envelope) = rows(Some("application/jsonlines"), b"[1,2]\n{\"features\":[3,4]}\n\n{\"a\":5}\n");
    assert_eq!(found, [ordered(&[1.0, 2.0]), ordered(&[3.0, 4.0]), named(&[("a", 5.0)])]);
    assert_eq!(envelope, Envelope::Lines);
}

#[test]
fn npy_rows_are_read_from_every_type_and_byte_order() {
    let little = |values: [f64; 2]| values.into_iter().flat_map(f64::to_le_bytes).collect::<Vec<_>>();
    for (descr, content) in [
        ("<f8", little([1.0, -2.0])),
        (">f4", [1f32, -2.0].into_iter().flat_map(f32::to_be_bytes).collect()),
        ("<f2", vec![0x00, 0x3C, 0x00, 0xC0]),
        ("<i8", [1i64, -2].into_iter().flat_map(i64::to_le_bytes).collect()),
        (">i2", [1i16, -2].into_iter().flat_map(i16::to_be_bytes).collect()),
        ("|i1", vec![1, 0xFE]),
    ] {
        let found = rows(Some("application/x-npy"), &array(descr, "False", "(1, 2)", &content)).0;
        assert_eq!(found, [ordered(&[1.0, -2.0])], "{descr}");
    }
}

#[test]
fn a_row_limit_counts_what_was_sent() {
    let limits = Limits { items: Some(2), ..Limits::default() };
    for (media_type, body) in
        [("application/json", "[[1],[2],[3],[4]]"), ("application/jsonlines", "[1]\n[2]\n[3]\n[4]")]
    {
        let result = request::decode(&request(Some(media_type), body.as_bytes()), Reads::Rows, &limits);
        assert!(matches!(result, Err(PredictError::TooManyItems { found: 4, limit: 2 })), "{media_type}: {result:?}");
    }
}

#[test]
fn errors_do_not_repeat_the_body() {
    for (media_type, body) in [
        ("application/json", r#"{"instances":"TOPSECRET"}"#),
        ("application/json", r#"{"instances":[["TOPSECRET"]]}"#),
        ("application/json", r#"{"instances":[[1]], "TOPSECRET": "TOPSECRET"}"#),
        ("application/json", r#"{"instances": TOPSECRET"#),
        ("text/csv", "1,2\n1,TOPSECRET\n"),
        ("application/x-npy", "TOPSECRET"),
    ] {
        let error = decode(Some(media_type), body.as_bytes(), Reads::Rows).and_then(all).unwrap_err();
        assert!(!error.to_string().contains("TOPSECRET"), "{error}");
    }
}

#[test]
fn open_inference_tensors_have_every_type_flat_or_nested() {
    for (datatype, data, dtype) in [
        ("BOOL", "[[true, false]]", DType::Bool),
        ("UINT8", "[255, 0]", DType::U8),
        ("UINT16", "[[65535, 0]]", DType::U16),
        ("UINT32", "[4294967295, 0]", DType::U32),
        ("UINT64", "[18446744073709551615, 0]", DType::U64),
        ("INT8", "[-128, 1]", DType::I8),
        ("INT16", "[-32768, 1]", DType::I16),
        ("INT32", "[-2147483648, 1]", DType::I32),
        ("INT64", "[-9223372036854775808, 9007199254740993]", DType::I64),
        ("FP16", "[1, 65504]", DType::F16),
        ("FP32", "[1.5, -2]", DType::F32),
        ("FP64", "[1e300, 0.1]", DType::F64),
        ("BYTES", r#"["a", "b"]"#, DType::Text),
    ] {
        let body =
            format!(r#"{{"id":"7","inputs":[{{"name":"x","data":{data},"shape":[1,2],"datatype":"{datatype}"}}]}}"#);
        let decoded = decode(Some("application/json"), body.as_bytes(), Reads::Tensors).unwrap();
        assert_eq!(decoded.envelope, Envelope::OpenInference { id: Some("7".into()) });
        let tensor = only(decoded);
        assert_eq!(
            (tensor.name.as_str(), tensor.datatype, tensor.shape.as_slice()),
            ("x", dtype, [1, 2].as_slice()),
            "{datatype}"
        );
        if dtype == DType::I64 {
            assert_eq!(tensor.tensor.values::<i64>().unwrap(), [i64::MIN, 9_007_199_254_740_993]);
        }
        if dtype == DType::F16 {
            assert_eq!(tensor.tensor.values::<f32>().unwrap(), [1.0, 65504.0]);
        }
    }
}

#[test]
fn open_inference_takes_scalars_and_empty_tensors() {
    let body = r#"{"inputs":[{"name":"x","shape":[],"datatype":"FP32","data":[3]},{"name":"y","shape":[0,4],"datatype":"FP32","data":[]}]}"#;
    let records = tensors(decode(Some("application/json"), body.as_bytes(), Reads::Tensors).unwrap());
    assert_eq!(records[0][0].tensor.values::<f32>().unwrap(), [3.0]);
    assert_eq!(records[0][1].tensor.shape(), [0, 4]);
}

#[test]
fn lines_hold_a_record_each() {
    let line = r#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[3]}]}"#;
    let body = format!("{line}\n{line}\n");
    let decoded = decode(Some("application/jsonlines"), body.as_bytes(), Reads::Tensors).unwrap();
    assert_eq!(decoded.envelope, Envelope::Lines);
    assert_eq!(tensors(decoded).len(), 2);
}

#[test]
fn npy_and_csv_are_one_unnamed_tensor() {
    let content: Vec<u8> = [7i64, -1, 2].into_iter().flat_map(i64::to_le_bytes).collect();
    let tensor =
        only(decode(Some("application/x-npy"), &array("<i8", "False", "(1, 3)", &content), Reads::Tensors).unwrap());
    assert_eq!(
        (tensor.name.as_str(), tensor.datatype, tensor.tensor.values::<i64>().unwrap()),
        ("", DType::I64, [7, -1, 2].as_slice())
    );
    let tensor = only(decode(Some("text/csv"), b"1,2\n3,4\n", Reads::Tensors).unwrap());
    assert_eq!(
        (tensor.shape.as_slice(), tensor.tensor.values::<f32>().unwrap()),
        ([2, 2].as_slice(), [1.0, 2.0, 3.0, 4.0].as_slice())
    );
}

#[test]
fn accept_is_negotiated_by_quality_and_order() {
    for (accept, answers, expected) in [
        (None, Answers::Structured, Format::AsSent),
        (Some(""), Answers::Structured, Format::AsSent),
        (Some("*/*"), Answers::Row, Format::AsSent),
        (Some("application/*"), Answers::Row, Format::AsSent),
        (Some("Application/JSON; charset=utf-8"), Answers::Row, Format::Json),
        (Some("text/csv, application/json"), Answers::Row, Format::Csv),
        (Some("text/csv, application/json"), Answers::Structured, Format::Json),
        (Some("text/csv;q=0.2, application/json;q=0.7"), Answers::Row, Format::Json),
        (Some("text/html,application/xhtml+xml,*/*;q=0.8"), Answers::Structured, Format::AsSent),
        (Some("application/x-npy"), Answers::Embedding, Format::Npy),
        (Some("application/jsonlines"), Answers::Labels, Format::JsonLines),
    ] {
        assert_eq!(response::negotiate(accept, answers).unwrap(), expected, "{accept:?}");
    }
}

#[test]
fn what_cannot_be_had_is_refused_and_what_can_is_named() {
    for (accept, answers) in [
        ("image/png", Answers::Row),
        ("application/json;q=0", Answers::Row),
        ("text/csv", Answers::Structured),
        ("application/x-npy", Answers::Labels),
        (",;=,", Answers::Row),
        ("*/*;q=nonsense", Answers::Row),
    ] {
        let error = response::negotiate(Some(accept), answers).unwrap_err();
        assert!(
            matches!(&error, PredictError::NotAcceptable { expected, .. } if expected.contains("application/json")),
            "{accept}"
        );
    }
}

#[test]
fn answers_are_wrapped_as_the_request_was() {
    let row = || Answer::Row(Row { label: Some("a".into()), scores: vec![0.1, 1.0] });
    let one = r#"{"label":"a","scores":[0.1,1.0]}"#;
    for (envelope, format, count, media_type, expected) in [
        (Envelope::Bare, Format::AsSent, 1, "application/json", one.to_string()),
        (Envelope::List, Format::Json, 1, "application/json", format!("[{one}]")),
        (Envelope::Predictions, Format::Json, 2, "application/json", format!(r#"{{"predictions":[{one},{one}]}}"#)),
        (Envelope::Lines, Format::AsSent, 2, "application/jsonlines", format!("{one}\n{one}")),
        (Envelope::Lines, Format::Json, 1, "application/json", format!(r#"{{"predictions":[{one}]}}"#)),
        (Envelope::Predictions, Format::JsonLines, 2, "application/jsonlines", format!("{one}\n{one}")),
        (Envelope::Predictions, Format::Csv, 2, "text/csv", "a,0.1,1.0\na,0.1,1.0".into()),
    ] {
        let answers: Vec<_> = (0..count).map(|_| row()).collect();
        let response = response::encode(&answers, &envelope, format).unwrap();
        assert_eq!((response.media_type, String::from_utf8(response.body).unwrap()), (media_type, expected));
    }
}

#[test]
fn floats_are_written_as_short_as_f32_allows() {
    let corners = Corners { xmin: 0.1, ymin: 1.0 / 3.0, xmax: 1e10, ymax: -0.0 };
    let answer = Answer::Detections(vec![Detection { label: "x".into(), score: 0.7, corners }]);
    let body = response::encode(&[answer], &Envelope::Bare, Format::Json).unwrap().body;
    let expected =
        r#"[{"label":"x","score":0.7,"box":{"xmin":0.1,"ymin":0.33333334,"xmax":10000000000.0,"ymax":-0.0}}]"#;
    assert_eq!(String::from_utf8(body).unwrap(), expected);
}

#[test]
fn csv_labels_alternate_with_their_scores_and_are_quoted() {
    let label = |label: &str, score| LabelScore { label: label.into(), score };
    let answer = Answer::Labels(vec![label("tabby, tabby cat", 0.5), label("lynx", 0.25)]);
    let body = response::encode(&[answer.clone(), answer], &Envelope::Predictions, Format::Csv).unwrap().body;
    let line = "\"tabby, tabby cat\",0.5,lynx,0.25";
    assert_eq!(String::from_utf8(body).unwrap(), format!("{line}\n{line}"));
}

#[test]
fn npy_answers_are_read_back_by_our_own_reader() {
    let answers = [[1.5, -2.0], [0.1, 3.0]].map(|row| Answer::Embedding(Embedding { embedding: row.to_vec() }));
    let response = response::encode(&answers, &Envelope::Predictions, Format::Npy).unwrap();
    assert_eq!(response.media_type, "application/x-npy");
    assert_eq!((response.body.len() - 16) % 64, 0, "numpy aligns the content");
    let found = rows(Some("application/x-npy"), &response.body).0;
    assert_eq!(found, [ordered(&[1.5, -2.0]), ordered(&[f64::from(0.1f32), 3.0])]);
}

#[test]
fn open_inference_answers_carry_the_requests_id() {
    let output =
        OutputTensor { name: "y".into(), datatype: "INT64", shape: vec![1, 2], data: Values::I64(vec![1, i64::MAX]) };
    let answer = Answer::Tensors(Tensors { model_name: "m".into(), model_version: "1".into(), outputs: vec![output] });
    let envelope = Envelope::OpenInference { id: Some("7".into()) };
    let body = response::encode(slice::from_ref(&answer), &envelope, Format::AsSent).unwrap().body;
    let expected = r#"{"model_name":"m","model_version":"1","id":"7","outputs":[{"name":"y","datatype":"INT64","shape":[1,2],"data":[1,9223372036854775807]}]}"#;
    assert_eq!(String::from_utf8(body).unwrap(), expected);
    let npy = response::encode(slice::from_ref(&answer), &envelope, Format::Npy).unwrap().body;
    let tensor = only(decode(Some("application/x-npy"), &npy, Reads::Tensors).unwrap());
    assert_eq!(tensor.tensor.values::<i64>().unwrap(), [1, i64::MAX]);
    assert!(matches!(
        response::encode(&[answer.clone(), answer], &envelope, Format::Npy),
        Err(PredictError::Unsupported { .. })
    ));
}

fn images(media_type: Option<&str>, body: &[u8]) -> (Vec<Vec<u8>>, Envelope) {
    let decoded = decode(media_type, body, Reads::Images).unwrap();
    let envelope = decoded.envelope.clone();
    let image = |item| match item {
        Item::Image(image) => image.to_vec(),
        other => panic!("{other:?}"),
    };
    (all(decoded).unwrap().into_iter().map(image).collect(), envelope)
}

fn rows(media_type: Option<&str>, body: &[u8]) -> (Vec<RawRow>, Envelope) {
    let decoded = decode(media_type, body, Reads::Rows).unwrap();
    let envelope = decoded.envelope.clone();
    let row = |item| match item {
        Item::Row(row) => row,
        other => panic!("{other:?}"),
    };
    (all(decoded).unwrap().into_iter().map(row).collect(), envelope)
}

fn only(decoded: Decoded) -> NamedTensor {
    let records = tensors(decoded);
    assert_eq!((records.len(), records[0].len()), (1, 1));
    records[0][0].clone()
}

fn tensors(decoded: Decoded) -> Vec<Vec<NamedTensor>> {
    let tensors = |item| match item {
        Item::Tensors(tensors) => tensors,
        other => panic!("{other:?}"),
    };
    all(decoded).unwrap().into_iter().map(tensors).collect()
}

/// The items, or the first one's error.
fn all(decoded: Decoded) -> Result<Vec<Item>, PredictError> {
    decoded.items.into_iter().collect()
}

fn ordered(row: &[f64]) -> RawRow {
    RawRow::Ordered(row.to_vec())
}

fn named(row: &[(&str, f64)]) -> RawRow {
    let names = row.iter().map(|(name, _)| (*name).to_owned()).collect();
    RawRow::Named { names, values: row.iter().map(|(_, value)| *value).collect() }
}

fn decode(media_type: Option<&str>, body: &[u8], reads: Reads) -> Result<Decoded, PredictError> {
    request::decode(&request(media_type, body), reads, &Limits::default())
}

fn request(media_type: Option<&str>, body: &[u8]) -> Request {
    Request { media_type: media_type.map(str::to_owned), accept: None, body: Bytes::copy_from_slice(body) }
}
