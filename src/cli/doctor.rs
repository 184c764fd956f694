//! `strongroom doctor`: what this machine gives to a server, and what is in its way.

mod finding;
mod model;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::bail;

use super::block_on;
use crate::config::doctor::DoctorArgs;
use crate::config::platform::Platform;
use crate::config::serve::{Serve, Source};
use crate::config::{LOG_OF_VERBS, aws};
use crate::keys::{KeyError, KeySource, Keys};
use crate::sandbox::{self, Mode, Report, State};
use crate::telemetry::{self, chain};
use finding::{Finding, Verdict, print};

/// Runs the verb.
///
/// # Errors
/// Settings are wrong, or something is in a server's way.
pub fn run(args: DoctorArgs) -> anyhow::Result<()> {
    let json = args.json;
    let config = args.serve.check(&Platform::read())?;
    telemetry::start(LOG_OF_VERBS);
    let findings = examine(&config)?;
    print(&findings, json)?;
    match findings.iter().filter(|finding| finding.verdict == Verdict::Failed).count() {
        0 => Ok(()),
        1 => bail!("one thing is in the way of `strongroom serve`"),
        count => bail!("{count} things are in the way of `strongroom serve`"),
    }
}

/// As `serve` does it: a key file is read first, all else from inside the sandbox.
fn examine(config: &Serve) -> anyhow::Result<Vec<Finding>> {
    let file = match config.source.key() {
        Some(KeySource::File(path)) => Some(Keys::read_file(path)),
        Some(KeySource::SecretsManager(_) | KeySource::Vault(_)) | None => None,
    };
    // Even where all of it is insisted on, every missing layer is to be told.
    let policy = sandbox::Policy { mode: lenient(config.sandbox.mode), ..config.sandbox.clone() };
    let report = sandbox::confine(&policy)?;
    let mut findings = vec![settings(config)];
    findings.extend(layers(&report, config.sandbox.mode));
    findings.extend(config.source.path().map(|path| files(path, matches!(config.source, Source::Many(_)))));
    findings.extend(config.source.is_on_aws().then(certificates));
    let mut asked = Vec::new();
    block_on(async {
        asked = ask(config, file).await;
        Ok(())
    })?;
    findings.extend(asked);
    Ok(findings)
}

/// What needs the store, or a service: the key, then whose word counts, then the model.
async fn ask(config: &Serve, file: Option<Result<Keys, KeyError>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut keys = None;
    if let Some(source) = config.source.key() {
        let opened = match file {
            Some(keys) => keys,
            None => ask_for(source).await,
        };
        findings.push(key(source, &opened));
        match opened {
            Ok(opened) => keys = Some(opened),
            // Nothing could be opened: what else is wrong with the model cannot be told.
            Err(_) => return findings,
        }
    }
    findings.extend(model::examine(config, keys).await);
    findings
}

fn lenient(mode: Mode) -> Mode {
    match mode {
        Mode::Strict | Mode::Auto => Mode::Auto,
        Mode::Off => Mode::Off,
    }
}

async fn ask_for(source: &KeySource) -> Result<Keys, KeyError> {
    let keys = Keys::open(source, &aws::load(source.is_on_aws()).await).await?;
    keys.current().await?;
    Ok(keys)
}

fn settings(config: &Serve) -> Finding {
    let found = format!("{}, {}, listens on {}", config.mode(), config.source, config.http.bind);
    Finding::good("settings", found)
}

fn layers(report: &Report, mode: Mode) -> impl Iterator<Item = Finding> {
    let verdict = match mode {
        Mode::Strict => Verdict::Failed,
        Mode::Auto | Mode::Off => Verdict::Warning,
    };
    report.layers.iter().map(move |(layer, state)| {
        let (verdict, remedy) = match state {
            State::InForce(_) => (Verdict::Good, None),
            State::Missing { remedy, .. } => (verdict, Some(remedy.clone())),
        };
        Finding { subject: format!("sandbox {}", layer.name()), verdict, found: state.to_string(), remedy }
    })
}

/// `later`: models may be mounted after the start.
fn files(path: &Path, later: bool) -> Finding {
    let subject = "model files";
    match fs::read_dir(path) {
        Ok(_) => Finding::good(subject, format!("{} can be read", path.display())),
        Err(error) => {
            let remedy = match error.kind() {
                ErrorKind::NotFound => "mount it there, or name another place with --model or --registry".to_owned(),
                _ => format!("chmod -R o+rX {0}, or start the program as the owner of {0}", path.display()),
            };
            let found = format!("{}: {error}", path.display());
            let verdict = match later && error.kind() == ErrorKind::NotFound {
                true => Verdict::Warning,
                false => Verdict::Failed,
            };
            Finding { subject: subject.to_owned(), verdict, found, remedy: Some(remedy) }
        }
    }
}

/// TLS to AWS needs them; an image FROM scratch has only those it brings.
fn certificates() -> Finding {
    match rustls_native_certs::load_native_certs().certs.len() {
        0 => {
            let remedy = "install ca-certificates, or name a file of them by SSL_CERT_FILE".to_owned();
            Finding::failed("certificates", "no certificate authority is known".to_owned(), Some(remedy))
        }
        count => Finding::good("certificates", format!("{count} authorities are known")),
    }
}

fn key(source: &KeySource, opened: &Result<Keys, KeyError>) -> Finding {
    match opened {
        Ok(_) => Finding::good("key", format!("{source} gives a key")),
        Err(error) => Finding::failed("key", chain(error), error.remedy()),
    }
}
