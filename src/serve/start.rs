//! From a model's name to a model that has passed its self-test, stage by stage.

use std::path::Path;
use std::sync::Arc;

use crate::bundle::Bundle;
use crate::config::registry::RegistryArgs;
use crate::config::serve::Mount;
use crate::http::{Card, Control, Model, Sample};
use crate::keys::{KeyError, Keys};
use crate::predict::Predictor;
use crate::registry::{Authority, Fetched, ModelRef, Registry, RegistryError, fetch_mount};

use super::engine::PredictEngine;
use super::stages::{Stages, StartError, blocking};

/// What came of reading a key file before the process was confined; `None` where the key is elsewhere.
pub(super) type EarlyKey = Option<Result<Keys, KeyError>>;

/// Opens a registry.
pub(super) async fn open_registry(
    stages: Stages<'_>,
    source: &RegistryArgs,
    key: EarlyKey,
) -> Result<Registry, StartError> {
    let opened = async {
        match key {
            Some(keys) => source.with(keys?).await,
            None => source.open().await,
        }
    };
    let key = source.key.to_string();
    stages.run("key", &key, opened).await.map_err(|error| blame_key(error, &key))
}

/// Fetches, opens, loads and tests a registry's model.
pub(super) async fn from_registry(
    stages: Stages<'_>,
    registry: &Registry,
    source: &RegistryArgs,
    model: &ModelRef,
) -> Result<Model, StartError> {
    let object = format!("{model} in {}", source.registry);
    let fetched = stages.run("fetch", &object, registry.fetch(model)).await;
    bring_up(stages, fetched.map_err(|error| blame_key(error, &source.key.to_string()))?).await
}

/// Opens, loads and tests a model that is mounted.
pub(super) async fn from_mount(mount: &Mount, key: EarlyKey, control: &Control) -> Result<Model, StartError> {
    let stages = Stages(Some(control));
    let (keys, authority) = (open_keys(stages, mount, key).await?, authority(stages, mount).await?);
    open_mount(stages, &mount.path, keys.as_ref(), mount, &authority).await
}

/// The keys of what is mounted; none where only plain bundles are expected.
pub(super) async fn open_keys(stages: Stages<'_>, mount: &Mount, early: EarlyKey) -> Result<Option<Keys>, StartError> {
    let Some(key) = &mount.key else { return Ok(None) };
    let opened = async {
        match early {
            Some(keys) => keys,
            None => mount.open_keys(key).await,
        }
    };
    stages.run("key", &key.to_string(), opened).await.map(Some)
}

/// Whose word counts for what is mounted.
pub(super) async fn authority(stages: Stages<'_>, mount: &Mount) -> Result<Authority, StartError> {
    match mount.trusted.secret() {
        Some(secret) => stages.run("trust", secret, mount.trusted.authority()).await,
        None => mount.trusted.authority().await.map_err(|error| StartError::of("trust", "", error)),
    }
}

/// Opens, loads and tests what is mounted at `path`, as `mount` allows.
pub(super) async fn open_mount(
    stages: Stages<'_>,
    path: &Path,
    keys: Option<&Keys>,
    mount: &Mount,
    authority: &Authority,
) -> Result<Model, StartError> {
    let object = path.display().to_string();
    let fetched = stages.run("fetch", &object, fetch_mount(path, keys, authority, mount.allow_unsealed)).await;
    let key = mount.key.as_ref().map(ToString::to_string).unwrap_or_default();
    bring_up(stages, fetched.map_err(|error| blame_key(error, &key))?).await
}

/// A secret is asked for when a file needs it, not before: a failure of the key is one of the stage `key`.
pub(super) fn blame_key(error: StartError, key: &str) -> StartError {
    match error.source.downcast_ref::<RegistryError>() {
        Some(RegistryError::Key { .. }) => StartError { stage: "key", object: key.to_owned(), ..error },
        Some(RegistryError::Policy { secret, .. }) => StartError { stage: "trust", object: secret.clone(), ..error },
        _ => error,
    }
}

/// Nothing unauthenticated is parsed: what was fetched was opened.
pub(super) async fn bring_up(stages: Stages<'_>, fetched: Fetched) -> Result<Model, StartError> {
    let Fetched { files, name, version, digest, signed, sealed } = fetched;
    let object = format!("{name}:{version}");
    let bundle = stages.run("read", &object, blocking(move || Bundle::from_files(files))).await?;
    let predictor = stages.run("load", &object, blocking(move || Predictor::load(bundle))).await?;
    let predictor = Arc::new(predictor);
    let own = Arc::clone(&predictor);
    let mut session = stages.run("warm-up", &object, blocking(move || own.warm_session())).await?;
    let own = Arc::clone(&predictor);
    stages.run("self-test", &object, blocking(move || own.self_test(&mut session))).await?;
    let card = Card {
        name,
        version,
        digest,
        trust: trust(signed, sealed),
        task: predictor.task(),
        inputs: predictor.inputs(),
        limits: predictor.manifest().limits.clone(),
    };
    log_card(&card);
    let (answers, sample) = (predictor.manifest().answers, sample(&predictor));
    Ok(Model { card, engine: Arc::new(PredictEngine(predictor)), answers, sample })
}

fn trust(signed: bool, sealed: bool) -> &'static str {
    match (sealed, signed) {
        (_, true) => "signed",
        (true, false) => "unsigned",
        (false, false) => "unsealed",
    }
}

fn log_card(card: &Card) {
    let Card { name, version, digest, trust, task, inputs, limits } = card;
    // Plain numbers and names: they always serialise.
    let inputs = serde_json::to_string(inputs).unwrap_or_default();
    tracing::info!(model = name, version, digest, trust, task, inputs, limits = ?limits, "serving");
    if *trust != "signed" {
        tracing::warn!(model = name, version, "serving an {trust} model");
    }
}

fn sample(predictor: &Predictor) -> Option<Sample> {
    let (name, request) = predictor.sample()?;
    let media_type = request.media_type.unwrap_or_default();
    Some(Sample { name: name.to_owned(), media_type, body: request.body })
}
