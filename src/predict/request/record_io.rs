//! RecordIO: records behind a magic number and their length, padded to 4 bytes, as MXNet writes them and batch transform
//! jobs split them; and SageMaker's protobuf message for rows (`aialgs.data.Record`).
//!
//! A writer that finds the magic number at an aligned place within a record takes it out and splits the record there.

use std::collections::HashMap;

use bytes::Bytes;
use prost::Message;

use super::{Item, RawRow, checked_number, invalid, malformed};
use crate::predict::{PredictError, image};

const MAGIC: [u8; 4] = 0xced7_230a_u32.to_le_bytes();
/// Before a part: magic number and, in 4 bytes, which part it is (3 bits) and its length (29 bits).
const PART_HEADER: usize = 8;
/// Before an image that MXNet's `im2rec` packed: flag, label, two ids. Labels beyond the first stand behind it.
const IMAGE_HEADER: usize = 24;

/// Whether a body of this type is framed: a job that sends records one by one strips them of it.
pub(super) fn is_framed(body: &[u8]) -> bool {
    body.starts_with(&MAGIC)
}

/// The length of the record that `text` begins with, framing and padding included; `None` while its end is not there.
/// At the end of a body the last record's padding may be missing.
pub(super) fn length(text: &[u8], at_end: bool) -> Result<Option<usize>, PredictError> {
    let mut parts = Parts { rest: text, taken: 0, at_end };
    while let Some(part) = parts.next()? {
        if part.last {
            return Ok(Some(parts.taken));
        }
    }
    Ok(None)
}

/// What a whole record holds.
fn payload(record: &Bytes) -> Result<Bytes, PredictError> {
    if !is_framed(record) {
        return Ok(record.clone());
    }
    let mut parts = Parts { rest: record, taken: 0, at_end: true };
    let mut joined = Vec::new();
    while let Some(part) = parts.next()? {
        if part.first && part.last {
            return Ok(record.slice_ref(part.content));
        }
        if !part.first {
            joined.extend_from_slice(&MAGIC);
        }
        joined.extend_from_slice(part.content);
    }
    Ok(joined.into())
}

/// A record with an image file, with or without the header of `im2rec`.
pub(super) fn image(record: &Bytes) -> Result<Item, PredictError> {
    let payload = payload(record)?;
    let labels = payload.first_chunk::<4>().map_or(0, |flag| u32::from_le_bytes(*flag) as usize);
    let behind = labels.checked_mul(4).and_then(|labels| labels.checked_add(IMAGE_HEADER));
    let packed = behind.filter(|_| !image::looks_like_image(&payload)).and_then(|behind| payload.get(behind..));
    match packed {
        Some(file) if image::looks_like_image(file) => Ok(Item::Image(payload.slice_ref(file))),
        Some(_) | None => Ok(Item::Image(payload)),
    }
}

/// A record with the protobuf message of a row: the feature `values`, a dense tensor of float or integer.
pub(super) fn row(record: &Bytes, row: usize) -> Result<Item, PredictError> {
    let message = Record::decode(payload(record)?)
        .map_err(|_| malformed("RecordIO", format!("record {row} is no message of SageMaker's protobuf")))?;
    let values = message.features.get(VALUES).and_then(|value| value.kind.as_ref());
    let expected = || format!("a dense tensor `{VALUES}`");
    let values = values.ok_or_else(|| invalid(format!("record {row}"), expected(), "none"))?;
    let (numbers, sparse): (Vec<f64>, bool) = match values {
        Kind::Float32(tensor) => (tensor.values.iter().map(|&value| value.into()).collect(), !tensor.keys.is_empty()),
        Kind::Float64(tensor) => (tensor.values.clone(), !tensor.keys.is_empty()),
        Kind::Int32(tensor) => (tensor.values.iter().map(|&value| value.into()).collect(), !tensor.keys.is_empty()),
    };
    if sparse {
        return Err(invalid(format!("record {row}"), expected(), "a sparse one"));
    }
    if numbers.is_empty() || numbers.len() > super::ROW_VALUES {
        let expected = format!("1 to {} values", super::ROW_VALUES);
        return Err(invalid(format!("record {row}"), expected, numbers.len().to_string()));
    }
    let checked = numbers.into_iter().map(|value| checked_number(value, || format!("record {row}")));
    Ok(Item::Row(RawRow::Ordered(checked.collect::<Result<_, _>>()?)))
}

/// The feature that SageMaker's own writers give a row's numbers.
const VALUES: &str = "values";

/// The parts of the record that `rest` begins with.
struct Parts<'a> {
    rest: &'a [u8],
    /// Bytes behind us, padding included.
    taken: usize,
    /// Whether nothing comes behind `rest`.
    at_end: bool,
}

struct Part<'a> {
    content: &'a [u8],
    first: bool,
    last: bool,
}

impl<'a> Parts<'a> {
    /// `None` while the next part is not there.
    fn next(&mut self) -> Result<Option<Part<'a>>, PredictError> {
        let Some((header, behind)) = self.rest.split_first_chunk::<PART_HEADER>() else { return Ok(None) };
        let [m0, m1, m2, m3, l0, l1, l2, l3] = *header;
        if [m0, m1, m2, m3] != MAGIC {
            return Err(malformed("RecordIO", "a record does not begin with the magic number"));
        }
        let word = u32::from_le_bytes([l0, l1, l2, l3]);
        let (kind, length) = (word >> 29, (word & 0x1fff_ffff) as usize);
        let first = matches!(kind, 0 | 1);
        if kind > 3 || first != (self.taken == 0) {
            return Err(malformed("RecordIO", "the parts of a record are out of order"));
        }
        let Some(content) = behind.get(..length) else { return Ok(None) };
        let padded = length.next_multiple_of(4);
        if padded > behind.len() && !self.at_end {
            return Ok(None);
        }
        self.rest = behind.get(padded..).unwrap_or_default();
        self.taken += PART_HEADER + padded.min(behind.len());
        Ok(Some(Part { content, first, last: matches!(kind, 0 | 3) }))
    }
}

/// `aialgs.data.Record`, as far as a row needs it.
#[derive(Clone, PartialEq, Message)]
struct Record {
    #[prost(map = "string, message", tag = "1")]
    features: HashMap<String, Value>,
}

/// `aialgs.data.Value`
#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(oneof = "Kind", tags = "2, 3, 7")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(message, tag = "2")]
    Float32(Float32Tensor),
    #[prost(message, tag = "3")]
    Float64(Float64Tensor),
    #[prost(message, tag = "7")]
    Int32(Int32Tensor),
}

/// `aialgs.data.Float32Tensor`; `keys` makes it sparse.
#[derive(Clone, PartialEq, Message)]
struct Float32Tensor {
    #[prost(float, repeated, tag = "1")]
    values: Vec<f32>,
    #[prost(uint64, repeated, tag = "2")]
    keys: Vec<u64>,
}

/// `aialgs.data.Float64Tensor`
#[derive(Clone, PartialEq, Message)]
struct Float64Tensor {
    #[prost(double, repeated, tag = "1")]
    values: Vec<f64>,
    #[prost(uint64, repeated, tag = "2")]
    keys: Vec<u64>,
}

/// `aialgs.data.Int32Tensor`
#[derive(Clone, PartialEq, Message)]
struct Int32Tensor {
    #[prost(int32, repeated, tag = "1")]
    values: Vec<i32>,
    #[prost(uint64, repeated, tag = "2")]
    keys: Vec<u64>,
}
