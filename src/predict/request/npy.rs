//! Arrays as numpy's `save` writes them (NEP 1, versions 1 to 3), numbers only, in C order.
//!
//! The header is a Python literal. It is read by a parser for just its three keys, without recursion: general parsers of
//! Python literals can be driven out of their stack.

use super::{Decoded, Envelope, Item, NamedTensor, RawRow, checked_number, invalid, malformed};
use crate::bundle::Limits;
use crate::model::{DType, Tensor};
use crate::predict::PredictError;

/// numpy writes 118 bytes for what we read.
const LONGEST_HEADER: usize = 4096;

/// A two-dimensional array: one row of numbers per row.
pub(super) fn rows(body: &[u8], limits: &Limits) -> Result<Decoded, PredictError> {
    let array = Array::read(body)?;
    let &[rows, columns] = array.shape.as_slice() else {
        return Err(invalid(
            "the array",
            "2 dimensions, [rows, features]",
            format!("{} dimensions", array.shape.len()),
        ));
    };
    super::check_items(rows, limits)?;
    if rows == 0 || columns == 0 || columns > super::ROW_VALUES {
        let expected = format!("1 row and 1 to {} features at least", super::ROW_VALUES);
        return Err(invalid("the array", expected, format!("[{rows}, {columns}]")));
    }
    let mut values = array.numbers();
    let rows = (0..rows).map(|row| {
        let row = values.by_ref().take(columns).map(|value| checked_number(value, || format!("row {row}")));
        row.collect::<Result<_, _>>().map(|row| Item::Row(RawRow::Ordered(row)))
    });
    Ok(Decoded { items: rows.collect(), envelope: Envelope::Predictions })
}

/// An array of any shape: one unnamed tensor.
pub(super) fn tensor(body: &[u8]) -> Result<Decoded, PredictError> {
    let array = Array::read(body)?;
    if array.kind.is_float() && !array.numbers().all(f64::is_finite) {
        return Err(invalid("the array", "finite numbers", "NaN or infinity"));
    }
    let (datatype, shape) = (array.kind.datatype(), array.shape.clone());
    let tensor = array.tensor();
    let tensor = NamedTensor { name: String::new(), datatype, shape, tensor };
    Ok(Decoded { items: vec![Ok(Item::Tensors(vec![tensor]))], envelope: Envelope::Bare })
}

/// Element types, by numpy's letter and size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Signed(usize),
    Unsigned(usize),
    Float(usize),
}

impl Kind {
    fn of(letter: u8, size: usize) -> Option<Self> {
        match (letter, size) {
            (b'b', 1) => Some(Self::Bool),
            (b'i', 1 | 2 | 4 | 8) => Some(Self::Signed(size)),
            (b'u', 1 | 2 | 4 | 8) => Some(Self::Unsigned(size)),
            (b'f', 2 | 4 | 8) => Some(Self::Float(size)),
            _ => None,
        }
    }

    fn size(self) -> usize {
        match self {
            Self::Bool => 1,
            Self::Signed(size) | Self::Unsigned(size) | Self::Float(size) => size,
        }
    }

    fn is_float(self) -> bool {
        matches!(self, Self::Float(_))
    }

    fn datatype(self) -> DType {
        match self {
            Self::Bool => DType::Bool,
            Self::Signed(1) => DType::I8,
            Self::Signed(2) => DType::I16,
            Self::Signed(4) => DType::I32,
            Self::Signed(_) => DType::I64,
            Self::Unsigned(1) => DType::U8,
            Self::Unsigned(2) => DType::U16,
            Self::Unsigned(4) => DType::U32,
            Self::Unsigned(_) => DType::U64,
            Self::Float(2) => DType::F16,
            Self::Float(4) => DType::F32,
            Self::Float(_) => DType::F64,
        }
    }
}

/// A checked array: `bytes` has exactly the length that kind and shape ask for.
struct Array<'a> {
    kind: Kind,
    big_endian: bool,
    shape: Vec<usize>,
    bytes: &'a [u8],
}

impl<'a> Array<'a> {
    fn read(body: &'a [u8]) -> Result<Self, PredictError> {
        let (header, bytes) = split(body)?;
        let descr = field(header, "descr").and_then(text).ok_or_else(|| malformed("npy", "no plain descr"))?;
        let (kind, big_endian) = element(descr)
            .ok_or_else(|| invalid("the array's descr", "b1, i1 to i8, u1 to u8 or f2 to f8", super::quoted(descr)))?;
        match field(header, "fortran_order") {
            Some(order) if order.starts_with("False") => {}
            Some(order) if order.starts_with("True") => return Err(invalid("the array", "C order", "Fortran order")),
            _ => return Err(malformed("npy", "no fortran_order")),
        }
        let shape = field(header, "shape").and_then(tuple).ok_or_else(|| malformed("npy", "no readable shape"))?;
        let volume = shape.iter().try_fold(kind.size(), |product, &dimension| product.checked_mul(dimension));
        if volume != Some(bytes.len()) {
            return Err(malformed("npy", format!("shape and type do not fit the {} bytes of content", bytes.len())));
        }
        Ok(Self { kind, big_endian, shape, bytes })
    }

