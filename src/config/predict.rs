//! The arguments of `strongroom predict`.

use std::path::PathBuf;

use clap::Args;

use super::model::{ModelSource, ModelStoreArgs};

const HELP: &str = "\
FILE is what a request's body would be: an image, .json, .jsonl, .csv or .npy. The answers are JSON, one line for each FILE.
The first file that fails does not keep the others from being answered; the exit code is 1 then.

Examples:
  strongroom predict ./my-model photo.jpg
  strongroom predict face-analyzer --registry models --key file:kek photo.jpg --draw faces.png
  strongroom predict ./exported --key file:kek photo.jpg       what `strongroom export` wrote";

/// Run a model on files, as the server would
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub struct PredictArgs {
    /// NAME[:ALIAS], NAME:VERSION or NAME@sha256:HEX of a registry, or a path with a `/` in it to a plain bundle or an
    /// exported model
    #[arg(value_name = "MODEL")]
    pub model: ModelSource,
    /// What to answer
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Draw the answer on the picture; takes a single image FILE
    #[arg(long, value_name = "OUT.png")]
    pub draw: Option<PathBuf>,
    #[command(flatten)]
    /// Where a registered model is.
    pub store: ModelStoreArgs,
}
