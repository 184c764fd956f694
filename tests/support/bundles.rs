//! The sample bundles, loaded as they are in the source tree, and answers about them.

#![allow(dead_code, reason = "every test binary uses its own part")]

use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::Value;
use strongroom::bundle::{Bundle, Files};
use strongroom::predict::{Predictor, Request, Session};
use strongroom::registry::read_directory;

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn files(name: &str) -> Files {
    read_directory(&root().join("model-artifacts").join(name)).expect("the sample bundle is there")
}

/// A loaded bundle and one thread's state of it.
pub(crate) struct Loaded {
    pub(crate) predictor: Predictor,
    pub(crate) session: Session,
}

impl Loaded {
    pub(crate) fn sample(name: &str) -> Self {
        Self::of(files(name))
    }

    pub(crate) fn of(files: Files) -> Self {
        let bundle = Bundle::from_files(files).expect("a bundle");
        let predictor = Predictor::load(bundle).expect("it can be served");
        let session = predictor.session().expect("it can be run");
        Self { predictor, session }
    }

    /// The answer as JSON.
    pub(crate) fn answer(&mut self, media_type: &str, body: impl Into<Bytes>) -> Value {
        let request = Request { media_type: Some(media_type.to_owned()), accept: None, body: body.into() };
        let response = self.predictor.predict(&mut self.session, &request, &|| false).expect("an answer");
        serde_json::from_slice(&response.body).expect("JSON")
    }
}

pub(crate) fn read(path: impl AsRef<Path>) -> Bytes {
    let path = path.as_ref();
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).into()
}

/// The media type of a file, by its name.
pub(crate) fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|it| it.to_str()) {
        Some("png") => "image/png",
        Some("webp") => "image/webp",
        _ => "image/jpeg",
    }
}
