//! Who the process is: nobody in particular, without a capability.
//!
//! The calls here change the calling thread only, as the kernel has it; threads that are started later inherit it.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::thread::Builder;

use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
    set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::{Policy, State};

/// The user a server that was started as root becomes: "nonroot" of the images that have no shell.
pub const UID: u32 = 65532;
/// And its group.
pub const GID: u32 = 65532;

/// Files and directories that are looked at before root is left; a registry may have very many.
const MOST_LOOKED_AT: usize = 2_000;

/// Something that is needed, and that the user the server becomes may not read.
#[derive(Debug, thiserror::Error)]
#[error("user {UID} cannot read {}", .path.display())]
struct Refused {
    path: PathBuf,
}

impl Refused {
    /// What helps.
    fn remedy(&self) -> String {
        let path = self.path.display();
        format!("chown -R {UID}:{GID} {path}, or chmod -R o+rX {path} and o+x for the directories above it")
    }
}

/// Becomes [`UID`], where the process is root and what it serves from stays readable. Elsewhere it stays who it is, and
/// says why: a root without capabilities is still nobody else's.
pub(super) fn leave_root(policy: &Policy) -> State {
    narrow_bounding_set();
    if !geteuid().is_root() {
        return State::InForce(format!("user {}, as started", geteuid().as_raw()));
    }
    // Only root sees what is not there from what it may not see.
    let reads = policy.reads.iter().filter(|path| path.exists());
    let needed: Vec<&Path> = policy.serves.iter().chain(reads).map(PathBuf::as_path).collect();
    if let Some(refused) = refused_to(&needed) {
        return State::missing(format!("still root, as {refused}"), refused.remedy());
    }
    match become_user() {
        Ok(()) => State::InForce(format!("user {UID}")),
        Err(error) => State::missing(
            format!("still root, as it may not change its user ({error})"),
            format!(
                "start it as user {UID}; to become it takes CAP_SETUID, CAP_SETGID and a user namespace that knows it"
            ),
        ),
    }
}

/// While it is root: others may not, and need not, as no program that is started gains anything.
fn narrow_bounding_set() {
    for capability in CapabilitySet::all().iter() {
        let _ = remove_capability_from_bounding_set(capability);
    }
}

/// The first of `needed`, with what is below it, that [`UID`] may not read. The kernel is asked, on a thread that has
/// become that user; `None` too where the process may not become it.
fn refused_to(needed: &[&Path]) -> Option<Refused> {
    let look = || match become_user() {
        Ok(()) => needed.iter().find_map(|path| unreadable(path)),
        Err(_) => None,
    };
    let path = std::thread::scope(|scope| {
        let thread = Builder::new().name("another user".to_owned()).spawn_scoped(scope, look).ok()?;
        thread.join().ok().flatten()
    })?;
    Some(Refused { path })
}

/// Groups first: without being root they cannot be left.
fn become_user() -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(UID), Gid::from_raw(GID));
    set_thread_groups(&[])?;
    set_thread_res_gid(gid, gid, gid)?;
    Ok(set_thread_res_uid(uid, uid, uid)?)
}

/// The first thing at or below `top` that permission is denied for. What is not there is somebody else's to complain of.
fn unreadable(top: &Path) -> Option<PathBuf> {
    let mut waiting = VecDeque::from([top.to_owned()]);
    let mut looked_at = 0;
    while let Some(path) = waiting.pop_front() {
        if is_denied(&path) {
            return Some(path);
        }
        for entry in fs::read_dir(&path).into_iter().flatten().flatten() {
            looked_at += 1;
            if looked_at < MOST_LOOKED_AT {
                waiting.push_back(entry.path());
            }
        }
    }
    None
}

fn is_denied(path: &Path) -> bool {
    let denied = |error: io::Error| error.kind() == ErrorKind::PermissionDenied;
    match fs::metadata(path) {
        Ok(about) if about.is_dir() => fs::read_dir(path).is_err_and(denied),
        // Nothing else is opened: a named pipe would wait.
        Ok(about) if about.is_file() => File::open(path).is_err_and(denied),
        Ok(_) => false,
        Err(error) => denied(error),
    }
}

/// Gives up every capability, and every way to gain one by starting a program.
pub(super) fn drop_privileges() -> State {
    match no_capability() {
        Ok(()) => State::InForce("no capability, no_new_privs".to_owned()),
        Err(error) => State::missing(error.to_string(), "prctl and capset must be allowed"),
    }
}

fn no_capability() -> io::Result<()> {
    set_no_new_privs(true)?;
    // What is not permitted is not ambient either.
    let none = CapabilitySet::empty();
    Ok(set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?)
}
