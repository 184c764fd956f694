//! What SageMaker, and the containers people come from, call their settings. Ours stand above them.

use std::ops::RangeInclusive;

use tracing::level_filters::LevelFilter;

use super::checked::Problems;

/// Their settings, as they are in the environment.
#[derive(Debug, Clone, Default)]
pub struct Platform {
    variables: Vec<(&'static str, String)>,
}

const BATCH: &str = "SAGEMAKER_BATCH";
const MULTI_MODEL: &str = "SAGEMAKER_MULTI_MODEL";
const MAX_PAYLOAD: &str = "SAGEMAKER_MAX_PAYLOAD_IN_MB";
const MAX_TRANSFORMS: &str = "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS";
const SERVER_WORKERS: &str = "SAGEMAKER_MODEL_SERVER_WORKERS";
const MODEL_WORKERS: &str = "SAGEMAKER_NUM_MODEL_WORKERS";
const TIMEOUT: &str = "SAGEMAKER_MODEL_SERVER_TIMEOUT";
const ACCEPT: &str = "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT";
const LOG_LEVEL: &str = "SAGEMAKER_CONTAINER_LOG_LEVEL";

/// All of them.
const NAMES: [&str; 9] =
    [BATCH, MULTI_MODEL, MAX_PAYLOAD, MAX_TRANSFORMS, SERVER_WORKERS, MODEL_WORKERS, TIMEOUT, ACCEPT, LOG_LEVEL];

/// Longest Accept header of the platform's API.
const MAX_ACCEPT_LEN: usize = 1_024;

impl Platform {
    /// What the environment says.
    pub fn read() -> Self {
        Self::of(|name| std::env::var(name).ok())
    }

    /// What `look` says of each name.
    pub fn of(look: impl Fn(&str) -> Option<String>) -> Self {
        let value = |name| Some((name, look(name)?.trim().to_owned())).filter(|(_, value)| !value.is_empty());
        Self { variables: NAMES.into_iter().filter_map(value).collect() }
    }

    /// Whether this is a batch transform job. The platform says `true`, its SDK's local mode `True`.
    pub fn batch(&self, problems: &mut Problems) -> bool {
        self.switch(BATCH, problems)
    }

    /// Whether this is a multi-model endpoint.
    pub fn multi_model(&self, problems: &mut Problems) -> bool {
        self.switch(MULTI_MODEL, problems)
    }

    /// Largest request of a batch transform job in MB; 0 is any.
    pub fn max_payload_mb(&self, problems: &mut Problems) -> Option<usize> {
        self.number(MAX_PAYLOAD, 0..=1_024, problems)
    }

    /// Requests a batch transform job sends at a time.
    pub fn max_transforms(&self, problems: &mut Problems) -> Option<usize> {
        self.number(MAX_TRANSFORMS, 0..=100_000, problems)
    }

    /// Inference threads.
    pub fn workers(&self, problems: &mut Problems) -> Option<usize> {
        let server = self.number(SERVER_WORKERS, 1..=1_024, problems);
        let model = self.number(MODEL_WORKERS, 1..=1_024, problems);
        server.or(model)
    }

    /// Longest time to an answer, in seconds.
    pub fn timeout_s(&self, problems: &mut Problems) -> Option<usize> {
        self.number(TIMEOUT, 1..=3_600, problems)
    }

    /// What stands for Accept where a request has none.
    pub fn default_accept(&self, problems: &mut Problems) -> Option<String> {
        let accept = self.value(ACCEPT)?;
        if accept.len() > MAX_ACCEPT_LEN || !accept.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            problems.add(format!("{ACCEPT}: expected at most {MAX_ACCEPT_LEN} characters of ASCII"));
        }
        Some(accept.to_owned())
    }

    /// How much is logged: a name, or Python's number for it.
    pub fn log_level(&self, problems: &mut Problems) -> Option<LevelFilter> {
        let text = self.value(LOG_LEVEL)?;
        let level = match text.to_ascii_lowercase().as_str() {
            "debug" => Some(LevelFilter::DEBUG),
            "info" => Some(LevelFilter::INFO),
            "warn" | "warning" => Some(LevelFilter::WARN),
            "error" | "critical" | "fatal" => Some(LevelFilter::ERROR),
            other => match other.parse::<u32>() {
                Ok(0..=10) => Some(LevelFilter::DEBUG),
                Ok(11..=20) => Some(LevelFilter::INFO),
                Ok(21..=30) => Some(LevelFilter::WARN),
                Ok(_) => Some(LevelFilter::ERROR),
                Err(_) => None,
            },
        };
        if level.is_none() {
            problems.add(format!("{LOG_LEVEL}: expected debug, info, warning, error or Python's number for one"));
        }
        level
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    fn switch(&self, name: &str, problems: &mut Problems) -> bool {
        let Some(text) = self.value(name) else { return false };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => return true,
            "false" | "0" | "no" => {}
            _ => problems.add(format!("{name}: expected true or false")),
        }
        false
    }

    fn number(&self, name: &str, bounds: RangeInclusive<usize>, problems: &mut Problems) -> Option<usize> {
        let number = self.value(name)?.parse().ok().filter(|number| bounds.contains(number));
        if number.is_none() {
            problems.add(format!("{name}: expected a whole number from {} to {}", bounds.start(), bounds.end()));
        }
        number
    }
}
