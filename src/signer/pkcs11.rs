//! A signing key of a security module, by the module's own PKCS#11 library: it signs digests that we make, and never leaves.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use percent_encoding::percent_decode_str;
use ring::digest::{SHA256, SHA384, digest};

use super::{SignerError, blocking};
use crate::secret_file;
use crate::signed::{Curve, PublicKey};

/// A PIN is never longer, in bytes.
const MAX_PIN_LEN: usize = 1_024;
/// Object identifiers in DER, as `CKA_EC_PARAMS` has them.
const CURVES: [(Curve, &[u8]); 2] = [
    (Curve::P256, &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]),
    (Curve::P384, &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22]),
];

/// One key, in a session that is logged in. A session is one caller's at a time.
pub(super) struct Key {
    session: Arc<Mutex<Session>>,
    private: ObjectHandle,
    public: PublicKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("public", &self.public.fingerprint()).finish_non_exhaustive()
    }
}

/// What a PKCS#11 URI (RFC 7512) says of it.
struct Place {
    module: PathBuf,
    token: String,
    object: String,
    pin: PathBuf,
}

impl Key {
    pub(super) async fn open(uri: &str) -> Result<Self, SignerError> {
        let uri = uri.to_owned();
        blocking(move || {
            let place = Place::read(&uri)?;
            find(&place)
        })
        .await
    }

    pub(super) fn public_key(&self) -> &PublicKey {
        &self.public
    }

    pub(super) async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        let digest = match self.public.curve() {
            Curve::P256 => digest(&SHA256, message),
            Curve::P384 => digest(&SHA384, message),
        };
        let (session, private) = (Arc::clone(&self.session), self.private);
        blocking(move || {
            let session = session.lock().unwrap_or_else(PoisonError::into_inner);
            let signature = session.sign(&Mechanism::Ecdsa, private, digest.as_ref());
            der(&signature.map_err(|source| failed("sign", source))?).ok_or(SignerError::Wrong)
        })
        .await
    }
}

impl Place {
    fn read(uri: &str) -> Result<Self, SignerError> {
        let wrong = |reason| SignerError::Pkcs11Uri { reason };
        let parsed = pk11_uri_parser::parse(uri).map_err(|_| wrong("it is no PKCS#11 URI"))?;
        if parsed.pin_value().is_some() {
            return Err(wrong("a PIN in an argument is everybody's to read: name its file by pin-source"));
        }
        let part = |value: Option<&str>, missing| {
            let value = value.filter(|value| !value.is_empty()).ok_or(wrong(missing))?;
            let decoded = percent_decode_str(value).decode_utf8();
            decoded.map(|text| text.into_owned()).map_err(|_| wrong("a part of it is not UTF-8"))
        };
        let pin = part(parsed.pin_source(), "pin-source is missing: the file with the PIN")?;
        Ok(Self {
            module: part(parsed.module_path(), "module-path is missing: the module's library")?.into(),
            token: part(parsed.token(), "token is missing: its label")?,
            object: part(parsed.object(), "object is missing: the key's label")?,
            pin: pin.strip_prefix("file:").unwrap_or(&pin).into(),
        })
    }
}

fn find(place: &Place) -> Result<Key, SignerError> {
    let pin = secret_file::read(&place.pin, MAX_PIN_LEN)?;
    let pin = std::str::from_utf8(&pin).map_err(|_| SignerError::Pkcs11Uri { reason: "the PIN is not UTF-8" })?;
    let pin = AuthPin::new(pin.trim_end_matches(['\r', '\n']).into());
    let context = Pkcs11::new(&place.module).map_err(|source| failed("load the module", source))?;
    let threads = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
    context.initialize(threads).map_err(|source| failed("start the module", source))?;
    let look = |source| failed("look for the token", source);
    let mut slot = None;
    for candidate in context.get_slots_with_token().map_err(look)? {
        // Padded to its full length.
        if context.get_token_info(candidate).map_err(look)?.label().trim_end() == place.token {
            slot = Some(candidate);
        }
    }
    let missing = |what| SignerError::Pkcs11Missing { what, label: String::new() };
    let slot = slot.ok_or_else(|| SignerError::Pkcs11Missing { what: "token", label: place.token.clone() })?;
    let session = context.open_ro_session(slot).map_err(|source| failed("open a session", source))?;
    session.login(UserType::User, Some(&pin)).map_err(|source| failed("log in", source))?;
    let only = |class, what| {
        let template =
            [Attribute::Class(class), Attribute::KeyType(KeyType::EC), Attribute::Label(place.object.clone().into())];
        let found = session.find_objects(&template).map_err(|source| failed("look for the key", source))?;
        match found[..] {
            [one] => Ok(one),
            _ => Err(SignerError::Pkcs11Missing { what, label: place.object.clone() }),
        }
    };
    let private = only(ObjectClass::PRIVATE_KEY, "private EC key")?;
    let public = only(ObjectClass::PUBLIC_KEY, "public EC key")?;
    let wanted = [AttributeType::EcParams, AttributeType::EcPoint];
    let attributes = session.get_attributes(public, &wanted).map_err(|source| failed("read the public key", source))?;
    let public = public_key(&attributes).ok_or_else(|| missing("key of P-256 or P-384"))?;
    Ok(Key { session: Arc::new(Mutex::new(session)), private, public })
}

