//! One tensor's numbers.

use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::DataType;

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
        let (name, dims) = (&tensor.name, &tensor.dims);
        return Err(ScanError::malformed(format!(
            "tensor {name} holds {found} values, its shape {dims:?} takes {count}"
        )));
    }
    let alone = count == 1;
    let strange = first_strange(tensor, |number| number.is_nan() || (number.is_infinite() && !alone));
    let Some((index, value)) = strange else { return Ok(()) };
    Err(ScanError::NotFinite { tensor: tensor.name.clone(), value, index })
}

/// Values in the field that tract reads for this type.
fn stored(tensor: &TensorProto) -> Result<usize, ScanError> {
    let data_type = DataType::try_from(tensor.data_type).unwrap_or(DataType::Undefined);
    if !tensor.raw_data.is_empty() {
        let (name, len) = (&tensor.name, tensor.raw_data.len());
        let width = width(tensor.data_type).ok_or_else(|| unknown(tensor, data_type))?;
        if len % width != 0 {
            return Err(ScanError::malformed(format!("tensor {name} holds {len} bytes of values of {width} bytes")));
        }
        return Ok(len / width);
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

fn first_strange(tensor: &TensorProto, strange: impl Fn(f64) -> bool) -> Option<(usize, f64)> {
    let raw = &tensor.raw_data;
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
