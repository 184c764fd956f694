//! Requests of the Open Inference Protocol v2: named tensors as JSON.
//!
//! The body is read twice: names, types and shapes first, so that the values, wherever they stand in their object, go
//! straight to their tensor, whose size is known to fit the body before memory is asked for.

mod values;

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::json::{Reader, Text};
use super::{Decoded, Envelope, Item, NamedTensor, invalid, malformed, quoted};
use crate::bundle::Limits;
use crate::model::DType;
use crate::predict::PredictError;

/// One record: `{"id", "inputs": [{"name", "shape", "datatype", "data"}]}`.
pub(super) fn json(body: &[u8], limits: &Limits) -> Result<Decoded, PredictError> {
    let (id, record) = record(body, limits)?;
    Ok(Decoded { items: vec![Ok(Item::Tensors(record))], envelope: Envelope::OpenInference { id } })
}

/// The record of one line.
pub(super) fn line(text: &[u8], limits: &Limits) -> Result<Item, PredictError> {
    record(text, limits).map(|(_id, tensors)| Item::Tensors(tensors))
}

/// The protocol's names of element types.
const DATATYPES: [(&str, DType); 13] = [
    ("BOOL", DType::Bool),
    ("UINT8", DType::U8),
    ("UINT16", DType::U16),
    ("UINT32", DType::U32),
    ("UINT64", DType::U64),
    ("INT8", DType::I8),
    ("INT16", DType::I16),
    ("INT32", DType::I32),
    ("INT64", DType::I64),
    ("FP16", DType::F16),
    ("FP32", DType::F32),
    ("FP64", DType::F64),
    ("BYTES", DType::Text),
];

/// The protocol's name of an element type.
pub(in crate::predict) fn datatype(dtype: DType) -> &'static str {
    // Every type is in the table.
    DATATYPES.iter().find(|(_, known)| *known == dtype).map_or("BYTES", |(name, _)| name)
}

/// An input but for its values.
struct Head {
    name: String,
    shape: Vec<usize>,
    datatype: DType,
    /// Product of the shape.
    count: usize,
}

fn record(body: &[u8], limits: &Limits) -> Result<(Option<String>, Vec<NamedTensor>), PredictError> {
    let reader = Reader::new(limits);
    let context = Context { reader: &reader, bytes: body.len() };
    let (id, heads) = reader.read(body, Request { inputs: Heads(context) })?;
    if heads.is_empty() {
        return Err(invalid("inputs", "at least one", "none"));
    }
    let (_, tensors) = reader.read(body, Request { inputs: Contents { reader: &reader, heads } })?;
    Ok((id, tensors))
}

#[derive(Clone, Copy)]
struct Context<'a> {
    reader: &'a Reader<'a>,
    /// Length of the body: no tensor can have more values.
    bytes: usize,
}

/// The request's object; `inputs` reads the list of tensors.
struct Request<S> {
    inputs: S,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Request<S> {
    type Value = (Option<String>, S::Value);
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for Request<S> {
    type Value = (Option<String>, S::Value);
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(r#"{"inputs": [{"name", "shape", "datatype", "data"}]}"#)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let (mut id, mut tensors, mut inputs) = (None, None, Some(self.inputs));
        while let Some(key) = object.next_key_seed(Text(super::NAME_BYTES))? {
            match (key.as_str(), inputs.take_if(|_| key == "inputs")) {
                (_, Some(inputs)) => tensors = Some(object.next_value_seed(inputs)?),
                ("id", None) => id = Some(object.next_value_seed(Text(super::NAME_BYTES))?),
                // A second list would escape the checks of the first.
                ("inputs", None) => return Err(serde::de::Error::invalid_length(2, &"one list of inputs")),
                (_, None) => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        let tensors = tensors.ok_or_else(|| serde::de::Error::invalid_length(0, &"the key inputs"))?;
        Ok((id, tensors))
    }
}

/// First reading: all but the values.
struct Heads<'a>(Context<'a>);

impl<'de> DeserializeSeed<'de> for Heads<'_> {
    type Value = Vec<Head>;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Heads<'_> {
    type Value = Vec<Head>;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of tensors")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut heads = Vec::new();
        while let Some(head) = list.next_element_seed(HeadOf(self.0))? {
            heads.push(head);
            if heads.len() > super::RECORD_TENSORS {
                let expected = format!("at most {} tensors", super::RECORD_TENSORS);
                return Err(self.0.reader.refuse(invalid("inputs", expected, "more")));
            }
        }
        Ok(heads)
    }
}

struct HeadOf<'a>(Context<'a>);

