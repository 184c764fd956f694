//! Who says so: signatures over models and over log entries, and who is trusted to make them. Pure: no I/O, no clock.
//!
//! What is signed is an in-toto statement in a DSSE envelope, kept as a sigstore bundle. A model's statement is the one of
//! OpenSSF Model Signing v1.0 (<https://github.com/ossf/model-signing-spec>), so other people's tools read and write it too.

mod envelope;
mod error;
mod model;
mod public_key;
mod trust;

pub use envelope::{Envelope, MAX_ENVELOPE_LEN, Signature, signed_bytes};
pub use error::{SignatureError, TrustError};
pub use model::{ModelStatement, is_signature_file};
pub use public_key::{Curve, PublicKey, PublicKeyError};
pub use trust::{Role, Signer, Trust, is_timestamp};
