//! Where a model comes from: training run, dataset, evaluation results, SLSA or in-toto statements. They stay where they are;
//! the log says their digests.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::reference::check_digest;
use crate::sealed::digest::sha256_hex;
use crate::signed::Envelope;

/// A version has at most so many.
pub(super) const MAX_PROVENANCE: usize = 32;
/// A name, and a kind, is at most this long, in bytes.
const MAX_TEXT: usize = 255;
/// The kind of what is no statement.
const FILE: &str = "file";

/// A document about a model, by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Its file's name.
    pub name: String,
    /// The predicate type of an in-toto statement, bare or in a DSSE envelope or a sigstore bundle; else `file`.
    pub kind: String,
    /// Hex SHA-256 of its bytes.
    pub sha256: String,
}

impl Provenance {
    /// Of the document in `bytes`, which lies at `path`.
    ///
    /// # Errors
    /// The file has no name that can stand in a log entry.
    pub fn of(path: &Path, bytes: &[u8]) -> Result<Self, String> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let kind = predicate_type(bytes).filter(|kind| check_text(kind).is_ok()).unwrap_or_else(|| FILE.to_owned());
        let provenance = Self { name, kind, sha256: sha256_hex(bytes) };
        check_text(&provenance.name)?;
        Ok(provenance)
    }
}

pub(super) fn check_provenance(documents: &[Provenance]) -> Result<(), String> {
    if documents.len() > MAX_PROVENANCE {
        return Err(format!("more than {MAX_PROVENANCE} documents of provenance"));
    }
    documents.iter().try_for_each(|document| {
        check_text(&document.name).and_then(|()| check_text(&document.kind))?;
        Ok(check_digest(&document.sha256)?)
    })
}

fn check_text(text: &str) -> Result<(), String> {
    match (1..=MAX_TEXT).contains(&text.len()) && !text.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(format!("a name in the provenance is not 1 to {MAX_TEXT} bytes of text")),
    }
}

/// Of a statement, or of what an envelope holds.
fn predicate_type(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Statement {
        #[serde(rename = "predicateType")]
        predicate_type: String,
    }
    #[derive(Deserialize)]
    struct Dsse {
        payload: String,
    }
    let of = |bytes: &[u8]| serde_json::from_slice(bytes).ok().map(|Statement { predicate_type }| predicate_type);
    let of_envelope = || of(Envelope::read(bytes).ok()?.payload());
    let of_dsse = || {
        let Dsse { payload } = serde_json::from_slice(bytes).ok()?;
        of(&base64::Engine::decode(&base64::engine::general_purpose::STANDARD, payload).ok()?)
    };
    of(bytes).or_else(of_envelope).or_else(of_dsse)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLSA: &str =
        r#"{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://slsa.dev/provenance/v1"}"#;

    #[test]
    fn a_statement_is_known_by_its_predicate_bare_or_in_an_envelope() {
        let payload = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, SLSA);
        let dsse = format!(r#"{{"payloadType":"application/vnd.in-toto+json","payload":"{payload}","signatures":[]}}"#);
        for text in [SLSA, &dsse] {
            let found = Provenance::of("build/run.json".as_ref(), text.as_bytes()).unwrap();
            assert_eq!((found.name.as_str(), found.kind.as_str()), ("run.json", "https://slsa.dev/provenance/v1"));
            assert_eq!(found.sha256, sha256_hex(text.as_bytes()));
        }
        assert_eq!(Provenance::of("metrics.csv".as_ref(), b"a,b").unwrap().kind, FILE);
    }

    #[test]
    fn what_cannot_stand_in_an_entry_is_refused() {
        assert!(Provenance::of("..".as_ref(), b"").is_err());
        assert!(Provenance::of("a\nb".as_ref(), b"").is_err());
        let document = Provenance::of("a".as_ref(), b"").unwrap();
        assert!(check_provenance(&vec![document.clone(); MAX_PROVENANCE]).is_ok());
        assert!(check_provenance(&vec![document.clone(); MAX_PROVENANCE + 1]).is_err());
        assert!(check_provenance(&[Provenance { sha256: "0".into(), ..document }]).is_err());
    }
}
