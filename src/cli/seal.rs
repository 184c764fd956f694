//! `strongroom seal`: a plain file becomes a sealed one.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, ensure};
use indicatif::ProgressBar;
use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::new_file::NewFile;
use crate::config::{aws, seal::SealArgs};
use crate::keys::{KEK_NAMESPACE, Keys};
use crate::sealed::{FRAME_LEN, KeyName, Sealer};

/// Runs the verb.
///
/// # Errors
/// The key is not had, FILE is not read, or OUT is not written.
pub async fn run(args: &SealArgs) -> anyhow::Result<()> {
    let (key, context) = (args.key()?, args.context()?);
    let (mut plain, len) = open_file(&args.file)?;
    let out = NewFile::create(&args.output, args.force)?;
    let kek = Keys::open(&key, &aws::load(key.is_on_aws()).await).await?.current().await?;
    let name = KeyName { namespace: KEK_NAMESPACE.to_owned(), name: kek.name.clone() };
    let sealer = Sealer::new(out, &kek.key, &name, &context);
    let mut sealer = sealer.with_context(|| format!("{} is not sealed", args.file.display()))?;
    let bar = progress_bar(len);
    let mut text = Zeroizing::new(vec![0; FRAME_LEN as usize]);
    loop {
        let read = plain.read(&mut text).with_context(|| format!("{} is not read", args.file.display()))?;
        let Some(piece @ [_, ..]) = text.get(..read) else { break };
        sealer.write_all(piece).with_context(|| format!("{} is not written", args.output.display()))?;
        bar.inc(read as u64);
    }
    bar.finish_and_clear();
    sealer.finish().with_context(|| format!("{} is not written", args.output.display()))?.keep()
}

/// A regular file and its length: what has no length, or no end, is neither sealed nor opened.
pub(super) fn open_file(path: &Path) -> anyhow::Result<(File, u64)> {
    // A named pipe must not hang us: it is refused below.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let opened = opened.and_then(|file| file.metadata().map(|about| (file, about)));
    let (file, about) = opened.with_context(|| format!("{} is not read", path.display()))?;
    ensure!(about.is_file(), "{} is not a regular file", path.display());
    Ok((file, about.len()))
}

/// Counts bytes, on a terminal only.
pub(super) fn progress_bar(len: u64) -> ProgressBar {
    let style = indicatif::ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {bytes_per_sec}");
    let bar = ProgressBar::new(len);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
