//! A version sealed again, under keys that nobody has seen: after the KEK was read by somebody else, a new keyslot is not
//! enough, for whoever opened the old one has the artifact key.
//!
//! Versions are immutable, so it becomes another one with the same files: `1.2.0` becomes `1.2.0+reseal.1`, then `+reseal.2`.

use super::log::Log;
use super::reference::Selector;
use super::statement::{Entry, Register};
use super::{Content, ModelRef, Progress, Published, Registry, RegistryError, Release, erase, fetch, promote, publish};
use crate::keys::Keys;

/// What such a version's name ends with, before its number.
const MARK: &str = "reseal.";

/// A version that was sealed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealed {
    /// The model's name.
    pub name: String,
    /// The version that is erased.
    pub from: String,
    /// The version that has its files.
    pub to: String,
    /// Hex SHA-256 of that one's register entry.
    pub digest: String,
    /// The aliases that were moved.
    pub aliases: Vec<String>,
}

/// In this order, so that there is a version to serve at any moment: publish, move the aliases, erase.
pub(super) async fn reseal(
    registry: &Registry,
    model: &ModelRef,
    recovery: Option<&Keys>,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<Resealed, RegistryError> {
    registry.authority.check_writer()?;
    let (store, authority) = (&registry.store, &registry.authority);
    let log = Log::read(store, authority).await?;
    let old = match &model.selector {
        Selector::Version(version) => log.registered(&model.name, version),
        Selector::Digest(digest) => log.registered_as(&model.name, digest),
        // An alias may move between the question and the deed.
        Selector::Alias(_) => None,
    };
    let old = old.ok_or_else(|| RegistryError::NoVersion { model: model.to_string() })?;
    let Register { model: name, version: from, .. } = old.event.clone();
    let aliases = log.aliases(&name);
    let published = again(registry, &log, old, recovery, progress).await?;
    let to = ModelRef::version(&name, &published.version)?;
    let mut moved = Vec::new();
    for alias in aliases {
        if promote::succeed(store, authority, &to, &alias, &from).await?.is_some() {
            moved.push(alias);
        }
    }
    erase::erase(store, authority, &ModelRef::version(&name, &from)?).await?;
    Ok(Resealed { name, from, to: published.version, digest: published.digest, aliases: moved })
}

/// Publishes the files of `old` as the next version of its line, or finds the one that an attempt made which was stopped.
async fn again(
    registry: &Registry,
    log: &Log<'_>,
    old: Entry<Register>,
    recovery: Option<&Keys>,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<Published, RegistryError> {
    let Register { model: name, version: from, kek, provenance, artifact, .. } = old.event.clone();
    let number = number_of(&from);
    let newest = newest(log, &name, &from).filter(|newest| *newest > number);
    if let Some(index) = log.erased(&artifact) {
        // Stopped while it was erased, which goes on; where nothing has its files, it was erased for good.
        let made = newest.and_then(|newest| log.registered(&name, &numbered(&from, newest)));
        let made = made.ok_or_else(|| RegistryError::Erased { model: format!("{name}:{from}"), index })?;
        let (version, index, digest) = (made.event.version, made.index, made.digest);
        return Ok(Published { name, version, digest, index, already: true });
    }
    if registry.keys.current().await?.name == kek {
        return Err(RegistryError::NoNewKey { model: format!("{name}:{from}"), kek });
    }
    let content = Content::in_memory(&fetch::open(registry, old).await?.files);
    let release = |to| Release { name: &name, version: to, content: &content, provenance: &provenance, recovery };
    let next = numbered(&from, newest.unwrap_or(number) + 1);
    let Some(newest) = newest else { return publish::publish(registry, &release(&next), progress).await };
    match publish::publish(registry, &release(&numbered(&from, newest)), progress).await {
        // The newest of the line has other files: it was no attempt at this one.
        Err(RegistryError::Immutable { .. }) => publish::publish(registry, &release(&next), progress).await,
        outcome => outcome,
    }
}

/// Those whose first keyslot is not under the current KEK.
pub(super) async fn sealed_before(registry: &Registry) -> Result<Vec<ModelRef>, RegistryError> {
    let current = registry.keys.current().await?;
    let log = Log::read(&registry.store, &registry.authority).await?;
    let before = log.live().filter(|register| register.kek != current.name);
    before.map(|register| ModelRef::version(&register.model, &register.version)).collect()
}

/// The largest number that a version of this one's line has.
fn newest(log: &Log<'_>, model: &str, version: &str) -> Option<u64> {
    let line = line_of(version);
    let of_line = log.live().filter(|register| register.model == model && line_of(&register.version) == line);
    of_line.map(|register| number_of(&register.version)).filter(|number| *number > 0).max()
}

/// What it was called before it was sealed again.
fn line_of(version: &str) -> &str {
    match split(version) {
        Some((line, _)) => line,
        None => version,
    }
}

/// How often it was sealed again.
fn number_of(version: &str) -> u64 {
    split(version).map_or(0, |(_, number)| number)
}

fn split(version: &str) -> Option<(&str, u64)> {
    let (before, number) = version.rsplit_once(MARK)?;
    // `+` begins what semantic versioning calls build metadata, `.` goes on with it.
    let line = before.strip_suffix(['+', '.'])?;
    Some((line, number.parse().ok()?))
}

fn numbered(version: &str, number: u64) -> String {
    let line = line_of(version);
    let joint = if line.contains('+') { '.' } else { '+' };
    format!("{line}{joint}{MARK}{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_is_sealed_again_keeps_its_line() {
        for (version, next) in [
            ("1.2.0", "1.2.0+reseal.1"),
            ("1.2.0+reseal.1", "1.2.0+reseal.2"),
            ("1.2.0+build.7", "1.2.0+build.7.reseal.1"),
            ("1.2.0+build.7.reseal.9", "1.2.0+build.7.reseal.10"),
            ("1.2.0+reseal.x", "1.2.0+reseal.x.reseal.1"),
        ] {
            assert_eq!(numbered(version, number_of(version) + 1), next);
            assert_eq!(line_of(next), line_of(version));
        }
    }
}
