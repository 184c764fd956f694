//! Settings that are checked together, so that a user hears of all that is wrong at once.

use std::convert::Infallible;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A setting as it was read: a value, or what is wrong with it.
#[derive(Debug, Clone)]
pub(super) struct Checked<T>(Result<T, String>);

impl<T: FromStr<Err: std::error::Error>> FromStr for Checked<T> {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.trim().parse().map_err(|error: T::Err| error.to_string())))
    }
}

impl<T: Clone> Checked<T> {
    /// The value of the setting `name`. What is wrong is told without the text that was given: it may be a key that
    /// somebody pasted.
    pub(super) fn value(&self, name: &str) -> Result<T, SettingsError> {
        self.0.clone().map_err(|problem| SettingsError::of(format!("{name}: {problem}")))
    }
}

impl<T> From<T> for Checked<T> {
    fn from(value: T) -> Self {
        Self(Ok(value))
    }
}

/// Settings are missing or wrong: all of them.
#[derive(Debug, Default, thiserror::Error)]
#[error("{}", .problems.join("; "))]
pub struct SettingsError {
    problems: Vec<String>,
}

impl SettingsError {
    /// One thing is wrong.
    pub(super) fn of(problem: String) -> Self {
        Self { problems: vec![problem] }
    }

    /// What helps.
    pub fn remedy(&self) -> Option<&'static str> {
        Some("`strongroom VERB --help` describes every setting")
    }
}

/// Takes settings and keeps what is wrong with them.
#[derive(Debug, Default)]
pub struct Problems(Vec<String>);

impl Problems {
    /// A setting that must be there. `name` is its environment variable and its option.
    pub(super) fn required<T>(&mut self, name: &str, setting: Option<Checked<T>>) -> Option<T> {
        if setting.is_none() {
            self.0.push(format!("{name} is not set"));
        }
        self.optional(name, setting)
    }

    /// A setting that may be left out.
    pub(super) fn optional<T>(&mut self, name: &str, setting: Option<Checked<T>>) -> Option<T> {
        match setting?.0 {
            Ok(value) => Some(value),
            Err(problem) => {
                self.0.push(format!("{name}: {problem}"));
                None
            }
        }
    }

    /// A number within bounds; the lower bound where it is wrong, which nobody gets to see.
    pub(super) fn within<T: PartialOrd + Display + Copy>(
        &mut self,
        name: &str,
        setting: Checked<T>,
        bounds: RangeInclusive<T>,
    ) -> T {
        match self.optional(name, Some(setting)) {
            Some(value) if bounds.contains(&value) => value,
            Some(value) => {
                self.0.push(format!("{name}: {value} is not within {} and {}", bounds.start(), bounds.end()));
                *bounds.start()
            }
            None => *bounds.start(),
        }
    }

    /// Something else that is wrong.
    pub(super) fn add(&mut self, problem: String) {
        self.0.push(problem);
    }

    /// Everything that was wrong, or nothing.
    pub(super) fn finish(self) -> Result<(), SettingsError> {
        if self.0.is_empty() { Ok(()) } else { Err(SettingsError { problems: self.0 }) }
    }
}
