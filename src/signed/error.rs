//! Why a signature does not count.

use super::public_key::PublicKeyError;

/// Why what is signed is refused. Names the part that is wrong; the caller names the file or object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Longer than any bundle.
    #[error("the signature is {len} bytes long; at most {limit} are allowed")]
    TooLong {
        /// In bytes.
        len: usize,
        /// In bytes.
        limit: usize,
    },
    /// No sigstore bundle with a DSSE envelope in it.
    #[error("it is no signature bundle: {reason}")]
    NotABundle {
        /// What is wrong with it.
        reason: String,
    },
    /// A bundle that others may verify.
    #[error("it is signed with {what}, expected a key")]
    Unsupported {
        /// How it is signed.
        what: &'static str,
    },
    /// The statement is no model's.
    #[error("the signed statement is none of OpenSSF Model Signing v1.0: {reason}")]
    NotOfAModel {
        /// What is wrong with it.
        reason: String,
    },
    /// No key that is trusted made any of its signatures.
    #[error("none of its signatures is one of a trusted key over what it holds{}", named_key(.hint.as_deref()))]
    NotTrusted {
        /// The fingerprint of the key that it names.
        hint: Option<String>,
    },
    /// The key it names is not the one that signed.
    #[error("it names the key {hint}, but the key {found} signed it")]
    OtherKey {
        /// As it says.
        hint: String,
        /// Of the key that verifies it.
        found: String,
    },
    /// Whoever signed is trusted with something else.
    #[error("{signer} signed it, who is not trusted as {role}")]
    NotInRole {
        /// As the trust policy calls them.
        signer: String,
        /// What was to be signed for.
        role: super::Role,
    },
    /// The key was not trusted yet, or not any longer.
    #[error("{signer}'s key {fingerprint} signed it at {at}; it is trusted {window}")]
    NotAtThatTime {
        /// As the trust policy calls them.
        signer: String,
        /// Of the key.
        fingerprint: String,
        /// When it counts as signed.
        at: String,
        /// From when to when it is trusted.
        window: String,
    },
    /// Too few agree.
    #[error("{} signed it; the trust policy asks for {needed} {role}s", .found.join(", "))]
    TooFew {
        /// Who signed it.
        found: Vec<String>,
        /// How many have to.
        needed: usize,
        /// What was to be signed for.
        role: super::Role,
    },
    /// A file that nobody signed.
    #[error("{path} is not signed")]
    Unlisted {
        /// Of the file, below the model's directory.
        path: String,
    },
    /// A signed file is gone.
    #[error("{path} is signed, but missing")]
    Missing {
        /// Of the file, below the model's directory.
        path: String,
    },
    /// A signed file is another.
    #[error("{path} has the digest {found}; signed is {signed}")]
    Altered {
        /// Of the file, below the model's directory.
        path: String,
        /// Hex SHA-256 of what is there.
        found: String,
        /// Hex SHA-256 of what was signed.
        signed: String,
    },
}

fn named_key(hint: Option<&str>) -> String {
    hint.map(|hint| format!("; it names the key {}", hint.chars().take(64).collect::<String>())).unwrap_or_default()
}

impl SignatureError {
    /// What the user can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::TooLong { .. } | Self::NotABundle { .. } | Self::NotOfAModel { .. } => {
                "sign the directory again: strongroom sign DIR --signing-key KEY"
            }
            Self::Unsupported { .. } => "sign it with an ECDSA key: strongroom sign DIR --signing-key KEY",
            Self::NotTrusted { .. } | Self::OtherKey { .. } | Self::NotInRole { .. } => {
                "have a trusted key sign it, or add the signer's public key to the trust policy (STRONGROOM_TRUST)"
            }
            Self::NotAtThatTime { .. } => {
                "have a key sign it that is trusted now, or extend the key's time in the trust policy"
            }
            Self::TooFew { .. } => "have more of them sign it: strongroom sign takes --signing-key more than once",
            Self::Unlisted { .. } | Self::Missing { .. } | Self::Altered { .. } => {
                "restore what was signed, or, if the change is meant, sign the directory again: strongroom sign DIR"
            }
        }
    }
}

/// Why a text is no trust policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Longer than any policy.
    #[error("the trust policy is {len} bytes long; at most {limit} are allowed")]
    TooLong {
        /// In bytes.
        len: usize,
        /// In bytes.
        limit: usize,
    },
    /// No JSON, a field that is missing or unknown.
    #[error("it is no trust policy: {reason}")]
    Form {
        /// What is wrong with it.
        reason: String,
    },
    /// A signer's key is none.
    #[error("the trust policy's key {number} of {signer} is refused")]
    Key {
        /// Whose.
        signer: String,
        /// Which of theirs, from 1.
        number: usize,
        /// Why.
        source: PublicKeyError,
    },
    /// What it says contradicts itself.
    #[error("the trust policy contradicts itself: {reason}")]
    Contradiction {
        /// Where.
        reason: String,
    },
}
