//! Which files and ports are left, by Landlock: a kernel that has it holds the process to them without being asked again.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, NetPort, RestrictionStatus, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use super::{Policy, State};

/// What any server reads of its system: names of hosts, certificates, its own memory and cores, and random numbers, which a
/// program that is linked statically may take from there.
pub const SYSTEM_PATHS: [&str; 19] = [
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
    "/var/lib/ca-certificates",
    "/proc/self",
    "/proc/meminfo",
    "/proc/cpuinfo",
    "/proc/sys/vm/overcommit_memory",
    "/sys/fs/cgroup",
    "/sys/devices/system/cpu",
    "/dev/urandom",
    "/dev/random",
];

/// The interface whose every right is asked for; an older kernel gives those it knows.
const WANTED: ABI = ABI::V6;
/// The first that knows of ports (4) and keeps signals and sockets of Unix within the process, too.
const KNOWS_PORTS: ABI = ABI::V6;

/// Leaves reading of the policy's paths and the system's; those that are not there are left out.
pub(super) fn restrict_files(policy: &Policy) -> State {
    let system = SYSTEM_PATHS.iter().map(Path::new);
    let serves = policy.serves.iter().filter_map(|path| place_of(path));
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

/// Where what is served will be: the path, or what there is above it as long as it is not there, as a directory of models
/// may be made or mounted below that later. Never all of `/`.
fn place_of(path: &Path) -> Option<&Path> {
    for place in path.ancestors() {
        match place.metadata() {
            Ok(_) => return place.parent().is_some().then_some(place),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(_) => return None,
        }
    }
    None
}

/// Leaves the policy's ports; signals, and sockets of Unix without a name in a directory, stay within the process.
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
        false => State::missing("this kernel's Landlock does not know ports and processes", "Linux 6.12 or later does"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_opens_what_is_above_it_but_never_all_of_the_machine() {
        assert_eq!(place_of(Path::new("/proc/self/none/at/all")), Some(Path::new("/proc/self")));
        assert_eq!(place_of(Path::new("/nowhere/at/all")), None);
        assert_eq!(place_of(Path::new("/")), None);
    }
}
