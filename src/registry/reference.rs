//! How a version of a model is named: `NAME[:ALIAS]`, `NAME:VERSION`, `NAME@sha256:HEX`.

use std::fmt;
use std::str::FromStr;

use super::RegistryError;

/// The alias meant when only a model's name is given.
pub const DEFAULT_ALIAS: &str = "live";
/// Longest name, alias or version, in bytes.
pub const MAX_NAME_LEN: usize = 63;

/// Which version of which model: `NAME[:ALIAS]` (default `live`), `NAME:VERSION` or `NAME@sha256:HEX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRef {
    /// The model's name.
    pub name: String,
    /// Which of its versions.
    pub selector: Selector,
}

/// The part behind the model's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Movable; does not begin with a digit.
    Alias(AliasName),
    /// Immutable; begins with a digit.
    Version(String),
    /// Hex digest of the register entry.
    Digest(String),
}

impl ModelRef {
    /// One version of a model.
    ///
    /// # Errors
    /// [`RegistryError::BadReference`]: name or version is not named by the rules.
    pub fn version(name: &str, version: &str) -> Result<Self, RegistryError> {
        checked(name, check_name)?;
        checked(version, check_version)?;
        Ok(Self { name: name.into(), selector: Selector::Version(version.into()) })
    }
}

/// The name of an alias: as a model's, but it begins with a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasName(String);

impl AliasName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AliasName {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self, RegistryError> {
        checked(text, check_alias)?;
        Ok(Self(text.into()))
    }
}

impl FromStr for ModelRef {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self, RegistryError> {
        let (name, selector) = split(text).map_err(|reason| bad(text, reason))?;
        check_name(name).map_err(|reason| bad(text, reason))?;
        Ok(Self { name: name.into(), selector })
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.selector {
            Selector::Alias(alias) => write!(f, "{}:{}", self.name, alias.as_str()),
            Selector::Version(version) => write!(f, "{}:{version}", self.name),
            Selector::Digest(digest) => write!(f, "{}@sha256:{digest}", self.name),
        }
    }
}

/// Model names stand in object keys: lower-case letters, digits, `-`, `.`, `_`, the first a letter or digit.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    let first = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    if is_word(name, first, is_name_byte) {
        return Ok(());
    }
    Err("a model name has 1 to 63 lower-case letters, digits, '-', '.' or '_', and begins with a letter or digit")
}

/// Aliases stand in object keys too; the first character is a letter, which tells them from versions.
pub(super) fn check_alias(alias: &str) -> Result<(), &'static str> {
    if is_word(alias, |c| c.is_ascii_lowercase(), is_name_byte) {
        return Ok(());
    }
    Err("an alias has 1 to 63 lower-case letters, digits, '-', '.' or '_', and begins with a letter")
}

/// Versions follow semantic versioning's alphabet; the first character is a digit.
pub(super) fn check_version(version: &str) -> Result<(), &'static str> {
    let rest = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'+');
    if is_word(version, |c| c.is_ascii_digit(), rest) {
        return Ok(());
    }
    Err("a version has 1 to 63 letters, digits, '-', '.' or '+', and begins with a digit")
}

/// A SHA-256 in lower-case hex.
pub(super) fn check_digest(digest: &str) -> Result<(), &'static str> {
    if digest.len() == 64 && digest.bytes().all(is_hex) {
        return Ok(());
    }
    Err("a digest is 64 lower-case hex digits")
}

/// Checks one name the caller was given and blames it in the error.
pub(super) fn checked(text: &str, check: fn(&str) -> Result<(), &'static str>) -> Result<(), RegistryError> {
    check(text).map_err(|reason| bad(text, reason))
}

fn split(text: &str) -> Result<(&str, Selector), &'static str> {
    if let Some((name, digest)) = text.split_once('@') {
        let hex = digest.strip_prefix("sha256:").ok_or("what follows '@' is sha256: and 64 hex digits")?;
        check_digest(hex)?;
        return Ok((name, Selector::Digest(hex.into())));
    }
    let (name, selector) = text.split_once(':').unwrap_or((text, DEFAULT_ALIAS));
    if selector.starts_with(|c: char| c.is_ascii_digit()) {
        check_version(selector)?;
        return Ok((name, Selector::Version(selector.into())));
    }
    check_alias(selector)?;
    Ok((name, Selector::Alias(AliasName(selector.into()))))
}

fn is_word(text: &str, first: impl Fn(u8) -> bool, rest: impl Fn(u8) -> bool) -> bool {
    let mut bytes = text.bytes();
    text.len() <= MAX_NAME_LEN && bytes.next().is_some_and(first) && bytes.all(rest)
}

fn is_name_byte(c: u8) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'-' | b'.' | b'_')
}

fn is_hex(c: u8) -> bool {
    c.is_ascii_digit() || (b'a'..=b'f').contains(&c)
}

/// Text from outside is cut before it is shown.
fn bad(text: &str, reason: &'static str) -> RegistryError {
    RegistryError::BadReference { found: text.chars().take(120).collect(), reason }
}
