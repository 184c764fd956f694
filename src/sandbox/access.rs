//! Which files and ports are left, by Landlock: a kernel that has it holds the process to them without being asked again.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, NetPort, RestrictionStatus, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use super::{Policy, State};

/// What any server reads of its system: names of hosts, certificates, its own memory and cores.
pub const SYSTEM_PATHS: [&str; 15] = [
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/proc/self",
    "/proc/meminfo",
    "/proc/sys/vm/overcommit_memory",
    "/sys/fs/cgroup",
    "/sys/devices/system/cpu",
];

/// The interface whose every right is asked for; an older kernel gives those it knows.
const WANTED: ABI = ABI::V6;
/// The first that knows of ports.
const KNOWS_PORTS: ABI = ABI::V4;

/// Leaves reading of the policy's paths and the system's; those that are not there are left out.
pub(super) fn restrict_files(policy: &Policy) -> State {
    let system = SYSTEM_PATHS.iter().map(Path::new);
    // A directory of models may be mounted later, below what is there now.
    let serves = policy.serves.iter().filter_map(|path| path.ancestors().find(|place| place.exists()));
    let wanted = policy.reads.iter().map(PathBuf::as_path).chain(system).filter(|path| path.exists());
    let paths: Vec<&Path> = serves.chain(wanted).collect();
    let rules = path_beneath_rules(&paths, AccessFs::ReadFile | AccessFs::ReadDir);
    let restricted = Ruleset::default()
        .handle_access(AccessFs::from_all(WANTED))
        .and_then(Ruleset::create)
        .and_then(|ruleset| ruleset.add_rules(rules))
        .and_then(RulesetCreated::restrict_self);
    state(restricted, |abi| State::InForce(format!("read only, {} places, Landlock {}", paths.len(), abi as i32)))
}

/// Leaves the policy's ports; sockets of Unix and signals stay within the process.
pub(super) fn restrict_ports(policy: &Policy) -> State {
    let connects = policy.connects.iter().map(|&port| Ok(NetPort::new(port, AccessNet::ConnectTcp)));
    let restricted = Ruleset::default()
        .handle_access(AccessNet::from_all(WANTED))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(WANTED)))
        .and_then(Ruleset::create)
        .and_then(|ruleset| ruleset.add_rule(NetPort::new(policy.listens, AccessNet::BindTcp)))
        .and_then(|ruleset| ruleset.add_rules(connects.collect::<Vec<Result<NetPort, RulesetError>>>()))
        .and_then(RulesetCreated::restrict_self);
    state(restricted, |abi| match abi >= KNOWS_PORTS {
        true => State::InForce(format!("listens on {}, connects to {}", policy.listens, list(&policy.connects))),
        false => State::missing("this kernel's Landlock does not know ports", "Linux 6.7 or later does"),
    })
}

fn state(restricted: Result<RestrictionStatus, RulesetError>, in_force: impl FnOnce(ABI) -> State) -> State {
    let missing = |reason: &str| {
        State::missing(reason, "Linux 5.13 or later with `landlock` among its security modules; gVisor has none")
    };
    match restricted {
        Ok(RestrictionStatus { landlock: LandlockStatus::Available { effective_abi, .. }, ruleset, .. }) => {
            match ruleset {
                RulesetStatus::NotEnforced if effective_abi >= KNOWS_PORTS => {
                    missing("the kernel did not take the rules")
                }
                _ => in_force(effective_abi),
            }
        }
        Ok(_) => missing("the kernel has no Landlock, or it is switched off"),
        Err(error) => missing(&error.to_string()),
    }
}

fn list(ports: &[u16]) -> String {
    match ports {
        [] => "none".to_owned(),
        ports => ports.iter().map(u16::to_string).collect::<Vec<_>>().join(" "),
    }
}
