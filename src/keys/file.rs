//! A key file.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::{Kek, KeyError, KeySource, form};
use crate::sealed::SealingKey;

/// Bits of a mode that let others in.
const OTHERS: u32 = 0o077;
/// Of a file of root's, whose group may read: so a key is handed to a server that is not root, as by systemd's credentials
/// and by the `fsGroup` of a pod.
const OTHERS_OF_ROOTS: u32 = 0o037;
/// Bits of a mode that are permissions.
const PERMISSIONS: u32 = 0o7777;

/// The one key of a file, read once.
#[derive(Debug)]
pub(super) struct KeyFile {
    path: PathBuf,
    kek: Arc<Kek>,
}

impl KeyFile {
    pub(super) async fn open(path: &Path) -> Result<Self, KeyError> {
        let path = path.to_owned();
        blocking(move || Self::read(&path)).await
    }

    pub(super) fn read(path: &Path) -> Result<Self, KeyError> {
        let key = read(path)?;
        let kek = Arc::new(Kek { name: key.id(), key });
        Ok(Self { path: path.to_owned(), kek })
    }

    pub(super) fn kek(&self) -> Arc<Kek> {
        Arc::clone(&self.kek)
    }

    pub(super) fn by_name(&self, name: &str) -> Result<Arc<Kek>, KeyError> {
        match self.kek.name == name {
            true => Ok(self.kek()),
            false => Err(KeyError::OtherKey {
                path: self.path.clone(),
                found: self.kek.name.clone(),
                name: name.chars().take(128).collect(),
            }),
        }
    }
}

/// Writes `key` as 32 raw bytes into a new file of mode 0600 and answers with its id.
pub(super) async fn write(path: &Path, key: &SealingKey) -> Result<String, KeyError> {
    let (path, bytes) = (path.to_owned(), Zeroizing::new(*key.expose()));
    blocking(move || write_new(&path, bytes.as_slice())).await?;
    Ok(key.id())
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    let failed = |source: std::io::Error| match source.kind() {
        ErrorKind::AlreadyExists => KeyError::Exists { place: KeySource::File(path.to_owned()).to_string() },
        ErrorKind::NotFound => KeyError::NoFolder { path: path.to_owned() },
        _ => KeyError::File { path: path.to_owned(), source },
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| sync_folder_of(path));
    written.map_err(|error| {
        // Half a key would be in the way of the next attempt.
        let _ = std::fs::remove_file(path);
        failed(error)
    })
}

/// Makes the file's name outlive a power cut. Who may write to a folder but not read it cannot ask for that.
fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        outcome => outcome,
    }
}

/// Opens once; what is checked is the open file, not what bears its name later.
fn read(path: &Path) -> Result<SealingKey, KeyError> {
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    // A named pipe must not hang us: it is refused below.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(KeyError::NotAFile { path: path.to_owned() });
    }
    let (mode, uid) = (metadata.mode() & PERMISSIONS, metadata.uid());
    let others = if uid == 0 { OTHERS_OF_ROOTS } else { OTHERS };
    if mode & others != 0 {
        return Err(KeyError::Mode { path: path.to_owned(), mode });
    }
    if uid != 0 && uid != rustix::process::geteuid().as_raw() {
        return Err(KeyError::Owner { path: path.to_owned(), uid });
    }
    let value = read_bounded(&file).map_err(failed)?;
    form::key(&value)
        .map_err(|source| KeyError::Form { source_name: KeySource::File(path.to_owned()).to_string(), source })
}

/// The file's content, or as much of it as shows that it is too long. The buffer never grows, so no copy stays behind.
fn read_bounded(file: &File) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut value = Zeroizing::new(Vec::with_capacity(form::MAX_LEN + 64));
    file.take(form::MAX_LEN as u64 + 1).read_to_end(&mut value)?;
    Ok(value)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeyError> + Send + 'static,
) -> Result<T, KeyError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(KeyError::Stopped),
        },
    }
}
