//! What was looked at, and what was found.

use std::io::{IsTerminal as _, Write as _};

use serde_json::json;

/// One thing that was looked at.
pub(super) struct Finding {
    pub(super) subject: String,
    pub(super) verdict: Verdict,
    pub(super) found: String,
    pub(super) remedy: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    /// A server starts without it.
    Warning,
    Failed,
}

impl Finding {
    pub(super) fn good(subject: &str, found: String) -> Self {
        Self { subject: subject.to_owned(), verdict: Verdict::Good, found, remedy: None }
    }

    pub(super) fn warning(subject: &str, found: String, remedy: &str) -> Self {
        Self { subject: subject.to_owned(), verdict: Verdict::Warning, found, remedy: Some(remedy.to_owned()) }
    }

    pub(super) fn failed(subject: &str, found: String, remedy: Option<String>) -> Self {
        Self { subject: subject.to_owned(), verdict: Verdict::Failed, found, remedy }
    }
}

pub(super) fn print(findings: &[Finding], json: bool) -> std::io::Result<()> {
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
