//! What a server that was taken over might try, each as one call of the kernel.

#![allow(unsafe_code, reason = "the probe makes calls that no safe interface offers")]

use std::ffi::{CStr, c_long, c_void};
use std::io;
use std::mem::size_of;
use std::net::SocketAddr;
use std::path::Path;

/// One act.
pub struct Act {
    pub name: &'static str,
    pub attempt: fn(&Stage) -> io::Result<()>,
}

/// Where the acts are played.
pub struct Stage {
    /// A directory that anybody may write to, with a file `there` in it.
    pub place: std::path::PathBuf,
    /// Somebody who listens on a port that the policy does not name.
    pub stranger: SocketAddr,
    /// Another process of this machine: the one that started the probe.
    pub other: i32,
}

const fn act(name: &'static str, attempt: fn(&Stage) -> io::Result<()>) -> Act {
    Act { name, attempt }
}

/// Calls the kernel.
fn call(number: c_long, arguments: [usize; 6]) -> io::Result<usize> {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: every caller below passes numbers, null pointers, or pointers into memory that outlives the call and is as
    // long as the call takes it to be; no call writes to memory that Rust holds shared.
    match unsafe { libc::syscall(number, a, b, c, d, e, f) } {
        -1 => Err(io::Error::last_os_error()),
        answer => Ok(answer.cast_unsigned() as usize),
    }
}

fn ignore(number: c_long, arguments: [usize; 6]) -> io::Result<()> {
    call(number, arguments).map(drop)
}

/// Opens a file by flags, and leaves it open: the probe ends soon.
fn open(path: &CStr, flags: i32) -> io::Result<()> {
    ignore(libc::SYS_openat, [AT_FDCWD, text(path), flags as usize, 0o600, 0, 0])
}

fn within(stage: &Stage, name: &str) -> std::ffi::CString {
    let path: &Path = &stage.place.join(name);
    std::ffi::CString::new(path.to_string_lossy().into_owned()).expect("no NUL in a path of ours")
}

fn text(text: &CStr) -> usize {
    text.as_ptr().expose_provenance()
}

fn at<T>(value: &T) -> usize {
    std::ptr::from_ref(value).expose_provenance()
}

fn socket(domain: i32, kind: i32, protocol: i32) -> io::Result<usize> {
    call(libc::SYS_socket, [domain as usize, kind as usize, protocol as usize, 0, 0, 0])
}

const AT_FDCWD: usize = libc::AT_FDCWD as usize;
const NOWHERE: &CStr = c"/nowhere/at/all";
const NO_FD: usize = usize::MAX;
const PAGE: usize = 4096;
const READ_WRITE: usize = (libc::PROT_READ | libc::PROT_WRITE) as usize;
const EXECUTABLE: usize = (libc::PROT_READ | libc::PROT_EXEC) as usize;
const ANONYMOUS: usize = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize;

