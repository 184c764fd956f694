//! Encrypted data keys of the raw AES keyring (`framework/raw-aes-keyring.md`).

use ring::aead::{Aad, NONCE_LEN, Nonce};
use ring::error::Unspecified;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::derive::gcm_key;
use super::error::{OpenError, SealError};
use super::fields::Fields;
use super::key::{KeyName, SealingKey};

/// This provider id means AWS KMS to every AWS Encryption SDK.
const KMS_NAMESPACE: &str = "aws-kms";
/// What follows the key name in the provider info: tag length in bits, IV length in bytes (and then the IV).
const TAIL: [u8; 8] = [0, 0, 0, 128, 0, 0, 0, 12];
const TAIL_LEN: usize = TAIL.len() + NONCE_LEN;
/// A 32-byte data key and its tag.
const SEALED_LEN: usize = 48;

/// One wrapped data key, of the raw AES keyring or of somebody else's.
#[derive(Debug, Clone)]
pub(super) struct Edk {
    provider: String,
    provider_info: Vec<u8>,
    sealed: Vec<u8>,
}

impl Edk {
    /// Wraps `data_key` with a fresh nonce.
    pub(super) fn wrap(
        data_key: &[u8; 32],
        key: &SealingKey,
        name: &KeyName,
        context: &[u8],
    ) -> Result<Self, SealError> {
        check_namespace(name).map_err(|()| SealError::ReservedNamespace)?;
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SealError::Random)?;
        let mut secret = Zeroizing::new(*data_key);
        let tag = gcm_key(key.expose())?.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(context),
            secret.as_mut(),
        )?;
        let provider_info = [name.name.as_bytes(), &TAIL, &nonce].concat();
        Ok(Self { provider: name.namespace.clone(), provider_info, sealed: [secret.as_ref(), tag.as_ref()].concat() })
    }

    /// The data key, where `key` under `context` (serialized) is what it was wrapped with.
    pub(super) fn unwrap(&self, key: &SealingKey, context: &[u8]) -> Result<Zeroizing<[u8; 32]>, Unspecified> {
        let nonce = self.provider_info.last_chunk::<NONCE_LEN>().ok_or(Unspecified)?;
        let mut secret = Zeroizing::new([0; SEALED_LEN]);
        secret.copy_from_slice(self.sealed.get(..SEALED_LEN).ok_or(Unspecified)?);
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = gcm_key(key.expose())?.open_in_place(nonce, Aad::from(context), secret.as_mut())?;
        let mut data_key = Zeroizing::new([0; 32]);
        data_key.copy_from_slice(opened);
        Ok(data_key)
    }

    /// The key's name; `None` where this is no data key of the raw AES keyring.
    pub(super) fn key_name(&self) -> Option<KeyName> {
        let (name, tail) = self.provider_info.split_at_checked(self.provider_info.len().checked_sub(TAIL_LEN)?)?;
        let ours = tail.starts_with(&TAIL) && self.sealed.len() == SEALED_LEN && self.provider != KMS_NAMESPACE;
        let name = str::from_utf8(name).ok().filter(|_| ours)?;
        Some(KeyName { namespace: self.provider.clone(), name: name.to_owned() })
    }

    pub(super) fn provider(&self) -> &str {
        &self.provider
    }

    pub(super) fn parse(fields: &mut Fields<'_>) -> Result<Self, OpenError> {
        let provider = String::from_utf8(fields.sized()?.to_vec()).map_err(|_| OpenError::KeyMalformed)?;
        Ok(Self { provider, provider_info: fields.sized()?.to_vec(), sealed: fields.sized()?.to_vec() })
    }

    /// # Errors
    /// A field is longer than its 16-bit length can say.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<(), SealError> {
        for field in [self.provider.as_bytes(), &self.provider_info, &self.sealed] {
            let len = u16::try_from(field.len()).map_err(|_| SealError::NameTooLong)?;
            out.extend_from_slice(&len.to_be_bytes());
            out.extend_from_slice(field);
        }
        Ok(())
    }
}

/// Refuses the namespace that every AWS tool would look up in KMS.
pub(super) fn check_namespace(name: &KeyName) -> Result<(), ()> {
    if name.namespace == KMS_NAMESPACE { Err(()) } else { Ok(()) }
}
