//! `strongroom promote MODEL --alias ALIAS` and `strongroom rollback NAME:ALIAS`: an alias moves to a version.

use std::io::Write;

use serde_json::json;

use super::sign::with_signers;
use crate::config::promote::{PromoteArgs, RollbackArgs};
use crate::registry::{self, Promoted};

/// Runs the verb.
///
/// # Errors
/// There is no such version, or the registry cannot be read or written.
pub async fn run(args: PromoteArgs) -> anyhow::Result<()> {
    let store = args.retention.on(args.store.open().await?)?;
    let authority = with_signers(args.store.trust.check()?.authority().await?, &args.signers).await?;
    let promoted = registry::promote(&store, &authority, &args.model, &args.alias).await?;
    print(&mut std::io::stdout().lock(), &promoted, args.json)
}

/// Runs `rollback`.
///
/// # Errors
/// There is no such alias or nothing before it, or the registry cannot be read or written.
pub async fn roll_back(args: RollbackArgs) -> anyhow::Result<()> {
    let (model, alias) = args.alias()?;
    let store = args.retention.on(args.store.open().await?)?;
    let authority = with_signers(args.store.trust.check()?.authority().await?, &args.signers).await?;
    let promoted = registry::roll_back(&store, &authority, model, &alias).await?;
    print(&mut std::io::stdout().lock(), &promoted, args.json)
}

/// One line for people, or one of JSON.
pub(super) fn print(out: &mut impl Write, promoted: &Promoted, as_json: bool) -> anyhow::Result<()> {
    let Promoted { name, alias, version, digest, index, previous, already } = promoted;
    if as_json {
        let text = json!({ "name": name, "alias": alias, "version": version, "digest": digest, "index": index,
            "previous": previous, "already": already });
        return Ok(writeln!(out, "{text}")?);
    }
    let from = match (already, previous) {
        (true, _) => " (as before)".to_owned(),
        (false, Some(previous)) => format!(" (was {previous})"),
        (false, None) => String::new(),
    };
    Ok(writeln!(out, "{name}:{alias} -> {version}{from}")?)
}
