//! Which calls of the kernel are left, by seccomp: those a server makes, some only with certain arguments. The others
//! answer EPERM, so that a library which tries one goes on by itself.

use std::collections::BTreeMap;

use libc::{c_int, c_long};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

use super::State;

/// A call that is allowed: always, or when all conditions of one of the lists hold.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// As the kernel's manual has it.
    pub name: &'static str,
    /// On this architecture.
    pub number: c_long,
    /// Lists of conditions; none means always.
    pub when: &'static [&'static [Condition]],
}

/// Bits of an argument that must have a value.
#[derive(Debug, Clone, Copy)]
pub struct Condition {
    /// Which argument, from 0.
    pub argument: u8,
    /// Which of its bits; those of the lower half alone, where the kernel takes it for an `int`.
    pub mask: u64,
    /// What they must be.
    pub value: Value,
}

/// What an argument is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// A constant.
    Is(u32),
    /// This process' id.
    OwnId,
}

const fn always(name: &'static str, number: c_long) -> Call {
    Call { name, number, when: &[] }
}

const fn masked(argument: u8, mask: c_int, value: c_int) -> Condition {
    Condition { argument, mask: mask.cast_unsigned() as u64, value: Value::Is(value.cast_unsigned()) }
}

const fn exactly(argument: u8, value: c_int) -> Condition {
    masked(argument, -1, value)
}

/// To read, and nothing that makes, empties or lengthens a file.
const TO_READ: c_int = libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND;
/// The bits of a socket's type that are not flags.
const SOCKET_TYPE: c_int = 0xf;
const fn null(argument: u8) -> Condition {
    Condition { argument, mask: u64::MAX, value: Value::Is(0) }
}

/// A socket of the internet, and none of the protocols that look like TCP and are bound by no rule for its ports.
const fn socket(domain: c_int, kind: c_int, protocol: c_int) -> [Condition; 3] {
    [exactly(0, domain), masked(1, SOCKET_TYPE, kind), exactly(2, protocol)]
}

const NOT_EXECUTABLE: Condition = masked(2, libc::PROT_EXEC, 0);
const TCP_OR_UDP: [&[Condition]; 9] = [
    &socket(libc::AF_INET, libc::SOCK_STREAM, 0),
    &socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_TCP),
    &socket(libc::AF_INET, libc::SOCK_DGRAM, 0),
    &socket(libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_UDP),
    &socket(libc::AF_INET6, libc::SOCK_STREAM, 0),
    &socket(libc::AF_INET6, libc::SOCK_STREAM, libc::IPPROTO_TCP),
    &socket(libc::AF_INET6, libc::SOCK_DGRAM, 0),
    &socket(libc::AF_INET6, libc::SOCK_DGRAM, libc::IPPROTO_UDP),
    // How the C library finds out which addresses this machine has, before it looks up a name.
    &[exactly(0, libc::AF_NETLINK), exactly(2, libc::NETLINK_ROUTE)],
];

