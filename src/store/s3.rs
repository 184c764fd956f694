//! An S3 bucket, by conditional requests: `If-None-Match: *` creates, `If-Match` swaps and pins (sealed-models.md
//! section 7 has the facts). The SDK retries what it sends; what is retried here is what it cannot see: a body that
//! breaks off, and `409 ConditionalRequestConflict`, which means "two conditional writes met, ask again".

mod erasure;
mod failure;
mod upload;

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{ChecksumAlgorithm, ObjectLockMode};
use aws_types::service_config::ServiceConfigKey;
use bytes::{Bytes, BytesMut};

use super::{ETag, MAX_LISTED, Object, Retention, RetentionMode, StoreError, key};
use failure::{Answer, Failure};

/// How often a broken-off body and a conflict are tried in all.
const ATTEMPTS: u32 = 4;

#[derive(Debug, Clone)]
pub(super) struct Bucket {
    client: Client,
    name: String,
    prefix: String,
    has_region: bool,
    sdk_attempts: u32,
    retention: Option<Retention>,
}

impl Bucket {
    pub(super) fn new(name: &str, prefix: &str, aws: &SdkConfig) -> Self {
        // A service of one's own is found under its address alone: BUCKET.ADDRESS is a name nobody made.
        let config = Builder::from(aws).force_path_style(has_own_endpoint(aws)).build();
        Self {
            client: Client::from_conf(config),
            name: name.to_owned(),
            prefix: prefix.to_owned(),
            has_region: aws.region().is_some(),
            sdk_attempts: aws.retry_config().map_or(1, |retry| retry.max_attempts()),
            retention: None,
        }
    }

    pub(super) fn retaining(self, retention: Retention) -> Self {
        Self { retention: Some(retention), ..self }
    }

    pub(super) async fn head(&self, key: &str) -> Result<Object, StoreError> {
        let head = self.client.head_object().bucket(&self.name).key(self.full(key)).send().await;
        match head {
            Ok(head) => self.object_of(key, head.content_length, head.e_tag),
            Err(error) => match Answer::of(&error) {
                // An answer to HEAD has no body that says what is missing, object or bucket, or what is wrong with the
                // request. One to GET has.
                Some(Answer { status: 400 | 403 | 404, .. }) => {
                    let found = self.start(key, self.request(key).range("bytes=0-0")).await?;
                    let len = found.content_range().and_then(total_len).or(found.content_length);
                    self.object_of(key, len, found.e_tag)
                }
                Some(_) | None => Err(self.failure(key).of(error)),
            },
        }
    }

    pub(super) async fn get(&self, key: &str, limit: u64) -> Result<(Bytes, ETag), StoreError> {
        self.whole_body(key, || async {
            let found = self.start(key, self.request(key)).await?;
            let object = self.object_of(key, found.content_length, found.e_tag.clone())?;
            if object.len > limit {
                return Err(StoreError::TooLarge { object: self.uri(key), len: object.len, limit });
            }
            Ok(self.body(key, found, object.len).await?.map(|body| (body, object.etag)))
        })
        .await
    }

    pub(super) async fn read_range(&self, key: &str, range: Range<u64>, etag: &ETag) -> Result<Bytes, StoreError> {
        let beyond = || StoreError::OutOfRange { object: self.uri(key), end: range.end };
        self.whole_body(key, || async {
            let bytes = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
            let found = self.start(key, self.request(key).range(bytes).if_match(&etag.0)).await;
            let found = found.map_err(|error| match error {
                StoreError::OutOfRange { .. } => beyond(),
                other => other,
            })?;
            let len = range.end.saturating_sub(range.start);
            if found.e_tag() != Some(&etag.0) {
                return Err(StoreError::Changed { object: self.uri(key) });
            }
            if found.content_length.and_then(|len| u64::try_from(len).ok()) != Some(len) {
                return Err(beyond());
            }
            self.body(key, found, len).await
        })
        .await
    }

    pub(super) async fn create(&self, key: &str, body: Bytes) -> Result<bool, StoreError> {
        created(self.put(key, body, |request| request.if_none_match("*")).await)
    }

    pub(super) async fn create_retained(&self, key: &str, body: Bytes) -> Result<bool, StoreError> {
        let (mode, until) = self.retained();
        let conditions = |request: PutObjectFluentBuilder| {
            let request = request.set_object_lock_mode(mode.clone()).set_object_lock_retain_until_date(until);
            request.if_none_match("*")
        };
        created(self.put(key, body, conditions).await)
    }

    pub(super) async fn create_retained_from(
        &self,
        key: &str,
        file: &Path,
        sent: &(dyn Fn(u64) + Sync),
    ) -> Result<bool, StoreError> {
        upload::create_retained(self, key, file, sent).await
    }

