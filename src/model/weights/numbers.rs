//! One tensor's numbers.

use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::prelude::{Datum, Tensor, TractResult};
use tract_onnx::tract_core::internal::f16;

use super::ScanError;

/// Bytes of one value in `raw_data`; nothing for types without a fixed width, and for those tract does not compute.
pub(super) fn width(data_type: i32) -> Option<usize> {
    match DataType::try_from(data_type).ok()? {
        DataType::Bool | DataType::Uint8 | DataType::Int8 => Some(1),
        DataType::Uint16 | DataType::Int16 | DataType::Float16 => Some(2),
        DataType::Uint32 | DataType::Int32 | DataType::Float => Some(4),
        DataType::Uint64 | DataType::Int64 | DataType::Double => Some(8),
        DataType::Undefined | DataType::String | DataType::Complex64 | DataType::Complex128 | DataType::Bfloat16 => {
            None
        }
        DataType::Float8e4m3fn | DataType::Float8e4m3fnuz | DataType::Float8e5m2 | DataType::Float8e5m2fnuz => None,
        DataType::Uint4 | DataType::Int4 | DataType::Float4e2m1 => None,
    }
}

/// Number of values that the shape asks for.
pub(super) fn count(tensor: &TensorProto) -> Result<usize, ScanError> {
    let product = |count: usize, dim: &i64| count.checked_mul(usize::try_from(*dim).ok()?);
    let count = tensor.dims.iter().try_fold(1, product);
    count.ok_or_else(|| ScanError::malformed(format!("tensor {} has the shape {:?}", tensor.name, tensor.dims)))
}

/// Checks that there are `count` values where tract looks for them, and that they are numbers. A single value may be
/// infinite: `Clip` and attention masks are written so.
pub(super) fn check(tensor: &TensorProto, count: usize) -> Result<(), ScanError> {
    let found = stored(tensor)?;
    if found != count {
        return Err(miscounted(tensor, found, count));
    }
    all_finite(tensor, &tensor.raw_data, count)
}

fn all_finite(tensor: &TensorProto, raw: &[u8], count: usize) -> Result<(), ScanError> {
    let alone = count == 1;
    let strange = first_strange(tensor, raw, |number| number.is_nan() || (number.is_infinite() && !alone));
    let Some((index, value)) = strange else { return Ok(()) };
    Err(ScanError::NotFinite { tensor: tensor.name.clone(), value, index })
}

/// The tensor of `count` numbers that are in `raw` and not in the message, and how many subnormal ones were set to zero:
/// checked as by [`check`], flushed as by [`flush_subnormals`]. `None` for types that tract keeps otherwise than ONNX.
pub(super) fn tensor(proto: &TensorProto, count: usize, raw: &[u8]) -> Result<Option<(Tensor, usize)>, ScanError> {
    let data_type = DataType::try_from(proto.data_type).unwrap_or(DataType::Undefined);
    let found = held(proto, data_type, raw)?;
    if found != count {
        return Err(miscounted(proto, found, count));
    }
    // Each is known to be some `usize`: they were multiplied.
    let shape: Vec<usize> = proto.dims.iter().filter_map(|dim| usize::try_from(*dim).ok()).collect();
    let read = match data_type {
        DataType::Float => return singles(proto, &shape, count, raw).map(Some),
        DataType::Double => all_finite(proto, raw, count).map(|()| plain(&shape, raw, f64::from_le_bytes))?,
        DataType::Float16 => {
            if chunks(raw).any(|bytes| half_class(u16::from_le_bytes(bytes)) != 0.0) {
                all_finite(proto, raw, count)?;
            }
            plain(&shape, raw, f16::from_le_bytes)
        }
        DataType::Uint8 => Tensor::from_shape(&shape, raw),
        DataType::Int8 => plain(&shape, raw, i8::from_le_bytes),
        DataType::Uint16 => plain(&shape, raw, u16::from_le_bytes),
        DataType::Int16 => plain(&shape, raw, i16::from_le_bytes),
        DataType::Uint32 => plain(&shape, raw, u32::from_le_bytes),
        DataType::Int32 => plain(&shape, raw, i32::from_le_bytes),
        DataType::Uint64 => plain(&shape, raw, u64::from_le_bytes),
        DataType::Int64 => plain(&shape, raw, i64::from_le_bytes),
        _ => return Ok(None),
    };
    read.map(|tensor| Some((tensor, 0))).map_err(|error| unmade(proto, &error))
}

