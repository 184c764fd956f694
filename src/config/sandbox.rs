//! What the sandbox of `strongroom serve` leaves, out of what is to be served and of the environment.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::serve::Source;
use crate::keys::{KeySource, VaultPlace};
use crate::sandbox::{Mode, Policy};

/// How much the sandbox is insisted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SandboxMode {
    /// Start only with every layer
    Strict,
    /// Start with the layers this machine gives, and say which are missing
    Auto,
    /// No sandbox
    Off,
}

impl From<SandboxMode> for Mode {
    fn from(mode: SandboxMode) -> Self {
        match mode {
            SandboxMode::Strict => Self::Strict,
            SandboxMode::Auto => Self::Auto,
            SandboxMode::Off => Self::Off,
        }
    }
}

/// Where AWS's services and a container's credentials answer, and names are looked up by TCP.
const AWS_PORTS: [u16; 3] = [443, 80, 53];
/// Variables of the AWS SDK that name a URL, apart from `AWS_ENDPOINT_URL*`.
const URLS: [&str; 2] = ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_EC2_METADATA_SERVICE_ENDPOINT"];
const ENDPOINT_URL: &str = "AWS_ENDPOINT_URL";
/// Variables that name a file; a token's is replaced by another of the same directory.
const FILES: [&str; 3] = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "SSL_CERT_FILE"];
/// And one that lists directories.
const DIRECTORIES: &str = "SSL_CERT_DIR";
const TOKENS: [&str; 2] = ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"];

/// The policy for `source`, listening on `listens`.
pub(super) fn policy(mode: Mode, source: &Source, listens: u16) -> Policy {
    let (mut reads, mut connects) = match source.is_on_aws() {
        true => (aws_files(), aws_ports()),
        false => (Vec::new(), Vec::new()),
    };
    if let Some(KeySource::Vault(place)) = source.key() {
        reads.extend(vault_files(place));
        connects.extend(vault_ports());
    }
    // A key file is not among them: it is read before the sandbox is put on.
    Policy { mode, serves: source.path().into_iter().map(Path::to_owned).collect(), reads, listens, connects }
}

fn aws_files() -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".aws"));
    let named = FILES.into_iter().filter_map(std::env::var_os).map(PathBuf::from);
    let tokens = TOKENS.into_iter().filter_map(std::env::var_os).filter_map(|path| directory_of(Path::new(&path)));
    let lists = std::env::var_os(DIRECTORIES);
    let listed = lists.iter().flat_map(std::env::split_paths);
    home.into_iter().chain(named).chain(tokens).chain(listed).collect()
}

fn aws_ports() -> Vec<u16> {
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let named = variables.filter(|(name, _)| name.starts_with(ENDPOINT_URL) || URLS.contains(&name.as_str()));
    let mut ports: Vec<u16> = named.filter_map(|(_, url)| port(&url)).chain(profile_ports()).chain(AWS_PORTS).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// Certificates, and the key that the transit engine wrapped.
fn vault_files(place: &VaultPlace) -> Vec<PathBuf> {
    let named = ["VAULT_CACERT", "SSL_CERT_FILE"].into_iter().filter_map(std::env::var_os).map(PathBuf::from);
    let wrapped = match place {
        VaultPlace::Transit { file, .. } => Some(file.clone()),
        VaultPlace::Kv { .. } => None,
    };
    named.chain(wrapped).collect()
}

/// Names are looked up by TCP, too.
fn vault_ports() -> Vec<u16> {
    let named = std::env::var("VAULT_ADDR").ok().and_then(|url| port(&url));
    named.into_iter().chain(AWS_PORTS).collect()
}

/// The directory of a file, where that is not all of `/`.
fn directory_of(file: &Path) -> Option<PathBuf> {
    file.parent().filter(|directory| directory.parent().is_some()).map(Path::to_owned)
}

/// Ports of `endpoint_url` in the shared configuration file, of whatever profile.
fn profile_ports() -> Vec<u16> {
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".aws/config"));
    let file = std::env::var_os("AWS_CONFIG_FILE").map(PathBuf::from).or_else(home);
    let text = file.and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
    let setting = |line: &str| {
        line.trim().strip_prefix("endpoint_url").and_then(|rest| rest.trim().strip_prefix('=').and_then(port))
    };
    text.lines().filter_map(setting).collect()
}

/// The port a URL names; those it may leave out are allowed in any case.
fn port(url: &str) -> Option<u16> {
    let (_, rest) = url.trim().split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    authority.rsplit_once(':')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_an_endpoint_is_the_one_it_names() {
        assert_eq!(port("http://127.0.0.1:5000/"), Some(5000));
        assert_eq!(port(" https://[::1]:4566"), Some(4566));
        assert_eq!(port("https://s3.eu-west-1.amazonaws.com"), None);
        assert_eq!(port("s3"), None);
    }
}
