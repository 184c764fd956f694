//! Arguments of `strongroom seal`, `open` and `inspect`.

use std::path::PathBuf;

use clap::Args;

use crate::keys::KeySource;

/// Arguments of `strongroom seal`.
#[derive(Debug, Args)]
pub struct SealArgs {
    /// The plain file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Sealing key: file:PATH, secretsmanager:NAME-or-ARN, or the ARN of a secret
    #[arg(long, env = "STRONGROOM_KEY", value_name = "KEY")]
    pub key: KeySource,
    /// The sealed file to make
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// A pair of the encryption context: public, authenticated (repeatable)
    #[arg(long = "context", value_name = "K=V", value_parser = pair)]
    pub context: Vec<(String, String)>,
    /// Replace OUT where it exists
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `strongroom open`.
#[derive(Debug, Args)]
pub struct OpenArgs {
    /// The sealed file: ours, or of any AWS Encryption SDK under suite 0x0478
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Sealing key: file:PATH, secretsmanager:NAME-or-ARN, or the ARN of a secret
    #[arg(long, env = "STRONGROOM_KEY", value_name = "KEY")]
    pub key: KeySource,
    /// The plain file to make; it appears when every frame has been verified
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// Open it as sealed for a key of this namespace [default: whatever the file says]
    #[arg(long, value_name = "NS")]
    pub key_namespace: Option<String>,
    /// Open it as sealed for the key of this name [default: whatever the file says]
    #[arg(long, value_name = "N")]
    pub key_name: Option<String>,
    /// A pair that the encryption context must have (repeatable)
    #[arg(long = "context", value_name = "K=V", value_parser = pair)]
    pub context: Vec<(String, String)>,
    /// Replace OUT where it exists
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `strongroom inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The sealed file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        Some(_) | None => Err("expected KEY=VALUE".to_owned()),
    }
}
