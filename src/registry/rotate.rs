//! Every version opens under another KEK: keyslots are written, never a sealed file. Each step finds out whether it was done,
//! so a rotation that was stopped is run again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::error::{Stage, at};
use super::log::{ATTEMPTS, Appended, Log};
use super::statement::{Event, Register, Rekey};
use super::{Registry, RegistryError, keyslot, layout};
use crate::keys::{Kek, KeyError, Keys};
use crate::sealed::digest::sha256_hex;

/// Artifacts whose keyslots are opened and written at the same time.
const ARTIFACTS_IN_FLIGHT: usize = 16;

/// What a rotation did, or would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// Name of the KEK that opens all versions now.
    pub kek: String,
    /// Artifacts that are not erased.
    pub artifacts: usize,
    /// Keyslots that were written; the others were there.
    pub written: usize,
    /// In bytes.
    pub bytes: u64,
    /// The entry's place in the log; `None` where there was nothing to rotate.
    pub index: Option<u64>,
}

/// What hangs on one KEK.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hanging {
    /// Artifacts that it opens.
    pub artifacts: usize,
    /// Of those, the ones that nothing else opens: `NAME:VERSION`.
    pub alone: Vec<String>,
}

/// Gives every artifact a keyslot under the next KEK of the registry's secret, or the one of `to`, and makes that the one
/// that seals. `progress` is told of each artifact.
pub(super) async fn rotate(
    registry: &Registry,
    to: Option<&Keys>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Rotated, RegistryError> {
    registry.authority.check_writer()?;
    let keys = to.unwrap_or(&registry.keys);
    let mut log = Log::read(&registry.store, &registry.authority).await?;
    let kek = match to {
        Some(keys) => keys.current().await?,
        None => next(registry, &log).await?,
    };
    let (mut written, mut bytes, mut done) = (0, 0, BTreeSet::new());
    // A publish that is under way seals under the old KEK until it has ended: whoever it registers meanwhile comes next.
    loop {
        let left: Vec<Register> = log.live().filter(|register| !done.contains(&register.artifact)).cloned().collect();
        if left.is_empty() {
            break;
        }
        let total = done.len() + left.len();
        let kek = &kek;
        let rewrapping = stream::iter(left)
            .map(|register| async move { rewrap(registry, &register, kek).await.map(|len| (register.artifact, len)) });
        let mut rewrapped = rewrapping.buffer_unordered(ARTIFACTS_IN_FLIGHT);
        while let Some((artifact, len)) = rewrapped.try_next().await? {
            (written, bytes) = (written + usize::from(len > 0), bytes + len);
            done.insert(artifact);
            progress(done.len(), total);
        }
        drop(rewrapped);
        log.read_on().await?;
    }
    keys.make_current(&kek.name).await?;
    let index = record(&mut log, &kek, &done).await?;
    keys.settle(&kek.name).await?;
    Ok(Rotated { kek: kek.name.clone(), artifacts: done.len(), written, bytes, index })
}

/// The current KEK, as long as something does not open under it: a publish that began before the last rotation ended. Else the
/// one after it.
async fn next(registry: &Registry, log: &Log<'_>) -> Result<Arc<Kek>, RegistryError> {
    let current = registry.keys.current().await?;
    match left_under(registry, log, &current).await? {
        Some(_) => Ok(current),
        None => Ok(registry.keys.successor().await?),
    }
}

/// A version that does not open under `kek`, if there is one.
async fn left_under(registry: &Registry, log: &Log<'_>, kek: &Kek) -> Result<Option<Register>, RegistryError> {
    let live: Vec<Register> = log.live().cloned().collect();
    let looks = stream::iter(live).map(|register| async move {
        let opened = keyslot::open_under(registry, &register, kek).await?;
        Ok::<_, RegistryError>(opened.is_none().then_some(register))
    });
    let mut looks = looks.buffered(ARTIFACTS_IN_FLIGHT);
    while let Some(left) = looks.try_next().await? {
        if left.is_some() {
            return Ok(left);
        }
    }
    Ok(None)
}

/// Answers with how many bytes were written. What was written is read back and opened: the old keyslot may be deleted then.
async fn rewrap(registry: &Registry, register: &Register, kek: &Kek) -> Result<u64, RegistryError> {
    if keyslot::open_under(registry, register, kek).await?.is_some() {
        return Ok(0);
    }
    let artifact = keyslot::open(registry, register).await?;
    let len = keyslot::create_under(&registry.store, &artifact, kek).await?;
    let object = layout::keyslot(&register.artifact, &kek.name);
    match keyslot::open_under(registry, register, kek).await? {
        Some(opened) if opened.key.expose() == artifact.key.expose() => Ok(len),
        Some(_) | None => {
            let reason = "does not open as it was written".to_owned();
            Err(RegistryError::Damaged { stage: Stage::Keyslot, object, reason })
        }
    }
}

/// The log says so once for each KEK and what it opens.
async fn record(log: &mut Log<'_>, kek: &Kek, artifacts: &BTreeSet<String>) -> Result<Option<u64>, RegistryError> {
    if artifacts.is_empty() {
        return Ok(None);
    }
    let lines: String = artifacts.iter().map(|artifact| layout::keyslot(artifact, &kek.name) + "\n").collect();
    let keyslots = sha256_hex(lines.as_bytes());
    let rekey = Rekey { kek: kek.name.clone(), artifacts: artifacts.len() as u64, keyslots };
    for _ in 0..ATTEMPTS {
        if let Some(index) = log.rekeyed(&rekey) {
            return Ok(Some(index));
        }
        if let Appended::Entry(entry) = log.try_append(Event::Rekey(rekey.clone())).await? {
            return Ok(Some(entry.index));
        }
    }
    Err(RegistryError::Contended { stage: Stage::Log, object: layout::LOG.into(), attempts: ATTEMPTS })
}

/// What hangs on which KEK, by its name.
pub(super) async fn status(registry: &Registry) -> Result<BTreeMap<String, Hanging>, RegistryError> {
    let log = Log::read(&registry.store, &registry.authority).await?;
    let mut status: BTreeMap<String, Hanging> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for register in log.live().filter(|register| seen.insert(register.artifact.clone())) {
        let names = keyslot::names(&registry.store, register).await?;
        for name in &names {
            let hanging = status.entry(name.clone()).or_default();
            hanging.artifacts += 1;
            if names.len() == 1 {
                hanging.alone.push(format!("{}:{}", register.model, register.version));
            }
        }
    }
    Ok(status)
}

/// Deletes every keyslot under the KEK `name`, once each artifact opens under the current one. Answers with how many.
pub(super) async fn retire(registry: &Registry, name: &str) -> Result<usize, RegistryError> {
    let current = registry.keys.current().await?;
    if current.name == name {
        return Err(RegistryError::Retiring { kek: name.into(), model: "whatever is published next".into() });
    }
    let log = Log::read(&registry.store, &registry.authority).await?;
    if let Some(Register { model, version, .. }) = left_under(registry, &log, &current).await? {
        return Err(RegistryError::Retiring { kek: name.into(), model: format!("{model}:{version}") });
    }
    let mut deleted = 0;
    for register in log.live() {
        let key = layout::keyslot(&register.artifact, name);
        // By its whole name: what is deleted is what begins with it.
        if keyslot::names(&registry.store, register).await?.iter().any(|there| there == name) {
            deleted += registry.store.delete_all(&key).await.map_err(at(Stage::Keyslot, &key))?;
        }
    }
    if deleted == 0 && !registry.keys.knows(name).await? {
        return Err(KeyError::Unknown { name: name.chars().take(128).collect() }.into());
    }
    registry.keys.release(name).await?;
    Ok(deleted)
}