    pub(super) async fn swap(&self, key: &str, expected: Option<&ETag>, body: Bytes) -> Result<ETag, StoreError> {
        self.put(key, body, |request| match expected {
            Some(etag) => request.if_match(&etag.0),
            None => request.if_none_match("*"),
        })
        .await
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<(String, SystemTime)>, StoreError> {
        let request = self.client.list_objects_v2().bucket(&self.name).prefix(self.full(prefix));
        let mut pages = request.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failure(prefix).of(error))?;
            let objects = page.contents().iter().filter_map(|object| {
                let key = object.key()?.strip_prefix(&self.prefix)?;
                // What does not say when it was written, was written now.
                let written = object.last_modified().and_then(|time| SystemTime::try_from(*time).ok());
                Some((key.to_owned(), written.unwrap_or_else(SystemTime::now)))
            });
            keys.extend(objects.filter(|(key, _)| key::wrong(key).is_none()));
            if keys.len() > MAX_LISTED {
                return Err(StoreError::TooMany { store: self.uri(""), limit: MAX_LISTED });
            }
        }
        keys.sort_unstable();
        Ok(keys)
    }

    pub(super) async fn delete_all(&self, prefix: &str) -> Result<usize, StoreError> {
        erasure::delete_all(self, prefix).await
    }

    /// Writes under a condition. 412, and 404 where a version was expected, are a [`StoreError::Conflict`].
    async fn put(
        &self,
        key: &str,
        body: Bytes,
        condition: impl Fn(PutObjectFluentBuilder) -> PutObjectFluentBuilder,
    ) -> Result<ETag, StoreError> {
        for attempt in 1..=ATTEMPTS {
            let request = self.client.put_object().bucket(&self.name).key(self.full(key));
            let request = request.checksum_algorithm(ChecksumAlgorithm::Sha256).body(body.clone().into());
            let put = condition(request).customize().config_override(upload::patience()).send().await;
            let error = match put {
                Ok(put) => return self.etag(key, put.e_tag),
                Err(error) => error,
            };
            match Answer::of(&error) {
                Some(Answer { status: 409, .. }) if attempt < ATTEMPTS => pause(attempt).await,
                Some(answer) if answer.is_conflict() => break,
                Some(_) | None => return Err(self.failure(key).of(error)),
            }
        }
        Err(StoreError::Conflict { object: self.uri(key) })
    }

    /// Tries again when `attempt` says, by `None`, that a body broke off.
    async fn whole_body<T, F>(&self, key: &str, attempt: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<Option<T>, StoreError>>,
    {
        for count in 1..=ATTEMPTS {
            if let Some(whole) = attempt().await? {
                return Ok(whole);
            }
            if count < ATTEMPTS {
                pause(count).await;
            }
        }
        let source = "the transfer broke off each time".into();
        Err(StoreError::Unreachable { object: self.uri(key), attempts: ATTEMPTS, source })
    }

    /// Exactly `len` bytes, or `None` when fewer arrive.
    async fn body(&self, key: &str, mut found: GetObjectOutput, len: u64) -> Result<Option<Bytes>, StoreError> {
        let large = || StoreError::Failed { object: self.uri(key), source: "it does not fit in memory".into() };
        let len = usize::try_from(len).map_err(|_| large())?;
        let mut body = BytesMut::with_capacity(len.min(super::PART_LEN as usize));
        loop {
            match found.body.try_next().await {
                Ok(Some(piece)) if piece.len() <= len - body.len() => body.extend_from_slice(&piece),
                Ok(None) if body.len() == len => return Ok(Some(body.freeze())),
                Ok(Some(_) | None) => return Ok(None),
                Err(error) => {
                    tracing::warn!(object = self.uri(key), arrived = body.len(), %error, "transfer broke off");
                    return Ok(None);
                }
            }
        }
    }

    fn request(&self, key: &str) -> GetObjectFluentBuilder {
        self.client.get_object().bucket(&self.name).key(self.full(key))
    }

    async fn start(&self, key: &str, request: GetObjectFluentBuilder) -> Result<GetObjectOutput, StoreError> {
        request.send().await.map_err(|error| self.failure(key).of(error))
    }

    fn object_of(&self, key: &str, len: Option<i64>, etag: Option<String>) -> Result<Object, StoreError> {
        match len.and_then(|len| u64::try_from(len).ok()) {
            Some(len) => Ok(Object { len, etag: self.etag(key, etag)? }),
            None => Err(self.incomplete(key, "the answer says no length")),
        }
    }

    fn etag(&self, key: &str, etag: Option<String>) -> Result<ETag, StoreError> {
        etag.map(ETag).ok_or_else(|| self.incomplete(key, "the answer has no ETag"))
    }

    fn incomplete(&self, key: &str, what: &'static str) -> StoreError {
        StoreError::Failed { object: self.uri(key), source: what.into() }
    }

    /// The Object Lock of an object that is written now.
    fn retained(&self) -> (Option<ObjectLockMode>, Option<DateTime>) {
        let Some(Retention { mode, days }) = self.retention else { return (None, None) };
        let mode = match mode {
            RetentionMode::Governance => ObjectLockMode::Governance,
            RetentionMode::Compliance => ObjectLockMode::Compliance,
        };
        let until = SystemTime::now() + Duration::from_secs(u64::from(days.get()) * 24 * 60 * 60);
        (Some(mode), Some(until.into()))
    }

    fn failure(&self, key: &str) -> Failure {
        Failure {
            store: format!("s3://{}", self.name),
            object: self.uri(key),
            has_region: self.has_region,
            attempts: self.sdk_attempts,
        }
    }

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn uri(&self, key: &str) -> String {
        format!("s3://{}/{}{key}", self.name, self.prefix)
    }
}

/// Whether an object came to be: a conflict says that there is one.
fn created(put: Result<ETag, StoreError>) -> Result<bool, StoreError> {
    match put {
        Ok(_) => Ok(true),
        Err(StoreError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_S3` or the profile names the service's address.
fn has_own_endpoint(aws: &SdkConfig) -> bool {
    let key = ServiceConfigKey::builder().service_id("S3").env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let of_service = || aws.service_config()?.load_config(key.ok()?);
    aws.endpoint_url().is_some() || of_service().is_some()
}

/// `bytes 0-0/LEN`.
fn total_len(content_range: &str) -> Option<i64> {
    content_range.rsplit_once('/')?.1.parse().ok()
}

async fn pause(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(100) * attempt.min(10)).await;
}
