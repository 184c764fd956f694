//! `strongroom fetch MODEL -o DIR`: a version's files, opened.

use std::io::Write as _;

use anyhow::Context as _;
use serde_json::json;

use super::new_directory::{NewDirectory, Readers};
use crate::config::fetch::FetchArgs;

/// Runs the verb.
///
/// # Errors
/// There is no such version, it cannot be opened, or DIR is there already or cannot be written.
pub async fn run(args: FetchArgs) -> anyhow::Result<()> {
    let source = args.store.check()?;
    // First: that something is there already is known before anything is fetched.
    let mut directory = NewDirectory::create(&args.output, Readers::OwnerAlone)?;
    let fetched = source.open().await?.fetch(&args.model).await?;
    for (path, bytes) in &fetched.files {
        let unwritten = || format!("{path} is not written");
        directory.begin(path).with_context(unwritten)?;
        directory.write_all(bytes).with_context(unwritten)?;
    }
    directory.keep()?;
    let bytes: usize = fetched.files.values().map(bytes::Bytes::len).sum();
    let (name, version, digest, count) = (fetched.name, fetched.version, fetched.digest, fetched.files.len());
    let mut out = std::io::stdout().lock();
    match args.json {
        true => {
            let text = json!({ "model": name, "version": version, "digest": digest, "signed": fetched.signed,
                "files": count, "bytes": bytes, "output": args.output });
            writeln!(out, "{text}")?;
        }
        false => writeln!(out, "{name}:{version} fetched to {}: {count} files, {bytes} bytes", args.output.display())?,
    }
    Ok(())
}
