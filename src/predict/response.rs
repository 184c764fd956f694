//! From answers to a response's body.

use super::request::Envelope;
use super::{Answer, PredictError, Response};

/// What a task answers with; decides which formats can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// Detections, faces, comparisons: JSON and JSON Lines only.
    Structured,
    /// [`Answer::Labels`]: CSV too.
    Labels,
    /// [`Answer::Embedding`]: CSV and npy too.
    Embedding,
    /// [`Answer::Row`]: CSV and npy too.
    Row,
    /// [`Answer::Tensors`]: npy too where there is one output and one record.
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
    /// `text/csv`
    Csv,
    /// `application/x-npy`
    Npy,
}

/// The format that Accept asks for, checked before the model runs.
pub fn negotiate(accept: Option<&str>, answers: Answers) -> Result<Format, PredictError> {
    let _ = (accept, answers);
    todo!()
}

/// Writes answers, one per item, in the items' order.
pub fn encode(answers: &[Answer], envelope: &Envelope, format: Format) -> Result<Response, PredictError> {
    let _ = (answers, envelope, format);
    todo!()
}
