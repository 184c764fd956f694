//! The arguments of `strongroom serve`.

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};
use tracing::level_filters::LevelFilter;

use super::aws;
use super::checked::{Checked, Problems, SettingsError};
use super::model::ModelSource;
use super::platform::Platform;
use super::registry::RegistryArgs;
use super::sandbox::{self, SandboxMode};
use super::trust::{OptionalTrustArgs, Trusted};
use crate::keys::{KeyError, KeySource, Keys};
use crate::model::available_cores;
use crate::registry::{AliasName, ModelRef, Selector};
use crate::sandbox::Policy;
use crate::store::Location;
use crate::{http, telemetry};

const HELP: &str = "\
Region, credentials and endpoints of AWS come the way every AWS SDK finds them (AWS_REGION, the task's role, ...).
The model is fetched, opened in memory and tested before /ping answers 200; until then it answers 503 with the reason.
SIGTERM drains: /ping answers 503, accepted requests are answered, and the process ends with code 0 within 25 s.

Examples:
  strongroom serve --registry s3://bucket/models --model face-analyzer --key secretsmanager:models/kek
  strongroom serve --registry .strongroom/registry --model face-analyzer:live --key file:.strongroom/key --bind 127.0.0.1:8080
  strongroom serve --model ./exported --key file:.strongroom/key          what `strongroom export` wrote

SageMaker's own variables are read too (SAGEMAKER_BATCH, SAGEMAKER_MULTI_MODEL, ...); docs/API.md lists them. Ours
stand above them.";

/// Where the platform mounts a model.
const MOUNT: &str = "/opt/ml/model";

/// Every option of `strongroom serve`, not yet checked.
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub struct ServeArgs {
    /// Where models are kept: s3://BUCKET[/PREFIX] or a directory
    #[arg(long, env = "STRONGROOM_REGISTRY", value_name = "LOCATION")]
    registry: Option<Checked<Location>>,
    /// Which model: NAME[:ALIAS] (default alias `live`), NAME:VERSION or NAME@sha256:HEX of the registry, or a path with a
    /// `/` in it to what `strongroom export` wrote [default: /opt/ml/model, if something is mounted there]
    #[arg(long, env = "STRONGROOM_MODEL", value_name = "MODEL")]
    model: Option<Checked<ModelSource>>,
    /// The sealing key: file:PATH, secretsmanager:NAME-or-ARN, a secret's ARN, or vault:kv/MOUNT/PATH
    #[arg(long, env = "STRONGROOM_KEY", value_name = "KEY", hide_env_values = true)]
    key: Option<Checked<KeySource>>,
    #[command(flatten)]
    trust: OptionalTrustArgs,
    /// The index of the log entry before which no alias may point: an older one was put back by somebody else
    #[arg(long, env = "STRONGROOM_MIN_INDEX", value_name = "INDEX", default_value = "0")]
    min_index: Checked<u64>,
    /// Follow the alias: look every so many seconds where it points, load what it moved to beside what is served, and serve
    /// that once it has passed its self-test
    #[arg(long, env = "STRONGROOM_FOLLOW", value_name = "SECONDS", num_args = 0..=1, default_missing_value = "10")]
    follow: Option<Checked<u64>>,
    /// Inference threads [default: as many as there are cores]
    #[arg(long, env = "STRONGROOM_THREADS", value_name = "N")]
    threads: Option<Checked<usize>>,
    /// Requests that may wait for a thread; more get 503 [default: 8 for each thread]
    #[arg(long, env = "STRONGROOM_QUEUE", value_name = "N")]
    queue: Option<Checked<usize>>,
    /// Largest request body, in MB (2^20 bytes); 0: bodies of records (JSON Lines, CSV rows, RecordIO) are as long as they
    /// are, others at most 100 MB [default: 25; 100 in a batch transform job]
    #[arg(long, env = "STRONGROOM_MAX_BODY_MB", value_name = "MB")]
    max_body_mb: Option<Checked<usize>>,
    /// Longest time from a request to its answer, in seconds [default: 55; 3600 in a batch transform job]
    #[arg(long, env = "STRONGROOM_DEADLINE_S", value_name = "SECONDS")]
    deadline_s: Option<Checked<usize>>,
    /// Serve plain bundles that are mounted, too. Their weights lie readable where they are kept
    #[arg(long, env = "STRONGROOM_ALLOW_UNSEALED", value_name = "BOOL", default_value = "false")]
    #[arg(action = ArgAction::Set)]
    allow_unsealed: Checked<bool>,
    /// Where a multi-model endpoint's models are mounted
    #[arg(long, env = "STRONGROOM_MODELS_DIR", value_name = "DIR", default_value = "/opt/ml/models")]
    models_dir: PathBuf,
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
    /// Whether GET /openapi.json answers what routes this server has
    #[arg(long, env = "STRONGROOM_OPENAPI", value_name = "BOOL", default_value = "false")]
    #[arg(action = ArgAction::Set)]
    openapi: Checked<bool>,
    /// Give up what a server does not need: its user, capabilities, files, ports and calls of the kernel
    #[arg(long, env = "STRONGROOM_SANDBOX", value_name = "MODE", default_value = "auto", value_enum)]
    sandbox: SandboxMode,
    /// Tell CloudWatch of each request, by a line of its Embedded Metric Format on stdout
    #[arg(long, env = "STRONGROOM_EMF", value_name = "BOOL", default_value = "false")]
    #[arg(action = ArgAction::Set)]
    emf: Checked<bool>,
    /// How much is logged: error, warn, info, debug, trace. Why a start failed is always told [default: info]
    #[arg(long, env = "STRONGROOM_LOG", value_name = "LEVEL")]
    log: Option<Checked<LevelFilter>>,
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
    /// Where the model, or the models, and their key are.
    pub source: Source,
    /// The server.
    pub http: http::Config,
    /// The log.
    pub log: telemetry::Config,
    /// What is left to the process.
    pub sandbox: Policy,
}

