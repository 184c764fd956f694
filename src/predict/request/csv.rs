//! CSV (RFC 4180) with rows of numbers.

use std::collections::BTreeSet;
use std::sync::Arc;

use csv_core::{ReadRecordResult, Reader};

use super::{Decoded, Envelope, Items, NamedTensor, RawRow, checked_number, invalid, malformed, quoted};
use crate::bundle::Limits;
use crate::model::{DType, Tensor};
use crate::predict::PredictError;

/// A first row without any number is the header: its names then say which feature a column is.
pub(super) fn rows(body: &[u8], limits: &Limits) -> Result<Decoded, PredictError> {
    let table = Table::read(body, limits)?;
    let rows = table.rows.into_iter();
    let rows = match &table.header {
        None => rows.map(RawRow::Ordered).collect(),
        Some(names) => rows.map(|values| RawRow::Named { names: Arc::clone(names), values }).collect(),
    };
    Ok(Decoded { items: Items::Rows(rows), envelope: Envelope::Predictions })
}

/// The whole table as one `f32` tensor `[rows, columns]`; a header is passed over.
pub(super) fn tensor(body: &[u8], limits: &Limits) -> Result<Decoded, PredictError> {
    let rows = Table::read(body, limits)?.rows;
    let shape = vec![rows.len(), rows.first().map_or(0, Vec::len)];
    let tensor = Tensor::filled(&shape, |values| {
        for (slot, &value) in values.iter_mut().zip(rows.iter().flatten()) {
            *slot = value as f32;
        }
    });
    let tensor = NamedTensor { name: String::new(), datatype: DType::F32, shape, tensor };
    Ok(Decoded { items: Items::Tensors(vec![vec![tensor]]), envelope: Envelope::Bare })
}

struct Table {
    header: Option<Arc<[String]>>,
    /// All of one length.
    rows: Vec<Vec<f64>>,
}

impl Table {
    fn read(body: &[u8], limits: &Limits) -> Result<Self, PredictError> {
        let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        let text = str::from_utf8(text).map_err(|error| malformed("CSV", error.to_string()))?;
        let mut records = Records::new(text);
        let (mut header, mut rows, mut width) = (None, Vec::new(), None);
        while let Some(record) = records.next(rows.len())? {
            check_width(rows.len(), record.len(), *width.get_or_insert(record.len()))?;
            if header.is_none() && rows.is_empty() && record.iter().all(|cell| is_name(cell)) {
                header = Some(names(&record)?);
                continue;
            }
            super::check_items(rows.len() + 1, limits)?;
            rows.push(numbers(rows.len(), &record, header.as_deref())?);
        }
        if rows.is_empty() {
            return Err(malformed("CSV", "no rows"));
        }
        Ok(Self { header, rows })
    }
}

/// The records one after the other. The ends of a record's cells have a fixed room: a line of commas is refused before
/// they take many times its memory.
struct Records<'b> {
    parser: Reader,
    rest: &'b [u8],
    cells: Vec<u8>,
    ends: Vec<usize>,
}

impl<'b> Records<'b> {
    fn new(text: &'b str) -> Self {
        let (cells, ends) = (vec![0; 1024], vec![0; super::ROW_VALUES]);
        Self { parser: Reader::new(), rest: text.as_bytes(), cells, ends }
    }

    /// The trimmed cells of the next line that is not blank.
    fn next(&mut self, row: usize) -> Result<Option<Vec<&str>>, PredictError> {
        let (mut written, mut ended) = (0, 0);
        loop {
            let (cells, ends) = (&mut self.cells[written..], &mut self.ends[ended..]);
            let (result, read, more, count) = self.parser.read_record(self.rest, cells, ends);
            self.rest = &self.rest[read..];
            written += more;
            ended += count;
            match result {
                ReadRecordResult::InputEmpty => {}
                // Never more than the body: cells are no longer than their text.
                ReadRecordResult::OutputFull => self.cells.resize(self.cells.len() * 2, 0),
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

fn names(record: &[&str]) -> Result<Arc<[String]>, PredictError> {
    if record.iter().any(|name| name.len() > super::NAME_BYTES) {
        return Err(malformed("CSV", format!("a name of the header is longer than {} bytes", super::NAME_BYTES)));
    }
    let distinct: BTreeSet<&str> = record.iter().copied().collect();
    if distinct.len() < record.len() {
        return Err(malformed("CSV", "two columns of the header have one name"));
    }
    Ok(record.iter().map(|name| (*name).to_owned()).collect())
}

fn check_width(row: usize, found: usize, expected: usize) -> Result<(), PredictError> {
    if found != expected {
        return Err(malformed("CSV", format!("row {row} has {found} values, the first line has {expected}")));
    }
    Ok(())
}

fn numbers(row: usize, record: &[&str], header: Option<&[String]>) -> Result<Vec<f64>, PredictError> {
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
