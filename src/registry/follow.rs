//! An alias that is looked at again and again.

use super::statement::{Entry, Promote};
use super::{AliasName, Fetched, Registry, RegistryError, fetch};

/// Sees where an alias points; never back in the log.
pub struct Follower {
    registry: Registry,
    model: String,
    alias: AliasName,
    /// The largest index that it was seen at.
    seen: u64,
}

/// Where an alias points.
pub struct Move(Entry<Promote>);

impl Move {
    /// Hex SHA-256 of the version's register entry.
    pub fn digest(&self) -> &str {
        &self.0.event.register.sha256
    }

    /// Of the log entry that moved the alias.
    pub fn index(&self) -> u64 {
        self.0.index
    }
}

impl Follower {
    pub(super) fn new(registry: Registry, model: &str, alias: &AliasName) -> Self {
        Self { registry, model: model.to_owned(), alias: alias.clone(), seen: 0 }
    }

    /// The alias's newest move.
    ///
    /// # Errors
    /// There is none; nobody trusted signed it; [`RegistryError::BelowFloor`]: it is older than one that was seen before.
    pub async fn look(&mut self) -> Result<Move, RegistryError> {
        let newest = fetch::newest_move(&self.registry, &self.model, self.alias.as_str(), self.seen).await?;
        self.seen = newest.index;
        Ok(Move(newest))
    }

    /// How many bytes the files of the version have, opened.
    ///
    /// # Errors
    /// As [`Registry::fetch`].
    pub async fn len(&self, to: &Move) -> Result<u64, RegistryError> {
        let register = fetch::registered(&self.registry.store, &to.0.event).await?;
        let (index, _) = fetch::file_index(&self.registry, &register.event).await?;
        Ok(index.files.iter().map(|file| file.len).sum())
    }

    /// Fetches and opens the version.
    ///
    /// # Errors
    /// As [`Registry::fetch`].
    pub async fn fetch(&self, to: &Move) -> Result<Fetched, RegistryError> {
        let register = fetch::registered(&self.registry.store, &to.0.event).await?;
        fetch::open(&self.registry, register).await
    }
}
