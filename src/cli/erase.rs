//! `strongroom erase NAME:VERSION`: makes a version unreadable for ever.

use std::io::Write as _;

use serde_json::json;

use super::sign::with_signers;
use crate::config::upkeep::EraseArgs;
use crate::registry::{self, Erased};

/// What deleting keyslots does not reach.
const OUT_OF_REACH: &str = "copies elsewhere still open: exports, backups and replicas of the bucket, a mounted model, what was fetched, and \
    servers that run; they end with the sealing key itself";

/// Runs the verb.
///
/// # Errors
/// There is no such version, an alias points to it, or a keyslot cannot be deleted.
pub async fn run(args: EraseArgs) -> anyhow::Result<()> {
    let model = args.version()?;
    let store = args.retention.on(args.store.open().await?)?;
    let authority = with_signers(args.store.trust.check()?.authority().await?, &args.signers).await?;
    let Erased { name, version, index, keyslots, files } = match args.yes {
        true => registry::erase(&store, &authority, model).await?,
        false => registry::plan_erase(&store, &authority, model).await?,
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        let text = json!({ "model": name, "version": version, "erased": args.yes, "index": index, "keyslots": keyslots,
            "files": files, "out_of_reach": OUT_OF_REACH });
        return Ok(writeln!(out, "{text}")?);
    }
    match args.yes {
        true => {
            writeln!(
                out,
                "{name}:{version} erased: {keyslots} keyslots deleted, {files} sealed files that nothing opens any more"
            )?;
            writeln!(out, "{OUT_OF_REACH}")?;
        }
        false => {
            writeln!(out, "{name}:{version} would be erased: {keyslots} keyslots deleted, for ever")?;
            writeln!(out, "nothing was done; --yes does it")?;
        }
    }
    Ok(())
}
