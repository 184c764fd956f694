//! `strongroom key new` and `strongroom key public`: makes keys, and shows the public half of one that signs.

use std::io::Write;
#[cfg(feature = "upkeep")]
use std::path::Path;

use crate::config::aws;
#[cfg(feature = "upkeep")]
use crate::config::key::KeyPublic;
use crate::config::key::{Key, KeyNew, KeyVerb};
#[cfg(feature = "upkeep")]
use crate::config::sign;
use crate::keys::{self, KEK_NAMESPACE};
#[cfg(feature = "upkeep")]
use crate::signer;

/// Runs the verb.
///
/// # Errors
/// There is a key at the place already, or it cannot be written.
pub async fn run(args: Key) -> anyhow::Result<()> {
    match args.verb {
        #[cfg(feature = "upkeep")]
        KeyVerb::New(KeyNew { signing: true, output: Some(output), json, .. }) => new_signing(&output, json).await,
        KeyVerb::New(args) => new(&args).await,
        #[cfg(feature = "upkeep")]
        KeyVerb::Public(args) => public(&args).await,
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

#[cfg(feature = "upkeep")]
async fn new_signing(place: &Path, json: bool) -> anyhow::Result<()> {
    let key = signer::create(place).await?;
    let mut out = std::io::stdout().lock();
    match json {
        true => {
            let place = format!("file:{}", place.display());
            let made = serde_json::json!({"key": place, "fingerprint": key.fingerprint(), "public_key": key.pem()});
            writeln!(out, "{made}")?;
        }
        false => writeln!(out, "{}", key.fingerprint())?,
    }
    Ok(())
}

#[cfg(feature = "upkeep")]
async fn public(args: &KeyPublic) -> anyhow::Result<()> {
    let signers = sign::open(&[args.source()?]).await?;
    let pem = signers.iter().map(|signer| signer.public_key().pem()).collect::<String>();
    Ok(write!(std::io::stdout().lock(), "{pem}")?)
}