/// What a server does, by what it does it for.
pub const ALLOWED: &[Call] = &[
    // files, to read
    Call { name: "openat", number: libc::SYS_openat, when: &[&[masked(2, TO_READ, libc::O_RDONLY)]] },
    #[cfg(target_arch = "x86_64")]
    Call { name: "open", number: libc::SYS_open, when: &[&[masked(1, TO_READ, libc::O_RDONLY)]] },
    always("read", libc::SYS_read),
    always("readv", libc::SYS_readv),
    always("pread64", libc::SYS_pread64),
    always("preadv", libc::SYS_preadv),
    always("lseek", libc::SYS_lseek),
    always("close", libc::SYS_close),
    always("fstat", libc::SYS_fstat),
    always("newfstatat", libc::SYS_newfstatat),
    always("statx", libc::SYS_statx),
    #[cfg(target_arch = "x86_64")]
    always("stat", libc::SYS_stat),
    #[cfg(target_arch = "x86_64")]
    always("lstat", libc::SYS_lstat),
    always("faccessat", libc::SYS_faccessat),
    always("faccessat2", libc::SYS_faccessat2),
    #[cfg(target_arch = "x86_64")]
    always("access", libc::SYS_access),
    always("readlinkat", libc::SYS_readlinkat),
    #[cfg(target_arch = "x86_64")]
    always("readlink", libc::SYS_readlink),
    always("getdents64", libc::SYS_getdents64),
    always("getcwd", libc::SYS_getcwd),
    always("fadvise64", libc::SYS_fadvise64),
    // Flags and copies of descriptors; not whom to signal.
    Call {
        name: "fcntl",
        number: libc::SYS_fcntl,
        when: &[
            &[exactly(1, libc::F_GETFD)],
            &[exactly(1, libc::F_SETFD)],
            &[exactly(1, libc::F_GETFL)],
            &[exactly(1, libc::F_SETFL)],
            &[exactly(1, libc::F_DUPFD_CLOEXEC)],
        ],
    },
    Call {
        name: "ioctl",
        number: libc::SYS_ioctl,
        when: &[
            &[exactly(1, libc::FIONBIO as c_int)],
            &[exactly(1, libc::FIONREAD as c_int)],
            &[exactly(1, libc::TCGETS as c_int)],
        ],
    },
    // sockets, and the log
    always("write", libc::SYS_write),
    always("writev", libc::SYS_writev),
    Call { name: "socket", number: libc::SYS_socket, when: &TCP_OR_UDP },
    // Its two ends are connected to each other, and to nothing else.
    Call {
        name: "socketpair",
        number: libc::SYS_socketpair,
        when: &[&[exactly(0, libc::AF_UNIX), masked(1, SOCKET_TYPE, libc::SOCK_STREAM)]],
    },
    always("pipe2", libc::SYS_pipe2),
    always("bind", libc::SYS_bind),
    always("listen", libc::SYS_listen),
    always("accept4", libc::SYS_accept4),
    always("connect", libc::SYS_connect),
    always("shutdown", libc::SYS_shutdown),
    always("getsockname", libc::SYS_getsockname),
    always("getpeername", libc::SYS_getpeername),
    always("getsockopt", libc::SYS_getsockopt),
    always("setsockopt", libc::SYS_setsockopt),
    // MSG_FASTOPEN would connect.
    Call { name: "sendto", number: libc::SYS_sendto, when: &[&[masked(3, libc::MSG_FASTOPEN, 0)]] },
    Call { name: "sendmsg", number: libc::SYS_sendmsg, when: &[&[masked(2, libc::MSG_FASTOPEN, 0)]] },
    Call { name: "sendmmsg", number: libc::SYS_sendmmsg, when: &[&[masked(3, libc::MSG_FASTOPEN, 0)]] },
    always("recvfrom", libc::SYS_recvfrom),
    always("recvmsg", libc::SYS_recvmsg),
    always("epoll_create1", libc::SYS_epoll_create1),
    always("epoll_ctl", libc::SYS_epoll_ctl),
    always("epoll_pwait", libc::SYS_epoll_pwait),
    #[cfg(target_arch = "x86_64")]
    always("epoll_wait", libc::SYS_epoll_wait),
    always("eventfd2", libc::SYS_eventfd2),
    always("ppoll", libc::SYS_ppoll),
    #[cfg(target_arch = "x86_64")]
    always("poll", libc::SYS_poll),
    // memory, none of it to be run
    always("brk", libc::SYS_brk),
    Call { name: "mmap", number: libc::SYS_mmap, when: &[&[NOT_EXECUTABLE]] },
    Call { name: "mprotect", number: libc::SYS_mprotect, when: &[&[NOT_EXECUTABLE]] },
    always("mremap", libc::SYS_mremap),
    always("munmap", libc::SYS_munmap),
    always("madvise", libc::SYS_madvise),
    always("mlock", libc::SYS_mlock),
    always("munlock", libc::SYS_munlock),
    always("getrandom", libc::SYS_getrandom),
    // threads of its own, and no process beside it
    Call { name: "clone", number: libc::SYS_clone, when: &[&[masked(0, libc::CLONE_THREAD, libc::CLONE_THREAD)]] },
    always("set_robust_list", libc::SYS_set_robust_list),
    always("rseq", libc::SYS_rseq),
    always("futex", libc::SYS_futex),
    always("membarrier", libc::SYS_membarrier),
    always("sched_yield", libc::SYS_sched_yield),
    always("sched_getaffinity", libc::SYS_sched_getaffinity),
    always("gettid", libc::SYS_gettid),
    always("getpid", libc::SYS_getpid),
    always("getuid", libc::SYS_getuid),
    always("geteuid", libc::SYS_geteuid),
    always("getgid", libc::SYS_getgid),
    always("getegid", libc::SYS_getegid),
    // Names of threads; of memory, as the C library gives them.
    Call {
        name: "prctl",
        number: libc::SYS_prctl,
        when: &[&[exactly(0, libc::PR_SET_NAME)], &[exactly(0, libc::PR_SET_VMA)]],
    },
    // To ask for a bound, not to set one.
    Call { name: "prlimit64", number: libc::SYS_prlimit64, when: &[&[null(2)]] },
    // time
    always("clock_gettime", libc::SYS_clock_gettime),
    always("clock_getres", libc::SYS_clock_getres),
    always("clock_nanosleep", libc::SYS_clock_nanosleep),
    always("nanosleep", libc::SYS_nanosleep),
    always("gettimeofday", libc::SYS_gettimeofday),
    // signals, to itself
    always("rt_sigaction", libc::SYS_rt_sigaction),
    always("rt_sigprocmask", libc::SYS_rt_sigprocmask),
    always("rt_sigreturn", libc::SYS_rt_sigreturn),
    always("sigaltstack", libc::SYS_sigaltstack),
    Call {
        name: "tgkill",
        number: libc::SYS_tgkill,
        when: &[&[Condition { argument: 0, mask: 0xffff_ffff, value: Value::OwnId }]],
    },
    always("restart_syscall", libc::SYS_restart_syscall),
    always("uname", libc::SYS_uname),
    always("sysinfo", libc::SYS_sysinfo),
    always("exit", libc::SYS_exit),
    always("exit_group", libc::SYS_exit_group),
];

