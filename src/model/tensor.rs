//! Dense row-major tensors: tract's own, so that numbers go in and out without a copy.

use tract_onnx::prelude::{DatumType, IntoTensor, TValue, Tensor as Inner};

use super::RunError;

/// Element types that cross the border of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DType {
    /// One byte, 0 or 1.
    Bool,
    /// Unsigned, 8 bits.
    U8,
    /// Signed, 8 bits.
    I8,
    /// Signed, 16 bits.
    I16,
    /// Signed, 32 bits.
    I32,
    /// Signed, 64 bits.
    I64,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 64 bits.
    U64,
    /// IEEE 754 half precision.
    F16,
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 double precision.
    F64,
    /// UTF-8 strings.
    Text,
}

impl DType {
    pub(super) fn of(datum: DatumType) -> Option<Self> {
        let pairs = [Self::Bool, Self::U8, Self::I8, Self::I16, Self::I32, Self::I64, Self::U16, Self::U32]
            .into_iter()
            .chain([Self::U64, Self::F16, Self::F32, Self::F64, Self::Text]);
        pairs.into_iter().find(|dtype| dtype.datum() == datum.unquantized())
    }

    pub(super) fn datum(self) -> DatumType {
        match self {
            Self::Bool => DatumType::Bool,
            Self::U8 => DatumType::U8,
            Self::I8 => DatumType::I8,
            Self::I16 => DatumType::I16,
            Self::I32 => DatumType::I32,
            Self::I64 => DatumType::I64,
            Self::U16 => DatumType::U16,
            Self::U32 => DatumType::U32,
            Self::U64 => DatumType::U64,
            Self::F16 => DatumType::F16,
            Self::F32 => DatumType::F32,
            Self::F64 => DatumType::F64,
            Self::Text => DatumType::String,
        }
    }
}

mod private {
    pub trait Sealed: tract_onnx::prelude::Datum + Copy {}
}

/// Rust types a [`Tensor`] holds as they are. Half precision goes through [`Tensor::cast`], strings through
/// [`Tensor::text`].
pub trait Element: private::Sealed {}

macro_rules! elements {
    ($($element:ty),*) => {$(
        impl private::Sealed for $element {}
        impl Element for $element {}
    )*};
}

elements!(f32, f64, i8, i16, i32, i64, u8, u16, u32, u64, bool);

/// A dense row-major tensor.
#[derive(Debug, Clone)]
pub struct Tensor(Inner);

impl Tensor {
    /// A tensor of `shape` from row-major `values`, which are copied.
    ///
    /// # Errors
    /// The number of values is not the product of the shape.
    pub fn new<T: Element>(shape: &[usize], values: &[T]) -> Result<Self, RunError> {
        expect_count(shape, values.len())?;
        Inner::from_shape(shape, values).map(Self).map_err(RunError::engine)
    }

    /// A zeroed tensor that `fill` writes in place, so that pixels are laid out without a copy. A shape beyond the
    /// address space gives the tensor `[0]`, which every graph refuses; `fill` is not called then.
    pub fn filled<T: Element>(shape: &[usize], fill: impl FnOnce(&mut [T])) -> Self {
        let zeroed = volume(shape).and_then(|_| Inner::zero_dt(T::datum_type(), shape).ok());
        let Some(mut inner) = zeroed else { return Self(Inner::default()) };
        if let Some(mut values) = inner.as_plain_ram_mut() {
            values.as_slice_mut::<T>().map(fill).unwrap_or_default();
        }
        Self(inner)
    }

    /// A tensor of strings.
    ///
    /// # Errors
    /// The number of strings is not the product of the shape.
    pub fn text(shape: &[usize], strings: Vec<String>) -> Result<Self, RunError> {
        expect_count(shape, strings.len())?;
        let flat = tract_onnx::prelude::tract_ndarray::Array1::from_vec(strings);
        Inner::from(flat).into_shape(shape).map(Self).map_err(RunError::engine)
    }

    /// Every dimension.
    pub fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether a dimension is 0.
    pub fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    /// Element type.
    pub fn dtype(&self) -> DType {
        // `Session::run` casts tract's symbolic integers away, and no other type has a way in.
        DType::of(self.0.datum_type()).unwrap_or(DType::I64)
    }

    /// The values, row-major, if they are of type `T`.
    pub fn values<T: Element>(&self) -> Option<&[T]> {
        self.0.as_plain_ram()?.as_slice::<T>().ok()
    }

    /// The strings, row-major, if there are strings in it.
    pub fn strings(&self) -> Option<&[String]> {
        self.0.as_plain_ram()?.as_slice::<String>().ok()
    }

    /// The same numbers as `dtype`, converted as Rust's `as` does.
    ///
    /// # Errors
    /// There is no such conversion.
    pub fn cast(&self, dtype: DType) -> Result<Self, RunError> {
        let cast = self.0.cast_to_dt(dtype.datum()).map_err(RunError::engine)?;
        Ok(Self(cast.into_owned()))
    }

    /// A tensor of zeros, or of empty strings.
    pub(super) fn zeros(dtype: DType, shape: &[usize]) -> Result<Self, RunError> {
        let count = volume(shape).ok_or_else(|| RunError::too_large(shape))?;
        if dtype == DType::Text {
            return Self::text(shape, vec![String::new(); count]);
        }
        Inner::zero_dt(dtype.datum(), shape).map(Self).map_err(RunError::engine)
    }

    pub(super) fn into_value(self) -> TValue {
        self.0.into()
    }

    /// Takes an output over, without a copy where nobody else holds it. Symbolic integers become `i64`.
    pub(super) fn from_value(value: TValue) -> Result<Self, RunError> {
        let inner = value.into_tensor();
        if inner.datum_type() != DatumType::TDim {
            return Ok(Self(inner));
        }
        Self(inner).cast(DType::I64)
    }
}

fn expect_count(shape: &[usize], found: usize) -> Result<(), RunError> {
    let expected = volume(shape).ok_or_else(|| RunError::too_large(shape))?;
    if expected == found { Ok(()) } else { Err(RunError::Count { shape: shape.to_vec(), expected, found }) }
}

/// Product of a shape whose bytes still fit the address space, whatever the element type.
fn volume(shape: &[usize]) -> Option<usize> {
    let count = shape.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim))?;
    let bytes = count.checked_mul(std::mem::size_of::<String>())?;
    isize::try_from(bytes).ok().map(|_| count)
}
