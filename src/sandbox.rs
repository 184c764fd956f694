//! What the process gives up. So far: being dumped.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Keeps keys and opened models out of core files and away from debuggers of the same user (`PR_SET_DUMPABLE` 0,
/// `RLIMIT_CORE` 0). Signals still end the process as they would: SIGABRT and SIGSEGV are not swallowed.
///
/// # Errors
/// The kernel refused.
pub fn forbid_dumps() -> std::io::Result<()> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}
