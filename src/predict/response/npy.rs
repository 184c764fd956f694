//! Answers as one numpy array (NEP 1, version 1.0).

use crate::predict::{Answer, OutputTensor, PredictError, Values};

pub(super) fn write(answers: &[Answer]) -> Result<Vec<u8>, PredictError> {
    if let [Answer::Tensors(tensors)] = answers {
        let [output] = tensors.outputs.as_slice() else { return Err(refusal()) };
        return array(output);
    }
    let rows = answers.iter().map(row).collect::<Option<Vec<_>>>().ok_or_else(refusal)?;
    let columns = rows.first().map_or(0, |row| row.len());
    if rows.iter().any(|row| row.len() != columns) {
        return Err(refusal());
    }
    let mut body = header("<f4", &[rows.len(), columns]);
    body.extend(rows.into_iter().flatten().flat_map(|value| value.to_le_bytes()));
    Ok(body)
}

fn row(answer: &Answer) -> Option<&[f32]> {
    match answer {
        Answer::Embedding(embedding) => Some(&embedding.embedding),
        Answer::Row(row) => Some(&row.scores),
        Answer::Labels(_) | Answer::Detections(_) | Answer::Faces(_) | Answer::Comparison(_) | Answer::Tensors(_) => {
            None
        }
    }
}

fn array(output: &OutputTensor) -> Result<Vec<u8>, PredictError> {
    let (descr, content): (&str, Vec<u8>) = match &output.data {
        Values::Bool(values) => ("|b1", values.iter().map(|&value| u8::from(value)).collect()),
        Values::U8(values) => ("|u1", values.clone()),
        Values::I8(values) => ("|i1", values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        Values::I16(values) => ("<i2", values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        Values::I32(values) => ("<i4", values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        Values::I64(values) => ("<i8", values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        Values::U16(values) => ("<u2", values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        Values::U32(values) => ("<u4", values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        Values::U64(values) => ("<u8", values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        Values::F32(values) => ("<f4", values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        Values::F64(values) => ("<f8", values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        Values::Text(_) => return Err(refusal()),
    };
    let mut body = header(descr, &output.shape);
    body.extend(content);
    Ok(body)
}

/// Padded with spaces so that the content begins at a multiple of 64, as numpy does.
fn header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let dimensions: String = shape.iter().map(|dimension| format!("{dimension},")).collect();
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({dimensions}), }}");
    let length = (10 + text.len() + 1).next_multiple_of(64) - 10;
    let mut body = b"\x93NUMPY\x01\x00".to_vec();
    // A shape of 32 dimensions stays far below 65,536.
    body.extend(u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
    body.extend(format!("{text:<width$}\n", width = length - 1).bytes());
    body
}

fn refusal() -> PredictError {
    PredictError::Unsupported { asked: "write npy", reason: "the answer is no single array of numbers" }
}
