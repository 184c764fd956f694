//! `strongroom list`: models, their versions, and where aliases point.

use std::collections::BTreeMap;
use std::io::Write as _;

use serde_json::json;

use super::log::standing;
use crate::config::history::ListArgs;
use crate::registry::{Change, Record, history};

/// What there is of one model.
#[derive(Default)]
struct Model<'a> {
    /// In the order they were registered in.
    versions: Vec<(&'a str, &'a Record)>,
    aliases: BTreeMap<&'a str, &'a str>,
}

/// Runs the verb.
///
/// # Errors
/// The registry cannot be read.
pub async fn run(args: ListArgs) -> anyhow::Result<()> {
    let (store, authority) = (args.store.open().await?, args.store.trust.check()?.authority().await?);
    let records = history(&store, &authority).await?;
    let mut out = std::io::stdout().lock();
    for (name, model) in models(&records) {
        for (version, record) in &model.versions {
            let aliases: Vec<&str> =
                model.aliases.iter().filter(|(_, to)| *to == version).map(|(alias, _)| *alias).collect();
            match args.json {
                true => {
                    let line = json!({ "model": name, "version": version, "aliases": aliases, "digest": record.digest,
                        "created": record.created });
                    writeln!(out, "{line}")?;
                }
                false => {
                    let shown = if aliases.is_empty() { String::new() } else { format!("  <- {}", aliases.join(", ")) };
                    writeln!(out, "{name}:{version}  {}  [{}]{shown}", record.created, standing(&record.standing))?;
                }
            }
        }
    }
    Ok(())
}

/// Of the entries that count.
fn models(records: &[Record]) -> BTreeMap<&str, Model<'_>> {
    let mut models: BTreeMap<&str, Model<'_>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.standing.counts()) {
        match &record.change {
            Change::Registered { model, version, .. } => {
                let versions = &mut models.entry(model).or_default().versions;
                // The first registration holds.
                if versions.iter().all(|(other, _)| other != version) {
                    versions.push((version, record));
                }
            }
            Change::Moved { model, alias, version, .. } => {
                models.entry(model).or_default().aliases.insert(alias, version);
            }
            Change::Rotated { .. } => {}
            Change::Erased { model, version } => {
                models.entry(model).or_default().versions.retain(|(other, _)| other != version);
            }
        }
    }
    models
}
