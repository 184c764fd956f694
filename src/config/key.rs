//! Arguments of `strongroom key`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::checked::{Checked, SettingsError};
use crate::keys::KeySource;
use crate::signer::SignerSource;

/// Makes keys.
#[derive(Debug, Args)]
pub struct Key {
    /// What to do.
    #[command(subcommand)]
    pub verb: KeyVerb,
}

/// What `strongroom key` can do.
#[derive(Debug, Subcommand)]
pub enum KeyVerb {
    /// Make a new sealing key of 32 random bytes and print its name; or a signing key
    New(KeyNew),
    /// Print a signing key's public half in PEM
    #[cfg(feature = "upkeep")]
    Public(KeyPublic),
}

/// Arguments of `strongroom key new`.
#[derive(Debug, Args)]
pub struct KeyNew {
    /// New key file, of mode 0600; never overwrites one
    #[arg(short, long, value_name = "FILE", required_unless_present = "to", conflicts_with = "to")]
    pub output: Option<PathBuf>,
    /// New secret, whose first version the key becomes
    #[arg(long, value_name = "secretsmanager:NAME")]
    to: Option<Checked<KeySource>>,
    /// Make a signing key (ECDSA on P-256, PKCS#8 in PEM) and print its fingerprint
    #[cfg(feature = "upkeep")]
    #[arg(long, requires = "output")]
    pub signing: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `strongroom key public`.
#[derive(Debug, Args)]
pub struct KeyPublic {
    /// The signing key: file:PATH or kms:ID-or-ARN
    #[arg(long, env = "STRONGROOM_SIGNING_KEY", value_name = "KEY")]
    signing_key: Checked<SignerSource>,
}

impl KeyPublic {
    /// Where the key is.
    ///
    /// # Errors
    /// It is named wrongly.
    pub fn source(&self) -> Result<SignerSource, SettingsError> {
        self.signing_key.value("STRONGROOM_SIGNING_KEY (--signing-key)")
    }
}

impl KeyNew {
    /// Where the key is to be kept; one of the two is given, as clap sees to.
    ///
    /// # Errors
    /// `--to` names no secret.
    pub fn place(&self) -> Result<KeySource, SettingsError> {
        match (&self.output, &self.to) {
            (Some(file), _) => Ok(KeySource::File(file.clone())),
            (None, Some(to)) => to.value("--to"),
            (None, None) => Err(SettingsError::of("neither --output nor --to is given".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        new: KeyNew,
    }

    fn place(arguments: &[&str]) -> Option<KeySource> {
        let line = Line::try_parse_from(["new"].iter().chain(arguments)).ok()?;
        line.new.place().ok()
    }

    #[test]
    fn exactly_one_place_is_given_with_json_or_without() {
        let secret = || Some(KeySource::SecretsManager("s".into()));
        for json in [&[][..], &["--json"]] {
            assert_eq!(place(&[&["-o", "k"], json].concat()), Some(KeySource::File("k".into())));
            assert_eq!(place(&[&["--to", "secretsmanager:s"], json].concat()), secret());
            assert_eq!(place(json), None);
            assert_eq!(place(&[&["-o", "k", "--to", "secretsmanager:s"], json].concat()), None);
        }
    }
}
