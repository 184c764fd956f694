//! Any bytes are parsed or refused, within the bounds, and what was parsed parses again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom::sealed::{Header, MAX_HEADER_LEN};

#[path = "../../src"]
mod strongroom {
    #[allow(dead_code, unused_imports, reason = "this target uses a part of it")]
    pub mod sealed;
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(header) = Header::parse(bytes) else { return };
    let len = header.header_len();
    assert!(len <= MAX_HEADER_LEN && len <= bytes.len());
    assert!(header.key_names().len() + header.foreign_providers().len() <= 8);
    let again = Header::parse(&bytes[..len]).expect("its own bytes are enough");
    assert_eq!((again.context(), again.key_names()), (header.context(), header.key_names()));
    assert!(Header::parse(&bytes[..len - 1]).is_err());
    for sealed_len in [0, len as u64, bytes.len() as u64, 1 << 40, u64::MAX] {
        if let Ok(layout) = header.layout(sealed_len) {
            assert!(layout.plaintext_len() < sealed_len);
        }
    }
});
