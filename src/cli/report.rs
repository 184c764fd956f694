//! Errors as lines for people: `error: ...: cause`, then `help: ...` where there is a remedy.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use crate::config::SettingsError;
use crate::{bundle, http, keys, model, registry, sealed, serve, signed, signer, store};

/// What clap has to say: help and version on stdout with code 0, else on stderr with code 2.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    // A closed terminal is no reason to fail in another way.
    drop(error.print());
    if error.use_stderr() { ExitCode::from(super::USAGE) } else { ExitCode::SUCCESS }
}

/// Prints a failed verb's error.
pub(super) fn failure(error: &anyhow::Error) -> ExitCode {
    let code = if error.is::<SettingsError>() { super::USAGE } else { 1 };
    // `serve` has logged its own, once.
    if !error.is::<serve::ServeError>() {
        let mut stderr = std::io::stderr().lock();
        drop(writeln!(stderr, "error: {}", format!("{error:#}").replace('\n', " ")));
        if let Some(remedy) = error.chain().find_map(remedy) {
            drop(writeln!(stderr, "help: {remedy}"));
        }
    }
    ExitCode::from(code)
}

/// The first error of the chain that knows what helps is asked.
fn remedy(error: &(dyn Error + 'static)) -> Option<String> {
    fn of<E: Error + 'static>(error: &(dyn Error + 'static), remedy: fn(&E) -> Option<String>) -> Option<String> {
        error.downcast_ref::<E>().and_then(remedy)
    }
    of(error, |error: &SettingsError| error.remedy().map(str::to_owned))
        .or_else(|| of(error, registry::RegistryError::remedy))
        .or_else(|| of(error, keys::KeyError::remedy))
        .or_else(|| of(error, |error: &store::StoreError| error.remedy().map(str::to_owned)))
        .or_else(|| of(error, signer::SignerError::remedy))
        .or_else(|| of(error, |error: &signed::SignatureError| Some(error.remedy().to_owned())))
        .or_else(|| of(error, sealed::OpenError::remedy))
        .or_else(|| of(error, |error: &bundle::BundleError| error.remedy().map(str::to_owned)))
        .or_else(|| of(error, model::LoadError::remedy))
        .or_else(|| of(error, |error: &http::BindError| error.remedy().map(str::to_owned)))
}
