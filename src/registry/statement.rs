//! What a log entry says: an in-toto Statement v1 (<https://in-toto.io/Statement/v1>) about sealed bytes, alone or signed, in
//! the signature bundle of `signed`.
//!
//! Subjects are sealed files by the SHA-256 of their sealed bytes: a list of names and plaintext digests would tell
//! everybody who may list the bucket which known model is in it. That list is sealed itself, see `file_index`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::layout;
use super::provenance::{Provenance, check_provenance};
use super::reference::{check_alias, check_digest, check_name, check_version};
use crate::sealed::digest::sha256_hex;
use crate::signed::{Envelope, is_timestamp};

/// More bytes than this are no log entry: room for 1,000 files, in base64 where they are signed.
pub(super) const MAX_ENTRY_LEN: u64 = 512 * 1024;
/// What stands for the digest of the entry before the first.
pub(super) const NO_PREVIOUS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const REGISTER: &str = "https://strongroom/registry/register/v1";
const PROMOTE: &str = "https://strongroom/registry/promote/v1";
const ROLLBACK: &str = "https://strongroom/registry/rollback/v1";
const ERASE: &str = "https://strongroom/registry/erase/v1";
const REKEY: &str = "https://strongroom/registry/rekey/v1";

/// A log entry: its bytes, their SHA-256, and what they say.
#[derive(Debug, Clone)]
pub(super) struct Entry<E = Event> {
    /// Where it stands in the log.
    pub(super) index: u64,
    /// Hex SHA-256 of the entry before it.
    pub(super) prev: String,
    /// Hex SHA-256 of `bytes`.
    pub(super) digest: String,
    /// When it was written, as its writer says: RFC 3339, UTC.
    pub(super) created: String,
    /// Whether it is signed; by whom was not looked at.
    pub(super) signed: bool,
    /// As stored.
    pub(super) bytes: bytes::Bytes,
    /// What it says.
    pub(super) event: E,
}

/// What a log entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A version came to be.
    Register(Register),
    /// An alias was moved.
    Promote(Promote),
    /// A version's key was destroyed.
    Erase(Erase),
    /// All versions open under another KEK.
    Rekey(Rekey),
}

/// A version: immutable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Register {
    /// The model's name.
    pub(super) model: String,
    /// The version.
    pub(super) version: String,
    /// Id of the artifact: the name of the key its sealed files are sealed under.
    pub(super) artifact: String,
    /// Name of the KEK its first keyslot was sealed under; a hint, keyslots come and go.
    pub(super) kek: String,
    /// Digest of the sealed list of files.
    pub(super) file_index: String,
    /// Where the model comes from, by digest; left out where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) provenance: Vec<Provenance>,
    /// Digests of all sealed files, `file_index` among them, sorted.
    #[serde(skip)]
    pub(super) blobs: Vec<String>,
}

/// An alias's move to a version, forth or back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Promote {
    /// The model's name.
    pub(super) model: String,
    /// What moved.
    pub(super) alias: String,
    /// Where it points now.
    pub(super) version: String,
    /// That version's log entry.
    pub(super) register: EntryRef,
    /// Where it pointed before.
    pub(super) previous: Option<String>,
    /// Whether it went back to where it had pointed.
    #[serde(skip)]
    pub(super) back: bool,
}

/// The end of a version: its keyslots are deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Erase {
    /// The model's name.
    pub(super) model: String,
    /// The version.
    pub(super) version: String,
    /// Id of the artifact whose keyslots are deleted.
    pub(super) artifact: String,
    /// That version's log entry.
    pub(super) register: EntryRef,
}

/// A rotation: every version that there is has a keyslot under another KEK.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rekey {
    /// Name of the KEK.
    pub(super) kek: String,
    /// How many artifacts have a keyslot under it.
    pub(super) artifacts: u64,
    /// Hex SHA-256 of the keys of those keyslots, sorted, each ended by a line feed.
    pub(super) keyslots: String,
}

/// A log entry by index and digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryRef {
    /// Its place in the log.
    pub(super) index: u64,
    /// Hex SHA-256 of its bytes.
    pub(super) sha256: String,
}

