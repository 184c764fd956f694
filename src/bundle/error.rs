//! Why a directory is not a bundle.

/// Why a directory is not a bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file that the manifest names is not in the directory.
    #[error("the bundle has no file {name}, which its manifest names")]
    MissingFile {
        /// Path relative to the bundle.
        name: String,
    },
    /// There is neither our manifest nor a Hugging Face export.
    #[error("the directory holds neither model.toml nor a Hugging Face export (config.json and model.onnx)")]
    NoManifest,
    /// A text file that is read whole is too long.
    #[error("{file} has {found} bytes; at most {limit} are read")]
    TooLong {
        /// Path relative to the bundle.
        file: String,
        /// Its length.
        found: usize,
        /// The bound.
        limit: usize,
    },
    /// Everything that is wrong with a manifest.
    #[error("{file}: {}", problems.join("; "))]
    Manifest {
        /// The file to mend.
        file: String,
        /// One sentence each, with the line or the key.
        problems: Vec<String>,
    },
    /// A label file is not one label a line.
    #[error("label file {file}: {reason}")]
    Labels {
        /// Path relative to the bundle.
        file: String,
        /// Where and what.
        reason: String,
    },
}

impl BundleError {
    pub(super) fn manifest(file: &str, problem: impl Into<String>) -> Self {
        Self::Manifest { file: file.to_owned(), problems: vec![problem.into()] }
    }

    /// What to do about it, where there is something.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::NoManifest => Some("write a model.toml (docs/MODELS.md), or export with `optimum-cli export onnx`"),
            Self::Manifest { .. } => Some("docs/MODELS.md lists every key"),
            Self::MissingFile { .. } | Self::TooLong { .. } | Self::Labels { .. } => None,
        }
    }
}
