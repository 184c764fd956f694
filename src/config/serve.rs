//! The arguments of `strongroom serve`.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};
use tracing::level_filters::LevelFilter;

use super::checked::{Checked, Problems, SettingsError};
use super::registry::RegistryArgs;
use crate::keys::KeySource;
use crate::model::available_cores;
use crate::registry::ModelRef;
use crate::store::Location;
use crate::{http, telemetry};

const HELP: &str = "\
Region, credentials and endpoints of AWS come the way every AWS SDK finds them (AWS_REGION, the task's role, ...).
The model is fetched, opened in memory and tested before /ping answers 200; until then it answers 503 with the reason.
SIGTERM drains: /ping answers 503, accepted requests are answered, and the process ends with code 0 within 25 s.

Examples:
  strongroom serve --registry s3://bucket/models --model face-analyzer --key secretsmanager:models/kek
  strongroom serve --registry .strongroom/registry --model face-analyzer:live --key file:.strongroom/key --bind 127.0.0.1:8080";

/// Every option of `strongroom serve`, not yet checked.
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub struct ServeArgs {
    /// Where models are kept: s3://BUCKET[/PREFIX] or a directory
    #[arg(long, env = "STRONGROOM_REGISTRY", value_name = "LOCATION")]
    registry: Option<Checked<Location>>,
    /// Which model: NAME[:ALIAS] (default alias `live`), NAME:VERSION, or NAME@sha256:HEX
    #[arg(long, env = "STRONGROOM_MODEL", value_name = "MODEL")]
    model: Option<Checked<ModelRef>>,
    /// The sealing key: file:PATH, secretsmanager:NAME-or-ARN, or a secret's ARN
    #[arg(long, env = "STRONGROOM_KEY", value_name = "KEY", hide_env_values = true)]
    key: Option<Checked<KeySource>>,
    /// Inference threads [default: as many as there are cores]
    #[arg(long, env = "STRONGROOM_THREADS", value_name = "N")]
    threads: Option<Checked<usize>>,
    /// Requests that may wait for a thread; more get 503 [default: 8 for each thread]
    #[arg(long, env = "STRONGROOM_QUEUE", value_name = "N")]
    queue: Option<Checked<usize>>,
    /// Largest request body, in MB (2^20 bytes)
    #[arg(long, env = "STRONGROOM_MAX_BODY_MB", value_name = "MB", default_value = "25")]
    max_body_mb: Checked<usize>,
    /// Longest time from a request to its answer, in seconds
    #[arg(long, env = "STRONGROOM_DEADLINE_S", value_name = "SECONDS", default_value = "55")]
    deadline_s: Checked<u64>,
    /// Address and port to listen on [default: 0.0.0.0 and the port below]
    #[arg(long, env = "STRONGROOM_BIND", value_name = "ADDRESS:PORT")]
    bind: Option<Checked<SocketAddr>>,
    /// Port to listen on, as SageMaker sets it; --bind stands above it
    #[arg(long, env = "SAGEMAKER_BIND_TO_PORT", value_name = "PORT", default_value = "8080")]
    port: Checked<u16>,
    /// Whether /analyze and /test are there
    #[arg(long, env = "STRONGROOM_CONVENIENCE_ROUTES", value_name = "BOOL", default_value = "true")]
    #[arg(action = ArgAction::Set)]
    convenience_routes: Checked<bool>,
    /// How much is logged: error, warn, info, debug, trace. Why a start failed is always told
    #[arg(long, env = "STRONGROOM_LOG", value_name = "LEVEL", default_value = "info")]
    log: Checked<LevelFilter>,
    /// JSON lines on stdout, or text on stderr
    #[arg(long, env = "STRONGROOM_LOG_FORMAT", value_name = "FORMAT", default_value = "json", value_enum)]
    log_format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line on stdout
    Json,
    /// Text on stderr
    Text,
}

/// Everything `strongroom serve` needs, checked.
#[derive(Debug, Clone)]
pub struct Serve {
    /// Where the model and its key are.
    pub registry: RegistryArgs,
    /// Which model.
    pub model: ModelRef,
    /// The server.
    pub http: http::Config,
    /// The log.
    pub log: telemetry::Config,
}

