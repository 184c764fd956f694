//! A signed statement: DSSE (<https://github.com/secure-systems-lab/dsse>) in a sigstore bundle.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{PublicKey, SignatureError};

/// A bundle is at most this long, in bytes: room for a statement of 1,000 of the longest paths.
pub const MAX_ENVELOPE_LEN: usize = 1 << 20;
/// More signatures of one statement are not verified.
const MAX_SIGNATURES: usize = 16;
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// What every version of the media type begins with.
const ANY_MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle";
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A statement and signatures over it, none of which was verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    payload: Vec<u8>,
    /// In DER.
    signatures: Vec<Vec<u8>>,
    /// The fingerprint of the key that is said to have made the first one.
    hint: Option<String>,
}

/// One signature that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Whose.
    pub key: PublicKey,
    /// In DER.
    pub der: Vec<u8>,
}

/// What a signature of a statement is over: DSSE's pre-authentication encoding.
pub fn signed_bytes(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

impl Envelope {
    /// Reads a bundle strictly.
    ///
    /// # Errors
    /// [`SignatureError::TooLong`], [`SignatureError::NotABundle`], [`SignatureError::Unsupported`].
    pub fn read(bytes: &[u8]) -> Result<Self, SignatureError> {
        if bytes.len() > MAX_ENVELOPE_LEN {
            return Err(SignatureError::TooLong { len: bytes.len(), limit: MAX_ENVELOPE_LEN });
        }
        let bundle: Bundle = serde_json::from_slice(bytes).map_err(|error| not_a_bundle(&error.to_string()))?;
        if !bundle.media_type.starts_with(ANY_MEDIA_TYPE) {
            return Err(not_a_bundle("its mediaType is not the one of a sigstore bundle"));
        }
        let hint = bundle.verification_material.hint()?;
        let Dsse { payload, payload_type, signatures } = bundle.dsse_envelope;
        if payload_type != PAYLOAD_TYPE {
            return Err(not_a_bundle("its payloadType is not the one of an in-toto statement"));
        }
        if signatures.is_empty() || signatures.len() > MAX_SIGNATURES {
            let count = signatures.len();
            return Err(not_a_bundle(&format!("it has {count} signatures, expected 1 to {MAX_SIGNATURES}")));
        }
        let decoded = |what: &str, text: &str| {
            STANDARD.decode(text).map_err(|_| not_a_bundle(&format!("its {what} is not in base64")))
        };
        let payload = decoded("payload", &payload)?;
        let signatures = signatures.iter().map(|one| decoded("signature", &one.sig)).collect::<Result<_, _>>()?;
        Ok(Self { payload, signatures, hint })
    }

    /// The bundle of `signatures`, of which there is at least one, over `payload`.
    pub fn write(payload: &[u8], signatures: &[Signature]) -> Vec<u8> {
        let hint = signatures.first().map(|one| one.key.fingerprint());
        written(payload, signatures.iter().map(|one| &one.der), hint)
    }

    /// Whether `bytes`, which it was read from, are what [`Self::write`] would have written: then none of them can be
    /// another and mean the same.
    pub fn is_as_written(&self, bytes: &[u8]) -> bool {
        written(&self.payload, self.signatures.iter(), self.hint.clone()) == bytes
    }

    /// The statement. Whoever reads it before [`super::Trust::check`] reads what anybody may have written.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The fingerprint of the key that is said to have signed it.
    pub(super) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Those of `keys` that made one of its signatures.
    pub(super) fn signed_by<'k, T>(&self, keys: impl Iterator<Item = (&'k PublicKey, T)>) -> Vec<(&'k PublicKey, T)> {
        let message = signed_bytes(&self.payload);
        let verifies = |key: &PublicKey| self.signatures.iter().any(|signature| key.verifies(&message, signature));
        keys.filter(|(key, _)| verifies(key)).collect()
    }
}

fn written<'a>(payload: &[u8], signatures: impl Iterator<Item = &'a Vec<u8>>, hint: Option<String>) -> Vec<u8> {
    let lines = signatures.map(|der| Line { sig: STANDARD.encode(der), keyid: Some(String::new()) });
    let bundle = Bundle {
        media_type: MEDIA_TYPE.to_owned(),
        verification_material: Material {
            public_key: Some(KeyHint { hint, raw_bytes: None }),
            tlog_entries: Some(Vec::new()),
            ..Material::default()
        },
        dsse_envelope: Dsse {
            payload: STANDARD.encode(payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: lines.collect(),
        },
    };
    // Nothing in it can fail to be written as JSON.
    serde_json::to_vec(&bundle).unwrap_or_default()
}

fn not_a_bundle(reason: &str) -> SignatureError {
    SignatureError::NotABundle { reason: reason.chars().take(200).collect() }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Bundle {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Dsse,
}

/// How a bundle is signed. What belongs to other ways is told apart, and read no further.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Material {
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<KeyHint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x509_certificate_chain: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tlog_entries: Option<Vec<serde_json::Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp_verification_data: Option<serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeyHint {
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// The key itself, as bundles had it once.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_bytes: Option<String>,
}

impl Material {
    fn hint(self) -> Result<Option<String>, SignatureError> {
        match self {
            Self {
                public_key: Some(KeyHint { hint, .. }), x509_certificate_chain: None, certificate: None, ..
            } => Ok(hint),
            Self { public_key: None, x509_certificate_chain: Some(_), certificate: None, .. } => {
                Err(SignatureError::Unsupported { what: "a certificate" })
            }
            Self { public_key: None, x509_certificate_chain: None, certificate: Some(_), .. } => {
                Err(SignatureError::Unsupported { what: "sigstore's short-lived certificates" })
            }
            _ => Err(not_a_bundle("it does not say how it is signed, or says it twice")),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Dsse {
    payload: String,
    payload_type: String,
    signatures: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    sig: String,
    #[serde(default)]
    keyid: Option<String>,
}
