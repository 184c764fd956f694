//! A multi-model endpoint's models: from the directory that the platform names, as far as memory allows.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::spawn_blocking;

use crate::config::serve::Mount;
use crate::http::{LoadFailure, Loader, Loading, Model};
use crate::keys::Keys;
use crate::model::{memory_limit, resident_memory, return_freed_memory};
use crate::registry::{Authority, RegistryError, mount_len};
use crate::telemetry::chain;

use super::memory;
use super::stages::{Stages, StartError, Stopped, blocking};
use super::start;

/// Names and paths in messages are cut here.
const MAX_SHOWN: usize = 200;

/// Loads models that are mounted below one directory.
pub(super) struct DirectoryLoader(Arc<Place>);

struct Place {
    mount: Mount,
    keys: Option<Keys>,
    authority: Authority,
    loads: Mutex<Loads>,
}

impl DirectoryLoader {
    pub(super) fn new(mount: Mount, keys: Option<Keys>, authority: Authority) -> Self {
        Self(Arc::new(Place { mount, keys, authority, loads: Mutex::default() }))
    }
}

impl Loader for DirectoryLoader {
    fn load(&self, url: String) -> Loading {
        let place = Arc::clone(&self.0);
        Box::pin(async move { place.load(url).await })
    }
}

impl Place {
    async fn load(self: Arc<Self>, url: String) -> Result<Model, LoadFailure> {
        let (place, wanted) = (Arc::clone(&self), url.clone());
        let found = blocking(move || place.confine(&wanted)).await;
        let (path, len) = found.map_err(|stopped| match stopped {
            Stopped::Failed(failure) => failure,
            Stopped::Panicked => failed("fetch", "it panicked".to_owned()),
        })?;
        let _until_loaded = self.reserve(memory::peak(len))?;
        let model = start::open_mount(Stages(None), &path, self.keys.as_ref(), &self.mount, &self.authority).await;
        // What a load took at its peak would count against the next one.
        let _ = spawn_blocking(return_freed_memory).await;
        model.map_err(|error| refusal(&url, &error))
    }

    /// The directory itself, with links resolved, and the length of its files. A name is a key, never a path: whatever the
    /// url says, only what lies below the models' directory is looked at.
    fn confine(&self, url: &str) -> Result<(PathBuf, u64), LoadFailure> {
        let shown = || url.chars().take(MAX_SHOWN).collect::<String>();
        let (root, asked) = (&self.mount.path, Path::new(url));
        let outside = || LoadFailure::Outside { url: shown(), directory: root.display().to_string() };
        let plain = asked.components().all(|part| !matches!(part, std::path::Component::ParentDir));
        if !plain || url.contains('\0') || !asked.starts_with(root) || asked == root {
            return Err(outside());
        }
        let missing = |_| LoadFailure::NotFound { url: shown() };
        let (resolved, root) = (asked.canonicalize().map_err(missing)?, root.canonicalize().map_err(missing)?);
        if !resolved.starts_with(&root) || resolved == root {
            return Err(outside());
        }
        match mount_len(&resolved) {
            Ok(len) => Ok((resolved, len)),
            Err(RegistryError::NoModel { .. }) => Err(LoadFailure::NotFound { url: shown() }),
            Err(error) => Err(failed("fetch", described(&error, error.remedy()))),
        }
    }

    /// Keeps memory for a load, if it is there beside what this process holds and other loads will.
    fn reserve(self: &Arc<Self>, needed: u64) -> Result<Reserved, LoadFailure> {
        let (Some(limit), Some(resident)) = (memory_limit(), resident_memory()) else {
            lock(&self.loads).under_way += 1;
            return Ok(Reserved(Arc::clone(self)));
        };
        let mut loads = lock(&self.loads);
        // While loads are under way, some of what they reserved is held already: it must not count twice.
        if loads.under_way == 0 {
            loads.held_before = resident;
        }
        let free = memory::free(limit, loads.held_before.saturating_add(loads.reserved));
        if needed > free {
            return Err(LoadFailure::OutOfMemory { needed, free });
        }
        loads.under_way += 1;
        loads.reserved += needed;
        Ok(Reserved(Arc::clone(self)))
    }
}

/// Loads under way; sizes in bytes.
#[derive(Default)]
struct Loads {
    under_way: usize,
    reserved: u64,
    held_before: u64,
}

/// Memory of a load under way; afterwards the process holds it, or not.
struct Reserved(Arc<Place>);

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut loads = lock(&self.0.loads);
        loads.under_way = loads.under_way.saturating_sub(1);
        // While others are under way nobody can tell what it holds now: what it reserved stands for that.
        if loads.under_way == 0 {
            loads.reserved = 0;
        }
    }
}

/// Numbers are whole at any time, also when a thread that held the lock panicked.
fn lock(loads: &Mutex<Loads>) -> MutexGuard<'_, Loads> {
    loads.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refusal(url: &str, error: &StartError) -> LoadFailure {
    match error.source.downcast_ref::<RegistryError>() {
        Some(RegistryError::NoModel { .. }) => LoadFailure::NotFound { url: url.chars().take(MAX_SHOWN).collect() },
        Some(_) | None => failed(error.stage, described(error.source.as_ref(), error.remedy.clone())),
    }
}

fn failed(stage: &'static str, reason: String) -> LoadFailure {
    LoadFailure::Failed { stage, reason }
}

fn described(error: &dyn std::error::Error, remedy: Option<String>) -> String {
    let mut text = chain(error);
    if let Some(remedy) = remedy {
        // Writing to a string cannot fail.
        let _ = write!(text, "; {remedy}");
    }
    text
}
