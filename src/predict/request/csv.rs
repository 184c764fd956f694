//! CSV (RFC 4180) with rows of numbers.

use csv::{ReaderBuilder, StringRecord, Trim};

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
        Some(names) => rows.map(|row| RawRow::Named(names.iter().cloned().zip(row).collect())).collect(),
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
    header: Option<Vec<String>>,
    /// All of one length.
    rows: Vec<Vec<f64>>,
}

impl Table {
    fn read(body: &[u8], limits: &Limits) -> Result<Self, PredictError> {
        let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        let text = str::from_utf8(text).map_err(|error| malformed("CSV", error.to_string()))?;
        let mut reader =
            ReaderBuilder::new().has_headers(false).flexible(true).trim(Trim::All).from_reader(text.as_bytes());
        let (mut header, mut rows, mut record) = (None, Vec::new(), StringRecord::new());
        let mut width = None;
        while reader.read_record(&mut record).map_err(|_| malformed("CSV", "it cannot be read"))? {
            check_width(rows.len(), record.len(), *width.get_or_insert(record.len()))?;
            if header.is_none() && rows.is_empty() && record.iter().all(is_name) {
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

/// Neither a number nor nothing. `nan` and `inf` parse as numbers, so they are no names.
fn is_name(cell: &str) -> bool {
    !cell.is_empty() && cell.parse::<f64>().is_err()
}

fn names(record: &StringRecord) -> Result<Vec<String>, PredictError> {
    let names: Vec<String> = record.iter().map(str::to_owned).collect();
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    if distinct.len() < names.len() {
        return Err(malformed("CSV", "two columns of the header have one name"));
    }
    Ok(names)
}

fn check_width(row: usize, found: usize, expected: usize) -> Result<(), PredictError> {
    if found != expected {
        return Err(malformed("CSV", format!("row {row} has {found} values, the first line has {expected}")));
    }
    if found > super::ROW_VALUES {
        let expected = format!("at most {} values", super::ROW_VALUES);
        return Err(invalid(format!("row {row}"), expected, found.to_string()));
    }
    Ok(())
}

fn numbers(row: usize, record: &StringRecord, header: Option<&[String]>) -> Result<Vec<f64>, PredictError> {
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
