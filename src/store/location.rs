//! Where a store is.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::{StoreError, key};

/// Where a store is: `s3://BUCKET[/PREFIX]` or a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// An S3 bucket and the prefix of every key in it (empty, or ending in `/`).
    S3 {
        /// Bucket name.
        bucket: String,
        /// Prefix.
        prefix: String,
    },
    /// A directory.
    Dir(PathBuf),
}

impl FromStr for Location {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let wrong = |reason| StoreError::Location { text: text.to_owned(), reason };
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            return bucket_location(bucket, prefix.trim_end_matches('/')).map_err(wrong);
        }
        if text.is_empty() {
            return Err(wrong("it is empty"));
        }
        if text.contains("://") {
            return Err(wrong("only the scheme s3 is known"));
        }
        Ok(Self::Dir(PathBuf::from(text)))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
            Self::Dir(root) => write!(f, "{}", root.display()),
        }
    }
}

/// S3's rule for names of general purpose buckets (User Guide, "Bucket naming rules"), as far as a request needs it.
fn bucket_location(bucket: &str, prefix: &str) -> Result<Location, &'static str> {
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'.';
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(allowed) {
        return Err("a bucket name is 3 to 63 lowercase letters, digits, dots and hyphens");
    }
    if prefix.is_empty() {
        return Ok(Location::S3 { bucket: bucket.to_owned(), prefix: String::new() });
    }
    key::wrong(prefix).map_or_else(
        || Ok(Location::S3 { bucket: bucket.to_owned(), prefix: format!("{prefix}/") }),
        |_| Err("the prefix is no key: segments of A-Z a-z 0-9 . _ - + = @ that do not begin with a dot"),
    )
}
