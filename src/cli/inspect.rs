//! `strongroom inspect`: what the header of a sealed file says.

use std::io::Write;

use anyhow::Context;
use serde_json::json;

use super::open::read_header;
use super::seal::open_file;
use crate::config::seal::InspectArgs;
use crate::sealed::{Header, Layout, OpenError};

/// Runs the verb.
///
/// # Errors
/// The file is not read, or is no sealed file that Strongroom opens.
pub async fn run(args: &InspectArgs) -> anyhow::Result<()> {
    report(args, &mut std::io::stdout().lock())
}

/// Writes what `strongroom inspect` prints to `out`.
///
/// # Errors
/// As [`run`]. A header whose file has an impossible size is written first.
pub fn report(args: &InspectArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let (sealed, len) = open_file(&args.file)?;
    let refused = || format!("{} is refused", args.file.display());
    let header = read_header(&sealed, len).with_context(refused)?;
    let layout = header.layout(len);
    match args.json {
        true => writeln!(out, "{:#}", as_json(&header, &layout, len))?,
        false => write!(out, "{}", as_text(&header, &layout, len))?,
    }
    layout.map(|_| ()).with_context(refused)
}

fn as_json(header: &Header, layout: &Result<Layout, OpenError>, len: u64) -> serde_json::Value {
    let layout = layout.as_ref().ok();
    let keys: Vec<_> =
        header.key_names().into_iter().map(|key| json!({"namespace": key.namespace, "name": key.name})).collect();
    json!({
        "authenticated": false,
        "format": "aws-encryption-sdk-message-v2",
        "suite": format!("{:04x}", header.suite()),
        "message_id": hex::encode(header.message_id()),
        "keys": keys,
        "other_key_providers": header.foreign_providers(),
        "context": header.context(),
        "sealed_bytes": len,
        "header_bytes": header.header_len(),
        "frame_bytes": header.frame_len(),
        "frames": layout.map(Layout::frames),
        "final_frame_bytes": layout.map(Layout::final_frame_len),
        "plaintext_bytes": layout.map(Layout::plaintext_len),
    })
}

/// Names and values are quoted and escaped: a stranger may have written them.
fn as_text(header: &Header, layout: &Result<Layout, OpenError>, len: u64) -> String {
    let suite = header.suite();
    let mut lines = vec![
        "not authenticated: only the key tells whether this is true".to_owned(),
        format!(
            "format      AWS Encryption SDK message v2, suite {suite:#06x} (AES-256-GCM, HKDF-SHA-512, key commitment)"
        ),
        format!("message id  {}", hex::encode(header.message_id())),
    ];
    lines.extend(header.key_names().iter().map(|key| format!("key         {key}")));
    lines.extend(header.foreign_providers().iter().map(|id| format!("other key   of {id:?}, no raw AES key")));
    lines.extend(header.context().iter().map(|(key, value)| format!("context     {key:?} = {value:?}")));
    lines.push(format!("sealed      {len} bytes, {} of them header", header.header_len()));
    if let Ok(layout) = layout {
        let (frames, last) = (layout.frames(), layout.final_frame_len());
        lines.push(format!("frames      {frames} of {} bytes, the last of {last}", header.frame_len()));
        lines.push(format!("plaintext   {} bytes", layout.plaintext_len()));
    }
    lines.join("\n") + "\n"
}
