//! The model directory: what a user brings. Pure: files in memory in, a checked [`Bundle`] out.
//!
//! A bundle is a directory with ONNX files and either `model.toml` (our manifest, [`Manifest`]) or a Hugging Face export
//! (`config.json`, `preprocessor_config.json`, `model.onnx`), which is read as it is into the same [`Manifest`].

mod manifest;

use std::collections::BTreeMap;

use bytes::Bytes;

pub use manifest::*;

/// The files of a model directory by their path relative to it, `/` between the parts.
pub type Files = BTreeMap<String, Bytes>;

/// A model directory whose manifest was read and whose named files are all there.
#[derive(Debug)]
pub struct Bundle {
    manifest: Manifest,
    files: Files,
}

impl Bundle {
    /// Reads the manifest out of `files` and checks that every file it names is among them.
    ///
    /// # Errors
    /// The manifest is missing, malformed or names a file that is not there.
    pub fn from_files(files: Files) -> Result<Self, BundleError> {
        let _ = files;
        todo!()
    }

    /// What the directory says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// All files.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// The content of one file that the manifest names.
    ///
    /// # Errors
    /// There is no such file.
    pub fn file(&self, name: &str) -> Result<&Bytes, BundleError> {
        self.files.get(name).ok_or_else(|| BundleError::MissingFile { name: name.into() })
    }
}

/// Why a directory is not a bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file that the manifest names is not in the directory.
    #[error("the bundle has no file {name}, which its manifest names")]
    MissingFile {
        /// Path relative to the bundle.
        name: String,
    },
}
