//! The profiles for other homes are made from the program's own constants: what it listens on, who it becomes, what it calls.

#![cfg(target_arch = "x86_64")]

use std::fs;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::{Value, json};
use strongroom::sandbox;

const PROFILES: &str = "container/profiles";
/// Calls that start a program and put its sandbox on, on top of those of a confined server.
const START: [&str; 25] = [
    "arch_prctl",
    "capget",
    "capset",
    "chdir",
    "dup",
    "execve",
    "fstatfs",
    "getppid",
    "landlock_add_rule",
    "landlock_create_ruleset",
    "landlock_restrict_self",
    "openat2",
    "prctl",
    "prlimit64",
    "pselect6",
    "recvmmsg",
    "seccomp",
    "set_tid_address",
    "setgid",
    "setgroups",
    "setresgid",
    "setresuid",
    "setuid",
    "statfs",
    "tgkill",
];

/// What templates may name.
fn context() -> Value {
    let names: Vec<&str> = sandbox::ALLOWED.iter().map(|call| call.name).filter(|name| !START.contains(name)).collect();
    let unknown: Vec<&str> =
        sandbox::UNKNOWN.iter().map(|call| call.name).filter(|name| !START.contains(name)).collect();
    let mounts = ["/opt/ml", "/run/secrets", "/var/run/secrets"];
    json!({
        "uid": sandbox::UID,
        "gid": sandbox::GID,
        "port": 8080,
        "program": "/strongroom",
        "healthcheck": ["/strongroom", "healthcheck"],
        "syscalls": names,
        "start_syscalls": START,
        "errno_syscalls": unknown,
        "clone_flags": libc::CLONE_THREAD,
        "read_paths": sandbox::SYSTEM_PATHS.iter().chain(&mounts).collect::<Vec<_>>(),
        "capabilities_at_start": ["SETUID", "SETGID", "SETPCAP"],
        // SageMaker's patience; a server that drains is gone before.
        "stop_seconds": 30,
        "memory_mb": 2048,
    })
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(PROFILES)
}

fn templates(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => templates(&entry.path(), found),
            false => found.push(entry.path()),
        }
    }
}

fn render(template: &Path, context: &Value) -> String {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    environment.set_syntax(syntax.unwrap());
    environment.set_auto_escape_callback(|_name| AutoEscape::None);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let text = fs::read_to_string(template).unwrap();
    let name = template.display().to_string();
    environment.render_named_str(&name, &text, Serde(context)).unwrap_or_else(|error| panic!("{name}: {error:#}"))
}

#[test]
fn every_profile_is_what_its_template_becomes() {
    let (folder, context) = (root().join("templates"), context());
    let mut found = Vec::new();
    templates(&folder, &mut found);
    assert!(found.len() >= 8, "{found:?}");
    for template in found {
        let made = render(&template, &context);
        let profile = root().join(template.strip_prefix(&folder).unwrap()).with_extension("");
        if std::env::var_os("UPDATE_PROFILES").is_some() {
            fs::write(&profile, made).unwrap();
            continue;
        }
        let committed = fs::read_to_string(&profile).unwrap_or_default();
        assert!(committed == made, "{} is not what its template becomes; `make profiles` writes it", profile.display());
    }
}