/// Where models come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// One, from a registry.
    Registered {
        /// With its key.
        registry: RegistryArgs,
        /// Which model of it.
        model: ModelRef,
        /// How its alias is followed; where not, what it points to at the start is served.
        follow: Option<Follow>,
    },
    /// One, which is mounted.
    Mounted(Mount),
    /// Those of a multi-model endpoint, mounted below one directory.
    Many(Mount),
}

/// How an alias is followed.
#[derive(Debug, Clone)]
pub struct Follow {
    /// The alias.
    pub alias: AliasName,
    /// From one look to the next.
    pub every: Duration,
}

impl Source {
    /// The directory, where they lie on this machine.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Registered { registry, .. } => match &registry.registry {
                Location::Dir(path) => Some(path),
                Location::S3 { .. } => None,
            },
            Self::Mounted(mount) | Self::Many(mount) => Some(&mount.path),
        }
    }

    /// What opens them.
    pub fn key(&self) -> Option<&KeySource> {
        match self {
            Self::Registered { registry, .. } => Some(&registry.key),
            Self::Mounted(mount) | Self::Many(mount) => mount.key.as_ref(),
        }
    }

    /// Whether AWS is called for any of it.
    pub fn is_on_aws(&self) -> bool {
        self.path().is_none() || self.key().is_some_and(KeySource::is_on_aws) || self.trusted().secret().is_some()
    }

    /// Who is trusted.
    pub fn trusted(&self) -> &Trusted {
        match self {
            Self::Registered { registry, .. } => &registry.trusted,
            Self::Mounted(mount) | Self::Many(mount) => &mount.trusted,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered { registry, model, .. } => write!(f, "{model} in {}", registry.registry),
            Self::Mounted(mount) | Self::Many(mount) => write!(f, "{}", mount.path.display()),
        }
    }
}

/// What is mounted for us.
#[derive(Debug, Clone)]
pub struct Mount {
    /// The directory.
    pub path: PathBuf,
    /// The sealing key; needed for what is sealed.
    pub key: Option<KeySource>,
    /// Who is trusted.
    pub trusted: Trusted,
    /// Whether plain bundles are served.
    pub allow_unsealed: bool,
}

