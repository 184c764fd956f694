//! Local files into objects, create-only, in parts where they are large.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::super::{PART_LEN, StoreError, blocking};
use super::{ATTEMPTS, Answer, Bucket, pause};

/// Parts on their way at a time: so many times a part's length is held in memory.
const CONCURRENCY: usize = 4;
/// S3 takes no more parts of one upload.
const MAX_PARTS: u64 = 10_000;

/// An upload's answer comes after its body, so its time limit is that of a part over a slow line.
pub(super) fn patience() -> aws_sdk_s3::config::Builder {
    let timeouts = TimeoutConfig::builder().read_timeout(Duration::from_secs(300)).build();
    aws_sdk_s3::config::Builder::new().timeout_config(timeouts)
}

/// `sent` is told of parts that arrived.
pub(super) async fn create_retained(
    bucket: &Bucket,
    key: &str,
    path: &Path,
    sent: &(dyn Fn(u64) + Sync),
) -> Result<bool, StoreError> {
    let source = Source::open(path).await?;
    if source.len <= PART_LEN {
        let created = bucket.create_retained(key, source.read(0, source.len).await?).await;
        return created.inspect(|_| sent(source.len));
    }
    for attempt in 1..=ATTEMPTS {
        // Asked first: gigabytes are not sent to learn that they are there.
        if is_there(bucket, key).await? {
            return Ok(false);
        }
        match Upload::start(bucket, key).await?.run(&source, sent).await? {
            Completed::Created => return Ok(true),
            Completed::Exists => return Ok(false),
            Completed::Again if attempt < ATTEMPTS => pause(attempt).await,
            Completed::Again => {}
        }
    }
    Err(StoreError::Conflict { object: bucket.uri(key) })
}

async fn is_there(bucket: &Bucket, key: &str) -> Result<bool, StoreError> {
    match bucket.head(key).await {
        Ok(_) => Ok(true),
        Err(StoreError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// An open file; what is read is what was opened.
#[derive(Clone)]
struct Source {
    file: Arc<File>,
    path: Arc<Path>,
    len: u64,
}

impl Source {
    async fn open(path: &Path) -> Result<Self, StoreError> {
        let path: Arc<Path> = path.into();
        blocking(move || {
            let failed = |source| StoreError::Source { path: path.to_path_buf(), source };
            let file = File::open(&path).map_err(failed)?;
            let len = file.metadata().map_err(failed)?.len();
            Ok(Self { file: Arc::new(file), len, path })
        })
        .await
    }

    async fn read(&self, offset: u64, len: u64) -> Result<Bytes, StoreError> {
        let source = self.clone();
        blocking(move || {
            let failed = |error| StoreError::Source { path: source.path.to_path_buf(), source: error };
            let len = usize::try_from(len).map_err(|error| failed(std::io::Error::other(error)))?;
            let mut part = vec![0; len];
            source.file.read_exact_at(&mut part, offset).map_err(failed)?;
            Ok(part.into())
        })
        .await
    }

    /// A multiple of [`PART_LEN`], more than one only where S3's number of parts demands it.
    fn part_len(&self) -> u64 {
        self.len.div_ceil(MAX_PARTS).div_ceil(PART_LEN).max(1).saturating_mul(PART_LEN)
    }
}

/// How an upload ended.
enum Completed {
    Created,
    Exists,
    /// Two conditional writes met and S3 forgot the parts; or there is no such upload, as when it was completed by an
    /// attempt whose answer was lost. Looking again tells.
    Again,
}

/// A multipart upload that was begun. Ends by [`Self::run`], which aborts it when it fails.
struct Upload<'a> {
    bucket: &'a Bucket,
    key: &'a str,
    id: String,
}

impl<'a> Upload<'a> {
    async fn start(bucket: &'a Bucket, key: &'a str) -> Result<Self, StoreError> {
        let request = bucket.client.create_multipart_upload().bucket(&bucket.name).key(bucket.full(key));
        let (mode, until) = bucket.retained();
        let request = request.set_object_lock_mode(mode).set_object_lock_retain_until_date(until);
        let begun = request.checksum_algorithm(ChecksumAlgorithm::Sha256).send().await;
        let id = begun.map_err(|error| bucket.failure(key).of(error))?.upload_id;
        let id = id.ok_or_else(|| bucket.incomplete(key, "the answer has no upload id"))?;
        Ok(Self { bucket, key, id })
    }

    async fn run(self, source: &Source, sent: &(dyn Fn(u64) + Sync)) -> Result<Completed, StoreError> {
        let completed = match self.send_parts(source, sent).await {
            Ok(parts) => self.complete(parts).await,
            Err(error) => Err(error),
        };
        if !matches!(completed, Ok(Completed::Created)) {
            self.abort().await;
        }
        completed
    }

    async fn send_parts(&self, source: &Source, sent: &(dyn Fn(u64) + Sync)) -> Result<Vec<CompletedPart>, StoreError> {
        let len = source.part_len();
        let parts = (1..).zip((0..source.len).step_by(usize::try_from(len).unwrap_or(usize::MAX)));
        let sending = parts.map(|(number, offset)| async move {
            let range = offset..source.len.min(offset + len);
            let part_len = range.end - range.start;
            self.send_part(source, number, range).await.inspect(|_| sent(part_len))
        });
        stream::iter(sending).buffered(CONCURRENCY).try_collect().await
    }

    async fn send_part(
        &self,
        source: &Source,
        number: i32,
        range: std::ops::Range<u64>,
    ) -> Result<CompletedPart, StoreError> {
        let body = source.read(range.start, range.end - range.start).await?;
        let request = self.bucket.client.upload_part().bucket(&self.bucket.name).key(self.bucket.full(self.key));
        let request = request.upload_id(&self.id).part_number(number).body(body.into());
        let request = request.checksum_algorithm(ChecksumAlgorithm::Sha256);
        let sent = request.customize().config_override(patience()).send().await;
        let sent = sent.map_err(|error| self.bucket.failure(self.key).of(error))?;
        let part = CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag);
        Ok(part.set_checksum_sha256(sent.checksum_sha256).build())
    }

    async fn complete(&self, parts: Vec<CompletedPart>) -> Result<Completed, StoreError> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = self.bucket.client.complete_multipart_upload().bucket(&self.bucket.name);
        let request = request.key(self.bucket.full(self.key)).upload_id(&self.id).multipart_upload(parts);
        let request = request.if_none_match("*").customize().config_override(patience());
        let Err(error) = request.send().await else { return Ok(Completed::Created) };
        match Answer::of(&error) {
            Some(Answer { status: 412, .. }) => Ok(Completed::Exists),
            Some(Answer { status: 409, .. }) => Ok(Completed::Again),
            Some(Answer { status: 404, code, .. }) if code == "NoSuchUpload" => Ok(Completed::Again),
            Some(_) | None => Err(self.bucket.failure(self.key).of(error)),
        }
    }

    /// Best effort: what is left of an upload costs storage until the bucket's lifecycle rule removes it.
    async fn abort(&self) {
        let request = self.bucket.client.abort_multipart_upload().bucket(&self.bucket.name);
        if let Err(error) = request.key(self.bucket.full(self.key)).upload_id(&self.id).send().await {
            let code = Answer::of(&error).map(|answer| answer.code).unwrap_or_default();
            tracing::warn!(object = self.bucket.uri(self.key), code, "unfinished upload not removed");
        }
    }
}
