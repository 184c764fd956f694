//! Answers as CSV, one line an item: lines of the answer join to lines of the request.

use crate::predict::{Answer, PredictError};

/// Without a line end.
pub(super) fn write_line(line: &mut Vec<u8>, answer: &Answer) -> Result<(), PredictError> {
    let cells = cells(answer)?;
    let mut writer = csv::WriterBuilder::new().has_headers(false).buffer_capacity(256).from_writer(&mut *line);
    writer.write_record(cells).and_then(|()| writer.flush().map_err(Into::into)).map_err(|_| refusal())?;
    drop(writer);
    line.pop_if(|last| *last == b'\n');
    Ok(())
}

fn cells(answer: &Answer) -> Result<Vec<String>, PredictError> {
    match answer {
        Answer::Labels(labels) => {
            Ok(labels.iter().flat_map(|label| [label.label.clone(), number(label.score)]).collect())
        }
        Answer::Embedding(embedding) => Ok(embedding.embedding.iter().copied().map(number).collect()),
        Answer::Row(row) => Ok(row.label.iter().cloned().chain(row.scores.iter().copied().map(number)).collect()),
        Answer::Detections(_) | Answer::Faces(_) | Answer::Comparison(_) | Answer::Tensors(_) => Err(refusal()),
    }
}

/// As JSON has it, so that both formats say the same.
fn number(value: f32) -> String {
    if value.is_finite() { serde_json::to_string(&value).unwrap_or_default() } else { value.to_string() }
}

fn refusal() -> PredictError {
    PredictError::Unsupported { asked: "write CSV", reason: "the answer is no list of labels or numbers" }
}
