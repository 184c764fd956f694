//! Which registry and which sealing key: the settings of every verb that reads or writes models.

use clap::Args;

use super::aws;
use super::checked::{Checked, SettingsError};
use super::trust::{OptionalTrustArgs, Trusted};
use crate::keys::{KeySource, Keys};
use crate::registry::{Registry, RegistryError};
use crate::store::{Location, Retention, Store};

/// Where models are kept, and what opens them.
#[derive(Debug, Clone)]
pub struct RegistryArgs {
    /// `s3://BUCKET[/PREFIX]` or a directory.
    pub registry: Location,
    /// The sealing key.
    pub key: KeySource,
    /// Who is trusted.
    pub trusted: Trusted,
}

impl RegistryArgs {
    /// Opens the registry; AWS is configured only where the store or the key is there.
    ///
    /// # Errors
    /// As [`Registry::open`].
    pub async fn open(&self) -> Result<Registry, RegistryError> {
        let aws = aws::load(is_on_aws(&self.registry) || self.key.is_on_aws()).await;
        let registry = Registry::open(&self.registry, &self.key, &aws).await?;
        Ok(Registry { authority: self.trusted.authority().await?, ..registry })
    }

    /// The registry with `keys` that are open already.
    ///
    /// # Errors
    /// As [`Trusted::authority`].
    pub async fn with(&self, keys: Keys) -> Result<Registry, RegistryError> {
        let store = Store::open(&self.registry, &aws::load(is_on_aws(&self.registry)).await);
        Ok(Registry { store, keys, authority: self.trusted.authority().await? })
    }
}

/// How long what a verb writes cannot be deleted.
#[derive(Debug, Clone, Args)]
pub struct RetentionArgs {
    /// How long S3 keeps sealed files and log entries from deletion, in a bucket with Object Lock: governance:DAYS or
    /// compliance:DAYS
    #[arg(long, env = "STRONGROOM_RETENTION", value_name = "RETENTION")]
    retention: Option<Checked<Retention>>,
}

impl RetentionArgs {
    /// `store`, retaining what is asked for.
    ///
    /// # Errors
    /// It is no retention, or the store is a directory.
    pub fn on(&self, store: Store) -> Result<Store, SettingsError> {
        let name = "STRONGROOM_RETENTION (--retention)";
        match &self.retention {
            Some(retention) => {
                store.retaining(retention.value(name)?).map_err(|error| SettingsError::of(format!("{name}: {error}")))
            }
            None => Ok(store),
        }
    }
}

/// Where models are kept, for verbs that open none.
#[derive(Debug, Clone, Args)]
pub struct StoreArgs {
    /// Where models are kept: s3://BUCKET[/PREFIX] or a directory
    #[arg(long, env = "STRONGROOM_REGISTRY", value_name = "LOCATION")]
    registry: Checked<Location>,
    #[command(flatten)]
    /// Who is trusted.
    pub trust: OptionalTrustArgs,
}

/// As [`StoreArgs`], of a verb with verbs of its own: theirs stand in the place of these.
#[derive(Debug, Clone, Args)]
pub struct OptionalStoreArgs {
    /// Where models are kept: s3://BUCKET[/PREFIX] or a directory
    #[arg(long, env = "STRONGROOM_REGISTRY", value_name = "LOCATION")]
    registry: Option<Checked<Location>>,
    #[command(flatten)]
    trust: OptionalTrustArgs,
}

impl OptionalStoreArgs {
    /// The registry.
    ///
    /// # Errors
    /// None is named.
    pub fn check(self) -> Result<StoreArgs, SettingsError> {
        let missing = || SettingsError::of("STRONGROOM_REGISTRY (--registry) is not set".to_owned());
        Ok(StoreArgs { registry: self.registry.ok_or_else(missing)?, trust: self.trust })
    }
}

impl StoreArgs {
    /// The store; nothing of it is touched yet.
    ///
    /// # Errors
    /// It is no location.
    pub async fn open(&self) -> Result<Store, SettingsError> {
        let location = self.registry.value("STRONGROOM_REGISTRY (--registry)")?;
        let aws = aws::load(is_on_aws(&location)).await;
        Ok(Store::open(&location, &aws))
    }
}

fn is_on_aws(location: &Location) -> bool {
    matches!(location, Location::S3 { .. })
}
