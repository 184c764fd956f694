//! Why nothing is signed.

use std::path::PathBuf;

use crate::secret_file::SecretFileError;

/// What a service said.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why nothing is signed. Never says anything of a key's content.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The name of a source cannot be read. It is not shown, lest somebody pasted the key itself.
    #[error("a signing key is named file:PATH, kms:ID-or-ARN or pkcs11:URI")]
    Source,
    /// The key file is not there, or not as a secret's file has to be.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// The file holds something else.
    #[error("{} holds no signing key: {reason}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A kind of source that was left out of this program.
    #[error("this strongroom was built without {what}")]
    NotBuiltIn {
        /// What was left out.
        what: &'static str,
        /// The feature that brings it.
        feature: &'static str,
    },
    /// KMS does not do what it is asked for.
    #[error("KMS key {id} cannot be used to {act}")]
    Kms {
        /// Id, alias or ARN.
        id: String,
        /// What was asked for.
        act: &'static str,
        /// What is needed for it.
        action: &'static str,
        /// What the service or the SDK said.
        source: Cause,
    },
    /// The key of KMS is of a kind that does not sign here.
    #[error("KMS key {id} is no signing key of ECC_NIST_P256 or ECC_NIST_P384")]
    KmsKind {
        /// Id, alias or ARN.
        id: String,
    },
    /// A PKCS#11 URI does not say what is needed.
    #[error("the PKCS#11 URI of the signing key cannot be used: {reason}")]
    Pkcs11Uri {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A security module does not do what it is asked for.
    #[error("the security module did not {act}")]
    Pkcs11 {
        /// What was asked for.
        act: &'static str,
        /// What its library said.
        source: Cause,
    },
    /// It is not in the security module, or more than once.
    #[error("there is not exactly one {what} {label} in the security module")]
    Pkcs11Missing {
        /// What was looked for.
        what: &'static str,
        /// Its label.
        label: String,
    },
    /// What was answered is no signature of the key.
    #[error("the signature that was made does not verify")]
    Wrong,
    /// The system gives no random bytes.
    #[error("no signature was made: the system gives no random bytes")]
    Random,
    /// The runtime was shut down below the operation.
    #[error("the program is stopping")]
    Stopped,
}

impl SignerError {
    /// What the user can do about it.
    pub fn remedy(&self) -> Option<String> {
        let fixed = match self {
            Self::File(error) => return error.remedy(),
            Self::Form { .. } => {
                "a signing key is PKCS#8 in PEM, not encrypted, ECDSA on P-256 or P-384: `strongroom key new --signing -o FILE` \
                 makes one, `openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW` converts one"
            }
            Self::NotBuiltIn { feature, .. } => return Some(format!("build it with --features {feature}")),
            Self::Kms { action, .. } => {
                return Some(format!("check id, region and credentials, and allow {action} on the key to this role"));
            }
            Self::KmsKind { .. } => "make one: aws kms create-key --key-usage SIGN_VERIFY --key-spec ECC_NIST_P256",
            Self::Pkcs11Uri { .. } => {
                "write pkcs11:token=LABEL;object=LABEL?module-path=LIBRARY&pin-source=FILE (RFC 7512), the file of mode 0600"
            }
            Self::Pkcs11 { .. } => "check the library, the PIN and the module's own configuration",
            Self::Pkcs11Missing { .. } => {
                "look with `pkcs11-tool --list-objects`; the key is an EC pair with that label"
            }
            Self::Source | Self::Wrong | Self::Random | Self::Stopped => return None,
        };
        Some(fixed.to_owned())
    }
}