impl ServeArgs {
    /// Checks all settings.
    ///
    /// # Errors
    /// All that is missing or wrong, at once.
    pub fn check(self) -> Result<Serve, SettingsError> {
        let mut problems = Problems::default();
        let registry = problems.required("STRONGROOM_REGISTRY (--registry)", self.registry.clone());
        let model = problems.required("STRONGROOM_MODEL (--model)", self.model.clone());
        let key = problems.required("STRONGROOM_KEY (--key)", self.key.clone());
        let level = problems.within("STRONGROOM_LOG (--log)", self.log.clone(), LEVELS);
        let log = telemetry::Config { format: self.log_format.into(), level };
        let http = self.http(&mut problems);
        problems.finish()?;
        // What is missing has been told; this only takes the values out.
        let (Some(registry), Some(model), Some(key)) = (registry, model, key) else {
            return Err(SettingsError::default());
        };
        Ok(Serve { registry: RegistryArgs { registry, key }, model, http, log })
    }

    fn http(self, problems: &mut Problems) -> http::Config {
        let threads = self.threads.unwrap_or_else(|| Checked::from(available_cores()));
        let threads = problems.within("STRONGROOM_THREADS (--threads)", threads, 1..=1_024);
        let queue = self.queue.unwrap_or_else(|| Checked::from(8 * threads));
        let queue = problems.within("STRONGROOM_QUEUE (--queue)", queue, 0..=100_000);
        let max_body = problems.within("STRONGROOM_MAX_BODY_MB (--max-body-mb)", self.max_body_mb, 1..=1_024);
        let deadline = problems.within("STRONGROOM_DEADLINE_S (--deadline-s)", self.deadline_s, 1..=3_600);
        let port = problems.optional("SAGEMAKER_BIND_TO_PORT (--port)", Some(self.port)).unwrap_or_default();
        let bind = problems.optional("STRONGROOM_BIND (--bind)", self.bind);
        let convenience = "STRONGROOM_CONVENIENCE_ROUTES (--convenience-routes)";
        let convenience_routes = problems.optional(convenience, Some(self.convenience_routes)).unwrap_or(true);
        http::Config {
            bind: bind.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], port))),
            max_body: max_body << 20,
            deadline: Duration::from_secs(deadline),
            threads,
            queue,
            convenience_routes,
            ..http::Config::default()
        }
    }
}

/// Never `off`: a start that fails must say why.
const LEVELS: RangeInclusive<LevelFilter> = LevelFilter::ERROR..=LevelFilter::TRACE;

impl From<LogFormat> for telemetry::Format {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Json => Self::Json,
            LogFormat::Text => Self::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        serve: ServeArgs,
    }

    fn check(arguments: &[&str]) -> Result<Serve, SettingsError> {
        let line = ["serve"].iter().chain(arguments);
        Line::try_parse_from(line).expect("clap takes it").serve.check()
    }

    const NEEDED: [&str; 6] = ["--registry", "dir", "--model", "faces", "--key", "file:key"];

    #[test]
    fn all_that_is_missing_or_wrong_is_told_at_once() {
        let text = check(&["--registry", "s3://", "--threads", "0", "--bind", "nowhere"]).unwrap_err().to_string();
        for name in
            ["STRONGROOM_REGISTRY", "STRONGROOM_MODEL", "STRONGROOM_KEY", "STRONGROOM_THREADS", "STRONGROOM_BIND"]
        {
            assert!(text.contains(name), "{name} is not in: {text}");
        }
    }

    #[test]
    fn a_log_that_would_hide_failures_is_refused() {
        let off = [&NEEDED[..], &["--log", "off"]].concat();
        assert!(check(&off).unwrap_err().to_string().contains("STRONGROOM_LOG"));
        let error = [&NEEDED[..], &["--log", "error"]].concat();
        assert_eq!(check(&error).unwrap().log.level, LevelFilter::ERROR);
    }

    #[test]
    fn the_platforms_port_counts_unless_an_address_is_given() {
        let port = [&NEEDED[..], &["--port", "8123"]].concat();
        assert_eq!(check(&port).unwrap().http.bind.to_string(), "0.0.0.0:8123");
        let both = [&port[..], &["--bind", "127.0.0.1:9"]].concat();
        assert_eq!(check(&both).unwrap().http.bind.to_string(), "127.0.0.1:9");
    }

    #[test]
    fn defaults_are_those_of_the_platform() {
        let http = check(&NEEDED).unwrap().http;
        assert_eq!((http.max_body, http.deadline.as_secs(), http.bind.port()), (25 << 20, 55, 8080));
        assert_eq!(http.queue, 8 * http.threads);
    }
}
