//! `strongroom publish DIR`: check, seal, register; with `--alias`, promote.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::task::spawn_blocking;

use super::promote;
use crate::bundle::{Bundle, Files};
use crate::config::publish::PublishArgs;
use crate::predict::Predictor;
use crate::registry::{ModelRef, Promoted, Published, Registry, Selector, read_directory};

/// Runs the verb.
///
/// # Errors
/// The directory is no bundle that loads and passes its self-test; or it cannot be published or promoted.
pub async fn run(args: PublishArgs) -> anyhow::Result<()> {
    let registry = args.registry.open().await?;
    let directory = args.directory.clone();
    let checked = spawn_blocking(move || check(directory)).await??;
    let published = publish(&registry, &checked).await?;
    let promoted = match &args.alias {
        Some(alias) => Some(registry.promote(&version_of(&published), alias).await?),
        None => None,
    };
    print(&published, promoted.as_ref(), args.json)
}

/// A bundle that loads and passes its self-test.
struct Checked {
    name: String,
    version: String,
    files: Files,
}

/// Nothing is published that would not be served.
fn check(directory: PathBuf) -> anyhow::Result<Checked> {
    let files = read_directory(&directory)?;
    let shown = directory.display();
    let bundle = Bundle::from_files(files.clone()).with_context(|| format!("{shown} is no bundle"))?;
    let (name, version) = (bundle.manifest().name.clone(), bundle.manifest().version.clone());
    let predictor = Predictor::load(bundle).with_context(|| format!("{shown} cannot be served"))?;
    let mut session = predictor.session().with_context(|| format!("{shown} cannot be run"))?;
    predictor.self_test(&mut session).with_context(|| format!("{shown} fails its self-test"))?;
    Ok(Checked { name, version, files })
}

async fn publish(registry: &Registry, checked: &Checked) -> anyhow::Result<Published> {
    let bar = ProgressBar::new(checked.files.values().map(|bytes| bytes.len() as u64).sum());
    bar.set_style(ProgressStyle::with_template("sealing {bar:30} {bytes}/{total_bytes} {binary_bytes_per_sec} {msg}")?);
    let progress = |file: crate::registry::Progress<'_>| {
        bar.set_message(file.path.to_owned());
        bar.inc(file.len);
    };
    let published = registry.publish(&checked.name, &checked.version, &checked.files, &progress).await;
    bar.finish_and_clear();
    Ok(published?)
}

fn version_of(published: &Published) -> ModelRef {
    ModelRef { name: published.name.clone(), selector: Selector::Version(published.version.clone()) }
}

fn print(published: &Published, promoted: Option<&Promoted>, as_json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let Published { name, version, digest, index, already } = published;
    if as_json {
        let alias = promoted.map(|promoted| promoted.alias.as_str());
        let text = json!({ "name": name, "version": version, "digest": digest, "index": index, "already": already,
            "alias": alias });
        return Ok(writeln!(out, "{text}")?);
    }
    let what = if *already { "was published already, with the same content" } else { "published, unsigned" };
    writeln!(out, "{name}:{version} {what}")?;
    writeln!(out, "{name}@sha256:{digest}")?;
    promoted.map_or(Ok(()), |promoted| promote::print(&mut out, promoted, false))
}
