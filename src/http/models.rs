//! A multi-model endpoint's models: loaded, listed and unloaded on request, in the dialect that AWS's own tests of such
//! containers look for. `docs/CONTRACT.md` has the rules.

mod dialect;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, rt, web};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::error::Failure;
use super::hosted::Hosted;
use super::inference::Model;
use super::invocations;
use super::shared::Shared;
pub(super) use dialect::Refusal;

/// Longest name of a model, in bytes.
const MAX_NAME_LEN: usize = 1_024;
/// Longest body of a load request: a name and a path.
const MAX_LOAD_LEN: usize = 16 << 10;
/// Models on one page of the list.
const PAGE: usize = 100;

/// Brings models: what `serve` knows and HTTP does not.
pub trait Loader: Send + Sync {
    /// Loads and tests the model in the directory `url`.
    fn load(&self, url: String) -> Loading;
}

/// A model on its way.
pub type Loading = Pin<Box<dyn Future<Output = Result<Model, LoadFailure>> + Send>>;

/// Why a model was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadFailure {
    /// Not a directory that may be loaded from.
    #[error("url {url} is not below {directory}")]
    Outside {
        /// As sent, cut short.
        url: String,
        /// Where models are.
        directory: String,
    },
    /// Nothing is there.
    #[error("there is no model at {url}")]
    NotFound {
        /// As sent, cut short.
        url: String,
    },
    /// It would not fit beside what is loaded.
    #[error("the model needs about {needed} bytes of memory, {free} are free")]
    OutOfMemory {
        /// By the size of its files.
        needed: u64,
        /// Of what the container may use.
        free: u64,
    },
    /// It is there, but cannot be opened, loaded or does not pass its self-test.
    #[error("{stage} failed: {reason}")]
    Failed {
        /// What was being done.
        stage: &'static str,
        /// The error with its causes and what helps.
        reason: String,
    },
}

/// All models that are loaded, by the names the platform gave them: keys, never paths.
#[derive(Default)]
pub(super) struct Models(RwLock<BTreeMap<String, Slot>>);

enum Slot {
    Loading,
    Loaded { url: String, hosted: Arc<Hosted> },
}

impl Models {
    /// How many are loaded.
    pub(super) fn len(&self) -> usize {
        self.read(|slots| slots.values().filter(|slot| matches!(slot, Slot::Loaded { .. })).count())
    }

    fn find(&self, name: &str) -> Option<(String, Arc<Hosted>)> {
        self.read(|slots| match slots.get(name) {
            Some(Slot::Loaded { url, hosted }) => Some((url.clone(), Arc::clone(hosted))),
            Some(Slot::Loading) | None => None,
        })
    }

    /// Keeps a name for a model that is being loaded; `false` where it is taken.
    fn reserve(&self, name: &str) -> bool {
        self.write(|slots| {
            let free = !slots.contains_key(name);
            if free {
                slots.insert(name.to_owned(), Slot::Loading);
            }
            free
        })
    }

    /// Ends a load: the model is there, or its name is free again.
    fn settle(&self, name: String, url: String, loaded: Result<Arc<Hosted>, LoadFailure>) -> Result<(), LoadFailure> {
        self.write(|slots| match loaded {
            Ok(hosted) => {
                slots.insert(name, Slot::Loaded { url, hosted });
                Ok(())
            }
            Err(failure) => {
                slots.remove(&name);
                Err(failure)
            }
        })
    }

    fn remove(&self, name: &str) -> Option<Arc<Hosted>> {
        self.write(|slots| match slots.get(name) {
            Some(Slot::Loaded { .. }) => match slots.remove(name) {
                Some(Slot::Loaded { hosted, .. }) => Some(hosted),
                Some(Slot::Loading) | None => None,
            },
            Some(Slot::Loading) | None => None,
        })
    }

    fn page(&self, from: usize, limit: usize) -> (Vec<Value>, bool) {
        self.read(|slots| {
            let loaded = slots.iter().filter_map(|(name, slot)| match slot {
                Slot::Loaded { url, .. } => Some(described(name, url)),
                Slot::Loading => None,
            });
            let mut rest = loaded.skip(from);
            let page = rest.by_ref().take(limit).collect();
            (page, rest.next().is_some())
        })
    }

