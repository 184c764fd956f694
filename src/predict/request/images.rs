//! JSON and JSON Lines with base64 images.

use std::cell::Cell;
use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::json::{List, Reader, Text};
use super::{Decoded, Envelope, Item, base64, invalid, malformed};
use crate::bundle::Limits;
use crate::predict::PredictError;
use crate::predict::image::ImageLimits;

/// `{"instances": ...}`, `{"inputs": ...}`, `{"images": ...}`, an image, or a list of images.
pub(super) fn json(body: &[u8], limits: &Limits) -> Result<Decoded, PredictError> {
    let reader = Reader::new(limits);
    let found = reader.read(body, Document(Image::new(&reader, &Cell::new(0))))?;
    let (images, envelope) = found.images;
    if images.is_empty() {
        return Err(invalid("images", "at least one", "none"));
    }
    match found.task.as_deref() {
        None => Ok(Decoded { items: images.into_iter().map(|image| Ok(Item::Image(image))).collect(), envelope }),
        Some("compare") => {
            let found = images.len();
            let pair = images.try_into().map_err(|_| invalid("images to compare", "2", found.to_string()))?;
            Ok(Decoded { items: vec![Ok(Item::Compare(pair))], envelope: Envelope::Bare })
        }
        Some(_) => Err(invalid("task", "compare, or no task", "another")),
    }
}

/// The image of one line, which is the `item`th of its request.
pub(super) fn line(text: &[u8], item: usize, limits: &Limits) -> Result<Item, PredictError> {
    let reader = Reader::new(limits);
    reader.read(text, Image::new(&reader, &Cell::new(item))).map(Item::Image)
}

struct Found {
    task: Option<String>,
    images: (Vec<Bytes>, Envelope),
}

/// Reads one image; counts them for errors.
#[derive(Clone, Copy)]
struct Image<'a> {
    reader: &'a Reader<'a>,
    limits: ImageLimits,
    count: &'a Cell<usize>,
}

impl<'a> Image<'a> {
    fn new(reader: &'a Reader<'a>, count: &'a Cell<usize>) -> Self {
        Self { reader, limits: ImageLimits::from(reader.limits), count }
    }
}

impl<'de> DeserializeSeed<'de> for Image<'_> {
    type Value = Bytes;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Bytes, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Image<'_> {
    type Value = Bytes;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(r#"an image as base64, {"b64": base64} or {"image": either}"#)
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Bytes, E> {
        let item = self.count.replace(self.count.get() + 1);
        self.reader.check(base64::decode(item, text, &self.limits))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Bytes, A::Error> {
        let mut image = None;
        while let Some(key) = object.next_key_seed(Text(super::NAME_BYTES))? {
            match key.as_str() {
                "b64" | "image" | "inputs" if image.is_none() => image = Some(object.next_value_seed(self)?),
                _ => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        image.ok_or_else(|| self.reader.refuse(malformed("JSON", "an image object has no b64 and no image")))
    }
}

/// Reads the whole document.
struct Document<'a>(Image<'a>);

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = Found;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Found, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = Found;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(
            r#"{"instances": [images]}, {"inputs": image or images} or {"task": "compare", "images": [a, b]}"#,
        )
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Found, E> {
        Ok(Found { task: None, images: (vec![self.0.visit_str(text)?], Envelope::Bare) })
    }
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Found, A::Error> {
        Ok(Found { task: None, images: (List(self.0.reader, self.0).visit_seq(list)?, Envelope::List) })
    }
    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Found, A::Error> {
        let (reader, image) = (self.0.reader, self.0);
        let (mut task, mut images) = (None, None);
        while let Some(key) = object.next_key_seed(Text(super::NAME_BYTES))? {
            let read = match key.as_str() {
                "task" => {
                    task = Some(object.next_value_seed(Text(super::NAME_BYTES))?);
                    continue;
                }
                "instances" | "images" => (object.next_value_seed(List(reader, image))?, Envelope::Predictions),
                "inputs" => object.next_value_seed(OneOrMore(image))?,
                "b64" | "image" => (vec![object.next_value_seed(image)?], Envelope::Bare),
                _ => {
                    object.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if images.replace(read).is_some() {
                return Err(reader.refuse(malformed("JSON", "images under two keys")));
            }
        }
        let missing = || malformed("JSON", "none of the keys instances, inputs, images, b64");
        Ok(Found { task, images: images.ok_or_else(|| reader.refuse(missing()))? })
    }
}

/// Reads an image, or a list of images.
struct OneOrMore<'a>(Image<'a>);

impl<'de> DeserializeSeed<'de> for OneOrMore<'_> {
    type Value = (Vec<Bytes>, Envelope);
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OneOrMore<'_> {
    type Value = (Vec<Bytes>, Envelope);
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an image or a list of images")
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok((vec![self.0.visit_str(text)?], Envelope::Bare))
    }
    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        Ok((vec![self.0.visit_map(object)?], Envelope::Bare))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Ok((List(self.0.reader, self.0).visit_seq(list)?, Envelope::List))
    }
}
