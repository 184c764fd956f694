//! A signing key in a file: PKCS#8 in PEM, as OpenSSL writes it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair,
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroizing;

use super::{SignerError, blocking};
use crate::secret_file;
use crate::signed::{Curve, PublicKey};

/// A key with everything around it is never longer, in bytes.
const MAX_LEN: usize = 16 * 1024;
const ALGORITHMS: [(Curve, &EcdsaSigningAlgorithm); 2] =
    [(Curve::P256, &ECDSA_P256_SHA256_ASN1_SIGNING), (Curve::P384, &ECDSA_P384_SHA384_ASN1_SIGNING)];

/// The one key of a file, read once.
pub(super) struct KeyFile {
    pair: Arc<EcdsaKeyPair>,
    public: PublicKey,
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile").field("public", &self.public.fingerprint()).finish_non_exhaustive()
    }
}

impl KeyFile {
    pub(super) async fn open(path: &Path) -> Result<Self, SignerError> {
        let path = path.to_owned();
        blocking(move || {
            let pem = secret_file::read(&path, MAX_LEN)?;
            parse(&pem).map_err(|reason| SignerError::Form { path, reason })
        })
        .await
    }

    pub(super) fn public_key(&self) -> &PublicKey {
        &self.public
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        let signature = self.pair.sign(&SystemRandom::new(), message).map_err(|_| SignerError::Random)?;
        Ok(signature.as_ref().to_vec())
    }
}

fn parse(pem: &[u8]) -> Result<KeyFile, &'static str> {
    if pem.len() > MAX_LEN {
        return Err("it is too long");
    }
    let has = |label: &str| memchr::memmem::find(pem, label.as_bytes()).is_some();
    if has("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
        return Err("it is encrypted");
    }
    if has("-----BEGIN EC PRIVATE KEY-----") {
        return Err("it is an EC PRIVATE KEY of SEC 1, not PKCS#8");
    }
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| "it is no private key in PEM")?;
    let pair = |(curve, algorithm): (Curve, &'static EcdsaSigningAlgorithm)| {
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, der.secret_pkcs8_der(), &SystemRandom::new()).ok()?;
        let public = PublicKey::from_point(curve, pair.public_key().as_ref())?;
        Some(KeyFile { pair: Arc::new(pair), public })
    };
    ALGORITHMS.into_iter().find_map(pair).ok_or("it is of another kind than ECDSA on P-256 or P-384")
}

/// Makes a key of P-256.
pub(super) async fn create(path: &Path) -> Result<PublicKey, SignerError> {
    let path = path.to_owned();
    blocking(move || {
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
        let made = made.map_err(|_| SignerError::Random)?;
        let body = Zeroizing::new(STANDARD.encode(made.as_ref()));
        let mut pem = Zeroizing::new(String::with_capacity(MAX_LEN));
        pem.push_str("-----BEGIN PRIVATE KEY-----\n");
        for line in body.as_bytes().chunks(64) {
            pem.extend(line.iter().map(|byte| char::from(*byte)));
            pem.push('\n');
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        let key = parse(pem.as_bytes()).map_err(|reason| SignerError::Form { path: path.clone(), reason })?;
        secret_file::create(&path, pem.as_bytes())?;
        Ok(key.public)
    })
    .await
}