    // A map is whole at any time, also when a thread that held the lock panicked.
    fn read<T>(&self, look: impl FnOnce(&BTreeMap<String, Slot>) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Slot>) -> T) -> T {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What is to be loaded.
#[derive(Deserialize, ToSchema)]
pub(super) struct LoadRequest {
    /// A key under which it is asked for; never a path.
    #[schema(min_length = 1, max_length = 1_024)]
    model_name: String,
    /// The directory where it is mounted.
    url: String,
}

/// `POST /models`. A load goes on when its caller is gone: the platform asks again.
pub(super) async fn load(request: HttpRequest, body: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let wanted = match read_load(body, shared.config.client_timeout).await {
        Ok(wanted) => wanted,
        Err(refusal) => return refusal.respond(&request),
    };
    let loader = match shared.loader() {
        Ok(loader) => Arc::clone(loader),
        Err(failure) => return failure.respond(&request),
    };
    let LoadRequest { model_name: name, url } = wanted;
    if !shared.models.reserve(&name) {
        return Refusal::Registered { name }.respond(&request);
    }
    let task = rt::spawn(bring(Arc::clone(&shared), loader, name.clone(), url));
    match shared.before_cut(async { Ok(task.await.unwrap_or_else(|_panic| Err(panicked()))) }).await {
        Ok(Ok(())) => HttpResponse::Ok().json(json!({ "status": "Workers scaled" })),
        Ok(Err(failure)) => Refusal::Load { name, failure }.respond(&request),
        Err(draining) => draining.respond(&request),
    }
}

async fn bring(shared: Arc<Shared>, loader: Arc<dyn Loader>, name: String, url: String) -> Result<(), LoadFailure> {
    // On a task of its own, so that a panic leaves no name taken.
    let loaded = tokio::spawn(loader.load(url.clone())).await.unwrap_or_else(|_panic| Err(panicked()));
    let hosted = loaded.map(|model| Arc::new(Hosted::new(model)));
    if let Ok(hosted) = &hosted {
        // Before anybody can unload it: a thread then drops what it made, and not the other way round.
        shared.warm_up(hosted);
    }
    shared.models.settle(name, url, hosted)
}

fn panicked() -> LoadFailure {
    LoadFailure::Failed { stage: "load", reason: "it panicked".to_owned() }
}

async fn read_load(body: web::Payload, patience: Duration) -> Result<LoadRequest, Refusal> {
    let slow = |_| Refusal::bad(format!("the body did not come within {} s", patience.as_secs()));
    let bytes = tokio::time::timeout(patience, body.to_bytes_limited(MAX_LOAD_LEN)).await.map_err(slow)?;
    let bytes = bytes.map_err(|_| Refusal::bad(format!("the body is longer than {MAX_LOAD_LEN} bytes")))?;
    let bytes = bytes.map_err(|error| Refusal::bad(format!("the body is incomplete: {error}")))?;
    let expected = || Refusal::bad("expected {\"model_name\": NAME, \"url\": DIRECTORY}".to_owned());
    let wanted: LoadRequest = serde_json::from_slice(&bytes).map_err(|_| expected())?;
    match wanted.model_name.len() {
        1..=MAX_NAME_LEN => Ok(wanted),
        _ => Err(Refusal::bad(format!("model_name must have 1 to {MAX_NAME_LEN} bytes"))),
    }
}

/// `GET /models`: sorted by name, a page at a time.
pub(super) async fn list(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    let (from, limit) = match page_asked_for(request.query_string()) {
        Ok(asked) => asked,
        Err(refusal) => return refusal.respond(&request),
    };
    let (models, more) = shared.models.page(from, limit);
    match more {
        true => HttpResponse::Ok().json(json!({ "models": models, "nextPageToken": (from + limit).to_string() })),
        false => HttpResponse::Ok().json(json!({ "models": models })),
    }
}

/// Where the page begins, and how long it is at most.
fn page_asked_for(query: &str) -> Result<(usize, usize), Refusal> {
    let pairs = web::Query::<Vec<(String, String)>>::from_query(query);
    let pairs = pairs.map_err(|_| Refusal::bad("the query cannot be read".to_owned()))?;
    let number = |name: &str, default| match pairs.iter().find(|(key, _)| key == name) {
        None => Ok(default),
        Some((_, text)) => text.parse().map_err(|_| Refusal::bad(format!("{name} must be a number"))),
    };
    Ok((number("next_page_token", 0)?, number("limit", PAGE)?.clamp(1, PAGE)))
}

fn described(name: &str, url: &str) -> Value {
    json!({ "modelName": name, "modelUrl": url })
}

/// `GET /models/NAME`
pub(super) async fn get(request: HttpRequest, name: web::Path<String>, shared: web::Data<Shared>) -> HttpResponse {
    let name = name.into_inner();
    match shared.models.find(&name) {
        Some((url, _)) => HttpResponse::Ok().json(described(&name, &url)),
        None => Refusal::NotFound { name }.respond(&request),
    }
}

/// `DELETE /models/NAME`: answered when requests in flight are, and memory is given back; goes on when its caller is gone.
pub(super) async fn unload(request: HttpRequest, name: web::Path<String>, shared: web::Data<Shared>) -> HttpResponse {
    let name = name.into_inner();
    let Some(hosted) = shared.models.remove(&name) else { return Refusal::NotFound { name }.respond(&request) };
    let own = Arc::clone(&shared);
    let task = rt::spawn(async move { own.reclaim(hosted).await });
    match shared.before_cut(async { task.await.map_err(|_panic| Failure::Internal) }).await {
        Ok(()) => HttpResponse::Ok().json(json!({ "status": format!("Model \"{name}\" unregistered") })),
        Err(failure) => failure.respond(&request),
    }
}

/// `POST /models/NAME/invoke`
pub(super) async fn invoke(
    request: HttpRequest,
    name: web::Path<String>,
    payload: web::Payload,
    shared: web::Data<Shared>,
) -> HttpResponse {
    let name = name.into_inner();
    let Some((_, hosted)) = shared.models.find(&name) else { return Refusal::NotFound { name }.respond(&request) };
    let answered = async {
        shared.readiness.check()?;
        invocations::answer(&request, payload, &shared, &hosted).await
    };
    match shared.before_cut(answered).await {
        Ok(response) => response,
        Err(failure) => failure.respond(&request),
    }
}