impl Entry {
    /// The statement that says `event`, of the entry that follows `prev` at `index`. `created` is RFC 3339, UTC.
    pub(super) fn statement(index: u64, prev: &str, created: &str, event: &Event) -> Result<Vec<u8>, String> {
        let link = Link { index, prev: prev.into(), created: created.into() };
        match event {
            Event::Register(register) => write(REGISTER, subjects_of_register(register), link, register),
            Event::Promote(promote) => {
                write(if promote.back { ROLLBACK } else { PROMOTE }, vec![subject_of(&promote.register)], link, promote)
            }
            Event::Erase(erase) => write(ERASE, vec![subject_of(&erase.register)], link, erase),
            Event::Rekey(rekey) => write(REKEY, vec![subject("keyslots".into(), &rekey.keyslots)], link, rekey),
        }
    }

    /// Reads a log entry strictly: no unknown kind, no unknown field, every name and digest well formed.
    pub(super) fn read(bytes: bytes::Bytes) -> Result<Self, String> {
        if bytes.len() as u64 > MAX_ENTRY_LEN {
            return Err(format!("{} bytes long; at most {MAX_ENTRY_LEN} are allowed", bytes.len()));
        }
        let envelope = match is_envelope(&bytes) {
            true => Some(Envelope::read(&bytes).map_err(|error| error.to_string())?),
            false => None,
        };
        if envelope.as_ref().is_some_and(|envelope| !envelope.is_as_written(&bytes)) {
            return Err("it is a signature bundle, but not written as strongroom writes one".into());
        }
        let statement = envelope.as_ref().map_or(&bytes[..], Envelope::payload);
        let Kind { predicate_type } = parse(statement)?;
        let (link, event) = match predicate_type.as_str() {
            REGISTER => read_register(statement)?,
            PROMOTE => read_promote(statement, false)?,
            ROLLBACK => read_promote(statement, true)?,
            ERASE => read_erase(statement)?,
            REKEY => read_rekey(statement)?,
            other => return Err(format!("predicate type {:.80} is not known to this strongroom", other.to_owned())),
        };
        let Link { index, prev, created } = link;
        check_digest(&prev).map_err(|reason| format!("prev: {reason}"))?;
        if envelope.is_some() && !is_timestamp(&created) {
            return Err("created is no time as 2026-01-31T23:59:59Z".into());
        }
        let (signed, digest) = (envelope.is_some(), sha256_hex(&bytes));
        Ok(Self { index, prev, digest, created, signed, bytes, event })
    }

    /// The entry as a register entry, if it is one.
    pub(super) fn as_register(&self) -> Option<Entry<Register>> {
        match &self.event {
            Event::Register(register) => Some(self.with(register.clone())),
            Event::Promote(_) | Event::Erase(_) | Event::Rekey(_) => None,
        }
    }

    /// The entry as a promote entry, if it is one.
    pub(super) fn as_promote(&self) -> Option<Entry<Promote>> {
        match &self.event {
            Event::Promote(promote) => Some(self.with(promote.clone())),
            Event::Register(_) | Event::Erase(_) | Event::Rekey(_) => None,
        }
    }

    fn with<E>(&self, event: E) -> Entry<E> {
        let (prev, digest, bytes) = (self.prev.clone(), self.digest.clone(), self.bytes.clone());
        let (created, signed) = (self.created.clone(), self.signed);
        Entry { index: self.index, prev, digest, created, signed, bytes, event }
    }
}

/// What is read first, to know how to read the rest.
#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "predicateType")]
    predicate_type: String,
}

