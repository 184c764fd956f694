//! What all JSON forms share: reading with limits, and refusals that survive `serde`.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::error::Category;

use super::{PredictError, malformed};
use crate::bundle::Limits;

/// Limits on the way down, and on the way up the refusal that `serde`'s errors cannot carry.
pub(super) struct Reader<'a> {
    pub(super) limits: &'a Limits,
    refusal: RefCell<Option<PredictError>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self { limits, refusal: RefCell::new(None) }
    }

    /// Reads the whole of `text` as one JSON document.
    pub(super) fn read<'de, S: DeserializeSeed<'de>>(
        &self,
        text: &'de [u8],
        seed: S,
    ) -> Result<S::Value, PredictError> {
        let mut json = serde_json::Deserializer::from_slice(text);
        let value = seed.deserialize(&mut json).and_then(|value| json.end().map(|()| value));
        value.map_err(|error| self.refusal.take().unwrap_or_else(|| malformed("JSON", reason(&error))))
    }

    /// Keeps `refusal` for [`Reader::read`] and stops `serde`.
    pub(super) fn refuse<E: serde::de::Error>(&self, refusal: PredictError) -> E {
        self.refusal.replace(Some(refusal));
        E::custom("refused")
    }

    /// Unwraps, or refuses.
    pub(super) fn check<T, E: serde::de::Error>(&self, result: Result<T, PredictError>) -> Result<T, E> {
        result.map_err(|refusal| self.refuse(refusal))
    }

    /// Refuses a list that has more items than allowed: `kept` were read, the rest is counted without being kept.
    pub(super) fn refuse_surplus<'de, A: SeqAccess<'de>>(&self, kept: usize, mut list: A) -> Result<(), A::Error> {
        let mut found = kept;
        while list.next_element::<IgnoredAny>()?.is_some() {
            found += 1;
        }
        self.check(super::check_items(found, self.limits))
    }
}

/// Reads a list whose items `seed` reads, up to `[limits] items`.
pub(super) struct List<'a, S>(pub(super) &'a Reader<'a>, pub(super) S);

impl<'de, S: DeserializeSeed<'de> + Copy> DeserializeSeed<'de> for List<'_, S> {
    type Value = Vec<S::Value>;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de, S: DeserializeSeed<'de> + Copy> Visitor<'de> for List<'_, S> {
    type Value = Vec<S::Value>;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while items.len() < self.0.limits.items() {
            match list.next_element_seed(self.1)? {
                Some(item) => items.push(item),
                None => return Ok(items),
            }
        }
        self.0.refuse_surplus(items.len(), list)?;
        Ok(items)
    }
}

/// Reads text of bounded length.
#[derive(Clone, Copy)]
pub(super) struct Text(pub(super) usize);

impl<'de> DeserializeSeed<'de> for Text {
    type Value = String;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<String, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Text {
    type Value = String;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "text of at most {} bytes", self.0)
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<String, E> {
        if text.len() <= self.0 { Ok(text.to_owned()) } else { Err(E::invalid_length(text.len(), &self)) }
    }
}

/// Says on which line of a JSON Lines body an error is.
pub(super) fn on_line(line: usize, error: PredictError) -> PredictError {
    match error {
        PredictError::Malformed { format, reason } => {
            PredictError::Malformed { format, reason: format!("line {line}: {reason}") }
        }
        other => other,
    }
}

/// `serde_json`'s words, without the content of the body that they quote for a wrong type.
fn reason(error: &serde_json::Error) -> String {
    match error.classify() {
        Category::Syntax | Category::Eof | Category::Io => error.to_string(),
        Category::Data => {
            let text = error.to_string();
            let expected = text.rsplit_once(", expected ").map(|(_, expected)| expected);
            expected.map_or_else(
                || format!("of an unknown form at line {} column {}", error.line(), error.column()),
                |expected| format!("expected {expected}"),
            )
        }
    }
}
