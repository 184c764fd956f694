//! `strongroom rotate`: every model under a new sealing key.

use std::collections::BTreeMap;
use std::io::Write as _;

use indicatif::ProgressBar;
use serde_json::json;

use super::publish::open_keys;
use super::sign::with_signers;
use crate::config::rotate::RotateArgs;
use crate::registry::{Hanging, Registry, Rotated};

/// Runs the verb.
///
/// # Errors
/// A model does not open under the old key, or the registry or the key service refuses.
pub async fn run(args: RotateArgs) -> anyhow::Result<()> {
    let new_key = args.new_key()?;
    let Registry { store, keys, authority } = args.store.clone().check()?.open().await?;
    let authority = with_signers(authority, &args.signers).await?;
    let registry = Registry { store: args.retention.on(store)?, keys, authority };
    if args.status || args.dry_run {
        return status(&registry, &args).await;
    }
    if let Some(name) = &args.retire {
        return retire(&registry, name, args.json).await;
    }
    let to = open_keys(new_key.as_ref()).await?;
    let bar = ProgressBar::new(0);
    let progress = |done: usize, total: usize| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    };
    let rotated = registry.rotate(to.as_ref(), &progress).await;
    bar.finish_and_clear();
    print(&rotated?, args.json)
}

fn print(rotated: &Rotated, as_json: bool) -> anyhow::Result<()> {
    let Rotated { kek, artifacts, written, bytes, index } = rotated;
    let mut out = std::io::stdout().lock();
    match as_json {
        true => {
            let text =
                json!({ "key": kek, "artifacts": artifacts, "written": written, "bytes": bytes, "index": index });
            writeln!(out, "{text}")?;
        }
        false => {
            writeln!(out, "{artifacts} versions open under the key {kek}: {written} keyslots of {bytes} bytes written")?
        }
    }
    Ok(())
}

/// Before a rotation: what has a keyslot under which key.
async fn status(registry: &Registry, args: &RotateArgs) -> anyhow::Result<()> {
    let status: BTreeMap<String, Hanging> = registry.key_status().await?;
    let current = registry.keys.current().await?.name.clone();
    let mut out = std::io::stdout().lock();
    if args.json {
        let keys = status.iter().map(|(name, hanging)| {
            json!({ "key": name, "current": *name == current, "artifacts": hanging.artifacts, "alone": hanging.alone })
        });
        return Ok(writeln!(out, "{}", json!({ "current": current, "keys": keys.collect::<Vec<_>>() }))?);
    }
    for (name, Hanging { artifacts, alone }) in &status {
        let which = if *name == current { ", the current one" } else { "" };
        writeln!(out, "{name}{which}: opens {artifacts} versions, {} of them alone", alone.len())?;
    }
    if args.dry_run {
        writeln!(
            out,
            "nothing was done; a rotation writes a keyslot for each version that the new key does not open yet"
        )?;
    }
    Ok(())
}

async fn retire(registry: &Registry, name: &str, as_json: bool) -> anyhow::Result<()> {
    let deleted = registry.retire_key(name).await?;
    let mut out = std::io::stdout().lock();
    match as_json {
        true => writeln!(out, "{}", json!({ "key": name, "deleted": deleted }))?,
        false => writeln!(out, "{deleted} keyslots under the key {name} deleted")?,
    }
    Ok(())
}
