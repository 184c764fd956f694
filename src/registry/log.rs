//! The log: every change to the registry, in one order, each entry naming the digest of the one before.
//!
//! Creating `log/<index>.json` is the commit point of whatever it says. Of two writers, one creates the object; the other
//! reads on and tries again behind it.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::error::{Stage, at};
use super::reference::Selector;
use super::statement::{Entry, Event, MAX_ENTRY_LEN, NO_PREVIOUS, Promote, Register, Rekey};
use super::{Authority, ModelRef, RegistryError, layout, timestamp};
use crate::signed::is_timestamp;
use crate::store::{Store, StoreError};

/// How many entries are read at the same time.
const READ_AHEAD: usize = 16;
/// A log is read up to this length.
const MAX_ENTRIES: usize = 100_000;
/// And up to this many bytes, which are kept in memory.
const MAX_LEN: usize = 256 << 20;
/// How often a writer tries to be first. Each time it is not, another one was, so the whole makes progress.
pub(super) const ATTEMPTS: u32 = 100;

/// All entries read so far, oldest first; entry `n` stands at index `n`.
pub(super) struct Log<'a> {
    store: &'a Store,
    authority: &'a Authority,
    entries: Vec<Entry>,
    /// Of all entries together, in bytes.
    bytes: usize,
}

/// What came of trying to append.
pub(super) enum Appended {
    /// It is in the log.
    Entry(Box<Entry>),
    /// Another writer was first; the log was read on.
    Lost,
}

impl<'a> Log<'a> {
    /// Reads all entries and checks the chain.
    pub(super) async fn read(store: &'a Store, authority: &'a Authority) -> Result<Self, RegistryError> {
        Self::read_listed(store, authority, store.list(layout::LOG).await.map_err(at(Stage::Log, layout::LOG))?).await
    }

    /// As [`Log::read`]; a directory that is not there yet is an empty registry.
    pub(super) async fn read_or_begin(store: &'a Store, authority: &'a Authority) -> Result<Self, RegistryError> {
        let keys = match store.list(layout::LOG).await {
            Err(StoreError::NoStore { .. }) => Vec::new(),
            listed => listed.map_err(at(Stage::Log, layout::LOG))?,
        };
        Self::read_listed(store, authority, keys).await
    }

    async fn read_listed(store: &'a Store, authority: &'a Authority, keys: Vec<String>) -> Result<Self, RegistryError> {
        let len = keys.iter().filter(|key| layout::log_index(key).is_some()).count();
        check_len(len)?;
        let mut log = Self { store, authority, entries: Vec::with_capacity(len), bytes: 0 };
        let mut bodies = stream::iter(0..len as u64).map(|index| read_body(store, index)).buffered(READ_AHEAD);
        while let Some(body) = bodies.try_next().await? {
            log.link(body)?;
        }
        drop(bodies);
        Ok(log)
    }

    /// Appends what `event` says, if nobody else appended since the log was read; otherwise reads on.
    pub(super) async fn try_append(&mut self, event: Event) -> Result<Appended, RegistryError> {
        let index = self.entries.len() as u64;
        let key = layout::log_entry(index);
        let damaged = |reason| RegistryError::Damaged { stage: Stage::Log, object: key.clone(), reason };
        let statement = Entry::statement(index, self.head(), &self.present(), &event).map_err(damaged)?;
        // What we write, we must be able to read, and to trust: the same checks hold for both.
        let entry = Entry::read(self.authority.signed(statement).await?.into()).map_err(damaged)?;
        self.authority.publishers(&entry)?;
        self.store.create_retained(&key, entry.bytes.clone()).await.map_err(at(Stage::Log, &key))?;
        self.read_on().await?;
        // Not `create`'s answer decides but the log: an answer may have been lost on the way.
        match self.entries.get(entry.index as usize) {
            Some(winner) if winner.digest == entry.digest => Ok(Appended::Entry(Box::new(entry))),
            Some(_) | None => Ok(Appended::Lost),
        }
    }

