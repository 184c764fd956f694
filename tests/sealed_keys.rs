//! Keys, keyslots and digests.
#[path = "support/esdk.rs"]
mod esdk;

use esdk::{context, key_name, plaintext, refusal, seal};
use strongroom::sealed::digest::{Sha256, sha256_hex};
use strongroom::sealed::{FRAME_LEN, Header, KeyName, SealingKey, open_keyslot, seal_keyslot};

fn key() -> SealingKey {
    SealingKey::from_bytes(&[7; 32])
}

fn name() -> KeyName {
    key_name("strongroom/kek", "4a1e3f9c-7a53-4a36-9b51-2f6a4c1d0e77")
}

#[test]
fn a_keyslot_opens_to_its_key_for_its_artifact_only() {
    let artifact_key = SealingKey::generate().unwrap();
    let slot = seal_keyslot(&name(), &key(), "a1", &artifact_key).unwrap();
    assert_eq!(open_keyslot(&slot, &name(), &key(), "a1").unwrap().expose(), artifact_key.expose());
    assert_eq!(refusal(open_keyslot(&slot, &name(), &key(), "a2")), "ContextMismatch");
    assert_eq!(refusal(open_keyslot(&slot, &name(), &artifact_key, "a1")), "WrongKey");
}

#[test]
fn a_keyslot_takes_325_bytes_and_the_artifact_id_under_a_uuid_key_name() {
    let slot = seal_keyslot(&name(), &key(), "0123456789abcdef0123456789abcdef", &key()).unwrap();
    assert_eq!(slot.len(), 325 + 32);
    assert_eq!(Header::parse(&slot).unwrap().frame_len(), FRAME_LEN);
}

#[test]
fn a_keyslot_that_holds_no_key_is_refused() {
    let pairs = context(&[("artifact", "a1"), ("purpose", "artifact-key")]);
    for len in [0, 31, 33] {
        let slot = seal(&plaintext(len), &key(), &name(), &pairs, 1 << 20);
        assert_eq!(refusal(open_keyslot(&slot, &name(), &key(), "a1")), "KeyslotLen");
    }
}

#[test]
fn a_key_does_not_print_itself() {
    assert_eq!(format!("{:?}", key()), "SealingKey(..)");
}

#[test]
fn a_key_id_is_a_truncated_hmac() {
    // python3 -c 'import hmac;print(hmac.digest(bytes([7]*32),b"strongroom key id","sha256").hex()[:32])'
    assert_eq!(key().id(), KEY_ID);
}

const KEY_ID: &str = "494d41a335168c42ff0da4ff1cda0672";

#[test]
fn a_digest_in_pieces_is_the_digest_of_the_whole() {
    let mut digest = Sha256::new();
    digest.update(b"a");
    digest.update(b"bc");
    assert_eq!(digest.finish_hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
