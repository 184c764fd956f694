//! How long a bucket keeps an object from being deleted or replaced.

use std::num::NonZeroU16;
use std::str::FromStr;

use super::StoreError;

/// How long a bucket keeps an object from being deleted: S3 Object Lock, counted from when it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Who may shorten it.
    pub mode: RetentionMode,
    /// In days, at most 36,500, which is S3's own limit.
    pub days: NonZeroU16,
}

/// Who may shorten a retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetentionMode {
    /// Who has `s3:BypassGovernanceRetention`.
    Governance,
    /// Nobody, not even the account's root user.
    Compliance,
}

/// S3 retains for a hundred years at most.
const MAX_DAYS: u16 = 36_500;

impl FromStr for Retention {
    type Err = StoreError;

    /// `governance:DAYS` or `compliance:DAYS`.
    fn from_str(text: &str) -> Result<Self, StoreError> {
        let wrong = || StoreError::Retention { text: text.chars().take(40).collect() };
        let (mode, days) = text.split_once(':').ok_or_else(wrong)?;
        let mode = match mode {
            "governance" => RetentionMode::Governance,
            "compliance" => RetentionMode::Compliance,
            _ => return Err(wrong()),
        };
        let days = days.parse().ok().filter(|days: &NonZeroU16| days.get() <= MAX_DAYS).ok_or_else(wrong)?;
        Ok(Self { mode, days })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retention_names_who_may_shorten_it_and_its_days() {
        let read = |text: &str| text.parse::<Retention>().ok().map(|read| (read.mode, read.days.get()));
        assert_eq!(read("governance:1"), Some((RetentionMode::Governance, 1)));
        assert_eq!(read("compliance:36500"), Some((RetentionMode::Compliance, 36_500)));
        for text in
            ["", "365", "governance", "governance:0", "governance:36501", "compliance:-1", "legal:1", "governance:1d"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
