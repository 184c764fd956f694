//! `strongroom open`: a sealed file becomes a plain one.

use std::fs::File;
use std::io::{IoSliceMut, Write};

use anyhow::Context;
use zeroize::Zeroizing;

use super::new_file::NewFile;
use super::seal::{open_file, progress_bar};
use crate::config::{aws, seal::OpenArgs};
use crate::keys::{KEK_NAMESPACE, KeyError, Keys};
use crate::sealed::{EncryptionContext, Header, KeyName, MAX_HEADER_LEN, OpenError, Opening, Source};

/// About how much is opened at once, in bytes: what a file of any size takes in memory.
const WINDOW_LEN: u64 = 8 << 20;

/// Runs the verb. OUT appears when every frame has been verified.
///
/// # Errors
/// The key is not had or is not the file's, the file is not authentic, or OUT is not written.
pub async fn run(args: &OpenArgs) -> anyhow::Result<()> {
    let (key, required) = (args.key()?, args.context()?);
    let (sealed, len) = open_file(&args.file)?;
    let not_opened = || format!("{} is not opened", args.file.display());
    let header = read_header(&sealed, len).with_context(not_opened)?;
    let out = NewFile::create(&args.output, args.force)?;
    let keys = Keys::open(&key, &aws::load(key.is_on_aws()).await).await?;
    let opening = authenticate(&header, &keys, (len, &required), args).await.with_context(not_opened)?;
    write_plain(&opening, &sealed, out, args)?.keep()
}

/// Reads and parses the header of a file of `len` bytes.
pub(super) fn read_header(sealed: &File, len: u64) -> Result<Header, OpenError> {
    let mut prefix = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(MAX_HEADER_LEN)];
    sealed.read_exact_at(0, &mut [IoSliceMut::new(&mut prefix)]).map_err(OpenError::Read)?;
    Header::parse(&prefix)
}

/// Tries the keys that can bear a name of the file's; the first failure is the one told.
async fn authenticate(
    header: &Header,
    keys: &Keys,
    (len, required): (u64, &EncryptionContext),
    args: &OpenArgs,
) -> anyhow::Result<Opening> {
    let mut failure = None;
    for name in wanted(header, args)? {
        match candidates(keys, &name, args.key_name.is_some()).await {
            Ok(keks) => {
                for kek in keks {
                    match header.clone().authenticate(&name, &kek.key, len, required) {
                        Ok(opening) => return Ok(opening),
                        Err(error) => failure = failure.or(Some(error.into())),
                    }
                }
            }
            Err(error) => failure = failure.or(Some(error.into())),
        }
    }
    Err(failure.unwrap_or_else(|| OpenError::NoKeys.into()))
}

/// The file's key names that the arguments allow, our own namespace first.
fn wanted(header: &Header, args: &OpenArgs) -> Result<Vec<KeyName>, OpenError> {
    let allows = |argument: &Option<String>, found: &str| argument.as_deref().is_none_or(|wanted| wanted == found);
    let allowed = |name: &KeyName| allows(&args.key_namespace, &name.namespace) && allows(&args.key_name, &name.name);
    let mut names: Vec<_> = header.key_names().into_iter().filter(allowed).collect();
    names.sort_by_key(|name| name.namespace != KEK_NAMESPACE);
    if names.is_empty() {
        let namespace = args.key_namespace.clone().unwrap_or_else(|| KEK_NAMESPACE.to_owned());
        let found = header.key_names();
        return Err(match args.key_name.clone() {
            Some(name) => OpenError::KeyNotListed { wanted: KeyName { namespace, name }, found },
            None => OpenError::NamespaceNotListed { namespace, found },
        });
    }
    Ok(names)
}

/// A key file whose key the file calls by a name of somebody's own is tried as it is.
async fn candidates(
    keys: &Keys,
    name: &KeyName,
    named: bool,
) -> Result<Vec<std::sync::Arc<crate::keys::Kek>>, KeyError> {
    match keys.candidates(&name.name).await {
        Err(KeyError::OtherKey { .. }) if named || name.namespace != KEK_NAMESPACE => Ok(vec![keys.current().await?]),
        outcome => outcome,
    }
}

fn write_plain(opening: &Opening, sealed: &File, mut out: NewFile, args: &OpenArgs) -> anyhow::Result<NewFile> {
    let frames = (WINDOW_LEN / opening.layout().frame_len()).max(1);
    let bar = progress_bar(opening.plaintext_len());
    let mut window = Zeroizing::new(Vec::new());
    for part in opening.parts(usize::try_from(frames)?) {
        let len = part.plain.end - part.plain.start;
        window.resize(usize::try_from(len)?, 0);
        let opened = opening.open_part_from(sealed, &part, &mut window);
        opened.with_context(|| format!("{} is not opened", args.file.display()))?;
        out.write_all(&window).with_context(|| format!("{} is not written", args.output.display()))?;
        bar.inc(len);
    }
    bar.finish_and_clear();
    Ok(out)
}
