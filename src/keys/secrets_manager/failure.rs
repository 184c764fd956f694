//! What a failed call to Secrets Manager means.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_secretsmanager::config::http::HttpResponse;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};

use super::super::{Cause, KeyError, KeySource};

/// What errors name.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) secret: String,
    pub(super) region: Option<String>,
    pub(super) attempts: u32,
}

impl Failure {
    pub(super) fn missing(&self) -> KeyError {
        KeyError::Missing { secret: self.secret.clone(), region: self.region.clone().unwrap_or_default() }
    }

    /// Names the action that is missing, where `error` says that it is denied.
    pub(super) fn denied(&self, error: KeyError, action: &'static str) -> KeyError {
        match error {
            KeyError::Denied { secret, source } => KeyError::ActionDenied { secret, action, source },
            other => other,
        }
    }

    pub(super) fn of<E>(&self, error: SdkError<E, HttpResponse>) -> KeyError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map_or(0, |response| response.status().as_u16());
        match error.as_service_error() {
            Some(answer) => self.answered(answer.code().unwrap_or_default(), answer.message(), status),
            None => self.unanswered(&error),
        }
    }

    fn answered(&self, code: &str, message: Option<&str>, status: u16) -> KeyError {
        let (secret, attempts) = (self.secret.clone(), self.attempts);
        let message: String = message.unwrap_or_default().chars().take(300).collect();
        let source: Cause = match (code, message.as_str()) {
            ("", _) => format!("Secrets Manager answered with status {status}").into(),
            (code, "") => format!("Secrets Manager answered {code}").into(),
            (code, message) => format!("Secrets Manager answered {code}: {message}").into(),
        };
        match code {
            // The same code for a secret and for a version; the text on versions says "secret value".
            "ResourceNotFoundException" if message.contains("secret value") => KeyError::Empty { secret },
            "ResourceNotFoundException" => self.missing(),
            "ResourceExistsException" => KeyError::Exists { place: KeySource::SecretsManager(secret).to_string() },
            // The service has no code of its own for this; all its texts on it speak of deletion.
            "InvalidRequestException" if message.contains("delet") => KeyError::Deleted { secret },
            "AccessDeniedException" | "AccessDenied" | "DecryptionFailure" | "EncryptionFailure" => {
                KeyError::Denied { secret, source }
            }
            "ExpiredTokenException"
            | "IncompleteSignature"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "MissingAuthenticationToken"
            | "UnrecognizedClientException" => KeyError::Credentials { secret, source },
            "Throttling" | "ThrottlingException" | "TooManyRequestsException" | "RequestLimitExceeded" => {
                KeyError::Throttled { secret, attempts }
            }
            _ if status >= 500 => KeyError::Unreachable { secret, attempts, source },
            _ => KeyError::Refused { secret, source },
        }
    }

    fn unanswered(&self, error: &(dyn Error + 'static)) -> KeyError {
        let (secret, attempts) = (self.secret.clone(), self.attempts);
        if self.region.is_none() {
            return KeyError::Region { secret };
        }
        let causes = || std::iter::successors(Some(error), |cause: &&(dyn Error + 'static)| (*cause).source());
        let source = causes().last().map(ToString::to_string).unwrap_or_default().into();
        match causes().any(|cause| cause.is::<CredentialsError>()) {
            true => KeyError::NoCredentials { secret, source },
            false => KeyError::Unreachable { secret, attempts, source },
        }
    }
}