    /// What registers the versions that are not erased, of the entries that count.
    pub(super) fn live(&self) -> impl Iterator<Item = &Register> {
        self.entries.iter().filter(|entry| self.authority.accepts(entry)).filter_map(|entry| match &entry.event {
            Event::Register(register) if self.erased(&register.artifact).is_none() => Some(register),
            Event::Register(_) | Event::Promote(_) | Event::Erase(_) | Event::Rekey(_) => None,
        })
    }

    /// The time to write: never before the newest entry that counts, whose writer's clock may be ahead of ours.
    fn present(&self) -> String {
        let counts = |entry: &&Entry| is_timestamp(&entry.created) && self.authority.accepts(entry);
        let newest = self.entries.iter().rev().find(counts).map(|entry| entry.created.clone());
        timestamp::now().max(newest.unwrap_or_default())
    }

    /// The register entry of a version.
    pub(super) fn registered(&self, model: &str, version: &str) -> Option<Entry<Register>> {
        self.find_register(|_, register| register.model == model && register.version == version)
    }

    /// Where an alias points by the log; the alias object may lag behind after a crash. What nobody trusted signed does not
    /// count.
    pub(super) fn promoted(&self, model: &str, alias: &str) -> Option<Entry<Promote>> {
        let is_it = |event: &Event| matches!(event, Event::Promote(it) if it.model == model && it.alias == alias);
        let counts = |entry: &&Entry| is_it(&entry.event) && self.authority.accepts(entry);
        self.entries.iter().rev().find(counts)?.as_promote()
    }

    /// All entries, oldest first.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The aliases a model ever had.
    pub(super) fn aliases(&self, model: &str) -> Vec<String> {
        let aliases = self.entries.iter().filter_map(|entry| match &entry.event {
            Event::Promote(promote) if promote.model == model => Some(promote.alias.as_str()),
            Event::Promote(_) | Event::Register(_) | Event::Erase(_) | Event::Rekey(_) => None,
        });
        aliases.collect::<BTreeSet<_>>().into_iter().map(str::to_owned).collect()
    }

    /// The register entry that `model` means, by the log.
    pub(super) fn resolve(&self, model: &ModelRef) -> Result<Entry<Register>, RegistryError> {
        let found = match &model.selector {
            Selector::Version(version) => self.registered(&model.name, version),
            Selector::Digest(digest) => self.registered_as(&model.name, digest),
            Selector::Alias(alias) => match self.promoted(&model.name, alias.as_str()) {
                Some(entry) => self.find_register(|found, _| found.digest == entry.event.register.sha256),
                None => {
                    return Err(RegistryError::NoAlias { model: model.name.clone(), alias: alias.as_str().to_owned() });
                }
            },
        };
        let found = found.ok_or_else(|| RegistryError::NoVersion { model: model.to_string() })?;
        match self.erased(&found.event.artifact) {
            Some(index) => {
                let model = format!("{}:{}", found.event.model, found.event.version);
                Err(RegistryError::Erased { model, index })
            }
            None => Ok(found),
        }
    }

    /// Where in the log the artifact was erased.
    pub(super) fn erased(&self, artifact: &str) -> Option<u64> {
        let is_it = |event: &Event| matches!(event, Event::Erase(erase) if erase.artifact == artifact);
        self.entries.iter().find(|entry| is_it(&entry.event) && self.authority.accepts(entry)).map(|entry| entry.index)
    }

    /// Where in the log this very rotation is said.
    pub(super) fn rekeyed(&self, rekey: &Rekey) -> Option<u64> {
        let is_it = |entry: &&Entry| matches!(&entry.event, Event::Rekey(found) if found == rekey);
        self.entries.iter().find(|entry| is_it(entry) && self.authority.accepts(entry)).map(|entry| entry.index)
    }

    /// The register entry with this digest.
    pub(super) fn registered_as(&self, model: &str, digest: &str) -> Option<Entry<Register>> {
        self.find_register(|entry, register| entry.digest == digest && register.model == model)
    }

