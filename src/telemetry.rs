//! Logs: how they are set up, and the names of every metric and log field in one table.

mod names;

use std::io::IsTerminal;

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
    /// Of our own lines. Libraries are heard from `warn` on, whatever this says: below, some of them log bodies.
    pub level: LevelFilter,
}

/// Starts logging for the whole process. A second call changes nothing.
pub fn start(config: Config) {
    let heard = Targets::new().with_default(config.level.min(LevelFilter::WARN)).with_target(OWN_TARGET, config.level);
    let lines = Registry::default().with(lines(config.format).with_filter(heard));
    // A logger that stands already (a test's) is as good.
    drop(lines.try_init());
}

const OWN_TARGET: &str = env!("CARGO_CRATE_NAME");

fn lines(format: Format) -> Box<dyn Layer<Registry> + Send + Sync> {
    match format {
        Format::Json => fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
        Format::Text => {
            let colour = std::io::stderr().is_terminal();
            fmt::layer().compact().with_ansi(colour).with_target(false).with_writer(std::io::stderr).boxed()
        }
    }
}
