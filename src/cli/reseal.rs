//! `strongroom reseal MODEL`: versions under keys that nobody has seen.

use std::io::Write as _;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::publish::open_keys;
use super::sign::with_signers;
use crate::config::rotate::ResealArgs;
use crate::registry::{ModelRef, Progress, Registry, Resealed};

/// Runs the verb.
///
/// # Errors
/// There is no such version, no new key, or the registry or the key service refuses. Versions before it are done.
pub async fn run(args: ResealArgs) -> anyhow::Result<()> {
    let model = args.version()?;
    let Registry { store, keys, authority } = args.store.clone().check()?.open().await?;
    let authority = with_signers(authority, &args.signers).await?;
    let registry = Registry { store: args.retention.on(store)?, keys, authority };
    let recovery = open_keys(args.recovery_key()?.as_ref()).await?;
    let models: Vec<ModelRef> = match model {
        Some(model) => vec![model.clone()],
        None => registry.sealed_before().await?,
    };
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {prefix} {bytes} {binary_bytes_per_sec} {msg}")?);
    for model in &models {
        bar.set_prefix(model.to_string());
        let progress = |file: Progress<'_>| {
            bar.set_message(file.path.to_owned());
            bar.inc(file.bytes);
        };
        let resealed = registry.reseal(model, recovery.as_ref(), &progress).await?;
        bar.suspend(|| print(&resealed, args.json))?;
    }
    bar.finish_and_clear();
    if models.is_empty() && !args.json {
        writeln!(std::io::stdout().lock(), "nothing was sealed under another key than the current one")?;
    }
    Ok(())
}

fn print(resealed: &Resealed, as_json: bool) -> std::io::Result<()> {
    let Resealed { name, from, to, digest, aliases } = resealed;
    let mut out = std::io::stdout().lock();
    if as_json {
        let text = json!({ "model": name, "from": from, "to": to, "digest": digest, "aliases": aliases });
        return writeln!(out, "{text}");
    }
    let moved =
        if aliases.is_empty() { "no alias was on it".to_owned() } else { format!("moved: {}", aliases.join(", ")) };
    writeln!(out, "{name}:{from} is {name}:{to} now, and erased; {moved}")
}
