//! The version of a file: what its ETag says, and how a successor gets another one.

use std::fs::{File, FileTimes, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::super::ETag;

/// Inode, length and time of change. Inodes are used again and clocks stand still between ticks, so none of them alone
/// tells two versions apart; [`succeed`] sees to it that the time does.
pub(super) fn version(metadata: &Metadata) -> ETag {
    let time = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    ETag(format!("{:x}-{:x}-{time:x}", metadata.ino(), metadata.len()))
}

/// Gives `file` a later time than `before` has. Steps of a second or more are for file systems that keep no fractions.
pub(super) fn succeed(file: &File, before: &Metadata) -> io::Result<()> {
    let before = before.modified()?;
    let steps = [Duration::from_nanos(1), Duration::from_secs(1), Duration::from_secs(2)];
    let later = steps.into_iter().filter_map(|step| before.checked_add(step));
    for time in std::iter::once(SystemTime::now()).chain(later) {
        if time > before {
            file.set_times(FileTimes::new().set_modified(time))?;
        }
        if file.metadata()?.modified()? > before {
            return Ok(());
        }
    }
    Err(io::Error::other("the file system does not keep the times that tell versions apart"))
}

/// Waits for the lock of the object at `place`; it is given back on drop, and by the kernel when the process dies. The
/// lock file stays: one that is unlinked while another process waits for it would lock nothing.
pub(super) fn lock(place: &Path) -> io::Result<File> {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let path = place.with_file_name(format!(".{name}.lock"));
    let made = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let file = match made {
        // Another user's: to lock it, reading it is enough.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => File::open(path)?,
        made => made?,
    };
    file.lock()?;
    Ok(file)
}
