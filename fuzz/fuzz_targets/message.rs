//! Of all messages that can be made from an authentic one without its key, only itself opens.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom::sealed::{EncryptionContext, Header, KeyName, OpenError, SealingKey};

#[path = "../../src"]
mod strongroom {
    #[allow(dead_code, unused_imports, reason = "this target uses a part of it")]
    pub mod sealed;
}

const AUTHENTIC: &[u8] = include_bytes!("../../tests/vectors/esdk/sdk-many-frames.bin");

fuzz_target!(|bytes: &[u8]| {
    let Some((mode, rest)) = bytes.split_first() else { return };
    let sealed = match mode % 4 {
        0 => rest.to_vec(),
        1 => edited(rest),
        2 => [&AUTHENTIC[..header_len()], rest].concat(),
        _ => shuffled(rest),
    };
    let opened = open(&sealed);
    // Whole inputs may be other vectors of this key, from a seeded corpus: those need only not panic.
    if let (Ok(plain), true) = (opened, mode % 4 != 0) {
        assert!(sealed == AUTHENTIC, "opened what nobody sealed");
        assert_eq!(plain, [b'B'; 300]);
    }
});

/// Two bytes of place and one of content, again and again; then perhaps a cut.
fn edited(edits: &[u8]) -> Vec<u8> {
    let mut sealed = AUTHENTIC.to_vec();
    for edit in edits.chunks(3) {
        match *edit {
            [high, low, byte] => {
                let place = usize::from(u16::from_be_bytes([high, low])) % sealed.len();
                sealed[place] = byte;
            }
            [high, low] => sealed.truncate(usize::from(u16::from_be_bytes([high, low]))),
            _ => sealed.extend_from_slice(edit),
        }
        if sealed.is_empty() {
            break;
        }
    }
    sealed
}

/// Its frames in the order that the bytes name.
fn shuffled(order: &[u8]) -> Vec<u8> {
    let (header, body) = AUTHENTIC.split_at(header_len());
    let frames: Vec<_> = body.chunks(128 + 32).collect();
    let chosen = order.iter().take(16).map(|number| frames[usize::from(*number) % frames.len()]);
    [header].into_iter().chain(chosen).collect::<Vec<_>>().concat()
}

fn header_len() -> usize {
    Header::parse(AUTHENTIC).expect("a vector that opens").header_len()
}

fn open(sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
    let name = KeyName { namespace: "ns".to_owned(), name: "k1".to_owned() };
    let key = SealingKey::from_bytes(&std::array::from_fn(|place| place as u8));
    let len = sealed.len() as u64;
    let opening = Header::parse(sealed)?.authenticate(&name, &key, len, &EncryptionContext::new())?;
    let mut plain = vec![0; usize::try_from(opening.plaintext_len()).expect("no longer than what was sealed")];
    opening.open_all(&sealed, &mut plain, 1)?;
    Ok(plain)
}
