//! Which registry and which sealing key: the options of every verb that reads or writes models.

use clap::Args;

use super::aws;
use crate::keys::KeySource;
use crate::registry::{Registry, RegistryError};
use crate::store::Location;

/// Where models are kept, and what opens them.
#[derive(Debug, Clone, Args)]
pub struct RegistryArgs {
    /// Where models are kept: s3://BUCKET[/PREFIX] or a directory
    #[arg(long, env = "STRONGROOM_REGISTRY", value_name = "LOCATION")]
    pub registry: Location,
    /// The sealing key: file:PATH, secretsmanager:NAME-or-ARN, or a secret's ARN
    #[arg(long, env = "STRONGROOM_KEY", value_name = "KEY")]
    pub key: KeySource,
}

impl RegistryArgs {
    /// Opens the registry; AWS is configured only where the store or the key is there.
    ///
    /// # Errors
    /// As [`Registry::open`].
    pub async fn open(&self) -> Result<Registry, RegistryError> {
        let aws = aws::load(self.needs_aws()).await;
        Registry::open(&self.registry, &self.key, &aws).await
    }

    fn needs_aws(&self) -> bool {
        matches!(self.registry, Location::S3 { .. }) || matches!(self.key, KeySource::SecretsManager(_))
    }
}
