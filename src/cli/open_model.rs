//! A model ready to run on this machine: from a registry, an exported directory or a plain bundle.

use std::path::Path;

use anyhow::Context;
use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::seal::open_file;
use crate::bundle::{Bundle, Files};
use crate::config::aws;
use crate::config::model::{ModelSource, ModelStoreArgs};
use crate::keys::Keys;
use crate::predict::{PredictError, Predictor, Request, Response, Session};
use crate::registry::{fetch_mount, is_sealed_mount, read_directory};

/// A loaded bundle and one thread's state of it.
pub(super) struct Model {
    predictor: Predictor,
    session: Session,
}

/// Fetches or reads the model and loads it.
///
/// # Errors
/// Names the stage: the settings, the registry, the bundle, the graph.
pub(super) async fn open(source: ModelSource, store: ModelStoreArgs) -> anyhow::Result<Model> {
    let files = match source {
        ModelSource::Registered(model) => store.check()?.open().await?.fetch(&model).await?.files,
        ModelSource::Directory(path) if is_sealed_mount(&path) => {
            let (authority, key) = (store.trust.check()?.authority().await?, store.key()?);
            let keys = Keys::open(&key, &aws::load(key.is_on_aws()).await).await?;
            fetch_mount(&path, Some(&keys), &authority, false).await?.files
        }
        // The user's own directory on the user's own machine: nobody's leave is needed to read it.
        ModelSource::Directory(path) => spawn_blocking(move || read_directory(&path)).await??,
    };
    spawn_blocking(move || load(files)).await?
}

fn load(files: Files) -> anyhow::Result<Model> {
    let bundle = Bundle::from_files(files).context("the model's files are no bundle")?;
    let name = bundle.manifest().name.clone();
    let predictor = Predictor::load(bundle).with_context(|| format!("{name} cannot be loaded"))?;
    let session = predictor.session().with_context(|| format!("{name} cannot be run"))?;
    Ok(Model { predictor, session })
}

impl Model {
    pub(super) fn predictor(&self) -> &Predictor {
        &self.predictor
    }

    /// Answers as JSON.
    pub(super) fn predict(&mut self, request: &Request) -> Result<Response, PredictError> {
        self.predictor.predict(&mut self.session, request, &|| false)
    }

    /// The answers before they are encoded.
    pub(super) fn answers(&mut self, request: &Request) -> Result<Vec<crate::predict::Answer>, PredictError> {
        self.predictor.answers(&mut self.session, request)
    }
}

/// A file as a request's body, bounded by what the server takes too; images are known by their content.
pub(super) fn request(path: &Path) -> anyhow::Result<Request> {
    let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default().to_ascii_lowercase();
    let media_type = match extension.as_str() {
        "csv" => Some("text/csv"),
        "json" => Some("application/json"),
        "jsonl" | "ndjson" => Some("application/jsonlines"),
        "npy" => Some("application/x-npy"),
        _ => None,
    };
    Ok(Request {
        media_type: media_type.map(str::to_owned),
        accept: Some("application/json".to_owned()),
        body: read(path)?,
    })
}

/// Longest file that is read, in bytes: ten times what a server takes by default.
const MAX_FILE_LEN: u64 = 250 << 20;

/// A file's content.
pub(super) fn read(path: &Path) -> anyhow::Result<Bytes> {
    use std::io::Read as _;
    let unread = || format!("{} cannot be read", path.display());
    let (file, _) = open_file(path)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_LEN + 1).read_to_end(&mut bytes).with_context(unread)?;
    anyhow::ensure!(bytes.len() as u64 <= MAX_FILE_LEN, "{} is larger than {} MB", path.display(), MAX_FILE_LEN >> 20);
    Ok(bytes.into())
}
