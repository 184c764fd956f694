//! Logs: how they are set up, and the names of every metric and log field in one table.

pub mod emf;
mod names;

use std::error::Error;
use std::io::IsTerminal;
use std::panic::Location;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

pub use names::*;

/// Where log lines go and what they look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line on stdout, as CloudWatch reads it.
    Json,
    /// Text for people on stderr, coloured on a terminal.
    Text,
}

/// How much is logged, and how.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Where to and in which form.
    pub format: Format,
    /// Of our own lines. Libraries are heard from `warn` on, whatever this says, as below some of them log bodies; those
    /// of the AWS SDK are not heard at all, as they print whole answers even there. Their errors come back to us.
    pub level: LevelFilter,
}

/// Starts logging for the whole process. A second call changes nothing.
pub fn start(config: Config) {
    let heard = Targets::new().with_default(config.level.min(LevelFilter::WARN)).with_target(OWN_TARGET, config.level);
    let heard = heard.with_targets(UNHEARD.map(|target| (target, LevelFilter::OFF)));
    let lines = Registry::default().with(lines(config.format).with_filter(heard));
    // A logger that stands already (a test's) is as good.
    drop(lines.try_init());
    std::panic::set_hook(Box::new(|panic| log_panic(panic.location())));
}

/// Where, not what: a panic's words may quote a request.
fn log_panic(location: Option<&Location<'_>>) {
    let location = location.map(Location::to_string).unwrap_or_default();
    let thread = std::thread::current();
    tracing::error!(thread = thread.name().unwrap_or_default(), location, "a thread panicked");
}

/// An error with its causes, on one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text.replace('\n', " ")
}

const OWN_TARGET: &str = env!("CARGO_CRATE_NAME");
const UNHEARD: [&str; 7] = [
    "aws_config",
    "aws_credential_types",
    "aws_runtime",
    "aws_smithy_http_client",
    "aws_smithy_runtime",
    "rustify",
    "vaultrs",
];

fn lines(format: Format) -> Box<dyn Layer<Registry> + Send + Sync> {
    match format {
        Format::Json => fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
        Format::Text => {
            let colour = std::io::stderr().is_terminal();
            fmt::layer().compact().with_ansi(colour).with_target(false).with_writer(std::io::stderr).boxed()
        }
    }
}
