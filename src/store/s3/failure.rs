//! What a failed call to S3 means.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::super::StoreError;

/// S3's answer where there was one.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
}

impl Answer {
    pub(super) fn of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<Self> {
        let answered = error.as_service_error()?;
        Some(Self {
            status: error.raw_response()?.status().as_u16(),
            code: answered.code().unwrap_or_default().to_owned(),
            message: answered.message().unwrap_or_default().chars().take(300).collect(),
        })
    }

    /// A condition was not met: 412, or 404 to `If-Match` when there is no object.
    pub(super) fn is_conflict(&self) -> bool {
        matches!((self.status, self.code.as_str()), (412 | 409, _) | (404, "NoSuchKey"))
    }
}

/// Where it happened: what errors name.
pub(super) struct Failure {
    pub(super) store: String,
    pub(super) object: String,
    pub(super) has_region: bool,
    pub(super) attempts: u32,
}

impl Failure {
    pub(super) fn of<E>(self, error: SdkError<E, HttpResponse>) -> StoreError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        match Answer::of(&error) {
            Some(answer) => self.answered(&answer),
            None => self.unanswered(&error),
        }
    }

    fn answered(self, answer: &Answer) -> StoreError {
        let Self { store, object, attempts, .. } = self;
        let source = match (answer.code.as_str(), answer.message.as_str()) {
            ("", _) => format!("S3 answered with status {}", answer.status).into(),
            (code, "") => format!("S3 answered {code}").into(),
            (code, message) => format!("S3 answered {code}: {message}").into(),
        };
        match (answer.status, answer.code.as_str()) {
            (
                _,
                "PermanentRedirect"
                | "AuthorizationHeaderMalformed"
                | "IllegalLocationConstraint"
                | "IllegalLocationConstraintException",
            )
            | (301, _) => StoreError::OtherRegion { store, source },
            (_, "RequestTimeTooSkewed") => StoreError::Clock { object, source },
            (400, "InvalidRequest") if answer.message.contains("Object Lock") => {
                StoreError::NoObjectLock { store, source }
            }
            (404, "NoSuchBucket") => StoreError::NoStore { store },
            (404, _) => StoreError::NotFound { object },
            (412, _) => StoreError::Changed { object },
            (416, _) => StoreError::OutOfRange { object, end: 0 },
            (_, "ExpiredToken" | "InvalidAccessKeyId" | "InvalidToken" | "SignatureDoesNotMatch") => {
                StoreError::Credentials { object, source }
            }
            (401 | 403, _) => StoreError::Denied { object, source },
            (429 | 500..=599, _) => StoreError::Unreachable { object, attempts, source },
            _ => StoreError::Failed { object, source },
        }
    }

    fn unanswered(self, error: &(dyn Error + 'static)) -> StoreError {
        let Self { object, attempts, has_region, .. } = self;
        if !has_region {
            return StoreError::Region { object };
        }
        let causes = || std::iter::successors(Some(error), |cause: &&(dyn Error + 'static)| (*cause).source());
        let source = causes().last().map(ToString::to_string).unwrap_or_default().into();
        match causes().any(|cause| cause.is::<CredentialsError>()) {
            true => StoreError::Credentials { object, source },
            false => StoreError::Unreachable { object, attempts, source },
        }
    }
}
