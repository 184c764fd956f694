//! CSV (RFC 4180) with rows of numbers.

use std::collections::BTreeSet;
use std::sync::Arc;

use csv_core::{ReadRecordResult, Reader};

use super::{Decoded, Envelope, Item, NamedTensor, RawRow, checked_number, invalid, malformed, quoted};
use crate::bundle::Limits;
use crate::model::{DType, Tensor};
use crate::predict::PredictError;

/// The names of a header: which feature a column is.
pub(super) type Names = Arc<[String]>;

/// Reads lines one after the other.
pub(super) struct Lines(Records);

impl Lines {
    pub(super) fn new() -> Self {
        Self(Records::new())
    }

    /// The names that a body's first line consists of, or `None` where it has a number or an empty cell.
    pub(super) fn header(&mut self, line: &[u8]) -> Result<Option<Names>, PredictError> {
        match self.0.next(&mut &*line, 0)? {
            Some(cells) if cells.iter().all(|cell| is_name(cell)) => names(&cells).map(Some),
            Some(_) | None => Ok(None),
        }
    }

    /// One row: the `row`th of its request, with the columns of its header where there is one.
    pub(super) fn row(&mut self, line: &[u8], row: usize, header: Option<&Names>) -> Result<Item, PredictError> {
        let cells = self.0.next(&mut &*line, row)?.ok_or_else(|| malformed("CSV", format!("row {row} is empty")))?;
        let Some(names) = header else { return Ok(Item::Row(RawRow::Ordered(numbers(row, &cells, None)?))) };
        check_width(row, cells.len(), names.len(), "the header")?;
        Ok(Item::Row(RawRow::Named { names: Arc::clone(names), values: numbers(row, &cells, Some(names))? }))
    }
}

/// The whole table as one `f32` tensor `[rows, columns]`; a header is passed over.
pub(super) fn tensor(body: &[u8], limits: &Limits) -> Result<Decoded, PredictError> {
    let rows = table(body, limits)?;
    let shape = vec![rows.len(), rows.first().map_or(0, Vec::len)];
    let tensor = Tensor::filled(&shape, |values| {
        for (slot, &value) in values.iter_mut().zip(rows.iter().flatten()) {
            *slot = value as f32;
        }
    });
    let tensor = NamedTensor { name: String::new(), datatype: DType::F32, shape, tensor };
    Ok(Decoded { items: vec![Ok(Item::Tensors(vec![tensor]))], envelope: Envelope::Bare })
}

/// Rows of one length.
fn table(body: &[u8], limits: &Limits) -> Result<Vec<Vec<f64>>, PredictError> {
    let (mut records, mut rest) = (Records::new(), without_mark(body));
    let (mut rows, mut width) = (Vec::new(), None);
    while let Some(cells) = records.next(&mut rest, rows.len())? {
        check_width(rows.len(), cells.len(), *width.get_or_insert(cells.len()), "the first line")?;
        if rows.is_empty() && cells.iter().all(|cell| is_name(cell)) {
            continue;
        }
        super::check_items(rows.len() + 1, limits)?;
        rows.push(numbers(rows.len(), &cells, None)?);
    }
    if rows.is_empty() { Err(malformed("CSV", "no rows")) } else { Ok(rows) }
}

/// Spreadsheets begin a file with a byte order mark.
pub(super) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text)
}

/// Records one after the other. The ends of a record's cells have a bounded room: a line of commas is refused before
/// they take many times its memory.
struct Records {
    parser: Reader,
    cells: Vec<u8>,
    ends: Vec<usize>,
}

/// Room for the ends of a record's cells at first; it grows up to [`super::ROW_VALUES`].
const FIRST_ENDS: usize = 64;

impl Records {
    fn new() -> Self {
        Self { parser: Reader::new(), cells: vec![0; 256], ends: vec![0; FIRST_ENDS] }
    }

    /// The trimmed cells of the next line of `rest` that is not blank.
    fn next(&mut self, rest: &mut &[u8], row: usize) -> Result<Option<Vec<&str>>, PredictError> {
        self.parser.reset();
        let (mut written, mut ended) = (0, 0);
        loop {
            let (cells, ends) = (&mut self.cells[written..], &mut self.ends[ended..]);
            let (result, read, more, count) = self.parser.read_record(rest, cells, ends);
            *rest = &rest[read..];
            written += more;
            ended += count;
            match result {
                ReadRecordResult::InputEmpty => {}
                // Never more than the body: cells are no longer than their text.
                ReadRecordResult::OutputFull => self.cells.resize(self.cells.len() * 2, 0),
                ReadRecordResult::OutputEndsFull if ended < super::ROW_VALUES => {
                    self.ends.resize((self.ends.len() * 2).min(super::ROW_VALUES), 0);
                }
                ReadRecordResult::OutputEndsFull => {
                    let expected = format!("at most {} values", super::ROW_VALUES);
                    return Err(invalid(format!("row {row}"), expected, "more"));
                }
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return Ok(None),
            }
        }
        let text = str::from_utf8(&self.cells[..written]).map_err(|error| malformed("CSV", error.to_string()))?;
        let mut from = 0;
        let cell = |&end: &usize| text.get(std::mem::replace(&mut from, end)..end).unwrap_or_default().trim();
        Ok(Some(self.ends[..ended].iter().map(cell).collect()))
    }
}

/// Neither a number nor nothing. `nan` and `inf` parse as numbers, so they are no names.
fn is_name(cell: &str) -> bool {
    !cell.is_empty() && cell.parse::<f64>().is_err()
}

fn names(record: &[&str]) -> Result<Names, PredictError> {
    if record.iter().any(|name| name.len() > super::NAME_BYTES) {
        return Err(malformed("CSV", format!("a name of the header is longer than {} bytes", super::NAME_BYTES)));
    }
    let distinct: BTreeSet<&str> = record.iter().copied().collect();
    if distinct.len() < record.len() {
        return Err(malformed("CSV", "two columns of the header have one name"));
    }
    Ok(record.iter().map(|name| (*name).to_owned()).collect())
}

fn check_width(row: usize, found: usize, expected: usize, model: &str) -> Result<(), PredictError> {
    if found != expected {
        return Err(malformed("CSV", format!("row {row} has {found} values, {model} has {expected}")));
    }
    Ok(())
}

fn numbers(row: usize, record: &[&str], header: Option<&Names>) -> Result<Vec<f64>, PredictError> {
    let cells = record.iter().enumerate().map(|(column, cell)| {
        let what = || match header.and_then(|names| names.get(column)) {
            Some(name) => format!("row {row}, column {}", quoted(name)),
            None => format!("row {row}, column {column}"),
        };
        let found = if cell.is_empty() { "nothing" } else { "text" };
        let value = cell.parse().map_err(|_| invalid(what(), "a number", found))?;
        checked_number(value, what)
    });
    cells.collect()
}
