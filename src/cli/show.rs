//! `strongroom show MODEL`: one version.

use std::io::Write as _;

use serde_json::json;

use super::log::{standing, to_json};
use crate::config::history::ShowArgs;
use crate::registry::{Change, Provenance, Version, find_version};

/// Runs the verb.
///
/// # Errors
/// There is no such version, or the registry cannot be read.
pub async fn run(args: ShowArgs) -> anyhow::Result<()> {
    let (store, authority) = (args.store.open().await?, args.store.trust.check()?.authority().await?);
    let found = find_version(&store, &authority, &args.model).await?;
    let Version { name, version, record, aliases, keks, provenance } = found;
    let mut out = std::io::stdout().lock();
    if args.json {
        let shown = json!({ "model": name, "version": version, "aliases": aliases, "keys": keks,
            "provenance": provenance, "entry": to_json(&record) });
        return Ok(writeln!(out, "{shown}")?);
    }
    let (artifact, files) = match &record.change {
        Change::Registered { artifact, files, .. } => (artifact.as_str(), *files),
        Change::Moved { .. } | Change::Erased { .. } | Change::Rotated { .. } => ("", 0),
    };
    let or_none = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    writeln!(out, "{name}:{version}")?;
    writeln!(out, "digest      {name}@sha256:{}", record.digest)?;
    writeln!(out, "registered  {}, log entry {}", record.created, record.index)?;
    writeln!(out, "signed by   {}", standing(&record.standing))?;
    writeln!(out, "aliases     {}", or_none(&aliases))?;
    writeln!(out, "artifact    {artifact}, {files} sealed files")?;
    writeln!(out, "opened by   {}", or_none(&keks))?;
    for Provenance { name, kind, sha256 } in &provenance {
        writeln!(out, "provenance  {name}, {kind}, sha256:{sha256}")?;
    }
    Ok(())
}
