//! From answers to a response's body.

mod csv;
mod npy;

use serde::Serialize;

use super::request::Envelope;
use super::{Answer, OutputTensor, PredictError, Response};

/// What a task answers with; decides which formats can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// Detections, faces, comparisons, several tensors or texts: JSON and JSON Lines only.
    Structured,
    /// [`Answer::Labels`]: CSV too, one line an item: label, score, label, score, ..., best first.
    Labels,
    /// [`Answer::Embedding`]: CSV (one line an item) and npy (`<f4`, `[items, dimensions]`) too.
    Embedding,
    /// [`Answer::Row`]: CSV (one line an item: the label if there is one, then the scores) and npy (`<f4`,
    /// `[items, scores]`, without labels) too.
    Row,
    /// [`Answer::Tensors`] of a graph with one output of numbers: npy too, for one record.
    Tensors,
}

/// Formats of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Nothing was asked for: JSON Lines for JSON Lines, JSON for all else.
    AsSent,
    /// `application/json`
    Json,
    /// `application/jsonlines`
    JsonLines,
    /// `text/csv`, without a header.
    Csv,
    /// `application/x-npy`
    Npy,
}

/// The format that Accept asks for, checked before the model runs: of the types named, the one with the highest `q` that
/// can be had, the first of equals. `*/*` and `application/*` take JSON.
///
/// # Errors
/// [`PredictError::NotAcceptable`], naming what can be had.
pub fn negotiate(accept: Option<&str>, answers: Answers) -> Result<Format, PredictError> {
    let Some(accept) = accept.map(str::trim).filter(|accept| !accept.is_empty()) else { return Ok(Format::AsSent) };
    let ranges = accept.split(',').filter_map(|range| Some((format(range, answers)?, quality(range))));
    let mut best = None;
    for (format, quality) in ranges.filter(|(_, quality)| *quality > 0.0) {
        if best.is_none_or(|(_, highest)| quality > highest) {
            best = Some((format, quality));
        }
    }
    best.map(|(format, _)| format).ok_or_else(|| PredictError::NotAcceptable {
        found: accept.chars().filter(|letter| !letter.is_control()).take(100).collect(),
        expected: expected(answers),
    })
}

/// How an answer that has a line of its own is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFormat {
    /// A JSON document.
    Json,
    /// A record of CSV.
    Csv,
}

impl LineFormat {
    /// Of all lines together, bare.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/jsonlines",
            Self::Csv => "text/csv",
        }
    }

    /// Writes an answer without a line end.
    ///
    /// # Errors
    /// [`PredictError::Unsupported`]: the answer has no such form, which [`negotiate`] rules out.
    pub fn write(self, line: &mut Vec<u8>, answer: &Answer) -> Result<(), PredictError> {
        match self {
            Self::Json => write_json(line, answer),
            Self::Csv => csv::write_line(line, answer),
        }
    }

    /// Writes a JSON document in the place of an answer: in CSV as a record of one quoted cell.
    pub fn write_document(self, line: &mut Vec<u8>, json: &str) {
        match self {
            Self::Json => line.extend_from_slice(json.as_bytes()),
            Self::Csv => line.extend_from_slice(format!("\"{}\"", json.replace('"', "\"\"")).as_bytes()),
        }
    }
}

/// How each answer's line is written, where answers have lines of their own: of a request that is wrapped in `envelope`.
pub fn line_format(format: Format, envelope: &Envelope) -> Option<LineFormat> {
    match (format, envelope) {
        (Format::JsonLines, _) | (Format::AsSent, Envelope::Lines) => Some(LineFormat::Json),
        (Format::Csv, _) => Some(LineFormat::Csv),
        (Format::AsSent | Format::Json | Format::Npy, _) => None,
    }
}

/// Writes answers, one per item, in the items' order. Numbers are as short as they can be to be read back as the same
/// `f32`; what is not finite is `null` in JSON. No newline at the end.
///
/// # Errors
/// [`PredictError::Unsupported`] for npy of what is no single array of numbers.
pub fn encode(answers: &[Answer], envelope: &Envelope, format: Format) -> Result<Response, PredictError> {
    match line_format(format, envelope) {
        Some(lines) => write_lines(answers, lines),
        None if format == Format::Npy => Ok(Response { media_type: "application/x-npy", body: npy::write(answers)? }),
        None => json(answers, envelope),
    }
}

fn format(range: &str, answers: Answers) -> Option<Format> {
    let essence = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let csv = match answers {
        Answers::Labels | Answers::Embedding | Answers::Row => Some(Format::Csv),
        Answers::Structured | Answers::Tensors => None,
    };
    match essence.as_str() {
        "*/*" | "application/*" => Some(Format::AsSent),
        "application/json" => Some(Format::Json),
        "application/jsonlines" | "application/x-jsonlines" | "application/jsonl" | "application/x-ndjson" => {
            Some(Format::JsonLines)
        }
        "text/csv" | "text/*" => csv,
        "application/x-npy" | "application/npy" => match answers {
            Answers::Embedding | Answers::Row | Answers::Tensors => Some(Format::Npy),
            Answers::Structured | Answers::Labels => None,
        },
        _ => None,
    }
}

fn quality(range: &str) -> f32 {
    let parameters = range.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let mut qualities = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    qualities.next().map_or(1.0, |(_, quality)| quality.trim().parse().unwrap_or(0.0))
}

fn expected(answers: Answers) -> &'static str {
    match answers {
        Answers::Structured => "application/json or application/jsonlines",
        Answers::Labels => "application/json, application/jsonlines or text/csv",
        Answers::Embedding | Answers::Row => "application/json, application/jsonlines, text/csv or application/x-npy",
        Answers::Tensors => "application/json, application/jsonlines or application/x-npy",
    }
}

fn write_lines(answers: &[Answer], format: LineFormat) -> Result<Response, PredictError> {
    let mut body = Vec::new();
    for answer in answers {
        if !body.is_empty() {
            body.push(b'\n');
        }
        format.write(&mut body, answer)?;
    }
    Ok(Response { media_type: format.media_type(), body })
}

#[derive(Serialize)]
struct Predictions<'a> {
    predictions: &'a [Answer],
}

/// [`Answer::Tensors`] with the request's id.
#[derive(Serialize)]
struct OpenInference<'a> {
    model_name: &'a str,
    model_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    outputs: &'a [OutputTensor],
}

fn json(answers: &[Answer], envelope: &Envelope) -> Result<Response, PredictError> {
    let mut body = Vec::new();
    match (envelope, answers) {
        (Envelope::OpenInference { id }, [Answer::Tensors(answer)]) => write_json(
            &mut body,
            &OpenInference {
                model_name: &answer.model_name,
                model_version: &answer.model_version,
                id: id.as_deref(),
                outputs: &answer.outputs,
            },
        )?,
        (Envelope::Bare | Envelope::OpenInference { .. }, [answer]) => write_json(&mut body, answer)?,
        (Envelope::Predictions | Envelope::Lines, answers) => {
            write_json(&mut body, &Predictions { predictions: answers })?;
        }
        (Envelope::Bare | Envelope::List | Envelope::OpenInference { .. }, answers) => write_json(&mut body, &answers)?,
    }
    Ok(Response { media_type: "application/json", body })
}

fn write_json(body: &mut Vec<u8>, value: &impl Serialize) -> Result<(), PredictError> {
    let refusal = PredictError::Unsupported { asked: "write JSON", reason: "the answer has no JSON form" };
    serde_json::to_writer(body, value).map_err(|_| refusal)
}
