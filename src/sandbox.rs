//! What the process gives up, because the platform takes nothing from it: dumps, identity, privileges, files, ports, calls.
//!
//! Confined, a server that was taken over can read what it serves and talk to where its model came from. It cannot write,
//! start a program, become root again, or look into another process. `docs/SANDBOX.md` has the table.

mod access;
mod calls;
mod identity;

use std::fmt;
use std::path::PathBuf;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

pub use access::SYSTEM_PATHS;
pub use calls::{ALLOWED, Call, Condition, UNKNOWN, Value};
pub use identity::{GID, UID};

/// How much the sandbox is insisted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Every layer, or no start.
    Strict,
    /// What this machine can give; what it cannot is told.
    Auto,
    /// No dumps, and nothing else.
    Off,
}

impl Mode {
    /// As it is set.
    pub fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Auto => "auto",
            Self::Off => "off",
        }
    }
}

/// What is left to the process.
#[derive(Debug, Clone)]
pub struct Policy {
    /// How much it is insisted on.
    pub mode: Mode,
    /// Files and directories with all below them that are served from. They stay readable.
    pub serves: Vec<PathBuf>,
    /// Others that may be read, if they are there now.
    pub reads: Vec<PathBuf>,
    /// The TCP port to listen on; 0 is any.
    pub listens: u16,
    /// TCP ports to connect to, at any address.
    pub connects: Vec<u16>,
}

/// One kind of thing that is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// Being root.
    Identity,
    /// Capabilities, and any way to have them again.
    Privileges,
    /// Core files, and debuggers of the same user.
    Dumps,
    /// All files but those of the policy, and writing any.
    Files,
    /// All TCP ports but those of the policy, and signals to other processes.
    Ports,
    /// All calls of the kernel but those a server makes.
    Calls,
}

impl Layer {
    /// In the order in which they are put on, as each may need what the next ones take: a user is changed while there are
    /// capabilities; the kernel allows dumps anew when it is changed; files are bound while any call is allowed.
    pub const ALL: [Self; 6] = [Self::Identity, Self::Privileges, Self::Dumps, Self::Files, Self::Ports, Self::Calls];

    /// Its name in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dumps => "dumps",
            Self::Identity => "identity",
            Self::Privileges => "privileges",
            Self::Files => "files",
            Self::Ports => "ports",
            Self::Calls => "calls",
        }
    }
}

/// Whether a layer is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is, by these means.
    InForce(String),
    /// It is not.
    Missing {
        /// Why.
        reason: String,
        /// What helps.
        remedy: String,
    },
}

impl State {
    fn missing(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Missing { reason: reason.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InForce(means) => f.write_str(means),
            Self::Missing { reason, .. } => write!(f, "missing: {reason}"),
        }
    }
}

/// What is in force.
#[derive(Debug, Clone)]
pub struct Report {
    /// How much it was insisted on.
    pub mode: Mode,
    /// Every layer, in the order in which they were put on.
    pub layers: [(Layer, State); 6],
}

impl Report {
    /// The state of one layer.
    pub fn state(&self, layer: Layer) -> &State {
        // They are in the order of the enumeration.
        &self.layers[layer as usize].1
    }

    /// Whether one layer is in force.
    pub fn has(&self, layer: Layer) -> bool {
        matches!(self.state(layer), State::InForce(_))
    }
}

/// The sandbox was insisted on, and a layer cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("this machine does not give the whole sandbox, which STRONGROOM_SANDBOX=strict asks for: {}", .missing.join("; "))]
pub struct SandboxError {
    missing: Vec<String>,
}

impl SandboxError {
    /// What helps.
    pub fn remedy(&self) -> &'static str {
        "`strongroom doctor` explains each layer; STRONGROOM_SANDBOX=auto starts with those that can be had"
    }
}

/// Confines the calling thread and every thread it starts from now on. To confine the process it is called before there is
/// a second thread. There is no way back.
///
/// # Errors
/// [`Mode::Strict`], and a layer is missing.
pub fn confine(policy: &Policy) -> Result<Report, SandboxError> {
    let state = |layer| match (policy.mode, layer) {
        (Mode::Off, Layer::Identity | Layer::Privileges | Layer::Files | Layer::Ports | Layer::Calls) => {
            State::missing("switched off", "STRONGROOM_SANDBOX=auto")
        }
        (Mode::Off, Layer::Dumps) | (Mode::Strict | Mode::Auto, _) => put_on(layer, policy),
    };
    let report = Report { mode: policy.mode, layers: Layer::ALL.map(|layer| (layer, state(layer))) };
    let missing: Vec<String> = report.layers.iter().filter_map(|(layer, state)| complaint(*layer, state)).collect();
    match policy.mode {
        Mode::Strict if !missing.is_empty() => Err(SandboxError { missing }),
        Mode::Strict | Mode::Auto | Mode::Off => Ok(report),
    }
}

/// Puts one layer on the calling thread.
pub fn put_on(layer: Layer, policy: &Policy) -> State {
    match layer {
        Layer::Identity => identity::leave_root(policy),
        Layer::Privileges => identity::drop_privileges(),
        Layer::Dumps => no_dumps(),
        Layer::Files => access::restrict_files(policy),
        Layer::Ports => access::restrict_ports(policy),
        Layer::Calls => calls::restrict(),
    }
}

fn complaint(layer: Layer, state: &State) -> Option<String> {
    match state {
        State::InForce(_) => None,
        State::Missing { reason, .. } => Some(format!("{}: {reason}", layer.name())),
    }
}

fn no_dumps() -> State {
    match forbid_dumps() {
        Ok(()) => State::InForce("no core file, no debugger".to_owned()),
        Err(error) => State::missing(error.to_string(), "PR_SET_DUMPABLE and RLIMIT_CORE must be allowed"),
    }
}

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