    /// Every element as `u64` bits in the low bytes.
    fn bits(&self) -> impl Iterator<Item = u64> {
        let big_endian = self.big_endian;
        self.bytes.chunks_exact(self.kind.size()).map(move |element| {
            let append = |bits: u64, &byte: &u8| bits << 8 | u64::from(byte);
            if big_endian { element.iter().fold(0, append) } else { element.iter().rev().fold(0, append) }
        })
    }

    fn numbers(&self) -> impl Iterator<Item = f64> {
        let kind = self.kind;
        self.bits().map(move |bits| match kind {
            Kind::Bool | Kind::Unsigned(_) => bits as f64,
            Kind::Signed(size) => signed(bits, size) as f64,
            Kind::Float(2) => f64::from(half(bits as u16)),
            Kind::Float(4) => f64::from(f32::from_bits(bits as u32)),
            Kind::Float(_) => f64::from_bits(bits),
        })
    }

    fn tensor(&self) -> Tensor {
        match self.kind {
            Kind::Bool => self.filled(|bits| bits != 0),
            Kind::Signed(1) => self.filled(|bits| bits as i8),
            Kind::Signed(2) => self.filled(|bits| bits as i16),
            Kind::Signed(4) => self.filled(|bits| bits as i32),
            Kind::Signed(_) => self.filled(|bits| bits as i64),
            Kind::Unsigned(1) => self.filled(|bits| bits as u8),
            Kind::Unsigned(2) => self.filled(|bits| bits as u16),
            Kind::Unsigned(4) => self.filled(|bits| bits as u32),
            Kind::Unsigned(_) => self.filled(|bits| bits),
            Kind::Float(2) => self.filled(|bits| half(bits as u16)),
            Kind::Float(4) => self.filled(|bits| f32::from_bits(bits as u32)),
            Kind::Float(_) => self.filled(f64::from_bits),
        }
    }

    fn filled<T: crate::model::Element>(&self, of: impl Fn(u64) -> T) -> Tensor {
        Tensor::filled(&self.shape, |values: &mut [T]| {
            for (slot, bits) in values.iter_mut().zip(self.bits()) {
                *slot = of(bits);
            }
        })
    }
}

/// Extends the sign of the low `size` bytes.
fn signed(bits: u64, size: usize) -> i64 {
    let unused = 64 - 8 * size as u32;
    ((bits << unused) as i64) >> unused
}

/// IEEE 754 binary16 to binary32, exactly.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1F), f32::from(bits & 0x3FF));
    match exponent {
        0 => sign * fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        _ => sign * (1024.0 + fraction) * 2f32.powi(exponent - 25),
    }
}

/// Header text and content.
fn split(body: &[u8]) -> Result<(&str, &[u8]), PredictError> {
    let short = || malformed("npy", "it ends within the header");
    let rest = body.strip_prefix(b"\x93NUMPY").ok_or_else(|| malformed("npy", "it does not begin as npy does"))?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(short)?;
    let (length, rest) = match version[0] {
        1 => rest.split_first_chunk().map(|(length, rest)| (u32::from(u16::from_le_bytes(*length)), rest)),
        2 | 3 => rest.split_first_chunk().map(|(length, rest)| (u32::from_le_bytes(*length), rest)),
        _ => return Err(malformed("npy", "an unknown version")),
    }
    .ok_or_else(short)?;
    let length = length as usize;
    if length > LONGEST_HEADER {
        return Err(malformed("npy", format!("a header of {length} bytes, longer than {LONGEST_HEADER}")));
    }
    let (header, content) = rest.split_at_checked(length).ok_or_else(short)?;
    let header = str::from_utf8(header).map_err(|_| malformed("npy", "the header is no text"))?;
    Ok((header, content))
}

/// What follows `'key':` in the header.
fn field<'h>(header: &'h str, key: &str) -> Option<&'h str> {
    let (_, rest) = header.split_once(&format!("'{key}'"))?;
    rest.trim_start().strip_prefix(':').map(str::trim_start)
}

fn text(literal: &str) -> Option<&str> {
    literal.strip_prefix('\'')?.split_once('\'').map(|(text, _)| text)
}

/// `<f4` to its kind and whether it is big-endian.
fn element(descr: &str) -> Option<(Kind, bool)> {
    let &[order, letter, size] = descr.as_bytes() else { return None };
    let kind = Kind::of(letter, usize::from(size.checked_sub(b'0')?))?;
    match order {
        b'<' => Some((kind, false)),
        b'>' => Some((kind, true)),
        b'|' if kind.size() == 1 => Some((kind, false)),
        _ => None,
    }
}

/// `(3, 4)`, `(3,)` or `()`.
fn tuple(literal: &str) -> Option<Vec<usize>> {
    let (inside, _) = literal.strip_prefix('(')?.split_once(')')?;
    let inside = inside.trim();
    let inside = inside.strip_suffix(',').unwrap_or(inside);
    if inside.is_empty() {
        return Some(Vec::new());
    }
    let dimensions = inside.split(',').map(|dimension| dimension.trim().trim_end_matches('L').parse().ok());
    dimensions.collect::<Option<Vec<_>>>().filter(|shape| shape.len() <= super::TENSOR_DIMENSIONS)
}
