//! `strongroom export MODEL -o OUT`: a sealed version as a container mounts it. Nothing is opened.

use std::io::Write;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::new_directory::{NewDirectory, Readers};
use super::new_file::NewFile;
use super::tar_gz::TarGz;
use crate::config::export::{ExportArgs, ExportTarget};
use crate::registry::{Export, ExportedObject};

/// Runs the verb.
///
/// # Errors
/// There is no such version, an object of it is missing or damaged, or OUT exists or cannot be written.
pub async fn run(args: ExportArgs) -> anyhow::Result<()> {
    let target = args.target()?;
    let (store, authority) = (args.store.open().await?, args.store.trust.check()?.authority().await?);
    // First: that something is there already is known before anything is read.
    let mut output = Output::create(&target, args.force)?;
    let export = Export::find(&store, &authority, &args.model).await?;
    copy(&export, &mut output).await?;
    output.keep()?;
    print(&export, &target, args.json)
}

async fn copy(export: &Export, output: &mut Output) -> anyhow::Result<()> {
    let bar = ProgressBar::new(export.total_len());
    bar.set_style(ProgressStyle::with_template("copying {bar:30} {bytes}/{total_bytes} {binary_bytes_per_sec} {msg}")?);
    for object in &export.objects {
        bar.set_message(object.key.clone());
        let unwritten = || format!("{} is not written", object.key);
        output.begin(object).with_context(unwritten)?;
        let mut copying = export.copy(object);
        while let Some(part) = copying.next().await? {
            output.write(&part).with_context(unwritten)?;
            bar.inc(part.len() as u64);
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// What is made, until it is whole.
enum Output {
    Directory(NewDirectory),
    Archive(TarGz<NewFile>),
}

impl Output {
    fn create(target: &ExportTarget, force: bool) -> anyhow::Result<Self> {
        Ok(match target {
            ExportTarget::Directory(path) => Self::Directory(NewDirectory::create(path, Readers::Everyone)?),
            ExportTarget::Archive(path) => Self::Archive(TarGz::new(NewFile::create(path, force)?)),
        })
    }

    fn begin(&mut self, object: &ExportedObject) -> std::io::Result<()> {
        match self {
            Self::Directory(directory) => directory.begin(&object.key),
            Self::Archive(archive) => archive.begin(&object.key, object.len),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Directory(directory) => directory.write_all(bytes),
            Self::Archive(archive) => archive.write_all(bytes),
        }
    }

    fn keep(self) -> anyhow::Result<()> {
        match self {
            Self::Directory(directory) => directory.keep(),
            Self::Archive(archive) => archive.finish().context("the archive is not written")?.keep(),
        }
    }
}

fn print(export: &Export, target: &ExportTarget, as_json: bool) -> anyhow::Result<()> {
    let (ExportTarget::Directory(path) | ExportTarget::Archive(path)) = target;
    let (Export { name, version, digest, objects, .. }, shown) = (export, path.display());
    let (count, bytes) = (objects.len(), export.total_len());
    let mut out = std::io::stdout().lock();
    if as_json {
        let text = json!({ "name": name, "version": version, "digest": digest, "output": path, "objects": count,
            "bytes": bytes });
        return Ok(writeln!(out, "{text}")?);
    }
    Ok(writeln!(out, "{name}:{version} exported to {shown}: {count} objects, {bytes} bytes\n{name}@sha256:{digest}")?)
}