/// Calls whose arguments a filter cannot see: they answer ENOSYS, and the C library takes the older one.
pub const UNKNOWN: &[Call] = &[always("clone3", libc::SYS_clone3), always("openat2", libc::SYS_openat2)];

/// Leaves the calls of [`ALLOWED`].
pub(super) fn restrict() -> State {
    match install() {
        Ok(()) => State::InForce(format!("{} calls of {}, seccomp", ALLOWED.len(), std::env::consts::ARCH)),
        Err(error) => {
            State::missing(error.to_string(), "a kernel with seccomp filters, and a container runtime that allows them")
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no filter can be made: {0}")]
    Filter(#[from] BackendError),
    #[error("the kernel takes no filter: {0}")]
    Kernel(#[from] seccompiler::Error),
}

/// Two filters; of their answers the kernel takes the stricter one.
fn install() -> Result<(), Failure> {
    let denied = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let unknown = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
    let older = filter(UNKNOWN, unknown, SeccompAction::Allow)?;
    let known: Vec<Call> = ALLOWED.iter().chain(UNKNOWN).copied().collect();
    let allowed = filter(&known, SeccompAction::Allow, denied)?;
    apply_filter(&older)?;
    Ok(apply_filter(&allowed)?)
}

fn filter(calls: &[Call], matched: SeccompAction, other: SeccompAction) -> Result<BpfProgram, BackendError> {
    let rules =
        calls.iter().map(|call| Ok((call.number, rules(call)?))).collect::<Result<BTreeMap<_, _>, BackendError>>()?;
    SeccompFilter::new(rules, other, matched, std::env::consts::ARCH.try_into()?)?.try_into()
}

fn rules(call: &Call) -> Result<Vec<SeccompRule>, BackendError> {
    let rule = |conditions: &&[Condition]| {
        SeccompRule::new(conditions.iter().map(condition).collect::<Result<Vec<_>, BackendError>>()?)
    };
    call.when.iter().map(rule).collect()
}

fn condition(condition: &Condition) -> Result<SeccompCondition, BackendError> {
    let value = match condition.value {
        Value::Is(value) => value,
        Value::OwnId => std::process::id(),
    };
    let len = if condition.mask > u32::MAX.into() { SeccompCmpArgLen::Qword } else { SeccompCmpArgLen::Dword };
    SeccompCondition::new(condition.argument, len, SeccompCmpOp::MaskedEq(condition.mask), value.into())
}