impl Mount {
    /// Opens `key`; AWS is configured only where it is there.
    ///
    /// # Errors
    /// As [`Keys::open`].
    pub async fn open_keys(&self, key: &KeySource) -> Result<Keys, KeyError> {
        Keys::open(key, &aws::load(key.is_on_aws()).await).await
    }
}

impl Serve {
    /// How it is used, for the log.
    pub fn mode(&self) -> &'static str {
        match (self.http.multi_model, self.http.batch) {
            (true, _) => "multi-model",
            (false, true) => "batch-transform",
            (false, false) => "single-model",
        }
    }
}

impl ServeArgs {
    /// Checks all settings; `platform` has those that SageMaker gave.
    ///
    /// # Errors
    /// All that is missing or wrong, at once.
    pub fn check(self, platform: &Platform) -> Result<Serve, SettingsError> {
        let mut problems = Problems::default();
        let source = self.source(platform, &mut problems);
        let asked = platform.log_level(&mut problems);
        let level = self.log.clone().or(asked.map(Checked::from)).unwrap_or_else(|| Checked::from(LevelFilter::INFO));
        let level = problems.within("STRONGROOM_LOG (--log)", level, LEVELS);
        let log = telemetry::Config { format: self.log_format.into(), level };
        let mode = self.sandbox.into();
        let http = self.http(platform, &mut problems);
        problems.finish()?;
        // What is missing has been told; this only takes the value out.
        let source = source.ok_or_else(SettingsError::default)?;
        let sandbox = sandbox::policy(mode, &source, http.bind.port());
        Ok(Serve { source, http, log, sandbox })
    }

    fn source(&self, platform: &Platform, problems: &mut Problems) -> Option<Source> {
        let allow = "STRONGROOM_ALLOW_UNSEALED (--allow-unsealed)";
        let allow_unsealed = problems.optional(allow, Some(self.allow_unsealed.clone())).unwrap_or(false);
        let min_index = problems.optional("STRONGROOM_MIN_INDEX (--min-index)", Some(self.min_index.clone()));
        let mut trusted = self.trust.take(problems);
        trusted.min_index = min_index.unwrap_or_default();
        let mount = |path: &Path, problems: &mut Problems| {
            // What is sealed needs a key; where plain bundles are allowed, it is missed when it is needed.
            let key = match allow_unsealed {
                true => problems.optional(KEY, self.key.clone()),
                false => problems.required(KEY, self.key.clone()),
            };
            Mount { path: path.to_owned(), key, trusted: trusted.clone(), allow_unsealed }
        };
        if platform.multi_model(&mut Problems::default()) {
            return Some(Source::Many(mount(&self.models_dir, problems)));
        }
        let model = match &self.model {
            Some(model) => problems.optional(MODEL, Some(model.clone()))?,
            None if is_filled(Path::new(MOUNT)) => ModelSource::Directory(MOUNT.into()),
            None => {
                problems.add(format!("{MODEL} is not set, and nothing is mounted at {MOUNT}"));
                problems.required("STRONGROOM_REGISTRY (--registry)", self.registry.clone());
                problems.required(KEY, self.key.clone());
                return None;
            }
        };
        match model {
            ModelSource::Directory(path) => {
                if self.follow.is_some() {
                    problems.add(format!("{FOLLOW}: what is mounted never moves, only an alias of a registry does"));
                }
                Some(Source::Mounted(mount(&path, problems)))
            }
            ModelSource::Registered(model) => {
                let registry = problems.required("STRONGROOM_REGISTRY (--registry)", self.registry.clone());
                let key = problems.required(KEY, self.key.clone());
                let follow = self.follow(&model, platform, problems);
                let registry = RegistryArgs { registry: registry?, key: key?, trusted };
                Some(Source::Registered { registry, model, follow })
            }
        }
    }

