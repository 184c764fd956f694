//! JSON files with the name of the file and the field in every error.

use serde_json::Value;

use super::super::{BundleError, model_toml::text_of};

pub(super) struct Json {
    file: &'static str,
    value: Value,
}

impl Json {
    pub(super) fn parse(file: &'static str, bytes: &[u8]) -> Result<Self, BundleError> {
        let text = text_of(file, bytes)?;
        let value: Value =
            serde_json::from_str(text).map_err(|cause| BundleError::manifest(file, cause.to_string()))?;
        if value.is_object() { Ok(Self { file, value }) } else { Err(BundleError::manifest(file, "is no JSON object")) }
    }

    /// A field that is there and not null.
    pub(super) fn find(&self, field: &str) -> Option<&Value> {
        self.value.get(field).filter(|value| !value.is_null())
    }

    pub(super) fn require(&self, field: &str) -> Result<&Value, BundleError> {
        self.find(field).ok_or_else(|| self.wrong(field, "is missing"))
    }

    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.find(field)?.as_str()
    }

    pub(super) fn flag(&self, field: &str, absent: bool) -> Result<bool, BundleError> {
        let Some(value) = self.find(field) else { return Ok(absent) };
        value.as_bool().ok_or_else(|| self.wrong(field, "is neither true nor false"))
    }

    pub(super) fn number(&self, field: &str, absent: f64) -> Result<f64, BundleError> {
        let Some(value) = self.find(field) else { return Ok(absent) };
        value.as_f64().ok_or_else(|| self.wrong(field, "is no number"))
    }

    /// Three numbers, one a channel.
    pub(super) fn triple(&self, field: &str, absent: f64) -> Result<[f64; 3], BundleError> {
        let Some(value) = self.find(field) else { return Ok([absent; 3]) };
        let numbers: Option<Vec<f64>> = value.as_array().and_then(|list| list.iter().map(Value::as_f64).collect());
        let triple = numbers.and_then(|numbers| <[f64; 3]>::try_from(numbers).ok());
        triple.ok_or_else(|| self.wrong(field, "must be three numbers, for red, green and blue"))
    }

    pub(super) fn wrong(&self, field: &str, problem: impl std::fmt::Display) -> BundleError {
        BundleError::manifest(self.file, format!("field {field} {problem}"))
    }
}
