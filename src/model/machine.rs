//! What this machine gives the process: cores and memory, as its cgroup bounds them.

use std::fs::read_to_string;
use std::num::NonZero;
use std::path::Path;

/// Cores this process may use: the smaller of its CPU affinity and its cgroup's quota, at least 1.
pub fn available_cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Memory this process may use, in bytes: the smaller of the machine's and what its cgroup allows. `None` where the
/// system does not say.
pub fn memory_limit() -> Option<u64> {
    let machine = field("/proc/meminfo", "MemTotal:");
    [machine, cgroup_limit()].into_iter().flatten().min()
}

/// Memory this process holds, in bytes.
pub fn resident_memory() -> Option<u64> {
    field("/proc/self/status", "VmRSS:")
}

/// What is left of the limit, in bytes.
pub fn free_memory() -> Option<u64> {
    Some(memory_limit()?.saturating_sub(resident_memory()?))
}

/// A container sees its own cgroup as the root; elsewhere a limit may stand at any level above the process.
fn cgroup_limit() -> Option<u64> {
    let own = read_to_string("/proc/self/cgroup").unwrap_or_default();
    let paths = own.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        match controllers {
            "" => Some(("/sys/fs/cgroup", "memory.max", path)),
            _ if controllers.split(',').any(|name| name == "memory") => {
                Some(("/sys/fs/cgroup/memory", "memory.limit_in_bytes", path))
            }
            _ => None,
        }
    });
    let limits = paths.flat_map(|(mount, file, path)| {
        let levels = Path::new(path.trim_start_matches('/')).ancestors();
        levels
            .filter_map(move |level| read_to_string(Path::new(mount).join(level).join(file)).ok()?.trim().parse().ok())
    });
    limits.min()
}

/// A value that the kernel gives in kB.
fn field(path: &str, name: &str) -> Option<u64> {
    let text = read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_less_than_what_may_be() {
        let (limit, resident) = (memory_limit().unwrap(), resident_memory().unwrap());
        assert!(resident > 0 && resident < limit, "{resident} of {limit}");
        assert!(free_memory().unwrap() <= limit - resident / 2);
    }
}