/// All of them. Unconfined root is let do each, or is told of an argument that makes no sense.
pub const ACTS: &[Act] = &[
    act("make a file", |stage| open(&within(stage, "new"), libc::O_WRONLY | libc::O_CREAT)),
    act("write to a file", |stage| open(&within(stage, "there"), libc::O_WRONLY)),
    act("write to a file that it may read", |stage| open(&within(stage, "served/model"), libc::O_RDWR)),
    act("empty a file", |stage| ignore(libc::SYS_truncate, [text(&within(stage, "there")), 0, 0, 0, 0, 0])),
    act("make a directory", |stage| ignore(libc::SYS_mkdirat, [AT_FDCWD, text(&within(stage, "dir")), 0o700, 0, 0, 0])),
    act("remove a file", |stage| ignore(libc::SYS_unlinkat, [AT_FDCWD, text(&within(stage, "none")), 0, 0, 0, 0])),
    act("rename a file", |stage| {
        let (from, to) = (within(stage, "none"), within(stage, "other"));
        ignore(libc::SYS_renameat2, [AT_FDCWD, text(&from), AT_FDCWD, text(&to), 0, 0])
    }),
    act("make a link", |stage| {
        ignore(libc::SYS_symlinkat, [text(c"/etc"), AT_FDCWD, text(&within(stage, "link")), 0, 0, 0])
    }),
    act("change a file's mode", |_| ignore(libc::SYS_fchmodat, [AT_FDCWD, text(NOWHERE), 0o777, 0, 0, 0])),
    act("change a file's owner", |_| ignore(libc::SYS_fchownat, [AT_FDCWD, text(NOWHERE), 0, 0, 0, 0])),
    act("set an extended attribute", |_| {
        ignore(libc::SYS_setxattr, [text(NOWHERE), text(c"user.a"), text(c"b"), 1, 0, 0])
    }),
    act("make a device", |stage| {
        let kind = (libc::S_IFCHR | 0o600) as usize;
        ignore(libc::SYS_mknodat, [AT_FDCWD, text(&within(stage, "device")), kind, 0x103, 0, 0])
    }),
    act("keep a file in memory, to run it", |_| ignore(libc::SYS_memfd_create, [text(c"code"), 0, 0, 0, 0, 0])),
    act("read /etc/shadow", |_| open(c"/etc/shadow", libc::O_RDONLY)),
    act("read /etc/passwd", |_| open(c"/etc/passwd", libc::O_RDONLY)),
    act("list the root directory", |_| open(c"/", libc::O_RDONLY | libc::O_DIRECTORY)),
    act("read another process' environment", |stage| {
        let path = std::ffi::CString::new(format!("/proc/{}/environ", stage.other)).expect("no NUL");
        open(&path, libc::O_RDONLY)
    }),
    act("write to its own memory past its mappings", |_| open(c"/proc/self/mem", libc::O_RDWR)),
    act("open a file by handle", |_| ignore(libc::SYS_open_by_handle_at, [NO_FD, 0, 0, 0, 0, 0])),
    act("start a program", |_| ignore(libc::SYS_execve, [text(NOWHERE), 0, 0, 0, 0, 0])),
    act("start a program by descriptor", |_| ignore(libc::SYS_execveat, [AT_FDCWD, text(NOWHERE), 0, 0, 0, 0])),
    act("fork", |_| {
        let child = call(libc::SYS_clone, [libc::SIGCHLD as usize, 0, 0, 0, 0, 0])?;
        if child == 0 {
            ignore(libc::SYS_exit_group, [0; 6])?;
        }
        Ok(())
    }),
    act("run memory it wrote", |_| ignore(libc::SYS_mmap, [0, PAGE, EXECUTABLE, ANONYMOUS, NO_FD, 0])),
    act("make written memory runnable", |_| {
        let memory = call(libc::SYS_mmap, [0, PAGE, READ_WRITE, ANONYMOUS, NO_FD, 0])?;
        ignore(libc::SYS_mprotect, [memory, PAGE, EXECUTABLE, 0, 0, 0])
    }),
    act("be traced", |_| ignore(libc::SYS_ptrace, [libc::PTRACE_TRACEME as usize, 0, 0, 0, 0, 0])),
    act("trace another process", |stage| {
        ignore(libc::SYS_ptrace, [libc::PTRACE_SEIZE as usize, stage.other as usize, 0, 0, 0, 0])
    }),
    act("read another process' memory", |stage| {
        ignore(libc::SYS_process_vm_readv, [stage.other as usize, 0, 0, 0, 0, 0])
    }),
    act("take another process' descriptors", |stage| {
        ignore(libc::SYS_pidfd_open, [stage.other as usize, 0, 0, 0, 0, 0])
    }),
    act("signal another process", |stage| ignore(libc::SYS_kill, [stage.other as usize, 0, 0, 0, 0, 0])),
    act("signal another process' thread", |stage| {
        ignore(libc::SYS_tgkill, [stage.other as usize, stage.other as usize, 0, 0, 0, 0])
    }),
    act("open a raw socket", |_| socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP).map(drop)),
    act("open a packet socket", |_| socket(libc::AF_PACKET, libc::SOCK_RAW, 0).map(drop)),
    act("open a socket of Unix", |_| socket(libc::AF_UNIX, libc::SOCK_STREAM, 0).map(drop)),
    act("open a socket of several paths", |_| socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_MPTCP).map(drop)),
    act("send by a name in a directory", |_| {
        let ends = [0_u32; 2];
        let pair = [libc::AF_UNIX as usize, libc::SOCK_DGRAM as usize, 0, at(&ends), 0, 0];
        ignore(libc::SYS_socketpair, pair)
    }),
    act("connect by the first packet", |stage| {
        let stream = socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
        // struct sockaddr_in: family, port and address as the network has them.
        let mut address = [0_u8; 16];
        address[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
        address[2..4].copy_from_slice(&stage.stranger.port().to_be_bytes());
        address[4..8].copy_from_slice(&[127, 0, 0, 1]);
        let word = *b"word";
        ignore(libc::SYS_sendto, [stream, at(&word), 4, libc::MSG_FASTOPEN as usize, at(&address), 16])
    }),
    act("have another process signalled", |stage| {
        let stream = socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
        ignore(libc::SYS_fcntl, [stream, libc::F_SETOWN as usize, stage.other as usize, 0, 0, 0])
    }),
    act("open a socket to the kernel's auditor", |_| {
        socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_AUDIT).map(drop)
    }),
    act("listen on another port", |_| std::net::TcpListener::bind("127.0.0.1:0").map(drop)),
    act("connect to a port outside the list", |stage| std::net::TcpStream::connect(stage.stranger).map(drop)),
    act("mount", |stage| {
        let place = within(stage, "none");
        ignore(libc::SYS_mount, [text(c"none"), text(&place), text(c"tmpfs"), 0, 0, 0])
    }),
    act("unmount", |_| ignore(libc::SYS_umount2, [text(NOWHERE), 0, 0, 0, 0, 0])),
    act("change the root directory", |_| ignore(libc::SYS_chroot, [text(c"/"), 0, 0, 0, 0, 0])),
    act("exchange the root file system", |_| ignore(libc::SYS_pivot_root, [text(NOWHERE), text(NOWHERE), 0, 0, 0, 0])),
    act("make a user namespace", |_| ignore(libc::SYS_unshare, [libc::CLONE_NEWUSER as usize, 0, 0, 0, 0, 0])),
    act("enter a namespace", |_| ignore(libc::SYS_setns, [NO_FD, 0, 0, 0, 0, 0])),
    act("load a BPF program", |_| ignore(libc::SYS_bpf, [usize::MAX, 0, 0, 0, 0, 0])),
    act("count events of the machine", |_| {
        // PERF_ATTR_SIZE_VER0: a software counter (1) of the processor's clock (0).
        let attributes: [u32; 16] = [1, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        ignore(libc::SYS_perf_event_open, [at(&attributes), 0, NO_FD, NO_FD, 0, 0])
    }),
    act("load a kernel module", |_| ignore(libc::SYS_finit_module, [NO_FD, text(c""), 0, 0, 0, 0])),
    act("load another kernel", |_| ignore(libc::SYS_kexec_load, [0, 0, 0, usize::MAX, 0, 0])),
    act("restart the machine", |_| ignore(libc::SYS_reboot, [1, 2, 3, 0, 0, 0])),
    act("set the clock", |_| ignore(libc::SYS_settimeofday, [0, 0, 0, 0, 0, 0])),
    act("name the machine", |_| ignore(libc::SYS_sethostname, [0, usize::MAX, 0, 0, 0, 0])),
    act("swap memory to a disk", |_| ignore(libc::SYS_swapon, [text(NOWHERE), 0, 0, 0, 0, 0])),
    act("read the kernel's log", |_| ignore(libc::SYS_syslog, [10, 0, 0, 0, 0, 0])),
    act("use the kernel's key ring", |_| ignore(libc::SYS_keyctl, [0, -4_isize as usize, 1, 0, 0, 0])),
    act("hand calls to the kernel in a ring", |_| ignore(libc::SYS_io_uring_setup, [0, 0, 0, 0, 0, 0])),
    act("handle its own page faults", |_| ignore(libc::SYS_userfaultfd, [usize::MAX, 0, 0, 0, 0, 0])),
    act("watch files", |_| ignore(libc::SYS_inotify_init1, [0; 6])),
    act("raise its bounds", |_| {
        let bound = libc::rlimit { rlim_cur: 64, rlim_max: 128 };
        ignore(libc::SYS_prlimit64, [0, libc::RLIMIT_NOFILE as usize, at(&bound), 0, 0, 0])
    }),
    act("become root", |_| ignore(libc::SYS_setresuid, [0; 6])),
    act("have capabilities again", |_| {
        // Version 3, this process; CAP_NET_RAW (13) permitted and effective.
        let header: [u32; 2] = [0x2008_0522, 0];
        let sets: [u32; 6] = [1 << 13, 1 << 13, 0, 0, 0, 0];
        ignore(libc::SYS_capset, [at(&header), at(&sets), 0, 0, 0, 0])
    }),
    act("allow a core file again", |_| ignore(libc::SYS_prctl, [libc::PR_SET_DUMPABLE as usize, 1, 0, 0, 0, 0])),
    act("take another personality", |_| ignore(libc::SYS_personality, [0x0040_0000, 0, 0, 0, 0, 0])),
];

const _: () = assert!(size_of::<*const c_void>() == size_of::<usize>() && ACTS.len() > 60);
