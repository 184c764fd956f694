//! Which model a verb runs on this machine, and where it is.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::checked::{Checked, Problems, SettingsError};
use super::registry::RegistryArgs;
use super::trust::OptionalTrustArgs;
use crate::keys::KeySource;
use crate::registry::{ModelRef, RegistryError};
use crate::store::Location;

/// What errors call the sealing key's setting.
const KEY: &str = "STRONGROOM_KEY (--key)";

/// A model in a registry, or in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSource {
    /// What contains a `/`: a plain bundle, or what `strongroom export` wrote.
    Directory(PathBuf),
    /// `NAME[:ALIAS]`, `NAME:VERSION` or `NAME@sha256:HEX`.
    Registered(ModelRef),
}

impl FromStr for ModelSource {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self, RegistryError> {
        if text.contains('/') {
            return Ok(Self::Directory(PathBuf::from(text)));
        }
        text.parse().map(Self::Registered)
    }
}

/// Where a registered model is, and what opens it; a plain bundle needs none of it, an exported model only the key.
#[derive(Debug, Clone, Args)]
pub struct ModelStoreArgs {
    /// Where models are kept: s3://BUCKET[/PREFIX] or a directory
    #[arg(long, env = "STRONGROOM_REGISTRY", value_name = "LOCATION")]
    registry: Option<Checked<Location>>,
    /// The sealing key: file:PATH, secretsmanager:NAME-or-ARN, a secret's ARN, or vault:kv/MOUNT/PATH
    #[arg(long, env = "STRONGROOM_KEY", value_name = "KEY", hide_env_values = true)]
    key: Option<Checked<KeySource>>,
    #[command(flatten)]
    /// Who is trusted.
    pub trust: OptionalTrustArgs,
}

impl ModelStoreArgs {
    /// The key, which an exported model needs.
    ///
    /// # Errors
    /// It is missing or wrong.
    pub fn key(self) -> Result<KeySource, SettingsError> {
        let mut problems = Problems::default();
        let key = problems.required(KEY, self.key);
        problems.finish()?;
        // What is missing has been told.
        key.ok_or_else(SettingsError::default)
    }

    /// The registry and its key, which a registered model needs.
    ///
    /// # Errors
    /// All that is missing or wrong, at once.
    pub fn check(self) -> Result<RegistryArgs, SettingsError> {
        let mut problems = Problems::default();
        let registry = problems.required("STRONGROOM_REGISTRY (--registry)", self.registry);
        let key = problems.required(KEY, self.key);
        let trusted = self.trust.take(&mut problems);
        problems.finish()?;
        match (registry, key) {
            (Some(registry), Some(key)) => Ok(RegistryArgs { registry, key, trusted }),
            // What is missing has been told.
            (None, _) | (_, None) => Err(SettingsError::default()),
        }
    }
}
