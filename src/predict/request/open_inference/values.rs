//! The values of one tensor, flat or nested as its shape says, each checked against its element type.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};

use super::{Head, Reader, invalid, quoted};
use crate::model::{DType, Element, Tensor};
use crate::predict::PredictError;

/// Reads `data` into a tensor of the head's type and shape.
pub(super) struct Values<'a> {
    pub(super) reader: &'a Reader<'a>,
    pub(super) head: &'a Head,
}

impl<'de> DeserializeSeed<'de> for Values<'_> {
    type Value = Tensor;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Tensor, D::Error> {
        match self.head.datatype {
            DType::Bool => self.numbers::<bool, D>(json),
            DType::U8 => self.numbers::<u8, D>(json),
            DType::U16 => self.numbers::<u16, D>(json),
            DType::U32 => self.numbers::<u32, D>(json),
            DType::U64 => self.numbers::<u64, D>(json),
            DType::I8 => self.numbers::<i8, D>(json),
            DType::I16 => self.numbers::<i16, D>(json),
            DType::I32 => self.numbers::<i32, D>(json),
            DType::I64 => self.numbers::<i64, D>(json),
            DType::F16 | DType::F32 => self.numbers::<f32, D>(json),
            DType::F64 => self.numbers::<f64, D>(json),
            DType::Text => self.strings(json),
        }
    }
}

impl Values<'_> {
    fn numbers<'de, T: Scalar + Element, D: Deserializer<'de>>(self, json: D) -> Result<Tensor, D::Error> {
        let mut read = Ok(0);
        let tensor = Tensor::filled(&self.head.shape, |slots: &mut [T]| {
            read = self.fill(json, slots);
        });
        self.expect_all(read?)?;
        Ok(tensor)
    }

    fn strings<'de, D: Deserializer<'de>>(self, json: D) -> Result<Tensor, D::Error> {
        let mut strings = vec![String::new(); self.head.count];
        let read = self.fill(json, &mut strings)?;
        self.expect_all(read)?;
        let wrong = |_| self.mismatch("another number");
        self.reader.check(Tensor::text(&self.head.shape, strings).map_err(wrong))
    }

    fn fill<'de, T: Scalar, D: Deserializer<'de>>(&self, json: D, slots: &mut [T]) -> Result<usize, D::Error> {
        let mut filling = Filling { whole: self, slots, filled: 0 };
        Level { filling: &mut filling, depth: 0 }.deserialize(json)?;
        Ok(filling.filled)
    }

    fn expect_all<E: serde::de::Error>(&self, read: usize) -> Result<(), E> {
        if read == self.head.count { Ok(()) } else { Err(self.reader.refuse(self.mismatch(&read.to_string()))) }
    }

    fn mismatch(&self, found: &str) -> PredictError {
        let what = format!("data of input {}", quoted(&self.head.name));
        invalid(what, format!("{} values, as its shape says", self.head.count), found)
    }
}

/// Values that JSON can hold; `None` for what the type cannot.
trait Scalar: Sized {
    fn unsigned(_: u64) -> Option<Self> {
        None
    }
    fn signed(_: i64) -> Option<Self> {
        None
    }
    fn float(_: f64) -> Option<Self> {
        None
    }
    fn truth(_: bool) -> Option<Self> {
        None
    }
    fn text(_: &str) -> Option<Self> {
        None
    }
    /// Whether half precision can hold it.
    fn is_half(&self) -> bool {
        true
    }
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl Scalar for $integer {
            fn unsigned(value: u64) -> Option<Self> {
                value.try_into().ok()
            }
            fn signed(value: i64) -> Option<Self> {
                value.try_into().ok()
            }
            // Python writes whole floats as 1.0.
            fn float(value: f64) -> Option<Self> {
                let whole = value.trunc() == value && value.abs() < 9_007_199_254_740_992.0; // 2^53
                if whole { Self::signed(value as i64) } else { None }
            }
        }
    )*};
}

integers!(u8, u16, u32, u64, i8, i16, i32, i64);

impl Scalar for f64 {
    fn unsigned(value: u64) -> Option<Self> {
        Some(value as f64)
    }
    fn signed(value: i64) -> Option<Self> {
        Some(value as f64)
    }
    fn float(value: f64) -> Option<Self> {
        value.is_finite().then_some(value)
    }
}

impl Scalar for f32 {
    fn unsigned(value: u64) -> Option<Self> {
        Some(value as f32)
    }
    fn signed(value: i64) -> Option<Self> {
        Some(value as f32)
    }
    fn float(value: f64) -> Option<Self> {
        (value.abs() <= f64::from(f32::MAX)).then_some(value as f32)
    }
    fn is_half(&self) -> bool {
        self.abs() < 65_520.0 // what rounds to infinity
    }
}

impl Scalar for bool {
    fn truth(value: bool) -> Option<Self> {
        Some(value)
    }
}

impl Scalar for String {
    fn text(value: &str) -> Option<Self> {
        Some(value.to_owned())
    }
}

struct Filling<'a, T> {
    whole: &'a Values<'a>,
    slots: &'a mut [T],
    filled: usize,
}

impl<T: Scalar> Filling<'_, T> {
    fn put<E: serde::de::Error>(&mut self, value: Option<T>) -> Result<(), E> {
        let head = self.whole.head;
        let refuse = |refusal| Err(self.whole.reader.refuse(refusal));
        let half = head.datatype == DType::F16;
        let Some(value) = value.filter(|value| !half || value.is_half()) else {
            let what = format!("data of input {}", quoted(&head.name));
            return refuse(invalid(what, super::datatype(head.datatype), "a value of another type or range"));
        };
        let Some(slot) = self.slots.get_mut(self.filled) else { return refuse(self.whole.mismatch("more")) };
        *slot = value;
        self.filled += 1;
        Ok(())
    }
}

/// A list at `depth` of the nesting, or a value in it.
struct Level<'f, 'a, T> {
    filling: &'f mut Filling<'a, T>,
    depth: usize,
}

/// What a list holds.
#[derive(PartialEq, Eq)]
enum Member {
    Value,
    List,
}

impl<'de, T: Scalar> DeserializeSeed<'de> for Level<'_, '_, T> {
    type Value = Member;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Member, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, T: Scalar> Visitor<'de> for Level<'_, '_, T> {
    type Value = Member;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("values, flat or nested")
    }
    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Member, E> {
        self.filling.put(T::unsigned(value)).map(|()| Member::Value)
    }
    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Member, E> {
        self.filling.put(T::signed(value)).map(|()| Member::Value)
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Member, E> {
        self.filling.put(T::float(value)).map(|()| Member::Value)
    }
    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Member, E> {
        self.filling.put(T::truth(value)).map(|()| Member::Value)
    }
    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Member, E> {
        self.filling.put(T::text(value)).map(|()| Member::Value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Member, A::Error> {
        let (mut lists, mut values) = (0, 0);
        while let Some(member) = list.next_element_seed(Level { filling: &mut *self.filling, depth: self.depth + 1 })? {
            match member {
                Member::Value => values += 1,
                Member::List => lists += 1,
            }
        }
        let whole = self.filling.whole;
        let expected = whole.head.shape.get(self.depth).copied();
        let last = self.depth + 1 == whole.head.shape.len();
        let fits = match (lists, values) {
            (0, 0) => whole.head.count == 0,
            (0, values) => self.depth == 0 || last && Some(values) == expected,
            (lists, 0) => Some(lists) == expected,
            _ => false,
        };
        if !fits {
            return Err(whole.reader.refuse(whole.mismatch("a nesting of another shape")));
        }
        Ok(Member::List)
    }
}
