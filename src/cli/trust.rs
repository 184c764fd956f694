//! `strongroom trust`: writes a trust policy.

use std::collections::BTreeMap;
use std::io::Write as _;

use serde_json::{Value, json};

use crate::config::trust::{NamedKey, TrustPolicyArgs};
use crate::signed::Trust;

/// Runs the verb.
///
/// # Errors
/// A key cannot be read, or two signers have the same.
pub async fn run(args: TrustPolicyArgs) -> anyhow::Result<()> {
    let publishers = if args.publishers.is_empty() { &args.authors } else { &args.publishers };
    let mut signers: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for named in args.authors.iter().chain(publishers) {
        let key = json!({ "pem": named.read()?.pem() });
        let keys = signers.entry(named.name.as_str()).or_default();
        // An author may publish too.
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let mut policy = json!({ "signers": signers, "publisher": quorum(publishers) });
    if !args.authors.is_empty() {
        policy["author"] = quorum(&args.authors);
    }
    let text = format!("{policy:#}");
    // Nothing is written that would not be read.
    Trust::read(text.as_bytes())?;
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}

fn quorum(named: &[NamedKey]) -> Value {
    let mut names: Vec<&str> = named.iter().map(|key| key.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    json!({ "signers": names, "threshold": 1 })
}
