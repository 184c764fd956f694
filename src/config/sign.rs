//! The arguments of `strongroom sign` and `strongroom verify`.

use std::path::PathBuf;

use clap::Args;

use super::aws;
use super::checked::{Checked, SettingsError};
use super::trust::TrustArgs;
use crate::signer::{Signer, SignerError, SignerSource};

/// The keys that sign.
#[derive(Debug, Clone, Args)]
pub struct SignersArgs {
    /// A signing key: file:PATH, kms:ID-or-ARN or a PKCS#11 URI. Given more than once, all of them sign
    #[arg(
        long = "signing-key",
        env = "STRONGROOM_SIGNING_KEY",
        value_name = "KEY",
        value_delimiter = ',',
        required = true
    )]
    keys: Vec<Checked<SignerSource>>,
}

impl SignersArgs {
    /// Where they are.
    ///
    /// # Errors
    /// One of them is named wrongly.
    pub fn check(&self) -> Result<Vec<SignerSource>, SettingsError> {
        check(&self.keys)
    }
}

/// The keys that sign what is written to a registry; without any it is unsigned.
#[derive(Debug, Clone, Args)]
pub struct OptionalSignersArgs {
    /// A key that signs the log entry: file:PATH, kms:ID-or-ARN or a PKCS#11 URI. Given more than once, all of them sign
    #[arg(long = "signing-key", env = "STRONGROOM_SIGNING_KEY", value_name = "KEY", value_delimiter = ',')]
    keys: Vec<Checked<SignerSource>>,
}

impl OptionalSignersArgs {
    /// Where they are.
    ///
    /// # Errors
    /// One of them is named wrongly.
    pub fn check(&self) -> Result<Vec<SignerSource>, SettingsError> {
        check(&self.keys)
    }
}

fn check(keys: &[Checked<SignerSource>]) -> Result<Vec<SignerSource>, SettingsError> {
    keys.iter().map(|key| key.value("STRONGROOM_SIGNING_KEY (--signing-key)")).collect()
}

/// Opens `sources`; AWS is configured only where one of them is there.
///
/// # Errors
/// As [`Signer::open`].
pub async fn open(sources: &[SignerSource]) -> Result<Vec<Signer>, SignerError> {
    let aws = aws::load(sources.iter().any(SignerSource::is_on_aws)).await;
    let mut signers = Vec::with_capacity(sources.len());
    for source in sources {
        signers.push(Signer::open(source, &aws).await?);
    }
    Ok(signers)
}

/// Sign a model directory, in the format of OpenSSF Model Signing
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  strongroom sign face-analyzer/ --signing-key file:alice.key
  strongroom sign face-analyzer/ --signing-key kms:alias/models -o face-analyzer/model.kms.sig
  strongroom sign face-analyzer/ --signing-key \\
    'pkcs11:token=models;object=alice?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/run/pin'

The signature is over every file of the directory, but those whose name begins with a dot and signatures (model.sig,
model.NAME.sig). Other tools verify it, too: model_signing verify key DIR --signature DIR/model.sig --public_key alice.pem")]
pub struct SignArgs {
    /// The model directory
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    #[command(flatten)]
    /// Who signs.
    pub signers: SignersArgs,
    /// The signature's file [default: model.sig in the directory]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace a signature that is there
    #[arg(long)]
    pub force: bool,
    /// Answer with JSON
    #[arg(long)]
    pub json: bool,
}

/// Verify a model directory's signatures
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  strongroom verify face-analyzer/ --trust trust.json
  strongroom verify ngc-model/ --signature ngc-model.sig --trust trust.json

Verified are the signatures in the directory (model.sig, model.NAME.sig) or the one that --signature names. Exit code 0
means that enough authors whom the policy trusts signed exactly the files that are there.")]
pub struct VerifyArgs {
    /// The model directory
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    #[command(flatten)]
    /// Who may sign.
    pub trust: TrustArgs,
    /// A signature outside of the directory
    #[arg(long, value_name = "FILE")]
    pub signature: Option<PathBuf>,
    /// Answer with JSON
    #[arg(long)]
    pub json: bool,
}
