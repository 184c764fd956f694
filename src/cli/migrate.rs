//! `strongroom migrate`: signs a registry from before there were signatures.

use std::io::Write as _;
use std::sync::Arc;

use serde_json::json;

use crate::config::sign::open;
use crate::config::upkeep::MigrateArgs;
use crate::registry::{Authority, Migrated, migrate};

/// Runs the verb.
///
/// # Errors
/// No policy is given, a key is not had, or the registry cannot be read or written.
pub async fn run(args: MigrateArgs) -> anyhow::Result<()> {
    let store = args.retention.on(args.store.open().await?)?;
    let authority = args.trusted()?.authority().await?;
    let signers = Arc::new(open(&args.signers.check()?).await?);
    let Migrated { versions, aliases } = migrate(&store, &Authority { signers, ..authority }).await?;
    let mut out = std::io::stdout().lock();
    if args.json {
        let versions = versions.iter().map(|(version, digest)| json!({ "version": version, "digest": digest }));
        return Ok(writeln!(out, "{}", json!({ "versions": versions.collect::<Vec<_>>(), "aliases": aliases }))?);
    }
    for (version, digest) in &versions {
        writeln!(out, "{version} signed, sha256:{digest}")?;
    }
    for alias in &aliases {
        writeln!(out, "{alias} signed")?;
    }
    Ok(writeln!(out, "{} versions and {} aliases signed", versions.len(), aliases.len())?)
}