    /// What cannot move is not followed.
    fn follow(&self, model: &ModelRef, platform: &Platform, problems: &mut Problems) -> Option<Follow> {
        let seconds = problems.within(FOLLOW, self.follow.clone()?, 0..=86_400);
        if seconds == 0 {
            return None;
        }
        if platform.batch(&mut Problems::default()) {
            problems.add(format!("{FOLLOW}: a batch transform job is answered by one version"));
        }
        match &model.selector {
            Selector::Alias(alias) => Some(Follow { alias: alias.clone(), every: Duration::from_secs(seconds) }),
            Selector::Version(_) | Selector::Digest(_) => {
                problems.add(format!("{FOLLOW}: {model} never moves, only an alias does"));
                None
            }
        }
    }

    fn http(self, platform: &Platform, problems: &mut Problems) -> http::Config {
        let (batch, multi_model) = (platform.batch(problems), platform.multi_model(problems));
        if batch && multi_model {
            problems.add("SAGEMAKER_BATCH and SAGEMAKER_MULTI_MODEL: a job has one model".to_owned());
        }
        let threads = self.threads.or(platform.workers(problems).map(Checked::from));
        let threads = threads.unwrap_or_else(|| Checked::from(available_cores()));
        let threads = problems.within("STRONGROOM_THREADS (--threads)", threads, 1..=1_024);
        let transforms = platform.max_transforms(problems).filter(|_| batch).unwrap_or_default();
        let queue = self.queue.unwrap_or_else(|| Checked::from((8 * threads).max(transforms)));
        let queue = problems.within("STRONGROOM_QUEUE (--queue)", queue, 0..=100_000);
        let megabytes = self.max_body_mb.or(platform.max_payload_mb(problems).map(Checked::from));
        let megabytes = megabytes.unwrap_or_else(|| Checked::from(if batch { BATCH_BODY_MB } else { BODY_MB }));
        let megabytes = problems.within("STRONGROOM_MAX_BODY_MB (--max-body-mb)", megabytes, 0..=1_024);
        let seconds = self.deadline_s.or(platform.timeout_s(problems).map(Checked::from));
        let seconds = seconds.unwrap_or_else(|| Checked::from(if batch { BATCH_DEADLINE_S } else { DEADLINE_S }));
        let seconds = problems.within("STRONGROOM_DEADLINE_S (--deadline-s)", seconds, 1..=3_600);
        let port = problems.optional("SAGEMAKER_BIND_TO_PORT (--port)", Some(self.port)).unwrap_or_default();
        let bind = problems.optional("STRONGROOM_BIND (--bind)", self.bind);
        let convenience = "STRONGROOM_CONVENIENCE_ROUTES (--convenience-routes)";
        let convenience_routes = problems.optional(convenience, Some(self.convenience_routes)).unwrap_or(true);
        let openapi = problems.optional("STRONGROOM_OPENAPI (--openapi)", Some(self.openapi)).unwrap_or(false);
        let emf = problems.optional("STRONGROOM_EMF (--emf)", Some(self.emf)).unwrap_or(false);
        http::Config {
            bind: bind.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], port))),
            max_body: if megabytes == 0 { BATCH_BODY_MB } else { megabytes } << 20,
            max_records_body: (megabytes > 0).then_some(megabytes << 20),
            batch,
            multi_model,
            default_accept: platform.default_accept(problems),
            emf,
            deadline: Duration::from_secs(seconds as u64),
            threads,
            queue,
            convenience_routes,
            openapi,
            ..http::Config::default()
        }
    }
}

const MODEL: &str = "STRONGROOM_MODEL (--model)";
const FOLLOW: &str = "STRONGROOM_FOLLOW (--follow)";
const KEY: &str = "STRONGROOM_KEY (--key)";
/// The platform's bound for a real-time request.
const BODY_MB: usize = 25;
/// And for one of a batch transform job; what is read whole is bounded by it even where a job sends all it has.
const BATCH_BODY_MB: usize = 100;
/// Short of the 60 s after which the platform gives up.
const DEADLINE_S: usize = 55;
/// The most a batch transform job waits.
const BATCH_DEADLINE_S: usize = 3_600;

/// Whether the platform mounted something: it makes the directory in any case.
fn is_filled(directory: &Path) -> bool {
    std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some())
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
mod tests;
