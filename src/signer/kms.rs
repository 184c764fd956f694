//! A signing key of AWS KMS: it signs digests that we make, and never leaves.

use aws_config::{Region, SdkConfig};
use aws_sdk_kms::Client;
use aws_sdk_kms::config::Builder;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeyUsageType, MessageType, SigningAlgorithmSpec};
use ring::digest::{SHA256, SHA384, digest};

use super::SignerError;
use crate::signed::{Curve, PublicKey};

/// One key, whose public half was fetched.
#[derive(Debug)]
pub(super) struct Key {
    client: Client,
    id: String,
    public: PublicKey,
}

impl Key {
    pub(super) async fn open(id: &str, aws: &SdkConfig) -> Result<Self, SignerError> {
        let region = region_of(id).or_else(|| aws.region().cloned());
        let client = Client::from_conf(Builder::from(aws).region(region).build());
        let failed = |source| SignerError::Kms {
            id: id.to_owned(),
            act: "verify signatures with",
            action: "kms:GetPublicKey",
            source,
        };
        let answer = client.get_public_key().key_id(id).send().await.map_err(|error| failed(error.into()))?;
        let signs = answer.key_usage == Some(KeyUsageType::SignVerify);
        let public = answer.public_key.filter(|_| signs).and_then(|der| PublicKey::from_der(der.as_ref()).ok());
        let public = public.ok_or_else(|| SignerError::KmsKind { id: id.to_owned() })?;
        Ok(Self { client, id: id.to_owned(), public })
    }

    pub(super) fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// A digest is sent: KMS takes whole messages of 4,096 bytes at most.
    pub(super) async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        let (algorithm, digest) = match self.public.curve() {
            Curve::P256 => (SigningAlgorithmSpec::EcdsaSha256, digest(&SHA256, message)),
            Curve::P384 => (SigningAlgorithmSpec::EcdsaSha384, digest(&SHA384, message)),
        };
        let request = self.client.sign().key_id(&self.id).message_type(MessageType::Digest);
        let answer = request.message(Blob::new(digest.as_ref())).signing_algorithm(algorithm).send().await;
        let failed = |source| SignerError::Kms { id: self.id.clone(), act: "sign", action: "kms:Sign", source };
        let answer = answer.map_err(|error| failed(error.into()))?;
        answer.signature.map(Blob::into_inner).ok_or(SignerError::Wrong)
    }
}

/// An ARN says the region of its key: `arn:PARTITION:kms:REGION:...`.
fn region_of(id: &str) -> Option<Region> {
    id.strip_prefix("arn:")?.split(':').nth(2).map(|region| Region::new(region.to_owned()))
}
