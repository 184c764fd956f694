//! AWS Encryption SDK messages in tests: cases of test vectors, refusals by name, AWS's own tools.
#![allow(dead_code, reason = "each test crate uses its own part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Deserialize;
use strongroom::sealed::{EncryptionContext, Header, KeyName, OpenError, Sealer, SealingKey};

/// One entry of a `cases.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) file: String,
    pub(crate) provider_id: String,
    pub(crate) key_id: String,
    key: String,
    pub(crate) encryption_context: EncryptionContext,
    #[serde(default)]
    pub(crate) suite: Option<String>,
    #[serde(default)]
    pub(crate) cmm: Option<String>,
    pub(crate) expect: String,
    #[serde(default)]
    pub(crate) refusal: Option<String>,
    #[serde(default)]
    pub(crate) plaintext_len: u64,
    #[serde(default)]
    pub(crate) plaintext_sha256: String,
}

impl Case {
    pub(crate) fn read_all(directory: &Path) -> Vec<Self> {
        let path = directory.join("cases.json");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) fn key(&self) -> SealingKey {
        SealingKey::from_bytes(&BASE64_STANDARD.decode(&self.key).unwrap().try_into().unwrap())
    }

    pub(crate) fn key_name(&self) -> KeyName {
        key_name(&self.provider_id, &self.key_id)
    }
}

/// Opens a whole sealed file in memory.
pub(crate) fn open(
    sealed: &[u8],
    name: &KeyName,
    key: &SealingKey,
    required: &EncryptionContext,
) -> Result<Vec<u8>, OpenError> {
    let opening = Header::parse(sealed)?.authenticate(name, key, sealed.len() as u64, required)?;
    let mut plain = vec![0; usize::try_from(opening.plaintext_len()).unwrap()];
    opening.open_all(&sealed, &mut plain, 2)?;
    Ok(plain)
}

pub(crate) fn seal(
    plain: &[u8],
    key: &SealingKey,
    name: &KeyName,
    context: &EncryptionContext,
    frame_len: u32,
) -> Vec<u8> {
    let mut sealer = Sealer::with_frame_len(Vec::new(), key, name, context, frame_len).unwrap();
    std::io::Write::write_all(&mut sealer, plain).unwrap();
    sealer.finish().unwrap()
}

/// The error's variant: `FrameTag`.
pub(crate) fn refusal<T>(outcome: Result<T, OpenError>) -> String {
    match outcome {
        Ok(_) => "opened".to_owned(),
        Err(error) => format!("{error:?}").split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned(),
    }
}

pub(crate) fn key_name(namespace: &str, name: &str) -> KeyName {
    KeyName { namespace: namespace.to_owned(), name: name.to_owned() }
}

pub(crate) fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
}

/// Bytes that repeat in no frame length.
pub(crate) fn plaintext(len: usize) -> Vec<u8> {
    (0..len).map(|place| (place % 251) as u8 ^ (place / 251 % 256) as u8).collect()
}

/// A program of AWS's, set up by `make test`.
pub(crate) fn tool(path: &str) -> PathBuf {
    let tools = std::env::var_os("STRONGROOM_TEST_TOOLS").expect("run `make test`, which sets up the test tools");
    PathBuf::from(tools).join(path)
}

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
