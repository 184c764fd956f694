//! Who is trusted: the setting that verbs have which verify, and the arguments of `strongroom trust`.

use std::convert::Infallible;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use clap::Args;

use super::aws;
use super::checked::{Problems, SettingsError};
use crate::keys::{self, KeySource};
use crate::registry::{Authority, RegistryError};
use crate::signed::{PublicKey, Trust};

/// An inline policy is at most this long: as much as fits a variable of SageMaker's.
const MAX_INLINE_LEN: usize = 1_024;
/// A file of a policy or of a public key is read up to this length.
const MAX_FILE_LEN: u64 = 256 * 1024;
const TRUST: &str = "STRONGROOM_TRUST (--trust)";

/// Who is trusted.
#[derive(Debug, Clone, Args)]
pub struct TrustArgs {
    /// Who is trusted to sign: the file of a trust policy, secretsmanager:NAME-or-ARN of one, or the policy itself, of at most
    /// 1,024 bytes of JSON. `strongroom trust` writes one
    #[arg(long, env = "STRONGROOM_TRUST", value_name = "POLICY")]
    trust: TrustPolicy,
}

impl TrustArgs {
    /// The policy, but for what is in a secret.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn check(&self) -> Result<PolicyPlace, SettingsError> {
        self.trust.read().map_err(|problem| SettingsError::of(format!("{TRUST}: {problem}")))
    }
}

/// Who is trusted, where that may be left open.
#[derive(Debug, Clone, Default, Args)]
pub struct OptionalTrustArgs {
    /// Who is trusted to sign: the file of a trust policy, secretsmanager:NAME-or-ARN of one, or the policy itself, of at most
    /// 1,024 bytes of JSON. Without one no signature is verified. `strongroom trust` writes one
    #[arg(long, env = "STRONGROOM_TRUST", value_name = "POLICY")]
    trust: Option<TrustPolicy>,
}

impl OptionalTrustArgs {
    /// Those who are trusted, but for what is in a secret.
    ///
    /// # Errors
    /// The policy cannot be read, or is none.
    pub fn check(&self) -> Result<Trusted, SettingsError> {
        let mut problems = Problems::default();
        let trusted = self.take(&mut problems);
        problems.finish().map(|()| trusted)
    }

    /// What is wrong is added to `problems`.
    pub(super) fn take(&self, problems: &mut Problems) -> Trusted {
        let place = match self.trust.as_ref().map(TrustPolicy::read) {
            Some(Ok(place)) => Some(place),
            Some(Err(problem)) => {
                problems.add(format!("{TRUST}: {problem}"));
                None
            }
            None => None,
        };
        Trusted { place, min_index: 0 }
    }
}

/// Whose word counts, checked, but for what is in a secret.
#[derive(Debug, Clone, Default)]
pub struct Trusted {
    place: Option<PolicyPlace>,
    /// The index of the log entry before which no alias may point.
    pub(super) min_index: u64,
}

/// Where a policy is.
#[derive(Debug, Clone)]
pub enum PolicyPlace {
    /// Read already.
    Here(Arc<Trust>),
    /// In the secret of this name or ARN.
    Secret(String),
}

impl Trusted {
    /// Those who are trusted, and nobody who signs.
    ///
    /// # Errors
    /// [`RegistryError::Policy`]: the secret cannot be read, or holds no policy.
    pub async fn authority(&self) -> Result<Authority, RegistryError> {
        let trust = match &self.place {
            Some(place) => Some(place.policy().await?),
            None => None,
        };
        Ok(Authority { trust, min_index: self.min_index, ..Authority::default() })
    }

    /// Whether there is a policy.
    pub(super) fn is_set(&self) -> bool {
        self.place.is_some()
    }

    /// The secret that holds the policy, if one does.
    pub fn secret(&self) -> Option<&str> {
        match &self.place {
            Some(PolicyPlace::Secret(id)) => Some(id),
            Some(PolicyPlace::Here(_)) | None => None,
        }
    }
}

impl PolicyPlace {
    /// The policy itself.
    ///
    /// # Errors
    /// [`RegistryError::Policy`]: the secret cannot be read, or holds no policy.
    pub async fn policy(&self) -> Result<Arc<Trust>, RegistryError> {
        match self {
            Self::Here(trust) => Ok(Arc::clone(trust)),
            Self::Secret(id) => {
                let wrong = |source| RegistryError::Policy { secret: id.clone(), source };
                let value =
                    keys::secret_value(id, &aws::load(true).await).await.map_err(|error| wrong(error.into()))?;
                Trust::read(&value).map(Arc::new).map_err(|error| wrong(error.into()))
            }
        }
    }
}

/// A policy, or the file it is in.
#[derive(Debug, Clone)]
struct TrustPolicy(String);

impl FromStr for TrustPolicy {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl TrustPolicy {
    fn read(&self) -> Result<PolicyPlace, String> {
        if let Ok(KeySource::SecretsManager(id)) = self.0.parse() {
            return Ok(PolicyPlace::Secret(id));
        }
        let text = match self.0.trim_start().starts_with('{') {
            true if self.0.len() > MAX_INLINE_LEN => {
                return Err(format!("more than {MAX_INLINE_LEN} bytes; put it into a file and name that"));
            }
            true => self.0.clone(),
            false => read(Path::new(&self.0))?,
        };
        Trust::read(text.as_bytes()).map(|trust| PolicyPlace::Here(Arc::new(trust))).map_err(|error| chain(&error))
    }
}

/// Write a trust policy: who may sign models, and who may publish them
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  strongroom key new --signing -o alice.key
  strongroom key public --signing-key file:alice.key > alice.pem
  strongroom trust --author alice=alice.pem --publisher ci=ci.pem > trust.json

A signer may have several keys, of which an old and a new one overlap while keys are changed: name each. From when to when
a key is trusted, and how many signers must agree, is written into the file: docs/REGISTRY.md describes it.")]
pub struct TrustPolicyArgs {
    /// Somebody who may sign models, and the file of a public key of theirs in PEM; without any, models need no signature of
    /// their own
    #[arg(long = "author", value_name = "NAME=FILE", required_unless_present = "publishers")]
    pub authors: Vec<NamedKey>,
    /// Somebody who may publish and promote, and the file of a public key of theirs in PEM [default: the authors]
    #[arg(long = "publisher", value_name = "NAME=FILE")]
    pub publishers: Vec<NamedKey>,
}

/// A signer's name and the file of a public key of theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedKey {
    /// As the policy will call them.
    pub name: String,
    file: PathBuf,
}

impl FromStr for NamedKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, file)) if !name.is_empty() && !file.is_empty() => {
                Ok(Self { name: name.to_owned(), file: file.into() })
            }
            Some(_) | None => Err("expected NAME=FILE".to_owned()),
        }
    }
}

impl NamedKey {
    /// The key.
    ///
    /// # Errors
    /// The file cannot be read, or holds no key that verifies here.
    pub fn read(&self) -> Result<PublicKey, SettingsError> {
        let wrong = |problem: String| SettingsError::of(format!("the key of {}: {problem}", self.name));
        let text = read(&self.file).map_err(wrong)?;
        PublicKey::from_pem(&text).map_err(|error| wrong(format!("{}: {error}", self.file.display())))
    }
}

fn read(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let mut text = String::new();
    File::open(path).map_err(failed)?.take(MAX_FILE_LEN + 1).read_to_string(&mut text).map_err(failed)?;
    match text.len() as u64 > MAX_FILE_LEN {
        true => Err(format!("{} is longer than {MAX_FILE_LEN} bytes", path.display())),
        false => Ok(text),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}
