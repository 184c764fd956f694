//! Why bytes were not read or written.

use std::path::PathBuf;

/// Why bytes were not read or written. `object` and `store` are written as the user would: `s3://BUCKET/KEY` or a path.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A store's location cannot be read.
    #[error("{text:?} is neither s3://BUCKET[/PREFIX] nor a directory: {reason}")]
    Location {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A retention cannot be read.
    #[error("{text:?} is neither governance:DAYS nor compliance:DAYS, with 1 to 36500 days")]
    Retention {
        /// What was given; its beginning.
        text: String,
    },
    /// Objects of a directory cannot be retained.
    #[error("{store} is a directory: only a bucket keeps objects from being deleted")]
    NoRetention {
        /// Directory.
        store: String,
    },
    /// The bucket was made without Object Lock.
    #[error("{store} cannot retain objects: it has no Object Lock")]
    NoObjectLock {
        /// Bucket.
        store: String,
        /// What the service said.
        source: Cause,
    },
    /// A key that no object can have.
    #[error("{key:?} is no object key: {reason}")]
    Key {
        /// Its beginning.
        key: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The bucket or directory is missing.
    #[error("{store} does not exist")]
    NoStore {
        /// Bucket or directory.
        store: String,
    },
    /// Something else bears the directory's name.
    #[error("{store} is not a directory")]
    NotADirectory {
        /// What was named.
        store: String,
    },
    /// The bucket is in another region than the calls go to.
    #[error("{store} is in another AWS region")]
    OtherRegion {
        /// Bucket.
        store: String,
        /// What the service said.
        source: Cause,
    },
    /// The service takes the request for an old or a future one.
    #[error("this machine's clock is wrong: S3 refuses the request for {object}")]
    Clock {
        /// What was wanted.
        object: String,
        /// What the service said.
        source: Cause,
    },
    /// There is a store, but not this object in it.
    #[error("there is no object {object}")]
    NotFound {
        /// Which.
        object: String,
    },
    /// Pinned reads only: the object is another version now.
    #[error("object {object} changed while it was read")]
    Changed {
        /// Which.
        object: String,
    },
    /// Swaps only: another writer was first.
    #[error("object {object} was changed by somebody else first")]
    Conflict {
        /// Which.
        object: String,
    },
    /// The object is larger than its reader allows.
    #[error("object {object} has {len} bytes, at most {limit} were expected")]
    TooLarge {
        /// Which.
        object: String,
        /// In bytes, as far as known.
        len: u64,
        /// In bytes.
        limit: u64,
    },
    /// The object ends before the range that is read.
    #[error("object {object} ends before byte {end}")]
    OutOfRange {
        /// Which.
        object: String,
        /// End of the range, exclusive.
        end: u64,
    },
    /// More keys than are listed.
    #[error("{store} holds more than {limit} objects")]
    TooMany {
        /// Bucket or directory.
        store: String,
        /// The bound.
        limit: usize,
    },
    /// The caller may not do this.
    #[error("access to {object} is denied")]
    Denied {
        /// Which.
        object: String,
        /// What the service or system said.
        source: Cause,
    },
    /// AWS credentials are missing, expired or refused.
    #[error("there are no usable AWS credentials for {object}")]
    Credentials {
        /// What was wanted with them.
        object: String,
        /// What the SDK or service said.
        source: Cause,
    },
    /// No AWS region is configured.
    #[error("no AWS region is set for {object}")]
    Region {
        /// What was wanted there.
        object: String,
    },
    /// The service does not answer, or slows us down, after all attempts.
    #[error("the store does not answer for {object} after {attempts} attempts")]
    Unreachable {
        /// What was wanted.
        object: String,
        /// How often it was tried.
        attempts: u32,
        /// The last failure.
        source: Cause,
    },
    /// The local file to upload cannot be read.
    #[error("{} cannot be read", path.display())]
    Source {
        /// The local file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The runtime was shut down below the operation.
    #[error("the program is stopping")]
    Stopped,
    /// Anything else.
    #[error("{object} cannot be read or written")]
    Failed {
        /// Which.
        object: String,
        /// Why.
        source: Cause,
    },
}

/// What an operating system or a service said.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

impl StoreError {
    /// What the user can do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Location { .. } => Some("give s3://BUCKET[/PREFIX] or the path of a directory"),
            Self::NoObjectLock { .. } => Some("switch Object Lock on in the bucket, or publish without a retention"),
            Self::NoStore { .. } => Some("check the spelling; a bucket must be made before it is used"),
            Self::NotADirectory { .. } => Some("name a directory, or one that is to be made"),
            Self::OtherRegion { .. } => Some("set AWS_REGION to the bucket's region"),
            Self::Clock { .. } => Some("set the clock, by NTP for example"),
            Self::Denied { .. } => Some(
                "on AWS allow s3:GetObject, s3:PutObject and s3:ListBucket (without the last, S3 calls a missing \
                 object denied) and kms:Decrypt on the bucket's key; on disk check owner and mode",
            ),
            Self::Credentials { .. } => Some("configure credentials as for the AWS CLI, or renew them"),
            Self::Region { .. } => Some("set AWS_REGION, or a region in the AWS profile"),
            Self::Unreachable { .. } => Some("check the network, the VPC endpoint for S3 and AWS_ENDPOINT_URL"),
            Self::Changed { .. } | Self::Conflict { .. } => Some("try again"),
            Self::Retention { .. }
            | Self::NoRetention { .. }
            | Self::Key { .. }
            | Self::NotFound { .. }
            | Self::TooLarge { .. }
            | Self::OutOfRange { .. }
            | Self::TooMany { .. }
            | Self::Source { .. }
            | Self::Stopped
            | Self::Failed { .. } => None,
        }
    }
}
