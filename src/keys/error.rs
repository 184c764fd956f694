//! Why a key is not had.

use std::path::PathBuf;

pub use super::form::FormError;
use crate::secret_file::SecretFileError;

/// What an operating system or a service said.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What may be behind it where a container has neither credentials nor a network: its platform took both away.
const NETWORK_ISOLATION: &str = "under SageMaker network isolation a container has neither network nor credentials: switch it \
    off and give the VPC an interface endpoint for Secrets Manager, or mount a key file of mode 0600 in another data channel \
    (STRONGROOM_KEY=file:PATH), or, only for a model that needs no secrecy, mount a plain bundle with \
    STRONGROOM_ALLOW_UNSEALED=true";

/// Why a key is not had. Never says anything of a key's content.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The name of a source cannot be read. It is not shown, lest somebody pasted the key itself.
    #[error(
        "a key is named file:PATH, secretsmanager:NAME, secretsmanager:ARN, a secret's bare ARN, vault:kv/MOUNT/PATH or vault:transit/MOUNT/NAME?file=PATH"
    )]
    Source,
    /// The key file is not there, or not as a secret's file has to be.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// A file or secret holds something else.
    #[error("{source_name} holds no key")]
    Form {
        /// As [`super::KeySource`] writes it.
        source_name: String,
        /// What is wrong with it.
        source: FormError,
    },
    /// The key file holds another key than the one asked for.
    #[error("key file {} holds the key {found}, not {name}", path.display())]
    OtherKey {
        /// The file.
        path: PathBuf,
        /// Its key's name.
        found: String,
        /// What was asked for.
        name: String,
    },
    /// No key bears the name.
    #[error("no key is named {name}")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// There is something where a new key was to be written.
    #[error("{place} exists already")]
    Exists {
        /// As [`super::KeySource`] writes it.
        place: String,
    },
    /// A secret's ARN where a name is needed.
    #[error("a new secret needs a name, not an ARN")]
    NewArn,
    /// There is no such secret.
    #[error("secret {secret} does not exist in region {region}")]
    Missing {
        /// Name or ARN.
        secret: String,
        /// Where it was looked for.
        region: String,
    },
    /// The secret is there, but has no value yet.
    #[error("secret {secret} has no value")]
    Empty {
        /// Name or ARN.
        secret: String,
    },
    /// The secret is scheduled for deletion.
    #[error("secret {secret} is scheduled for deletion")]
    Deleted {
        /// Name or ARN.
        secret: String,
    },
    /// The caller may not read (or create) the secret, or not decrypt it with its KMS key.
    #[error("access to secret {secret} is denied")]
    Denied {
        /// Name or ARN.
        secret: String,
        /// What the service said.
        source: Cause,
    },
    /// The caller may not make the secret, or not encrypt it with its KMS key.
    #[error("making secret {secret} is denied")]
    MakingDenied {
        /// Its name.
        secret: String,
        /// What the service said.
        source: Cause,
    },
    /// The caller may not do what a rotation takes.
    #[error("{action} on secret {secret} is denied")]
    ActionDenied {
        /// Name or ARN.
        secret: String,
        /// What is missing.
        action: &'static str,
        /// What the service said.
        source: Cause,
    },
    /// A key file has one key and no next one.
    #[error("key file {} has no next key", path.display())]
    NoSuccessor {
        /// The file.
        path: PathBuf,
    },
    /// AWS credentials are expired, or refused by the service.
    #[error("there are no usable AWS credentials to read secret {secret}")]
    Credentials {
        /// Name or ARN.
        secret: String,
        /// What the service said.
        source: Cause,
    },
    /// AWS credentials are nowhere to be found.
    #[error("no AWS credentials are found to read secret {secret}")]
    NoCredentials {
        /// Name or ARN.
        secret: String,
        /// What the SDK said.
        source: Cause,
    },
    /// No AWS region is configured, and the secret is not named by an ARN, which says one.
    #[error("no AWS region is set to look for secret {secret} in")]
    Region {
        /// Its name.
        secret: String,
    },
    /// Too many calls, after all attempts.
    #[error("Secrets Manager throttles calls for secret {secret}, {attempts} times in a row")]
    Throttled {
        /// Name or ARN.
        secret: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// No answer, or a broken one, after all attempts.
    #[error("Secrets Manager does not answer for secret {secret} after {attempts} attempts")]
    Unreachable {
        /// Name or ARN.
        secret: String,
        /// How often it was tried.
        attempts: u32,
        /// The last failure.
        source: Cause,
    },
    /// Any other answer.
    #[error("Secrets Manager refuses the call for secret {secret}")]
    Refused {
        /// Name or ARN.
        secret: String,
        /// What the service said.
        source: Cause,
    },
    /// A kind of source that was left out of this program.
    #[error("this strongroom was built without {what}")]
    NotBuiltIn {
        /// What was left out.
        what: &'static str,
        /// The feature that brings it.
        feature: &'static str,
    },
    /// How Vault is reached is not set, or not as it has to be.
    #[error("the variable {name} is not set as Vault wants it")]
    VaultSetting {
        /// The variable.
        name: &'static str,
    },
    /// There is nothing, or no key, at the place.
    #[error("Vault has no key at {place}")]
    VaultMissing {
        /// As [`super::VaultPlace`] writes it.
        place: String,
    },
    /// The token may not do it.
    #[error("Vault denies access to {place}")]
    VaultDenied {
        /// As [`super::VaultPlace`] writes it.
        place: String,
        /// What it said.
        source: Cause,
    },
    /// No answer, or one that says something else.
    #[error("Vault does not give the key at {place}")]
    Vault {
        /// As [`super::VaultPlace`] writes it.
        place: String,
        /// What it said, or why there was no answer.
        source: Cause,
    },
    /// A secret of Vault has no next key of its own.
    #[error("{place} has no next key")]
    NoSuccessorInVault {
        /// As [`super::VaultPlace`] writes it.
        place: String,
    },
    /// The system gives no random bytes.
    #[error("no key was made")]
    Random {
        /// Why.
        source: Cause,
    },
    /// The runtime was shut down below the operation.
    #[error("the program is stopping")]
    Stopped,
}

