//! A Hugging Face export read as it is.
use super::{BundleError, Files, Manifest};
pub(super) const CONFIG_FILE: &str = "config.json";
pub(super) fn read(_files: &Files) -> Result<Manifest, BundleError> {
    Err(BundleError::NoManifest)
}
