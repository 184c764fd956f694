//! `strongroom log`: what happened in a registry, and whether all of it holds.

use std::io::Write as _;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::config::history::{LogArgs, LogVerb, LogVerifyArgs};
use crate::registry::{Change, Record, Standing, history, verify_log};

/// Runs the verb.
///
/// # Errors
/// The registry cannot be read, or an entry of the log does not follow the one before it.
pub async fn run(args: LogArgs) -> anyhow::Result<()> {
    if let Some(LogVerb::Verify(args)) = &args.verb {
        return verify(args).await;
    }
    let registry = args.store()?;
    let (store, authority) = (registry.open().await?, registry.trust.check()?.authority().await?);
    let records = history(&store, &authority).await?;
    let mut out = std::io::stdout().lock();
    for record in
        records.iter().filter(|record| args.model.as_deref().is_none_or(|model| record.change.model() == Some(model)))
    {
        match args.json {
            true => writeln!(out, "{}", to_json(record))?,
            false => writeln!(
                out,
                "{:>4}  {}  {}  [{}]",
                record.index,
                record.created,
                told(&record.change),
                standing(&record.standing)
            )?,
        }
    }
    Ok(())
}

async fn verify(args: &LogVerifyArgs) -> anyhow::Result<()> {
    let (store, authority) = (args.store.open().await?, args.store.trust.check()?.authority().await?);
    let records = verify_log(&store, &authority).await.context("the log does not hold")?;
    let head = records.last().map(|record| record.digest.as_str()).unwrap_or_default();
    let count = records.len();
    let verified = authority.trust.is_some();
    let mut out = std::io::stdout().lock();
    if args.json {
        return Ok(writeln!(out, "{}", json!({ "entries": count, "head": head, "signatures_verified": verified }))?);
    }
    let signatures = if verified { "signatures verified" } else { "no trust policy: signatures not verified" };
    Ok(writeln!(out, "{count} entries hold; {signatures}\nhead sha256:{head}")?)
}

fn told(change: &Change) -> String {
    match change {
        Change::Registered { model, version, files, .. } => {
            format!("{model}:{version} registered, {files} sealed files")
        }
        Change::Moved { model, alias, version, previous, back } => {
            let verb = if *back { "rolled back to" } else { "->" };
            let from = previous.as_ref().map(|previous| format!(" (was {previous})")).unwrap_or_default();
            format!("{model}:{alias} {verb} {version}{from}")
        }
        Change::Erased { model, version } => format!("{model}:{version} erased"),
        Change::Rotated { kek, artifacts } => format!("{artifacts} versions open under the key {kek}"),
    }
}

/// In a few words.
pub(super) fn standing(standing: &Standing) -> String {
    match standing {
        Standing::Unsigned => "unsigned".to_owned(),
        Standing::Unverified => "signed, not verified".to_owned(),
        Standing::SignedBy(signers) => signers.iter().map(|signer| signer.name.as_str()).collect::<Vec<_>>().join(", "),
        Standing::Refused(reason) => format!("does not count: {reason}"),
    }
}

/// A record for programs.
pub(super) fn to_json(record: &Record) -> Value {
    let mut value = match &record.change {
        Change::Registered { model, version, artifact, files } => {
            json!({ "change": "register", "model": model, "version": version, "artifact": artifact, "files": files })
        }
        Change::Moved { model, alias, version, previous, back } => {
            let change = if *back { "rollback" } else { "promote" };
            json!({ "change": change, "model": model, "alias": alias, "version": version, "previous": previous })
        }
        Change::Erased { model, version } => json!({ "change": "erase", "model": model, "version": version }),
        Change::Rotated { kek, artifacts } => json!({ "change": "rekey", "key": kek, "artifacts": artifacts }),
    };
    let (state, signers, reason) = match &record.standing {
        Standing::Unsigned => ("unsigned", None, None),
        Standing::Unverified => ("unverified", None, None),
        Standing::SignedBy(signers) => ("signed", Some(signers), None),
        Standing::Refused(reason) => ("refused", None, Some(reason)),
    };
    let signers = signers.into_iter().flatten().map(|signer| json!({ "name": signer.name, "key": signer.fingerprint }));
    let more = json!({ "index": record.index, "created": record.created, "digest": record.digest,
        "signature": { "state": state, "signers": signers.collect::<Vec<_>>(), "reason": reason } });
    if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
        value.extend(more);
    }
    value
}