impl<'de> DeserializeSeed<'de> for HeadOf<'_> {
    type Value = Head;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Head, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for HeadOf<'_> {
    type Value = Head;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(r#"{"name", "shape", "datatype", "data"}"#)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Head, A::Error> {
        let (mut name, mut shape, mut datatype, mut values) = (None, None, None, 0);
        while let Some(key) = object.next_key_seed(Text(super::NAME_BYTES))? {
            match key.as_str() {
                "name" => name = Some(object.next_value_seed(Text(super::NAME_BYTES))?),
                "shape" => shape = Some(object.next_value_seed(Shape(self.0.reader))?),
                "datatype" => datatype = Some(object.next_value_seed(Text(super::NAME_BYTES))?),
                "data" => {
                    object.next_value::<IgnoredAny>()?;
                    values += 1;
                }
                _ => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        let (Some(name), Some(shape), Some(datatype), 1) = (name, shape, datatype, values) else {
            let reason = "an input needs name, shape, datatype and data, each once";
            return Err(self.0.reader.refuse(malformed("JSON", reason)));
        };
        self.0.reader.check(self.0.head(name, shape, &datatype))
    }
}

impl Context<'_> {
    fn head(&self, name: String, shape: Vec<usize>, datatype: &str) -> Result<Head, PredictError> {
        let what = |part: &str| format!("{part} of input {}", quoted(&name));
        let known = DATATYPES.iter().find(|(known, _)| *known == datatype).map(|(_, dtype)| *dtype);
        let known = known
            .ok_or_else(|| invalid(what("datatype"), "BOOL, (U)INT8 to 64, FP16 to 64 or BYTES", quoted(datatype)))?;
        let count = shape.iter().try_fold(1usize, |product, &dimension| product.checked_mul(dimension));
        // A value takes a digit and a comma at least.
        let count = count.filter(|&count| count <= self.bytes / 2);
        let count = count.ok_or_else(|| invalid(what("shape"), "as many values as there are in data", "more"))?;
        Ok(Head { name, shape, datatype: known, count })
    }
}

/// Reads a list of dimensions.
struct Shape<'a>(&'a Reader<'a>);

impl<'de> DeserializeSeed<'de> for Shape<'_> {
    type Value = Vec<usize>;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Shape<'_> {
    type Value = Vec<usize>;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of dimensions")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut shape = Vec::new();
        while let Some(dimension) = list.next_element_seed(Dimension(self.0))? {
            if shape.len() == super::TENSOR_DIMENSIONS {
                return Err(self.0.refuse(invalid("shape", "at most 32 dimensions", "more")));
            }
            shape.push(dimension);
        }
        Ok(shape)
    }
}

/// Reads a dimension.
struct Dimension<'a>(&'a Reader<'a>);

impl<'de> DeserializeSeed<'de> for Dimension<'_> {
    type Value = usize;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<usize, D::Error> {
        json.deserialize_any(self)
    }
}

impl Visitor<'_> for Dimension<'_> {
    type Value = usize;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a dimension")
    }
    fn visit_u64<E: serde::de::Error>(self, dimension: u64) -> Result<usize, E> {
        let wrong = |_| invalid("shape", "dimensions this machine can count", "a larger one");
        self.0.check(usize::try_from(dimension).map_err(wrong))
    }
    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<usize, E> {
        Err(self.0.refuse(invalid("shape", "dimensions of 0 or more", "a negative one")))
    }
    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<usize, E> {
        Err(self.0.refuse(invalid("shape", "whole dimensions", "a broken or larger one")))
    }
}

/// Second reading: the values of each input, into its tensor.
struct Contents<'a> {
    reader: &'a Reader<'a>,
    heads: Vec<Head>,
}

impl<'de> DeserializeSeed<'de> for Contents<'_> {
    type Value = Vec<NamedTensor>;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Contents<'_> {
    type Value = Vec<NamedTensor>;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of tensors")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut tensors = Vec::with_capacity(self.heads.len());
        for head in self.heads {
            let content = Content { reader: self.reader, head };
            let tensor = list.next_element_seed(content)?;
            tensors.extend(tensor);
        }
        // The first reading found the list's end here.
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(tensors)
    }
}

struct Content<'a> {
    reader: &'a Reader<'a>,
    head: Head,
}

impl<'de> DeserializeSeed<'de> for Content<'_> {
    type Value = NamedTensor;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<NamedTensor, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Content<'_> {
    type Value = NamedTensor;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a tensor")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<NamedTensor, A::Error> {
        let mut tensor = None;
        while let Some(key) = object.next_key_seed(Text(super::NAME_BYTES))? {
            if key == "data" {
                tensor = Some(object.next_value_seed(values::Values { reader: self.reader, head: &self.head })?);
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        let tensor = tensor.ok_or_else(|| self.reader.refuse(malformed("JSON", "an input without data")))?;
        let Head { name, shape, datatype, .. } = self.head;
        Ok(NamedTensor { name, datatype, shape, tensor })
    }
}