/// Whether it is a signature bundle, rather than a statement alone.
fn is_envelope(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Either {
        #[serde(rename = "mediaType")]
        media_type: Option<serde::de::IgnoredAny>,
    }
    serde_json::from_slice(bytes).is_ok_and(|Either { media_type }| media_type.is_some())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement<P> {
    #[serde(rename = "_type")]
    statement_type: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Predicate<P>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    name: String,
    digest: SubjectDigest,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectDigest {
    sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Predicate<P> {
    log: Link,
    event: P,
}

/// An entry's place in the log.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    index: u64,
    prev: String,
    created: String,
}

fn write<P: Serialize>(kind: &str, subject: Vec<Subject>, log: Link, event: &P) -> Result<Vec<u8>, String> {
    let predicate = Predicate { log, event };
    let (statement_type, predicate_type) = (STATEMENT.into(), kind.into());
    serde_json::to_vec(&Statement { statement_type, subject, predicate_type, predicate }).map_err(|e| e.to_string())
}

fn read<P: DeserializeOwned>(bytes: &[u8]) -> Result<(Vec<Subject>, Predicate<P>), String> {
    let statement: Statement<P> = parse(bytes)?;
    if statement.statement_type != STATEMENT {
        return Err(format!("not an in-toto Statement v1: _type is not {STATEMENT}"));
    }
    Ok((statement.subject, statement.predicate))
}

fn read_register(bytes: &[u8]) -> Result<(Link, Event), String> {
    let (subjects, Predicate { log, event: mut register }) = read::<Register>(bytes)?;
    register.blobs = subjects.iter().map(|subject| subject.digest.sha256.clone()).collect();
    check_name(&register.model).and_then(|()| check_version(&register.version))?;
    register.blobs.iter().try_for_each(|digest| check_digest(digest))?;
    if !is_artifact_id(&register.artifact) || !layout::is_kek_name(&register.kek) {
        return Err("the artifact's or the KEK's name is malformed".into());
    }
    check_provenance(&register.provenance)?;
    if subjects != subjects_of_register(&register) || !register.blobs.contains(&register.file_index) {
        return Err("the subjects are not the sealed files".into());
    }
    Ok((log, Event::Register(register)))
}

fn read_promote(bytes: &[u8], back: bool) -> Result<(Link, Event), String> {
    let (subjects, Predicate { log, event: mut promote }) = read::<Promote>(bytes)?;
    promote.back = back;
    check_name(&promote.model).and_then(|()| check_alias(&promote.alias))?;
    check_version(&promote.version).and_then(|()| check_digest(&promote.register.sha256))?;
    promote.previous.as_deref().map_or(Ok(()), check_version)?;
    if subjects != [subject_of(&promote.register)] {
        return Err("the subject is not the register entry".into());
    }
    Ok((log, Event::Promote(promote)))
}

fn read_erase(bytes: &[u8]) -> Result<(Link, Event), String> {
    let (subjects, Predicate { log, event: erase }) = read::<Erase>(bytes)?;
    check_name(&erase.model).and_then(|()| check_version(&erase.version))?;
    check_digest(&erase.register.sha256)?;
    if !is_artifact_id(&erase.artifact) {
        return Err("the artifact's name is malformed".into());
    }
    if subjects != [subject_of(&erase.register)] {
        return Err("the subject is not the register entry".into());
    }
    Ok((log, Event::Erase(erase)))
}

fn read_rekey(bytes: &[u8]) -> Result<(Link, Event), String> {
    let (subjects, Predicate { log, event: rekey }) = read::<Rekey>(bytes)?;
    check_digest(&rekey.keyslots)?;
    if !layout::is_kek_name(&rekey.kek) {
        return Err("the KEK's name is malformed".into());
    }
    if subjects != [subject("keyslots".into(), &rekey.keyslots)] {
        return Err("the subject is not the keyslots".into());
    }
    Ok((log, Event::Rekey(rekey)))
}

fn subjects_of_register(register: &Register) -> Vec<Subject> {
    register.blobs.iter().map(|digest| subject(layout::blob(digest), digest)).collect()
}

fn subject_of(register: &EntryRef) -> Subject {
    subject(layout::log_entry(register.index), &register.sha256)
}

fn subject(name: String, sha256: &str) -> Subject {
    Subject { name, digest: SubjectDigest { sha256: sha256.into() } }
}

fn is_artifact_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|e| format!("not a statement: {e}"))
}

#[cfg(test)]
mod tests;
