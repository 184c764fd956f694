//! `strongroom gc`: what no version needs.

use std::io::Write as _;

use serde_json::json;

use crate::config::upkeep::GcArgs;
use crate::registry;

/// Runs the verb.
///
/// # Errors
/// The registry cannot be read, or an object cannot be deleted.
pub async fn run(args: GcArgs) -> anyhow::Result<()> {
    let (store, authority) = (args.store.open().await?, args.store.trust.check()?.authority().await?);
    let unneeded = registry::unneeded(&store, &authority, args.grace()).await?;
    for object in &unneeded {
        if args.delete {
            registry::delete(&store, object).await?;
        }
        // Flushed line by line: what was deleted before a failure is told.
        let days = object.age.as_secs() / 86_400;
        let mut out = std::io::stdout().lock();
        match args.json {
            true => writeln!(out, "{}", json!({ "object": object.key, "age_days": days, "deleted": args.delete }))?,
            false => writeln!(out, "{}  {days} days{}", object.key, if args.delete { ", deleted" } else { "" })?,
        }
    }
    if !args.json {
        let hint = if args.delete || unneeded.is_empty() { "" } else { "; --delete deletes them" };
        writeln!(std::io::stdout().lock(), "{} objects that no version needs{hint}", unneeded.len())?;
    }
    Ok(())
}
