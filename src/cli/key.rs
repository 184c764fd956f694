//! `strongroom key new`: makes a sealing key.

use std::io::Write;

use crate::config::aws;
use crate::config::key::{Key, KeyNew, KeyVerb};
use crate::keys::{self, KEK_NAMESPACE};

/// Runs the verb.
///
/// # Errors
/// There is a key at the place already, or it cannot be written.
pub async fn run(args: Key) -> anyhow::Result<()> {
    match args.verb {
        KeyVerb::New(args) => new(&args).await,
    }
}

async fn new(args: &KeyNew) -> anyhow::Result<()> {
    let place = args.place()?;
    let kek = keys::create(&place, &aws::load(place.is_on_aws()).await).await?;
    let mut out = std::io::stdout().lock();
    match args.json {
        true => {
            let made = serde_json::json!({"key": place.to_string(), "namespace": KEK_NAMESPACE, "name": kek.name});
            writeln!(out, "{made}")?;
        }
        false => writeln!(out, "{}", kek.name)?,
    }
    Ok(())
}