    fn find_register(&self, is_it: impl Fn(&Entry, &Register) -> bool) -> Option<Entry<Register>> {
        let found = |entry: &&Entry| matches!(&entry.event, Event::Register(register) if is_it(entry, register));
        // The first one that counts holds: a second registration of a version is none.
        self.entries.iter().filter(found).find(|entry| self.authority.accepts(entry))?.as_register()
    }

    /// Where the log is.
    pub(super) fn store(&self) -> &'a Store {
        self.store
    }

    /// How many entries were read.
    pub(super) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    fn head(&self) -> &str {
        self.entries.last().map_or(NO_PREVIOUS, |entry| &entry.digest)
    }

    /// Reads what others appended since.
    pub(super) async fn read_on(&mut self) -> Result<(), RegistryError> {
        while let Some(body) = read_next(self.store, self.entries.len() as u64).await? {
            check_len(self.entries.len() + 1)?;
            self.link(body)?;
        }
        Ok(())
    }

    /// Adds the entry that follows, if it does follow.
    fn link(&mut self, body: Bytes) -> Result<(), RegistryError> {
        let index = self.len();
        self.bytes = self.bytes.saturating_add(body.len());
        if self.bytes > MAX_LEN {
            return Err(too_long(format!("more than {} MiB", MAX_LEN >> 20)));
        }
        let entry = read_entry(index, body)?;
        if entry.prev != self.head() {
            let reason = format!("prev is {}, but the entry before has the digest {}", entry.prev, self.head());
            return Err(RegistryError::Damaged { stage: Stage::Log, object: layout::log_entry(index), reason });
        }
        self.entries.push(entry);
        Ok(())
    }
}

/// One entry by its index, without the chain: for who knows its digest.
pub(super) async fn entry(store: &Store, index: u64) -> Result<Entry, RegistryError> {
    read_entry(index, read_body(store, index).await?)
}

async fn read_body(store: &Store, index: u64) -> Result<Bytes, RegistryError> {
    let key = layout::log_entry(index);
    let (body, _) = store.get(&key, MAX_ENTRY_LEN).await.map_err(at(Stage::Log, &key))?;
    Ok(body)
}

async fn read_next(store: &Store, index: u64) -> Result<Option<Bytes>, RegistryError> {
    let key = layout::log_entry(index);
    match store.get(&key, MAX_ENTRY_LEN).await {
        Ok((body, _)) => Ok(Some(body)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(source) => Err(at(Stage::Log, &key)(source)),
    }
}

fn read_entry(index: u64, body: Bytes) -> Result<Entry, RegistryError> {
    let damaged = |reason| RegistryError::Damaged { stage: Stage::Log, object: layout::log_entry(index), reason };
    let entry = Entry::read(body).map_err(damaged)?;
    if entry.index != index {
        return Err(damaged(format!("says it is entry {}", entry.index)));
    }
    Ok(entry)
}

fn check_len(len: usize) -> Result<(), RegistryError> {
    if len <= MAX_ENTRIES {
        return Ok(());
    }
    Err(too_long(format!("more than {MAX_ENTRIES} entries")))
}

fn too_long(reason: String) -> RegistryError {
    RegistryError::Damaged { stage: Stage::Log, object: layout::LOG.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::statement::EntryRef;

    fn moved() -> Event {
        let register = EntryRef { index: 0, sha256: "0".repeat(64) };
        let (model, alias, version) = ("model".to_owned(), "live".to_owned(), "1.0.0".to_owned());
        Event::Promote(Promote { model, alias, version, register, previous: None, back: false })
    }

    #[tokio::test]
    async fn time_does_not_go_back_where_another_writers_clock_is_ahead() {
        let directory = tempfile::tempdir().unwrap();
        let (store, authority) = (Store::directory(directory.path()), Authority::default());
        let ahead = Entry::statement(0, NO_PREVIOUS, "2999-01-31T23:59:59Z", &moved()).unwrap();
        store.create(&layout::log_entry(0), ahead.into()).await.unwrap();
        let mut log = Log::read(&store, &authority).await.unwrap();
        let Appended::Entry(entry) = log.try_append(moved()).await.unwrap() else { panic!("nobody else writes") };
        assert_eq!(entry.created, "2999-01-31T23:59:59Z");
    }
}
