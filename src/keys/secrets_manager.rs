//! AWS Secrets Manager: a secret's versions are KEKs, named by their VersionId (sealed-models.md section 6).

mod failure;
mod rotation;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::{Region, SdkConfig};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Builder;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput;
use aws_sdk_secretsmanager::operation::get_secret_value::builders::GetSecretValueFluentBuilder;
use aws_sdk_secretsmanager::primitives::Blob;
use zeroize::Zeroizing;

use super::{Kek, KeyError, KeySource, form};
use crate::sealed::SealingKey;
use failure::Failure;

/// The label of the version that seals.
const CURRENT: &str = "AWSCURRENT";
/// The label of the version that sealed before.
const PREVIOUS: &str = "AWSPREVIOUS";

/// One secret. What was fetched is kept: by version, and which version a label stood on.
#[derive(Debug)]
pub(super) struct Secret {
    client: Client,
    failure: Failure,
    versions: Mutex<HashMap<String, Arc<Kek>>>,
    labels: Mutex<HashMap<&'static str, Arc<Kek>>>,
}

impl Secret {
    pub(super) fn new(id: &str, aws: &SdkConfig) -> Self {
        let region = region_of(id).or_else(|| aws.region().cloned());
        let failure = Failure {
            secret: id.to_owned(),
            region: region.as_ref().map(ToString::to_string),
            attempts: aws.retry_config().map_or(1, |retry| retry.max_attempts()),
        };
        let client = Client::from_conf(Builder::from(aws).region(region).build());
        Self { client, failure, versions: Mutex::default(), labels: Mutex::default() }
    }

    pub(super) async fn current(&self) -> Result<Arc<Kek>, KeyError> {
        self.labelled(CURRENT).await
    }

    pub(super) async fn candidates(&self, name: &str) -> Result<Vec<Arc<Kek>>, KeyError> {
        if let Some(kek) = usable(self.version(name).await)? {
            return Ok(vec![kek]);
        }
        let (current, previous) = (self.current().await, usable(self.labelled(PREVIOUS).await)?);
        match (current, previous) {
            (Ok(current), previous) => Ok(std::iter::once(current).chain(previous).collect()),
            (Err(error), Some(previous)) => Ok(usable(Err(error))?.into_iter().chain([previous]).collect()),
            (Err(error), None) => Err(error),
        }
    }

    async fn version(&self, name: &str) -> Result<Arc<Kek>, KeyError> {
        if let Some(kek) = lock(&self.versions).get(name) {
            return Ok(Arc::clone(kek));
        }
        // The API's bounds for a VersionId. The name is from a header that nobody has authenticated yet.
        if !(32..=64).contains(&name.len()) || !name.bytes().all(|c| c.is_ascii_graphic()) {
            return Err(self.failure.missing());
        }
        self.fetch(|request| request.version_id(name)).await
    }

    /// The version that bore `label` when it was first asked for.
    async fn labelled(&self, label: &'static str) -> Result<Arc<Kek>, KeyError> {
        if let Some(kek) = lock(&self.labels).get(label) {
            return Ok(Arc::clone(kek));
        }
        let kek = self.fetch(|request| request.version_stage(label)).await?;
        lock(&self.labels).insert(label, Arc::clone(&kek));
        Ok(kek)
    }

    async fn fetch(
        &self,
        which: impl FnOnce(GetSecretValueFluentBuilder) -> GetSecretValueFluentBuilder,
    ) -> Result<Arc<Kek>, KeyError> {
        let request = which(self.client.get_secret_value().secret_id(&self.failure.secret));
        let kek = self.kek(request.send().await.map_err(|error| self.failure.of(error))?)?;
        Ok(Arc::clone(lock(&self.versions).entry(kek.name.clone()).or_insert_with(|| Arc::new(kek))))
    }

    fn empty(&self) -> KeyError {
        KeyError::Empty { secret: self.failure.secret.clone() }
    }

    fn kek(&self, mut answer: GetSecretValueOutput) -> Result<Kek, KeyError> {
        let name = answer.version_id.take().ok_or_else(|| self.empty())?;
        let value = value_of(answer).ok_or_else(|| self.empty())?;
        let form_error = |source| {
            let source_name = KeySource::SecretsManager(self.failure.secret.clone()).to_string();
            KeyError::Form { source_name, source }
        };
        let form::Value { key, min_index } = form::value(&value).map_err(form_error)?;
        Ok(Kek { name, key, min_index })
    }
}

/// The SDK's own buffers cannot be wiped; the value that it hands out is.
fn value_of(answer: GetSecretValueOutput) -> Option<Zeroizing<Vec<u8>>> {
    let binary = answer.secret_binary.map(Blob::into_inner);
    binary.or(answer.secret_string.map(String::into_bytes)).map(Zeroizing::new)
}

pub(super) async fn value(id: &str, aws: &SdkConfig) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let secret = Secret::new(id, aws);
    let answer = secret.client.get_secret_value().secret_id(id).send().await;
    value_of(answer.map_err(|error| secret.failure.of(error))?).ok_or_else(|| secret.empty())
}

/// Makes the secret `name` with `key` as its first version and answers with the version's id.
pub(super) async fn create(name: &str, key: &SealingKey, aws: &SdkConfig) -> Result<String, KeyError> {
    if name.starts_with("arn:") {
        return Err(KeyError::NewArn);
    }
    let Secret { client, failure, .. } = Secret::new(name, aws);
    let request = client.create_secret().name(name).description("Strongroom key-encryption key");
    let created = request.secret_binary(Blob::new(key.expose().as_slice())).send().await;
    let created = created.map_err(|error| match failure.of(error) {
        KeyError::Denied { secret, source } => KeyError::MakingDenied { secret, source },
        other => other,
    })?;
    created.version_id.ok_or(KeyError::Empty { secret: name.to_owned() })
}

/// A version that is not there, or holds no key, is no reason not to try another; a call that failed is.
fn usable(version: Result<Arc<Kek>, KeyError>) -> Result<Option<Arc<Kek>>, KeyError> {
    match version {
        Ok(kek) => Ok(Some(kek)),
        Err(KeyError::Missing { .. } | KeyError::Empty { .. } | KeyError::Form { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// An ARN says the region of its secret: `arn:PARTITION:secretsmanager:REGION:...`.
fn region_of(id: &str) -> Option<Region> {
    id.strip_prefix("arn:")?.split(':').nth(2).map(|region| Region::new(region.to_owned()))
}

/// A map is whole at any time, also when a thread that held the lock panicked.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
