//! Files that hold a secret: read only where nobody else may read or change them, made so that nobody else may.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use zeroize::Zeroizing;

/// Bits of a mode that let others in.
const OTHERS: u32 = 0o077;
/// Of a file of root's, whose group may read: so a key is handed to a server that is not root, as by systemd's credentials
/// and by the `fsGroup` of a pod.
const OTHERS_OF_ROOTS: u32 = 0o037;
/// Bits of a mode that are permissions.
const PERMISSIONS: u32 = 0o7777;

/// Why a secret's file is not used. Never says anything of its content.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// It cannot be read or written.
    #[error("key file {} cannot be used", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something is there that is no file.
    #[error("key file {} is not a regular file", path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// Others may read or write it.
    #[error("key file {} has mode {mode:04o}: others may read or change it", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Somebody else could change or replace it.
    #[error("key file {} belongs to user {uid}, neither to root nor to whoever runs this program", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// A new file cannot be where there is no folder.
    #[error("key file {} cannot be made: its folder does not exist", path.display())]
    NoFolder {
        /// The file.
        path: PathBuf,
    },
    /// There is something where a new one was to be written.
    #[error("file:{} exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
}

impl SecretFileError {
    /// What the user can do about it.
    pub fn remedy(&self) -> Option<String> {
        let fixed = match self {
            Self::Unusable { source, .. } if source.kind() == ErrorKind::NotFound => {
                "make a key with `strongroom key new -o FILE`, or name the file that holds yours"
            }
            Self::Mode { path, .. } => return Some(format!("chmod 600 {}", path.display())),
            Self::Owner { .. } => "give it to the user who runs strongroom: chown USER FILE",
            Self::NoFolder { .. } => "make the folder first, or name a file in one that is there",
            Self::Exists { .. } => "use it by --key, or choose another name; a key is never overwritten",
            Self::Unusable { .. } | Self::NotAFile { .. } => return None,
        };
        Some(fixed.to_owned())
    }
}

/// Reads the file's content, or as much of it beyond `limit` bytes as shows that it is too long. Opens once; what is
/// checked is the open file, not what bears its name later. Blocks.
///
/// # Errors
/// It is not there, no file, or others may read or change it.
pub fn read(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    let failed = |source| SecretFileError::Unusable { path: path.to_owned(), source };
    // A named pipe must not hang us: it is refused below.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(SecretFileError::NotAFile { path: path.to_owned() });
    }
    let (mode, uid) = (metadata.mode() & PERMISSIONS, metadata.uid());
    let others = if uid == 0 { OTHERS_OF_ROOTS } else { OTHERS };
    if mode & others != 0 {
        return Err(SecretFileError::Mode { path: path.to_owned(), mode });
    }
    if uid != 0 && uid != rustix::process::geteuid().as_raw() {
        return Err(SecretFileError::Owner { path: path.to_owned(), uid });
    }
    read_bounded(&file, limit).map_err(failed)
}

/// The buffer never grows, so no copy stays behind.
fn read_bounded(file: &File, limit: usize) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut value = Zeroizing::new(Vec::with_capacity(limit + 64));
    file.take(limit as u64 + 1).read_to_end(&mut value)?;
    Ok(value)
}

/// Writes `bytes` into a new file of mode 0600. Blocks.
///
/// # Errors
/// There is something already (it is left as it is), or it cannot be written.
pub fn create(path: &Path, bytes: &[u8]) -> Result<(), SecretFileError> {
    let failed = |source: std::io::Error| match source.kind() {
        ErrorKind::AlreadyExists => SecretFileError::Exists { path: path.to_owned() },
        ErrorKind::NotFound => SecretFileError::NoFolder { path: path.to_owned() },
        _ => SecretFileError::Unusable { path: path.to_owned(), source },
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
