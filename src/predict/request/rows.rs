//! JSON and JSON Lines with rows of numbers.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::json::{Reader, Text};
use super::{Decoded, Envelope, Item, RawRow, checked_number, invalid, malformed};
use crate::bundle::Limits;
use crate::predict::PredictError;

/// `{"instances": rows}`, `{"inputs": row or rows}`, a row, or a list of rows.
pub(super) fn json(body: &[u8], limits: &Limits) -> Result<Decoded, PredictError> {
    let (reader, names) = (Reader::new(limits), Names::default());
    let (rows, envelope) = match reader.read(body, Node { reader: &reader, names: &names, top: true })? {
        Value::Wrapped(rows, envelope) => (rows, envelope),
        Value::Row(row) => (vec![row], Envelope::Bare),
        Value::Rows(rows) => (rows, Envelope::List),
        Value::Number(_) => return Err(malformed("JSON", "expected rows, found one number")),
    };
    if rows.is_empty() {
        return Err(invalid("rows", "at least one", "none"));
    }
    Ok(Decoded { items: rows.into_iter().map(|row| Ok(Item::Row(row))).collect(), envelope })
}

/// The row of one line; lines that are read one after the other share their `names`.
pub(super) fn line(text: &[u8], names: &Names, limits: &Limits) -> Result<Item, PredictError> {
    let reader = Reader::new(limits);
    match reader.read(text, Node { reader: &reader, names, top: false })? {
        Value::Row(row) => Ok(Item::Row(row)),
        Value::Number(_) | Value::Rows(_) | Value::Wrapped(..) => Err(malformed("JSON", "expected one row")),
    }
}

/// What a JSON value stands for among rows.
enum Value {
    Number(f64),
    Row(RawRow),
    Rows(Vec<RawRow>),
    Wrapped(Vec<RawRow>, Envelope),
}

/// Reads a number, a row or a list of rows; at the `top` the wrapping objects, too.
#[derive(Clone, Copy)]
struct Node<'a> {
    reader: &'a Reader<'a>,
    names: &'a Names,
    top: bool,
}

/// The names of the row before: rows that have the same share them, so that a table's names are held once.
#[derive(Default)]
pub(super) struct Names(RefCell<Arc<[String]>>);

impl Names {
    /// `None` if a name is there twice.
    fn share(&self, names: Vec<String>) -> Option<Arc<[String]>> {
        let mut last = self.0.borrow_mut();
        if **last != *names {
            let distinct: BTreeSet<&String> = names.iter().collect();
            if distinct.len() < names.len() {
                return None;
            }
            *last = names.into();
        }
        Some(Arc::clone(&last))
    }
}

impl<'a> Node<'a> {
    fn inner(self) -> Self {
        Self { top: false, ..self }
    }

    fn number<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        self.reader.check(checked_number(value, || "a value".into())).map(Value::Number)
    }

    fn not_a_number<E: serde::de::Error>(self, found: &str) -> Result<Value, E> {
        Err(self.reader.refuse(invalid("a value", "a number", found)))
    }

    fn mixed<E: serde::de::Error>(self) -> E {
        self.reader.refuse(malformed("JSON", "expected a list of numbers or a list of rows"))
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("numbers in rows")
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        self.number(value)
    }
    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        self.number(value as f64)
    }
    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        self.number(value as f64)
    }
    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Value, E> {
        self.not_a_number("text")
    }
    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Value, E> {
        self.not_a_number("a truth value")
    }
    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        self.not_a_number("null")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        match list.next_element_seed(self.inner())? {
            None => Ok(Value::Rows(Vec::new())),
            Some(Value::Number(first)) => self.ordered(first, list),
            Some(Value::Row(first)) => self.rows(first, list),
            Some(Value::Rows(_) | Value::Wrapped(..)) => Err(self.mixed()),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let (mut names, mut values, mut whole) = (Vec::new(), Vec::new(), None);
        while let Some(key) = object.next_key_seed(Text(super::NAME_BYTES))? {
            let value = match (self.top, key.as_str()) {
                (true, "id" | "parameters" | "signature_name") => {
                    object.next_value::<serde::de::IgnoredAny>()?;
                    continue;
                }
                _ => object.next_value_seed(self.inner())?,
            };
            let read = match (self.top, key.as_str(), value) {
                (_, _, Value::Number(number)) => {
                    names.push(key);
                    values.push(number);
                    self.check_width(values.len())?;
                    continue;
                }
                (true, "instances", Value::Rows(rows)) => Value::Wrapped(rows, Envelope::Predictions),
                (true, "inputs", Value::Rows(rows)) => Value::Wrapped(rows, Envelope::List),
                (true, "inputs", Value::Row(row)) => Value::Wrapped(vec![row], Envelope::Bare),
                (_, "features", Value::Row(row)) => Value::Row(row),
                (_, _, Value::Row(_) | Value::Rows(_) | Value::Wrapped(..)) => {
                    return Err(self.reader.refuse(malformed("JSON", "a list or object where a number belongs")));
                }
            };
            if whole.replace(read).is_some() {
                return Err(self.reader.refuse(malformed("JSON", "rows under two keys")));
            }
        }
        match (whole, names.is_empty()) {
            (Some(whole), true) => Ok(whole),
            (None, false) => match self.names.share(names) {
                Some(names) => Ok(Value::Row(RawRow::Named { names, values })),
                None => Err(self.reader.refuse(malformed("JSON", "one name twice in a row"))),
            },
            (Some(_), false) => Err(self.reader.refuse(malformed("JSON", "rows beside numbers in one object"))),
            (None, true) => Err(self.reader.refuse(malformed("JSON", "an object without rows or numbers"))),
        }
    }
}

impl Node<'_> {
    fn ordered<'de, A: SeqAccess<'de>>(self, first: f64, mut list: A) -> Result<Value, A::Error> {
        let mut row = vec![first];
        while let Some(value) = list.next_element_seed(self.inner())? {
            let Value::Number(number) = value else { return Err(self.mixed()) };
            row.push(number);
            self.check_width(row.len())?;
        }
        Ok(Value::Row(RawRow::Ordered(row)))
    }

    fn rows<'de, A: SeqAccess<'de>>(self, first: RawRow, mut list: A) -> Result<Value, A::Error> {
        let mut rows = vec![first];
        while rows.len() < self.reader.limits.items() {
            match list.next_element_seed(self.inner())? {
                Some(Value::Row(row)) => rows.push(row),
                Some(Value::Number(_) | Value::Rows(_) | Value::Wrapped(..)) => return Err(self.mixed()),
                None => return Ok(Value::Rows(rows)),
            }
        }
        self.reader.refuse_surplus(rows.len(), list)?;
        Ok(Value::Rows(rows))
    }

    fn check_width<E: serde::de::Error>(self, values: usize) -> Result<(), E> {
        if values <= super::ROW_VALUES {
            return Ok(());
        }
        Err(self.reader.refuse(invalid("a row", format!("at most {} values", super::ROW_VALUES), "more")))
    }
}
