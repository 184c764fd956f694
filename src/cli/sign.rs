//! `strongroom sign DIR`: an author puts their name to a model directory.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::json;
use tokio::task::spawn_blocking;

use super::new_file::NewFile;
use crate::config::sign::{OptionalSignersArgs, SignArgs, open};
use crate::registry::{Authority, digests};
use crate::signed::{ModelStatement, is_signature_file};
use crate::signer;

/// The signature's name, as other tools have it.
const SIGNATURE: &str = "model.sig";

/// Runs the verb.
///
/// # Errors
/// The directory cannot be read, a key is not had, or the signature is not written.
pub async fn run(args: SignArgs) -> anyhow::Result<()> {
    let sources = args.signers.check()?;
    let place = args.output.clone().unwrap_or_else(|| args.directory.join(SIGNATURE));
    // Taken before anything is hashed: who signs what is signed already is told at once.
    let mut file = NewFile::create(&place, args.force)?;
    let signers = open(&sources).await?;
    let directory = args.directory.clone();
    let files = spawn_blocking(move || digests(&directory)).await??;
    let names = files.iter().map(|(path, digest)| (path.as_str(), digest.as_str()));
    let statement = ModelStatement::of(&name_of(&args.directory)?, names).write(&file_name(&place)?);
    let bundle = signer::sign(&statement, &signers).await?;
    file.write_all(&bundle).with_context(|| format!("{} is not written", place.display()))?;
    file.keep()?;
    let count = files.keys().filter(|path| !is_signature_file(path)).count();
    let keys: Vec<String> = signers.iter().map(|signer| signer.public_key().fingerprint()).collect();
    let mut out = std::io::stdout().lock();
    match args.json {
        true => writeln!(out, "{}", json!({ "signature": place, "files": count, "keys": keys }))?,
        false => writeln!(out, "{count} files signed in {} by {}", place.display(), keys.join(", "))?,
    }
    Ok(())
}

/// `authority`, with the keys of `signers`.
pub(super) async fn with_signers(authority: Authority, signers: &OptionalSignersArgs) -> anyhow::Result<Authority> {
    Ok(Authority { signers: Arc::new(open(&signers.check()?).await?), ..authority })
}

/// What the statement calls the directory.
fn name_of(directory: &Path) -> anyhow::Result<String> {
    let unread = || format!("{} cannot be read", directory.display());
    file_name(&directory.canonicalize().with_context(unread)?)
}

fn file_name(path: &Path) -> anyhow::Result<String> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).with_context(|| format!("{} has no name in UTF-8", PathBuf::from(path).display()))
}
