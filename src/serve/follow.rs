//! A moved alias is followed while the server serves: the new version is loaded beside the old one, tested, and takes its place
//! between two requests. Whatever is wrong with it, the old one serves on.

use std::convert::Infallible;
use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::config::registry::RegistryArgs;
use crate::config::serve::Follow;
use crate::http::{Control, Model};
use crate::model::return_freed_memory;
use crate::registry::{Follower, Move, Registry};
use crate::telemetry::chain;

use super::memory;
use super::stages::{Hint, Stages, StartError};
use super::start;

/// After failures the pause between two looks grows up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// An alias that is followed.
pub(super) struct Following {
    follower: Follower,
    every: Duration,
    /// The alias and its registry, for people.
    object: String,
    /// The sealing key, for people.
    key: String,
    /// The digest of a version that did not load or failed its self-test: trying again would come to the same.
    refused: Option<String>,
}

impl Following {
    pub(super) fn new(registry: Registry, source: &RegistryArgs, model: &str, follow: &Follow) -> Self {
        let object = format!("{model}:{} in {}", follow.alias.as_str(), source.registry);
        let follower = registry.follow(model, &follow.alias);
        Self { follower, every: follow.every, object, key: source.key.to_string(), refused: None }
    }

    /// The version that the alias points to when the server starts.
    pub(super) async fn first(&mut self, stages: Stages<'_>) -> Result<Model, StartError> {
        let to = self.look().await?;
        self.load(stages, &to).await
    }

    /// Follows the alias as long as it is awaited.
    pub(super) async fn run(mut self, control: &Control) -> Infallible {
        let mut pause = self.every;
        loop {
            tokio::time::sleep(pause).await;
            pause = match self.step(control).await {
                Ok(()) => self.every,
                Err(error) => {
                    let StartError { stage, object, remedy, source } = &error;
                    let (error, remedy) = (chain(source.as_ref()), remedy.as_deref().unwrap_or_default());
                    tracing::error!(
                        stage,
                        object,
                        error,
                        remedy,
                        "the alias is not followed: what was served is served on"
                    );
                    (pause * 2).clamp(self.every, LONGEST_PAUSE.max(self.every))
                }
            };
        }
    }

    async fn step(&mut self, control: &Control) -> Result<(), StartError> {
        let to = self.look().await.inspect_err(|_| control.followed("unread"))?;
        if control.serves().as_deref() == Some(to.digest()) || self.refused.as_deref() == Some(to.digest()) {
            return Ok(());
        }
        self.refused = None;
        let (digest, index) = (to.digest(), to.index());
        if control.go_back(digest) {
            control.followed("returned");
            tracing::info!(digest, index, "the alias moved back: the version before is served again");
            return Ok(());
        }
        match self.load_beside(control, &to).await {
            Ok(model) => {
                control.ready(model);
                control.followed("loaded");
                tracing::info!(digest, index, "the alias moved: its version is served");
                // What a load took at its peak is not needed any more.
                let _ = spawn_blocking(return_freed_memory).await;
                Ok(())
            }
            Err(error) => {
                control.followed("refused");
                if !matches!(error.stage, "key" | "fetch" | "memory") {
                    self.refused = Some(digest.to_owned());
                }
                Err(error)
            }
        }
    }

    async fn look(&mut self) -> Result<Move, StartError> {
        let looked = self.follower.look().await;
        looked.map_err(|error| start::blame_key(StartError::of("fetch", &self.object, error), &self.key))
    }

    /// Never more than two versions are in memory: the one before the present one makes room.
    async fn load_beside(&self, control: &Control, to: &Move) -> Result<Model, StartError> {
        control.forget_before().await;
        let len = self.follower.len(to).await;
        let len = len.map_err(|error| start::blame_key(StartError::of("fetch", &self.object, error), &self.key))?;
        memory::check(len).map_err(|error| StartError::of("memory", &self.object, error))?;
        self.load(Stages(None), to).await
    }

    async fn load(&self, stages: Stages<'_>, to: &Move) -> Result<Model, StartError> {
        let fetched = stages.run("fetch", &self.object, self.follower.fetch(to)).await;
        start::bring_up(stages, fetched.map_err(|error| start::blame_key(error, &self.key))?).await
    }
}

impl Hint for memory::TooLarge {
    fn hint(&self) -> Option<String> {
        Some("use an instance with more memory, or start new containers instead of following".to_owned())
    }
}
