//! `strongroom verify DIR`: whether those who are trusted signed exactly what is there.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::json;
use tokio::task::spawn_blocking;

use super::open_model::read;
use crate::config::sign::VerifyArgs;
use crate::registry::{digests, now};
use crate::signed::{Envelope, ModelStatement, Role, Signer, Trust, is_signature_file};

/// Runs the verb.
///
/// # Errors
/// The directory or the policy cannot be read, or the signatures do not count.
pub async fn run(args: VerifyArgs) -> anyhow::Result<()> {
    let trust = args.trust.check()?.policy().await?;
    let directory = args.directory.clone();
    let files = spawn_blocking(move || digests(&directory)).await??;
    let signatures = signatures(&args, &files)?;
    let signers = verify(&signatures, &files, &trust)?;
    let mut out = std::io::stdout().lock();
    let count = files.keys().filter(|path| !is_signature_file(path)).count();
    if args.json {
        let signers = signers.iter().map(|signer| json!({ "name": signer.name, "key": signer.fingerprint }));
        return Ok(writeln!(out, "{}", json!({ "files": count, "signers": signers.collect::<Vec<_>>() }))?);
    }
    let names: Vec<&str> = signers.iter().map(|signer| signer.name.as_str()).collect();
    Ok(writeln!(out, "{}: {count} files, signed by {}", args.directory.display(), names.join(", "))?)
}

fn signatures(args: &VerifyArgs, files: &BTreeMap<String, String>) -> anyhow::Result<Vec<PathBuf>> {
    if let Some(file) = &args.signature {
        return Ok(vec![file.clone()]);
    }
    let found = files.keys().filter(|path| is_signature_file(path)).map(|path| args.directory.join(path));
    let found: Vec<PathBuf> = found.collect();
    match found.is_empty() {
        true => bail!("{} is not signed: it has no model.sig", args.directory.display()),
        false => Ok(found),
    }
}

fn verify(signatures: &[PathBuf], files: &BTreeMap<String, String>, trust: &Trust) -> anyhow::Result<Vec<Signer>> {
    let opened = |place: &PathBuf| open(place, files).with_context(|| format!("{} is refused", place.display()));
    let envelopes = signatures.iter().map(opened).collect::<anyhow::Result<Vec<_>>>()?;
    let refused = || {
        format!("{} is refused", signatures.iter().map(|one| one.display().to_string()).collect::<Vec<_>>().join(", "))
    };
    trust.check(Role::Author, &envelopes, &now()).with_context(refused)
}

/// A signature over exactly these files, by whomever.
fn open(place: &Path, files: &BTreeMap<String, String>) -> anyhow::Result<Envelope> {
    let envelope = Envelope::read(&read(place)?)?;
    let names = files.iter().map(|(path, digest)| (path.as_str(), digest.as_str()));
    ModelStatement::read(envelope.payload())?.check(names)?;
    Ok(envelope)
}
