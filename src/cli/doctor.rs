//! `strongroom doctor`: what this machine gives to a server, and what is in its way.

use std::fs;
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::bail;
use serde_json::json;

use super::block_on;
use crate::config::doctor::DoctorArgs;
use crate::config::platform::Platform;
use crate::config::serve::{Serve, Source};
use crate::config::{LOG_OF_VERBS, aws};
use crate::keys::{KeyError, KeySource, Keys};
use crate::sandbox::{self, Mode, Report, State};
use crate::telemetry::{self, chain};

/// One thing that was looked at.
struct Finding {
    subject: String,
    verdict: Verdict,
    found: String,
    remedy: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    /// A server starts without it.
    Warning,
    Failed,
}

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
        Some(KeySource::SecretsManager(_)) | None => None,
    };
    // Even where all of it is insisted on, every missing layer is to be told.
    let policy = sandbox::Policy { mode: lenient(config.sandbox.mode), ..config.sandbox.clone() };
    let report = sandbox::confine(&policy)?;
    let mut findings = vec![settings(config)];
    findings.extend(layers(&report, config.sandbox.mode));
    findings.extend(config.source.path().map(|path| files(path, matches!(config.source, Source::Many(_)))));
    findings.extend(config.source.is_on_aws().then(certificates));
    if let Some(source) = config.source.key() {
        let mut outcome = None;
        block_on(async {
            outcome = Some(match file {
                Some(keys) => keys.map(drop),
                None => ask_for(source).await,
            });
            Ok(())
        })?;
        findings.extend(outcome.map(|outcome| key(source, &outcome)));
    }
    Ok(findings)
}

fn lenient(mode: Mode) -> Mode {
    match mode {
        Mode::Strict | Mode::Auto => Mode::Auto,
        Mode::Off => Mode::Off,
    }
}

async fn ask_for(source: &KeySource) -> Result<(), KeyError> {
    Keys::open(source, &aws::load(source.is_on_aws()).await).await?.current().await.map(drop)
}

fn settings(config: &Serve) -> Finding {
    let found = format!("{}, {}, listens on {}", config.mode(), config.source, config.http.bind);
    Finding { subject: "settings".to_owned(), verdict: Verdict::Good, found, remedy: None }
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
    let subject = "model files".to_owned();
    match fs::read_dir(path) {
        Ok(_) => {
            Finding { subject, verdict: Verdict::Good, found: format!("{} can be read", path.display()), remedy: None }
        }
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
            Finding { subject, verdict, found, remedy: Some(remedy) }
        }
    }
}

/// TLS to AWS needs them; an image FROM scratch has only those it brings.
fn certificates() -> Finding {
    let count = rustls_native_certs::load_native_certs().certs.len();
    let subject = "certificates".to_owned();
    match count {
        0 => Finding {
            subject,
            verdict: Verdict::Failed,
            found: "no certificate authority is known".to_owned(),
            remedy: Some("install ca-certificates, or name a file of them by SSL_CERT_FILE".to_owned()),
        },
        count => {
            Finding { subject, verdict: Verdict::Good, found: format!("{count} authorities are known"), remedy: None }
        }
    }
}

fn key(source: &KeySource, outcome: &Result<(), KeyError>) -> Finding {
    let subject = "key".to_owned();
    match outcome {
        Ok(()) => Finding { subject, verdict: Verdict::Good, found: format!("{source} gives a key"), remedy: None },
        Err(error) => Finding { subject, verdict: Verdict::Failed, found: chain(error), remedy: error.remedy() },
    }
}

fn print(findings: &[Finding], json: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        let findings = findings.iter().map(|finding| {
            json!({
                "subject": finding.subject,
                "verdict": finding.verdict.name(),
                "found": finding.found,
                "remedy": finding.remedy,
            })
        });
        return writeln!(out, "{:#}", json!({ "findings": findings.collect::<Vec<_>>() }));
    }
    let coloured = out.is_terminal();
    for finding in findings {
        writeln!(out, "{} {:<18} {}", finding.verdict.word(coloured), finding.subject, finding.found)?;
        if let Some(remedy) = &finding.remedy {
            writeln!(out, "{:<27}help: {remedy}", "")?;
        }
    }
    Ok(())
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }

    fn word(self, coloured: bool) -> String {
        let colour = match self {
            Self::Good => 32,
            Self::Warning => 33,
            Self::Failed => 31,
        };
        match coloured {
            true => format!("\x1b[{colour}m{:<8}\x1b[0m", self.name()),
            false => format!("{:<8}", self.name()),
        }
    }
}