fn public_key(attributes: &[Attribute]) -> Option<PublicKey> {
    let (mut curve, mut point) = (None, None);
    for attribute in attributes {
        match attribute {
            Attribute::EcParams(id) => curve = CURVES.iter().find(|(_, known)| known == id).map(|(curve, _)| *curve),
            // An OCTET STRING of the point, by the standard; shorter than 128 bytes.
            Attribute::EcPoint(bytes) => point = bytes.strip_prefix(&[0x04]).and_then(|rest| rest.split_first()),
            _ => {}
        }
    }
    let (len, point) = point?;
    (usize::from(*len) == point.len()).then(|| PublicKey::from_point(curve?, point)).flatten()
}

/// Two numbers side by side, as PKCS#11 has them, as a `SEQUENCE` of two `INTEGER`s.
fn der(raw: &[u8]) -> Option<Vec<u8>> {
    // No longer than those of P-384, so that each length is one byte.
    if raw.len() > 96 || !raw.len().is_multiple_of(2) {
        return None;
    }
    let (r, s) = raw.split_at(raw.len() / 2);
    let numbers: Vec<u8> = [r, s].into_iter().flat_map(integer).collect();
    Some([&[0x30, u8::try_from(numbers.len()).ok()?], &numbers[..]].concat())
}

fn integer(number: &[u8]) -> Vec<u8> {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    let digits = &number[start..];
    // The sign: what begins with a set bit would be negative, and nothing at all would be no number.
    let sign: &[u8] = if digits.first().is_none_or(|byte| byte & 0x80 != 0) { &[0] } else { &[] };
    // Short enough for one byte: see `der`.
    let len = (sign.len() + digits.len()) as u8;
    [&[0x02, len], sign, digits].concat()
}

fn failed(act: &'static str, source: cryptoki::error::Error) -> SignerError {
    SignerError::Pkcs11 { act, source: source.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_without_leading_zeros_and_never_negative() {
        assert_eq!(integer(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0, 0]), [2, 1, 0]);
        let whole = der(&[&[0xff; 48][..], &[0x7f; 48]].concat()).unwrap();
        assert_eq!((whole[..4].to_vec(), whole.len()), (vec![0x30, 101, 2, 49], 103));
        assert!(der(&[0; 3]).is_none() && der(&[0; 98]).is_none());
    }

    #[test]
    fn a_uri_names_everything_and_no_pin() {
        let whole = "pkcs11:token=my%20token;object=publisher?module-path=/lib/m.so&pin-source=file:/run/pin";
        let place = Place::read(whole).unwrap();
        assert_eq!((place.token.as_str(), place.pin.to_str()), ("my token", Some("/run/pin")));
        for (uri, said) in [
            ("pkcs11:object=p?module-path=/m&pin-source=/p", "token"),
            ("pkcs11:token=t?module-path=/m&pin-source=/p", "object"),
            ("pkcs11:token=t;object=p?pin-source=/p", "module-path"),
            ("pkcs11:token=t;object=p?module-path=/m", "pin-source"),
            ("pkcs11:token=t;object=p?module-path=/m&pin-value=1234", "pin-source"),
        ] {
            let error = Place::read(uri).err().unwrap().to_string();
            assert!(error.contains(said) && !error.contains("1234"), "{error}");
        }
    }
}
