//! `strongroom fsck`: reads everything in a registry and names what is wrong with it.

use std::io::Write as _;

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::config::upkeep::FsckArgs;
use crate::registry::{Checkup, Fault};

/// Runs the verb.
///
/// # Errors
/// Something is wrong, or the registry cannot be read at all.
pub async fn run(args: FsckArgs) -> anyhow::Result<()> {
    let registry = args.store.check()?.open().await?;
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("reading {spinner} {bytes} {binary_bytes_per_sec}")?);
    let checked = registry.fsck(&|bytes| bar.inc(bytes)).await;
    bar.finish_and_clear();
    let checkup = checked?;
    print(&checkup, args.json)?;
    match checkup.faults.len() {
        0 => Ok(()),
        1 => bail!("one thing is wrong with the registry"),
        count => bail!("{count} things are wrong with the registry"),
    }
}

fn print(checkup: &Checkup, as_json: bool) -> anyhow::Result<()> {
    let Checkup { entries, versions, files, bytes, faults, unnamed } = checkup;
    let mut out = std::io::stdout().lock();
    if as_json {
        let faults = faults
            .iter()
            .map(|Fault { object, problem, remedy }| json!({ "object": object, "problem": problem, "remedy": remedy }));
        let text = json!({ "entries": entries, "versions": versions, "files": files, "bytes": bytes,
            "faults": faults.collect::<Vec<_>>(), "unnamed": unnamed });
        return Ok(writeln!(out, "{text}")?);
    }
    for Fault { object, problem, remedy } in faults {
        writeln!(out, "{object}: {problem}")?;
        if !remedy.is_empty() {
            writeln!(out, "  help: {remedy}")?;
        }
    }
    writeln!(out, "{entries} log entries, {versions} versions, {files} sealed files of {bytes} bytes read")?;
    if !unnamed.is_empty() {
        writeln!(out, "{} objects that no version names, as a killed publish leaves them", unnamed.len())?;
    }
    Ok(())
}
