//! Which model a verb runs on this machine, and where it is.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::checked::{Checked, Problems, SettingsError};
use super::registry::RegistryArgs;
use crate::keys::KeySource;
use crate::registry::{ModelRef, RegistryError};
use crate::store::Location;

/// A model in a registry, or a plain bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSource {
    /// What contains a `/`.
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

/// Where a registered model is; a plain bundle needs none of it.
#[derive(Debug, Clone, Args)]
pub struct ModelStoreArgs {
    /// Where models are kept: s3://BUCKET[/PREFIX] or a directory
    #[arg(long, env = "STRONGROOM_REGISTRY", value_name = "LOCATION")]
    registry: Option<Checked<Location>>,
    /// The sealing key: file:PATH, secretsmanager:NAME-or-ARN, or a secret's ARN
    #[arg(long, env = "STRONGROOM_KEY", value_name = "KEY", hide_env_values = true)]
    key: Option<Checked<KeySource>>,
}

impl ModelStoreArgs {
    /// The registry and its key, which a registered model needs.
    ///
    /// # Errors
    /// All that is missing or wrong, at once.
    pub fn check(self) -> Result<RegistryArgs, SettingsError> {
        let mut problems = Problems::default();
        let registry = problems.required("STRONGROOM_REGISTRY (--registry)", self.registry);
        let key = problems.required("STRONGROOM_KEY (--key)", self.key);
        problems.finish()?;
        match (registry, key) {
            (Some(registry), Some(key)) => Ok(RegistryArgs { registry, key }),
            // What is missing has been told.
            (None, _) | (_, None) => Err(SettingsError::default()),
        }
    }
}
