//! Private keys that sign statements, by where they are kept: a file, AWS KMS, a security module.

mod error;
#[cfg(feature = "upkeep")]
mod file;
#[cfg(feature = "kms")]
mod kms;
#[cfg(feature = "pkcs11")]
mod pkcs11;
mod source;

#[cfg(feature = "upkeep")]
use std::path::Path;

use aws_config::SdkConfig;

use crate::signed::{Envelope, PublicKey, Signature, signed_bytes};

pub use error::{Cause, SignerError};
pub use source::SignerSource;

/// A key that signs.
#[derive(Debug)]
pub struct Signer(Backend);

#[derive(Debug)]
enum Backend {
    #[cfg(feature = "upkeep")]
    File(file::KeyFile),
    #[cfg(feature = "kms")]
    Kms(Box<kms::Key>),
    #[cfg(feature = "pkcs11")]
    Pkcs11(Box<pkcs11::Key>),
}

impl Signer {
    /// Reads a key file, or asks KMS for the public key. `aws` is not looked at for a file.
    ///
    /// # Errors
    /// The key is not there, is of another kind, or may not be used.
    pub async fn open(source: &SignerSource, aws: &SdkConfig) -> Result<Self, SignerError> {
        match source {
            #[cfg(feature = "upkeep")]
            SignerSource::File(path) => Ok(Self(Backend::File(file::KeyFile::open(path).await?))),
            #[cfg(not(feature = "upkeep"))]
            SignerSource::File(_) => {
                Err(SignerError::NotBuiltIn { what: "signing with a key file", feature: "upkeep" })
            }
            #[cfg(feature = "kms")]
            SignerSource::Kms(id) => Ok(Self(Backend::Kms(Box::new(kms::Key::open(id, aws).await?)))),
            #[cfg(not(feature = "kms"))]
            SignerSource::Kms(_) => {
                let _ = aws;
                Err(SignerError::NotBuiltIn { what: "AWS KMS", feature: "kms" })
            }
            #[cfg(feature = "pkcs11")]
            SignerSource::Pkcs11(uri) => Ok(Self(Backend::Pkcs11(Box::new(pkcs11::Key::open(uri).await?)))),
            #[cfg(not(feature = "pkcs11"))]
            SignerSource::Pkcs11(_) => Err(SignerError::NotBuiltIn { what: "security modules", feature: "pkcs11" }),
        }
    }

    /// What verifies its signatures.
    pub fn public_key(&self) -> &PublicKey {
        match self.0 {
            #[cfg(feature = "upkeep")]
            Backend::File(ref file) => file.public_key(),
            #[cfg(feature = "kms")]
            Backend::Kms(ref key) => key.public_key(),
            #[cfg(feature = "pkcs11")]
            Backend::Pkcs11(ref key) => key.public_key(),
        }
    }

    #[cfg_attr(
        not(any(feature = "kms", feature = "pkcs11", feature = "upkeep")),
        expect(unreachable_code, unused_variables, reason = "no key was built in that could sign")
    )]
    async fn sign(&self, message: &[u8]) -> Result<Signature, SignerError> {
        let der: Vec<u8> = match self.0 {
            #[cfg(feature = "upkeep")]
            Backend::File(ref file) => file.sign(message)?,
            #[cfg(feature = "kms")]
            Backend::Kms(ref key) => key.sign(message).await?,
            #[cfg(feature = "pkcs11")]
            Backend::Pkcs11(ref key) => key.sign(message).await?,
        };
        let key = self.public_key().clone();
        // What does not verify is told now, not by whoever is given it.
        match key.verifies(message, &der) {
            true => Ok(Signature { key, der }),
            false => Err(SignerError::Wrong),
        }
    }
}

/// The signature bundle of `statement` by all of `signers`, of which there is at least one.
///
/// # Errors
/// One of them does not sign.
pub async fn sign(statement: &[u8], signers: &[Signer]) -> Result<Vec<u8>, SignerError> {
    let message = signed_bytes(statement);
    let mut signatures = Vec::with_capacity(signers.len());
    for signer in signers {
        signatures.push(signer.sign(&message).await?);
    }
    Ok(Envelope::write(statement, &signatures))
}

/// Makes a new key of P-256 in the new file `path`, of mode 0600, and answers with its public key.
///
/// # Errors
/// There is something at `path` already (it is left as it is), or it cannot be written.
#[cfg(feature = "upkeep")]
pub async fn create(path: &Path) -> Result<PublicKey, SignerError> {
    file::create(path).await
}

/// Runs work of a file, or of a library, away from the threads that do I/O.
#[cfg(any(feature = "pkcs11", feature = "upkeep"))]
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SignerError> + Send + 'static,
) -> Result<T, SignerError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(SignerError::Stopped),
        },
    }
}
