//! Whose word counts in a registry, and who signs what is written to it.

use std::sync::Arc;

use super::statement::Entry;
use super::{RegistryError, layout, timestamp};
use crate::bundle::Files;
use crate::signed::{Envelope, ModelStatement, Role, SignatureError, Signer as Signed, Trust, is_signature_file};
use crate::signer::{self, Signer};

/// Who is trusted, who signs, and the entry before which no alias may point. By default anybody, nobody, and any.
#[derive(Debug, Clone, Default)]
pub struct Authority {
    /// Without a policy nothing is verified, and users are told.
    pub trust: Option<Arc<Trust>>,
    /// All of them sign each entry that is written; none of them: it is unsigned.
    pub signers: Arc<Vec<Signer>>,
    /// An alias whose newest entry has a smaller index was rolled back behind our back.
    pub min_index: u64,
}

impl Authority {
    /// The bytes of a log entry that says `statement`.
    pub(super) async fn signed(&self, statement: Vec<u8>) -> Result<Vec<u8>, RegistryError> {
        match self.signers.is_empty() {
            true => Ok(statement),
            false => Ok(signer::sign(&statement, &self.signers).await?),
        }
    }

    /// Refuses, before anything is done for it, to write what would not count: no key signs, or none that is trusted.
    pub(super) fn check_writer(&self) -> Result<(), RegistryError> {
        let Some(trust) = &self.trust else { return Ok(()) };
        let object = || "the log entry that was to be written".to_owned();
        if self.signers.is_empty() {
            return Err(RegistryError::Unsigned { object: object() });
        }
        let keys: Vec<_> = self.signers.iter().map(Signer::public_key).collect();
        let checked = trust.check_keys(Role::Publisher, &keys, &timestamp::now());
        checked.map_err(|source| RegistryError::NotTrusted { object: object(), source })
    }

    /// Who signed an entry, as far as they are trusted with it; nobody where nothing is verified.
    pub(super) fn publishers<E>(&self, entry: &Entry<E>) -> Result<Vec<Signed>, RegistryError> {
        let Some(trust) = &self.trust else { return Ok(Vec::new()) };
        let object = layout::log_entry(entry.index);
        if !entry.signed {
            return Err(RegistryError::Unsigned { object });
        }
        let checked =
            Envelope::read(&entry.bytes).and_then(|envelope| trust.check(Role::Publisher, &[envelope], &entry.created));
        checked.map_err(|source| RegistryError::NotTrusted { object, source })
    }

    /// Whether an entry counts.
    pub(super) fn accepts<E>(&self, entry: &Entry<E>) -> bool {
        self.publishers(entry).is_ok()
    }

    /// Who signed a model, as far as they are trusted with it: `digests` are those of all its files, by path, and `at` is
    /// when the version was registered.
    pub(super) fn authors<'a>(
        &self,
        model: &str,
        files: &Files,
        digests: impl Iterator<Item = (&'a str, &'a str)> + Clone,
        at: &str,
    ) -> Result<Vec<Signed>, RegistryError> {
        let Some(trust) = self.trust.as_deref().filter(|trust| trust.asks_for_authors()) else { return Ok(Vec::new()) };
        let refused = |source| RegistryError::NotTrusted { object: model.to_owned(), source };
        let signatures = files.iter().filter(|(path, _)| is_signature_file(path)).map(|(_, bytes)| bytes);
        let envelopes = signatures.map(|bytes| over(bytes, digests.clone())).collect::<Result<Vec<_>, _>>();
        match envelopes.map_err(refused)? {
            none if none.is_empty() => {
                Err(RegistryError::Unsigned { object: format!("{model} (it has no model.sig)") })
            }
            envelopes => trust.check(Role::Author, &envelopes, at).map_err(refused),
        }
    }
}

/// A signature over exactly these files, by whomever.
fn over<'a>(bytes: &[u8], digests: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Envelope, SignatureError> {
    let envelope = Envelope::read(bytes)?;
    ModelStatement::read(envelope.payload())?.check(digests)?;
    Ok(envelope)
}
