//! Arguments of `strongroom seal`, `open` and `inspect`.

use std::path::PathBuf;

use clap::Args;

use super::checked::{Checked, SettingsError};
use crate::keys::KeySource;
use crate::sealed::EncryptionContext;

/// What errors call the sealing key's setting.
const KEY: &str = "STRONGROOM_KEY (--key)";

/// Arguments of `strongroom seal`.
#[derive(Debug, Args)]
pub struct SealArgs {
    /// The plain file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Sealing key: file:PATH, secretsmanager:NAME-or-ARN, or the ARN of a secret
    #[arg(long, env = "STRONGROOM_KEY", value_name = "KEY", hide_env_values = true)]
    key: Checked<KeySource>,
    /// The sealed file to make
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// A pair of the encryption context: public, authenticated (repeatable)
    #[arg(long = "context", value_name = "K=V", value_parser = pair)]
    context: Vec<(String, String)>,
    /// Replace OUT where it exists
    #[arg(long)]
    pub force: bool,
}

impl SealArgs {
    /// The sealing key.
    ///
    /// # Errors
    /// It is not named as keys are.
    pub fn key(&self) -> Result<KeySource, SettingsError> {
        self.key.value(KEY)
    }

    /// The pairs of the encryption context.
    ///
    /// # Errors
    /// A key is given twice.
    pub fn context(&self) -> Result<EncryptionContext, SettingsError> {
        each_once(&self.context)
    }
}

/// Arguments of `strongroom open`.
#[derive(Debug, Args)]
pub struct OpenArgs {
    /// The sealed file: ours, or of any AWS Encryption SDK under suite 0x0478
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Sealing key: file:PATH, secretsmanager:NAME-or-ARN, or the ARN of a secret
    #[arg(long, env = "STRONGROOM_KEY", value_name = "KEY", hide_env_values = true)]
    key: Checked<KeySource>,
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
    context: Vec<(String, String)>,
    /// Replace OUT where it exists
    #[arg(long)]
    pub force: bool,
}

impl OpenArgs {
    /// The sealing key.
    ///
    /// # Errors
    /// It is not named as keys are.
    pub fn key(&self) -> Result<KeySource, SettingsError> {
        self.key.value(KEY)
    }

    /// The pairs of the encryption context.
    ///
    /// # Errors
    /// A key is given twice.
    pub fn context(&self) -> Result<EncryptionContext, SettingsError> {
        each_once(&self.context)
    }
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

fn each_once(pairs: &[(String, String)]) -> Result<EncryptionContext, SettingsError> {
    let mut context = EncryptionContext::new();
    for (key, value) in pairs {
        if context.insert(key.clone(), value.clone()).is_some() {
            return Err(SettingsError::of(format!("context key {key:?} is given twice")));
        }
    }
    Ok(context)
}