impl KeyError {
    /// What the user can do about it.
    pub fn remedy(&self) -> Option<String> {
        let fixed = match self {
            Self::File(error) => return error.remedy(),
            Self::MakingDenied { .. } => {
                "allow secretsmanager:CreateSecret (and kms:GenerateDataKey and kms:Decrypt on its KMS key) to this role"
            }
            Self::Form { .. } => {
                "a key is 32 random bytes, raw, in base64, in hex or as {\"key\": base64}; `strongroom key new` makes one"
            }
            Self::OtherKey { .. } | Self::Unknown { .. } => "name the key that the file was sealed with",
            Self::Exists { .. } => "use it by --key, or choose another name; a key is never overwritten",
            Self::NewArn => "give secretsmanager:NAME; the ARN is made with the secret",
            Self::Missing { .. } => {
                "check name, region and account, or make it: `strongroom key new --to secretsmanager:NAME`"
            }
            Self::Empty { .. } => "put a value into the secret: 32 random bytes",
            Self::Deleted { secret } => {
                return Some(format!("aws secretsmanager restore-secret --secret-id {secret}"));
            }
            Self::Denied { .. } => {
                "allow secretsmanager:GetSecretValue on the secret (and kms:Decrypt on its KMS key) to this role"
            }
            Self::ActionDenied { action, .. } => return Some(format!("allow {action} on the secret to this role")),
            Self::NoSuccessor { .. } => {
                "make the next one, `strongroom key new -o NEW`, and name it: --new-key file:NEW"
            }
            Self::Credentials { .. } => "configure credentials as for the AWS CLI, or renew them",
            Self::NoCredentials { .. } => {
                return Some(format!("configure credentials as for the AWS CLI; {NETWORK_ISOLATION}"));
            }
            Self::Region { .. } => "set AWS_REGION, or name the secret by its ARN",
            Self::Throttled { .. } => "try again in a minute",
            Self::Unreachable { .. } => {
                return Some(format!(
                    "check the network, the VPC endpoint for Secrets Manager and AWS_ENDPOINT_URL; {NETWORK_ISOLATION}"
                ));
            }
            Self::NotBuiltIn { feature, .. } => return Some(format!("build it with --features {feature}")),
            Self::VaultSetting { .. } => {
                "set VAULT_ADDR to http://HOST:PORT or https://HOST:PORT and VAULT_TOKEN to a token, as for Vault's own tool"
            }
            Self::VaultMissing { .. } => {
                "check mount and path, or make it: `strongroom key new --to vault:kv/MOUNT/PATH`"
            }
            Self::VaultDenied { .. } => {
                "set VAULT_TOKEN to a token, renew it, or allow `read` on MOUNT/data/PATH (of transit `update` on MOUNT/decrypt/NAME) in its policy"
            }
            Self::Vault { .. } => "check VAULT_ADDR, VAULT_CACERT and the network, and that Vault is not sealed",
            Self::NoSuccessorInVault { .. } => {
                "make the next one at another place, `strongroom key new --to vault:...`, and name it: --new-key vault:..."
            }
            Self::Source | Self::Refused { .. } | Self::Random { .. } | Self::Stopped => return None,
        };
        Some(fixed.to_owned())
    }
}
