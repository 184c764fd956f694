//! `strongroom publish DIR`: check, seal, register; with `--alias`, promote.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::task::spawn_blocking;

use super::open_model::read;
use super::promote;
use super::sign::with_signers;
use crate::bundle::{Bundle, Files};
use crate::config::aws;
use crate::config::publish::PublishArgs;
use crate::keys::{KeySource, Keys};
use crate::model::return_freed_memory;
use crate::predict::Predictor;
use crate::registry::{
    AliasName, Content, ModelRef, Promoted, Provenance, Published, Registry, RegistryError, Release, read_directory,
};

/// Runs the verb.
///
/// # Errors
/// The directory is no bundle that loads and passes its self-test; or it cannot be published or promoted.
pub async fn run(args: PublishArgs) -> anyhow::Result<()> {
    let Registry { store, keys, authority } = args.store.clone().check()?.open().await?;
    let authority = with_signers(authority, &args.signers).await?;
    let registry = Registry { store: args.retention.on(store)?, keys, authority };
    let directory = args.directory.clone();
    let checked = spawn_blocking(move || check(directory)).await??;
    let provenance = args.provenance.iter().map(|path| provenance(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let (Checked { name, version, content }, recovery) = (&checked, open_keys(args.recovery_key()?.as_ref()).await?);
    let release = Release { name, version, content, provenance: &provenance, recovery: recovery.as_ref() };
    let published = publish(&registry, &release).await?;
    match args.json {
        true => finish_as_json(&registry, &published, args.alias.as_ref()).await,
        false => finish(&registry, &published, args.alias.as_ref()).await,
    }
}

/// A bundle that loads and passes its self-test.
struct Checked {
    name: String,
    version: String,
    content: Content,
}

/// Nothing is published that would not be served.
fn check(directory: PathBuf) -> anyhow::Result<Checked> {
    let files = read_directory(&directory)?;
    // Hashed while the graphs are loaded. Sealing reads the files again, so that they need not stay in memory.
    let (content, named) = std::thread::scope(|threads| {
        let hashing = threads.spawn(|| Content::on_disk(&directory, &files));
        let named = check_bundle(&directory, files.clone());
        (hashing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), named)
    });
    let (name, version) = named?;
    drop(files);
    return_freed_memory();
    Ok(Checked { name, version, content })
}

/// Answers with the bundle's name and version.
fn check_bundle(directory: &Path, files: Files) -> anyhow::Result<(String, String)> {
    let shown = directory.display();
    let bundle = Bundle::from_files(files).with_context(|| format!("{shown} is no bundle"))?;
    let (name, version) = (bundle.manifest().name.clone(), bundle.manifest().version.clone());
    // Before the self-test: who named it wrongly need not wait for that.
    ModelRef::version(&name, &version).with_context(|| format!("{shown} cannot be published"))?;
    let predictor = Predictor::load(bundle).with_context(|| format!("{shown} cannot be served"))?;
    let mut session = predictor.warm_session().with_context(|| format!("{shown} cannot be run"))?;
    predictor.self_test(&mut session).with_context(|| format!("{shown} fails its self-test"))?;
    Ok((name, version))
}

/// Opens a key beside the registry's own, if one is named.
pub(super) async fn open_keys(source: Option<&KeySource>) -> anyhow::Result<Option<Keys>> {
    match source {
        Some(source) => Ok(Some(Keys::open(source, &aws::load(source.is_on_aws()).await).await?)),
        None => Ok(None),
    }
}

fn provenance(path: &Path) -> anyhow::Result<Provenance> {
    Provenance::of(path, &read(path)?).map_err(|problem| anyhow::anyhow!("{}: {problem}", path.display()))
}

pub(super) async fn publish(registry: &Registry, release: &Release<'_>) -> anyhow::Result<Published> {
    let bar = ProgressBar::new(release.content.total_len());
    let template = "publishing {bar:30} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta} left  {msg}";
    bar.set_style(ProgressStyle::with_template(template)?);
    let progress = |file: crate::registry::Progress<'_>| {
        bar.set_message(file.path.to_owned());
        bar.inc(file.bytes);
    };
    let published = registry.publish(release, &progress).await;
    bar.finish_and_clear();
    Ok(published?)
}

/// What is published is told before anything else can fail.
async fn finish(registry: &Registry, published: &Published, alias: Option<&AliasName>) -> anyhow::Result<()> {
    let Published { name, version, digest, already, .. } = published;
    let what = match (already, registry.authority.signers.is_empty()) {
        (true, _) => "was published already, with the same content",
        (false, true) => "published, unsigned",
        (false, false) => "published, signed",
    };
    writeln!(std::io::stdout().lock(), "{name}:{version} {what}\n{name}@sha256:{digest}")?;
    let Some(alias) = alias else { return Ok(()) };
    let promoted = promote_to(registry, published, alias).await?;
    promote::print(&mut std::io::stdout().lock(), &promoted, false)
}

/// One object, with `"alias": null` where none was moved.
async fn finish_as_json(registry: &Registry, published: &Published, alias: Option<&AliasName>) -> anyhow::Result<()> {
    let promoted = match alias {
        Some(alias) => promote_to(registry, published, alias).await.map(Some),
        None => Ok(None),
    };
    let moved = promoted.as_ref().ok().and_then(Option::as_ref).map(|promoted| promoted.alias.as_str());
    let Published { name, version, digest, index, already } = published;
    let text = json!({ "name": name, "version": version, "digest": digest, "index": index, "already": already,
        "alias": moved });
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(promoted.map(drop)?)
}

async fn promote_to(registry: &Registry, published: &Published, alias: &AliasName) -> Result<Promoted, RegistryError> {
    let model = ModelRef::version(&published.name, &published.version)?;
    crate::registry::promote(&registry.store, &registry.authority, &model, alias).await
}
