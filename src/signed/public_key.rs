//! Public keys that verify: ECDSA on P-256 with SHA-256, and on P-384 with SHA-384.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::signature::{ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, UnparsedPublicKey, VerificationAlgorithm};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;

/// DER of a SubjectPublicKeyInfo (RFC 5480), up to the uncompressed point that ends it.
const P256_PREFIX: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const P384_PREFIX: &[u8] = &[
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00,
    0x22, 0x03, 0x62, 0x00,
];
/// What an uncompressed point begins with.
const UNCOMPRESSED: u8 = 4;
/// Characters of a line of PEM.
const LINE: usize = 64;

/// A curve, which says what is hashed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Curve {
    /// With SHA-256.
    P256,
    /// With SHA-384.
    P384,
}

impl Curve {
    const ALL: [Self; 2] = [Self::P256, Self::P384];

    fn prefix(self) -> &'static [u8] {
        match self {
            Self::P256 => P256_PREFIX,
            Self::P384 => P384_PREFIX,
        }
    }

    /// Of an uncompressed point, in bytes.
    fn point_len(self) -> usize {
        match self {
            Self::P256 => 65,
            Self::P384 => 97,
        }
    }

    fn algorithm(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_ASN1,
            Self::P384 => &ECDSA_P384_SHA384_ASN1,
        }
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
        })
    }
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey {
    curve: Curve,
    /// Uncompressed.
    point: Vec<u8>,
}

/// Why a text is no public key that verifies here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// No `-----BEGIN PUBLIC KEY-----`, or what follows is no base64.
    #[error("it is no public key in PEM")]
    NotPem,
    /// RSA, Ed25519, another curve, or a compressed point.
    #[error("it is no uncompressed ECDSA key on P-256 or P-384")]
    Kind,
}

impl PublicKey {
    /// Reads PEM, as OpenSSL prints it.
    ///
    /// # Errors
    /// It is no PEM, or of another kind.
    pub fn from_pem(text: &str) -> Result<Self, PublicKeyError> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).map_err(|_| PublicKeyError::NotPem)?;
        Self::from_der(&der)
    }

    /// Reads a SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// It is of another kind.
    pub fn from_der(der: &[u8]) -> Result<Self, PublicKeyError> {
        let of = |curve: Curve| Self::from_point(curve, der.strip_prefix(curve.prefix())?);
        Curve::ALL.into_iter().find_map(of).ok_or(PublicKeyError::Kind)
    }

    /// The key whose uncompressed point is `point`, if it has the length of one.
    pub fn from_point(curve: Curve, point: &[u8]) -> Option<Self> {
        let whole = point.len() == curve.point_len() && point.first() == Some(&UNCOMPRESSED);
        whole.then(|| Self { curve, point: point.to_vec() })
    }

    /// Its curve.
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// As OpenSSL prints it.
    pub fn pem(&self) -> String {
        let text = STANDARD.encode([self.curve.prefix(), &self.point].concat());
        let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, behind) = rest.split_at(rest.len().min(LINE));
            pem.push_str(line);
            pem.push('\n');
            rest = behind;
        }
        pem + "-----END PUBLIC KEY-----\n"
    }

    /// SHA-256 of [`Self::pem`] in hex: what OpenSSF Model Signing calls a key's hint.
    pub fn fingerprint(&self) -> String {
        hex::encode(digest(&SHA256, self.pem().as_bytes()))
    }

    /// Whether `signature`, in DER, is one of this key over `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(self.curve.algorithm(), &self.point).verify(message, signature).is_ok()
    }
}
