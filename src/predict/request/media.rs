//! Content-Type to the form of the body.

use super::{Reads, quoted};
use crate::predict::{PredictError, image};

/// How a body is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Form {
    Image,
    Multipart { boundary: String },
    Json,
    JsonLines,
    Csv,
    Npy,
    RecordIo,
}

/// The form that Content-Type names, or that the body's first bytes show, if the task reads it. Types are compared
/// without regard to case; of the parameters only `charset` (UTF-8 only) and `boundary` matter.
pub(super) fn form(media_type: Option<&str>, body: &[u8], reads: Reads) -> Result<Form, PredictError> {
    Ok(named_form(media_type, reads)?.unwrap_or_else(|| sniff(body, reads)))
}

/// The form that Content-Type names, if the task reads it; `None` where the body's first bytes must tell.
pub(super) fn named_form(media_type: Option<&str>, reads: Reads) -> Result<Option<Form>, PredictError> {
    let full = media_type.unwrap_or_default();
    let unsupported = || PredictError::UnsupportedMediaType { found: quoted(full), expected: expected(reads) };
    if !parameter(full, "charset").is_none_or(|charset| utf8(&charset)) {
        return Err(unsupported());
    }
    let essence = full.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let form = match essence.as_str() {
        "" | "application/octet-stream" | "file-path/raw-bytes" | "application/x-www-form-urlencoded" => {
            return Ok(None);
        }
        "application/json" | "text/json" => Form::Json,
        "application/jsonlines" | "application/x-jsonlines" | "application/jsonl" | "application/x-ndjson" => {
            Form::JsonLines
        }
        "text/csv" | "application/csv" => Form::Csv,
        "application/x-npy" | "application/npy" => Form::Npy,
        // Whose records are images, and SageMaker's own, whose records are its protobuf message.
        "application/x-recordio" if reads == Reads::Images => Form::RecordIo,
        "application/x-recordio-protobuf" if reads == Reads::Rows => Form::RecordIo,
        "application/x-image" => Form::Image,
        "multipart/form-data" => Form::Multipart { boundary: boundary(full)? },
        other if other.starts_with("image/") => Form::Image,
        other if other.starts_with("application/") && other.ends_with("+json") => Form::Json,
        _ => return Err(unsupported()),
    };
    if is_read(&form, reads) { Ok(Some(form)) } else { Err(unsupported()) }
}

fn is_read(form: &Form, reads: Reads) -> bool {
    match form {
        Form::Json | Form::JsonLines | Form::RecordIo => true,
        Form::Image | Form::Multipart { .. } => reads == Reads::Images,
        Form::Csv | Form::Npy => reads != Reads::Images,
    }
}

fn expected(reads: Reads) -> &'static str {
    match reads {
        Reads::Images => {
            "image/*, application/x-image, application/json, application/jsonlines, application/x-recordio or \
             multipart/form-data"
        }
        Reads::Rows => {
            "application/json, application/jsonlines, text/csv, application/x-npy or application/x-recordio-protobuf"
        }
        Reads::Tensors => "application/json, application/jsonlines, text/csv or application/x-npy",
    }
}

fn sniff(body: &[u8], reads: Reads) -> Form {
    let json = body.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| b"{[".contains(byte));
    match reads {
        Reads::Images if image::looks_like_image(body) => Form::Image,
        Reads::Rows | Reads::Tensors if body.starts_with(b"\x93NUMPY") => Form::Npy,
        Reads::Images | Reads::Rows | Reads::Tensors if json => Form::Json,
        Reads::Images => Form::Image,
        Reads::Rows | Reads::Tensors => Form::Csv,
    }
}

fn parameter(media_type: &str, name: &str) -> Option<String> {
    let parameters = media_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let mut values = parameters.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name));
    values.next().map(|(_, value)| value.trim().trim_matches('"').to_owned())
}

/// ASCII is UTF-8 too.
fn utf8(charset: &str) -> bool {
    ["utf-8", "utf8", "us-ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known))
}

fn boundary(media_type: &str) -> Result<String, PredictError> {
    multer::parse_boundary(media_type)
        .ok()
        .filter(|boundary| (1..=70).contains(&boundary.len())) // RFC 2046, 5.1.1
        .ok_or_else(|| super::malformed("multipart", "the content type has no boundary of 1 to 70 characters"))
}