fn plain<T: Datum + Copy, const N: usize>(
    shape: &[usize],
    raw: &[u8],
    number: fn([u8; N]) -> T,
) -> TractResult<Tensor> {
    let mut tensor = Tensor::zero_dt(T::datum_type(), shape)?;
    {
        let mut view = tensor.try_as_plain_ram_mut()?;
        view.as_slice_mut::<T>()?.iter_mut().zip(chunks(raw)).for_each(|(to, bytes)| *to = number(bytes));
    }
    Ok(tensor)
}

/// In one pass, for these are nearly all numbers there are.
fn singles(proto: &TensorProto, shape: &[usize], count: usize, raw: &[u8]) -> Result<(Tensor, usize), ScanError> {
    let mut tensor = Tensor::zero::<f32>(shape).map_err(|error| unmade(proto, &error))?;
    let (mut is_strange, mut flushed) = (false, 0);
    {
        let mut view = tensor.try_as_plain_ram_mut().map_err(|error| unmade(proto, &error))?;
        let numbers = view.as_slice_mut::<f32>().map_err(|error| unmade(proto, &error))?;
        // Pieces whose counts cannot overflow, so that processors count several at once.
        for (numbers, raw) in numbers.chunks_mut(PIECE).zip(raw.chunks(4 * PIECE)) {
            let (strange, subnormal) = copy_flushed(numbers, raw);
            is_strange |= strange > 0;
            flushed += subnormal as usize;
        }
    }
    if is_strange {
        all_finite(proto, raw, count)?;
    }
    Ok((tensor, flushed))
}

/// Numbers that are looked at at once.
const PIECE: usize = 1 << 12;

/// Copies numbers, zeros in the place of subnormal ones; how many were NaN or infinite, and how many subnormal.
fn copy_flushed(numbers: &mut [f32], raw: &[u8]) -> (u32, u32) {
    const EXPONENT: u32 = 0x7f80_0000;
    const REST: u32 = 0x007f_ffff;
    let (mut strange, mut subnormal) = (0u32, 0u32);
    for (number, bytes) in numbers.iter_mut().zip(raw.as_chunks::<4>().0) {
        let bits = u32::from_le_bytes(*bytes);
        let is_subnormal = (bits & EXPONENT == 0) & (bits & REST != 0);
        strange = strange.wrapping_add(u32::from(bits & EXPONENT == EXPONENT));
        subnormal = subnormal.wrapping_add(u32::from(is_subnormal));
        *number = f32::from_bits(if is_subnormal { 0 } else { bits });
    }
    (strange, subnormal)
}

fn unmade(proto: &TensorProto, error: &dyn std::fmt::Display) -> ScanError {
    ScanError::malformed(format!("tensor {} cannot be made: {error}", proto.name))
}

fn miscounted(tensor: &TensorProto, found: usize, count: usize) -> ScanError {
    let (name, dims) = (&tensor.name, &tensor.dims);
    ScanError::malformed(format!("tensor {name} holds {found} values, its shape {dims:?} takes {count}"))
}

/// Values in `raw`.
fn held(tensor: &TensorProto, data_type: DataType, raw: &[u8]) -> Result<usize, ScanError> {
    let (name, len) = (&tensor.name, raw.len());
    let width = width(tensor.data_type).ok_or_else(|| unknown(tensor, data_type))?;
    if len % width != 0 {
        return Err(ScanError::malformed(format!("tensor {name} holds {len} bytes of values of {width} bytes")));
    }
    Ok(len / width)
}

