//! Values and their places.

use std::collections::HashMap;
use std::hash::Hash;

use tract_onnx::tract_hir::internal::*;

#[derive(Debug)]
pub(super) enum Keys {
    Integers(HashMap<i64, usize>),
    /// By their bits, equal numbers having the same ones.
    Floats(HashMap<u32, usize>),
    Texts(HashMap<String, usize>),
}

impl Keys {
    /// Of equal ones the last counts, as in onnxruntime; what is no number counts where `nan` says so.
    pub(super) fn of(tensor: &Tensor, nan: bool) -> TractResult<Self> {
        let held = tensor.try_as_plain_ram()?;
        Ok(match tensor.datum_type() {
            DatumType::I64 => Self::Integers(placed(held.as_slice::<i64>()?.iter().copied())),
            DatumType::F32 => {
                let mut keys = placed(held.as_slice::<f32>()?.iter().copied().map(bits));
                keys.retain(|key, _| nan || !f32::from_bits(*key).is_nan());
                Self::Floats(keys)
            }
            DatumType::String => Self::Texts(placed(held.as_slice::<String>()?.iter().cloned())),
            other => bail!("attribute keys_tensor is of {other:?}, expected F32, I64 or String"),
        })
    }

    /// What they look up; other numbers are cast to it.
    pub(super) fn datum_type(&self) -> DatumType {
        match self {
            Self::Integers(_) => DatumType::I64,
            Self::Floats(_) => DatumType::F32,
            Self::Texts(_) => DatumType::String,
        }
    }

    /// The place of each value; none for those that are no key.
    pub(super) fn places(&self, values: &Tensor) -> TractResult<Vec<Option<usize>>> {
        let held = values.try_as_plain_ram()?;
        Ok(match self {
            Self::Integers(keys) => held.as_slice::<i64>()?.iter().map(|value| keys.get(value).copied()).collect(),
            Self::Floats(keys) => {
                held.as_slice::<f32>()?.iter().map(|value| keys.get(&bits(*value)).copied()).collect()
            }
            Self::Texts(keys) => held.as_slice::<String>()?.iter().map(|value| keys.get(value).copied()).collect(),
        })
    }
}

fn placed<T: Eq + Hash>(keys: impl Iterator<Item = T>) -> HashMap<T, usize> {
    keys.enumerate().map(|(place, key)| (key, place)).collect()
}

/// The same for all that is no number, and for both zeros.
fn bits(number: f32) -> u32 {
    if number.is_nan() { f32::NAN.to_bits() } else { (number + 0.0).to_bits() }
}
