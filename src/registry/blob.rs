//! Sealed files: from plaintext in memory to an object named by its digest, and back.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn_blocking};

use super::artifact::{Artifact, Purpose};
use super::content::Plain;
use super::error::{Stage, at};
use super::{RegistryError, layout};
use crate::sealed::digest::Sha256;
use crate::sealed::{Header, MAX_HEADER_LEN, OpenError, Opening, Part, Sealer};
use crate::store::{ETag, Object, Store};

/// Frames that are fetched and opened as one: 8 MiB, which S3 serves at full speed.
const FRAMES: usize = 8;
/// Parts that are in memory as sealed bytes at the same time, over all files: 64 MiB.
const PARTS_IN_FLIGHT: usize = 8;
/// How often progress is logged at most.
const LOG_EVERY: Duration = Duration::from_secs(2);
/// Of plaintext, that are read and not sealed yet.
const PIECES_AHEAD: usize = 4;
/// Of sealed bytes that are hashed alone: as many bytes as a frame of plaintext has.
const FRAME: u64 = 1 << 20;

/// Seals `plain` into `file`, hashing the sealed bytes on their way; answers with their hex SHA-256. Plaintext is read and
/// hashed on a thread beside, a few pieces ahead. `progress` is told of bytes that were sealed. Blocks.
pub(super) fn seal(
    plain: &Plain,
    file: &File,
    artifact: &Artifact,
    purpose: &Purpose,
    progress: impl Fn(u64),
) -> Result<String, RegistryError> {
    let out = Hashing { file, hash: Sha256::new() };
    let mut sealer = Sealer::new(out, &artifact.key, &artifact.key_name(), &purpose.context(&artifact.id))?;
    let (send, pieces) = std::sync::mpsc::sync_channel::<Bytes>(PIECES_AHEAD);
    std::thread::scope(|threads| {
        let reading = threads.spawn(move || plain.read(|piece| send.send(piece).is_ok()));
        // Dropped where sealing fails: the reader is told by that.
        for piece in pieces {
            sealer.write_all(&piece)?;
            progress(piece.len() as u64);
        }
        reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    Ok(sealer.finish()?.hash.finish_hex())
}

/// The hex SHA-256 of an object's bytes, and how many there are; a part is in memory at a time. `progress` is told of each.
pub(super) async fn digest(
    store: &Store,
    key: &str,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(String, u64), RegistryError> {
    let object = store.head(key).await.map_err(at(Stage::Blob, key))?;
    let mut hash = Sha256::new();
    let (mut start, part) = (0, FRAMES as u64 * FRAME);
    while start < object.len {
        let end = object.len.min(start.saturating_add(part));
        let bytes = store.read_range(key, start..end, &object.etag).await.map_err(at(Stage::Blob, key))?;
        let mut so_far = hash;
        hash = spawn_blocking(move || {
            so_far.update(&bytes);
            so_far
        })
        .await?;
        progress(end - start);
        start = end;
    }
    Ok((hash.finish_hex(), object.len))
}

/// Opens sealed files of one artifact.
#[derive(Clone)]
pub(super) struct Opener {
    store: Store,
    artifact: Arc<Artifact>,
    permits: Arc<Semaphore>,
}

/// What is expected of a sealed file before its buffer is reserved.
#[derive(Debug, Clone, Copy)]
pub(super) enum Len {
    /// In bytes.
    Exactly(u64),
    /// In bytes.
    AtMost(u64),
}

/// An opened file and the hex SHA-256 of its plaintext.
pub(super) struct OpenedFile {
    pub(super) plain: Bytes,
    pub(super) sha256: String,
}

impl Opener {
    pub(super) fn new(store: Store, artifact: Arc<Artifact>) -> Self {
        Self { store, artifact, permits: Arc::new(Semaphore::new(PARTS_IN_FLIGHT)) }
    }

    /// Fetches the sealed file `digest` and opens it in memory. Nothing is reserved before the header is authentic and
    /// the length is as expected; the caller compares `sha256` before it uses `plain`.
    pub(super) async fn open(&self, digest: &str, purpose: &Purpose, len: Len) -> Result<OpenedFile, RegistryError> {
        let key = layout::blob(digest);
        let object = self.store.head(&key).await.map_err(at(purpose.stage(), &key))?;
        let opening = self.authenticate(&key, &object, purpose).await?;
        check_len(opening.plaintext_len(), len).map_err(|reason| purpose.damaged(&key, reason))?;
        let mut arrivals = Arrivals::new(digest, purpose, opening.plaintext_len());
        let sealed = SealedObject { key, etag: object.etag, purpose: purpose.clone(), opening };
        self.open_parts(Arc::new(sealed), &mut arrivals).await
    }

    async fn authenticate(&self, key: &str, object: &Object, purpose: &Purpose) -> Result<Opening, RegistryError> {
        let prefix = 0..object.len.min(MAX_HEADER_LEN as u64);
        let bytes = self.store.read_range(key, prefix, &object.etag).await.map_err(at(purpose.stage(), key))?;
        let not_opened = |source| not_opened(purpose, key, source);
        let header = Header::parse(&bytes).map_err(not_opened)?;
        let expected = purpose.context(&self.artifact.id);
        if *header.context() != expected {
            let reason = format!("sealed as {:?}, expected {expected:?}", header.context());
            return Err(purpose.damaged(key, reason.chars().take(400).collect()));
        }
        header.authenticate(&self.artifact.key_name(), &self.artifact.key, object.len, &expected).map_err(not_opened)
    }

    /// Each part goes from the wire to its final place; the hash follows in order while later parts arrive.
    async fn open_parts(
        &self,
        sealed: Arc<SealedObject>,
        arrivals: &mut Arrivals,
    ) -> Result<OpenedFile, RegistryError> {
        let len = sealed.opening.plaintext_len();
        let too_large = || sealed.purpose.damaged(&sealed.key, format!("{len} bytes do not fit in memory"));
        let mut rest = BytesMut::zeroed(usize::try_from(len).map_err(|_| too_large())?);
        let mut whole = rest.split_to(0);
        let mut hash = Sha256::new();
        let parts = sealed.opening.parts(FRAMES);
        let mut opened = stream::iter(parts)
            .map(|part| {
                let plain = rest.split_to((part.plain.end - part.plain.start) as usize);
                Working(tokio::spawn(open_part(self.clone(), Arc::clone(&sealed), part, plain))).done()
            })
            .buffered(PARTS_IN_FLIGHT);
        while let Some(plain) = opened.try_next().await? {
            arrivals.add(plain.len());
            let plain = hashed(&mut hash, plain).await?;
            // Neighbours in one buffer: rejoined, not copied.
            whole.unsplit(plain);
        }
        drop(opened);
        Ok(OpenedFile { plain: whole.freeze(), sha256: hash.finish_hex() })
    }
}

/// One version of one sealed object, its header authentic.
struct SealedObject {
    key: String,
    etag: ETag,
    purpose: Purpose,
    opening: Opening,
}

async fn open_part(opener: Opener, sealed: Arc<SealedObject>, part: Part, mut plain: BytesMut) -> Opened {
    // The semaphore is never closed; if it were, the bound on memory would be lost, not the model.
    let _permit = opener.permits.acquire().await.ok();
    let (key, stage) = (&sealed.key, sealed.purpose.stage());
    let bytes = opener.store.read_range(key, part.sealed.clone(), &sealed.etag).await.map_err(at(stage, key))?;
    let opened = spawn_blocking(move || {
        let opened = sealed.opening.open_part(&part, &bytes, &mut plain);
        opened.map(|()| plain).map_err(|source| not_opened(&sealed.purpose, &sealed.key, source))
    });
    opened.await?
}

type Opened = Result<BytesMut, RegistryError>;

async fn hashed(hash: &mut Sha256, plain: BytesMut) -> Opened {
    let mut so_far = std::mem::take(hash);
    let work = spawn_blocking(move || {
        so_far.update(&plain);
        (so_far, plain)
    });
    let (so_far, plain) = work.await?;
    *hash = so_far;
    Ok(plain)
}

/// Counts what was fetched and opened of a sealed file, and logs it now and then, and at the end.
struct Arrivals {
    blob: String,
    stage: Stage,
    total: u64,
    done: u64,
    began: Instant,
    logged: Instant,
}

impl Arrivals {
    fn new(blob: &str, purpose: &Purpose, total: u64) -> Self {
        let began = Instant::now();
        Self { blob: blob.into(), stage: purpose.stage(), total, done: 0, began, logged: began }
    }

    fn add(&mut self, bytes: usize) {
        self.done = self.done.saturating_add(bytes as u64);
        let complete = self.done >= self.total;
        if !complete && self.logged.elapsed() < LOG_EVERY {
            return;
        }
        self.logged = Instant::now();
        let seconds = self.began.elapsed().as_secs_f64();
        let mb_per_s = self.done as f64 / 1e6 / seconds.max(1e-9);
        let (stage, blob, bytes, total) = (self.stage, &self.blob, self.done, self.total);
        match complete {
            true => tracing::info!(%stage, blob, bytes, seconds, mb_per_s, "sealed file opened"),
            false => tracing::info!(%stage, blob, bytes, total, seconds, mb_per_s, "opening a sealed file"),
        }
    }
}

/// A task that is stopped when nobody waits for it any more: after the first failure the rest is not fetched.
struct Working(JoinHandle<Opened>);

impl Working {
    async fn done(mut self) -> Opened {
        (&mut self.0).await?
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn check_len(found: u64, expected: Len) -> Result<(), String> {
    match expected {
        Len::Exactly(len) if found != len => Err(format!("holds {found} bytes, expected {len}")),
        Len::AtMost(limit) if found > limit => Err(format!("holds {found} bytes, expected at most {limit}")),
        Len::Exactly(_) | Len::AtMost(_) => Ok(()),
    }
}

fn not_opened(purpose: &Purpose, key: &str, source: OpenError) -> RegistryError {
    RegistryError::Open { stage: purpose.stage(), object: key.into(), source }
}

/// Hashes what passes on to the file.
struct Hashing<'a> {
    file: &'a File,
    hash: Sha256,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