/// Values in the field that tract reads for this type.
fn stored(tensor: &TensorProto) -> Result<usize, ScanError> {
    let data_type = DataType::try_from(tensor.data_type).unwrap_or(DataType::Undefined);
    if !tensor.raw_data.is_empty() {
        return held(tensor, data_type, &tensor.raw_data);
    }
    match data_type {
        DataType::Float => Ok(tensor.float_data.len()),
        DataType::Double => Ok(tensor.double_data.len()),
        DataType::Int64 | DataType::Uint64 => Ok(tensor.int64_data.len()),
        DataType::String => Ok(tensor.string_data.len()),
        DataType::Bool | DataType::Uint8 | DataType::Int8 | DataType::Uint16 | DataType::Int16 => {
            Ok(tensor.int32_data.len())
        }
        DataType::Float16 | DataType::Uint32 | DataType::Int32 => Ok(tensor.int32_data.len()),
        DataType::Undefined | DataType::Complex64 | DataType::Complex128 | DataType::Bfloat16 => {
            Err(unknown(tensor, data_type))
        }
        DataType::Float8e4m3fn | DataType::Float8e4m3fnuz | DataType::Float8e5m2 | DataType::Float8e5m2fnuz => {
            Err(unknown(tensor, data_type))
        }
        DataType::Uint4 | DataType::Int4 | DataType::Float4e2m1 => Err(unknown(tensor, data_type)),
    }
}

fn unknown(tensor: &TensorProto, data_type: DataType) -> ScanError {
    ScanError::malformed(format!(
        "tensor {} is of type {}, which tract does not compute",
        tensor.name,
        data_type.as_str_name()
    ))
}

fn first_strange(tensor: &TensorProto, raw: &[u8], strange: impl Fn(f64) -> bool) -> Option<(usize, f64)> {
    let find = |numbers: &mut dyn Iterator<Item = f64>| numbers.enumerate().find(|(_, number)| strange(*number));
    if tensor.data_type == DataType::Float as i32 {
        find(&mut chunks(raw).map(f32::from_le_bytes).chain(tensor.float_data.iter().copied()).map(f64::from))
    } else if tensor.data_type == DataType::Double as i32 {
        find(&mut chunks(raw).map(f64::from_le_bytes).chain(tensor.double_data.iter().copied()))
    } else if tensor.data_type == DataType::Float16 as i32 {
        // The low half of an `int32_data` value is the number's bits; cutting the rest off is meant.
        let typed = tensor.int32_data.iter().map(|bits| *bits as u16);
        find(&mut chunks(raw).map(u16::from_le_bytes).chain(typed).map(half_class))
    } else {
        None
    }
}

fn chunks<const N: usize>(raw: &[u8]) -> impl Iterator<Item = [u8; N]> {
    raw.as_chunks::<N>().0.iter().copied()
}

/// A half's infinity or NaN as such; 0 for every number.
fn half_class(bits: u16) -> f64 {
    match (bits & 0x7c00 == 0x7c00, bits & 0x03ff, bits >> 15) {
        (false, _, _) => 0.0,
        (true, 0, 0) => f64::INFINITY,
        (true, 0, _) => f64::NEG_INFINITY,
        (true, _, _) => f64::NAN,
    }
}

/// Sets the subnormal ones among single-precision weights to zero and counts them: they carry no meaning a sum would
/// keep, and a processor takes many times longer over each. Numbers just above (1e-38 to 1e-20) are left as they are.
pub(super) fn flush_subnormals(tensor: &mut TensorProto) -> usize {
    if tensor.data_type != DataType::Float as i32 {
        return 0;
    }
    let mut flushed = 0;
    for bytes in tensor.raw_data.as_chunks_mut::<4>().0 {
        if f32::from_le_bytes(*bytes).is_subnormal() {
            *bytes = [0; 4];
            flushed += 1;
        }
    }
    for number in tensor.float_data.iter_mut().filter(|number| number.is_subnormal()) {
        *number = 0.0;
        flushed += 1;
    }
    flushed
}
