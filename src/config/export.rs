//! The arguments of `strongroom export`.

use std::path::PathBuf;

use clap::Args;

use super::checked::SettingsError;
use super::registry::StoreArgs;
use crate::registry::ModelRef;

const HELP: &str = "\
The sealed bytes are copied as they are, so no key is needed: entry.json, keyslots/ and blobs/. Mounted as a container's
model directory they are served with STRONGROOM_KEY and without a registry. What is made appears whole or not at all, and
each sealed file's SHA-256 is compared with its name on the way.

As one archive, for ModelDataUrl:
  strongroom export face-analyzer:1.0.0 --registry s3://bucket/models -o model.tar.gz
  aws s3 cp model.tar.gz s3://bucket/face-analyzer/model.tar.gz

As it is, for ModelDataSource with S3Prefix and compression None:
  strongroom export face-analyzer:1.0.0 --registry s3://bucket/models -o exported
  aws s3 cp --recursive exported s3://bucket/face-analyzer/exported/

To try it here:
  strongroom predict ./exported --key file:kek photo.jpg";

/// Write a sealed version as SageMaker mounts it: a directory or a model.tar.gz
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub struct ExportArgs {
    /// The version: NAME:VERSION, NAME@sha256:HEX or NAME[:ALIAS]
    #[arg(value_name = "MODEL")]
    pub model: ModelRef,
    /// What to make: an archive where it ends in .tar.gz or .tgz, else a directory, which must be new or empty
    #[arg(short, long, value_name = "DIR|FILE.tar.gz")]
    output: PathBuf,
    #[command(flatten)]
    /// The registry.
    pub store: StoreArgs,
    /// Replace FILE.tar.gz where it exists; a directory is never replaced
    #[arg(long)]
    pub force: bool,
    /// Answer with JSON
    #[arg(long)]
    pub json: bool,
}

/// What an export becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportTarget {
    /// A directory.
    Directory(PathBuf),
    /// A tar archive, compressed by gzip.
    Archive(PathBuf),
}

impl ExportArgs {
    /// What to make, by its name.
    ///
    /// # Errors
    /// It is named as an archive of another kind, or a directory is to be replaced.
    pub fn target(&self) -> Result<ExportTarget, SettingsError> {
        let name = self.output.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
        if ends(&[".tar.gz", ".tgz"]) {
            return Ok(ExportTarget::Archive(self.output.clone()));
        }
        if ends(&[".tar", ".gz", ".zip", ".xz", ".zst", ".bz2"]) {
            let problem = format!("{} (-o): an archive is named FILE.tar.gz", self.output.display());
            return Err(SettingsError::of(problem));
        }
        if self.force {
            let problem = "--force replaces a FILE.tar.gz, never a directory: remove it first, or name another one";
            return Err(SettingsError::of(problem.to_owned()));
        }
        Ok(ExportTarget::Directory(self.output.clone()))
    }
}
