//! The model directory: what a user brings. Pure: files in memory in, a checked [`Bundle`] out.
//!
//! A bundle is a directory with ONNX files and either `model.toml` (our manifest, [`Manifest`]) or a Hugging Face export
//! (`config.json`, `preprocessor_config.json`, `model.onnx`), which is read as it is into the same [`Manifest`].

mod check;
mod error;
mod hugging_face;
mod labels;
mod manifest;
mod model_toml;

use std::collections::BTreeMap;

use bytes::Bytes;

pub(crate) use check::is_inside;
pub use error::BundleError;
pub use manifest::*;

/// The files of a model directory by their path relative to it, `/` between the parts.
pub type Files = BTreeMap<String, Bytes>;

/// Name of our manifest; it stands above a Hugging Face export in the same directory.
pub const MANIFEST_FILE: &str = "model.toml";

/// A directory that holds one of these is meant as a bundle.
pub const MANIFEST_FILES: [&str; 2] = [MANIFEST_FILE, hugging_face::CONFIG_FILE];

/// Longest manifest, Hugging Face configuration or label file that is read.
pub const MAX_MANIFEST_LEN: usize = 1 << 20;

/// A model directory whose manifest was read and whose named files are all there.
#[derive(Debug)]
pub struct Bundle {
    manifest: Manifest,
    files: Files,
}

impl Bundle {
    /// Reads the manifest out of `files` and checks that it makes sense and that every file it names is among them.
    ///
    /// # Errors
    /// The manifest is missing, malformed, contradicts itself or names a file that is not there. All that is wrong with a
    /// manifest that can be parsed is told at once.
    pub fn from_files(files: Files) -> Result<Self, BundleError> {
        let (source, mut manifest) = match files.get(MANIFEST_FILE) {
            Some(text) => (MANIFEST_FILE, model_toml::parse(text)?),
            None => (hugging_face::CONFIG_FILE, hugging_face::read(&files)?),
        };
        let problems = check::problems(&manifest, &files);
        if !problems.is_empty() {
            return Err(BundleError::Manifest { file: source.to_owned(), problems });
        }
        manifest.limits.items.get_or_insert(manifest.task.most_items());
        Ok(Self { manifest, files })
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

    /// The labels in class order: the list itself, or the lines of the file it names.
    ///
    /// # Errors
    /// The file is missing, longer than [`MAX_MANIFEST_LEN`], not UTF-8, or has an empty line.
    pub fn labels(&self, labels: &Labels) -> Result<Vec<String>, BundleError> {
        labels::resolve(labels, &self.files)
    }
}
