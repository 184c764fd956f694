//! What a log entry says: an in-toto Statement v1 (<https://in-toto.io/Statement/v1>) about sealed bytes.
//!
//! Subjects are sealed files by the SHA-256 of their sealed bytes: a list of names and plaintext digests would tell
//! everybody who may list the bucket which known model is in it. That list is sealed itself, see `file_index`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::layout;
use super::reference::{check_alias, check_digest, check_name, check_version};
use crate::sealed::digest::sha256_hex;

/// More bytes than this are no log entry: room for 1,000 files.
pub(super) const MAX_ENTRY_LEN: u64 = 256 * 1024;
/// What stands for the digest of the entry before the first.
pub(super) const NO_PREVIOUS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const REGISTER: &str = "https://strongroom/registry/register/v1";
const PROMOTE: &str = "https://strongroom/registry/promote/v1";

/// A log entry: its bytes, their SHA-256, and what they say.
#[derive(Debug, Clone)]
pub(super) struct Entry<E = Event> {
    /// Where it stands in the log.
    pub(super) index: u64,
    /// Hex SHA-256 of the entry before it.
    pub(super) prev: String,
    /// Hex SHA-256 of `bytes`.
    pub(super) digest: String,
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
    /// Digests of all sealed files, `file_index` among them, sorted.
    #[serde(skip)]
    pub(super) blobs: Vec<String>,
}

/// An alias's move to a version.
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
    /// Writes `event` as the entry that follows `prev` at `index`. `created` is for people: RFC 3339, UTC.
    pub(super) fn write(index: u64, prev: &str, created: &str, event: Event) -> Result<Self, String> {
        let link = Link { index, prev: prev.into(), created: created.into() };
        let bytes = match &event {
            Event::Register(register) => write(REGISTER, subjects_of_register(register), link, register),
            Event::Promote(promote) => write(PROMOTE, vec![subject_of_promote(promote)], link, promote),
        }?;
        // What we write, we must be able to read: the same checks hold for both.
        Self::read(bytes.into())
    }

    /// Reads a log entry strictly: no unknown kind, no unknown field, every name and digest well formed.
    pub(super) fn read(bytes: bytes::Bytes) -> Result<Self, String> {
        if bytes.len() as u64 > MAX_ENTRY_LEN {
            return Err(format!("{} bytes long; at most {MAX_ENTRY_LEN} are allowed", bytes.len()));
        }
        let Kind { predicate_type } = parse(&bytes)?;
        let (link, event) = match predicate_type.as_str() {
            REGISTER => read_register(&bytes)?,
            PROMOTE => read_promote(&bytes)?,
            other => return Err(format!("predicate type {:.80} is not known to this strongroom", other.to_owned())),
        };
        check_digest(&link.prev).map_err(|reason| format!("prev: {reason}"))?;
        Ok(Self { index: link.index, prev: link.prev, digest: sha256_hex(&bytes), bytes, event })
    }

    /// The entry as a register entry, if it is one.
    pub(super) fn as_register(&self) -> Option<Entry<Register>> {
        match &self.event {
            Event::Register(register) => Some(self.with(register.clone())),
            Event::Promote(_) => None,
        }
    }

    /// The entry as a promote entry, if it is one.
    pub(super) fn as_promote(&self) -> Option<Entry<Promote>> {
        match &self.event {
            Event::Promote(promote) => Some(self.with(promote.clone())),
            Event::Register(_) => None,
        }
    }

    fn with<E>(&self, event: E) -> Entry<E> {
        let (prev, digest, bytes) = (self.prev.clone(), self.digest.clone(), self.bytes.clone());
        Entry { index: self.index, prev, digest, bytes, event }
    }
}

/// What is read first, to know how to read the rest.
#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "predicateType")]
    predicate_type: String,
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
    if subjects != subjects_of_register(&register) || !register.blobs.contains(&register.file_index) {
        return Err("the subjects are not the sealed files".into());
    }
    Ok((log, Event::Register(register)))
}

fn read_promote(bytes: &[u8]) -> Result<(Link, Event), String> {
    let (subjects, Predicate { log, event: promote }) = read::<Promote>(bytes)?;
    check_name(&promote.model).and_then(|()| check_alias(&promote.alias))?;
    check_version(&promote.version).and_then(|()| check_digest(&promote.register.sha256))?;
    promote.previous.as_deref().map_or(Ok(()), check_version)?;
    if subjects != [subject_of_promote(&promote)] {
        return Err("the subject is not the register entry".into());
    }
    Ok((log, Event::Promote(promote)))
}

fn subjects_of_register(register: &Register) -> Vec<Subject> {
    register.blobs.iter().map(|digest| subject(layout::blob(digest), digest)).collect()
}

fn subject_of_promote(promote: &Promote) -> Subject {
    subject(layout::log_entry(promote.register.index), &promote.register.sha256)
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest() -> impl Strategy<Value = String> {
        "[0-9a-f]{64}"
    }

    prop_compose! {
        fn register()(
            model in "[a-z0-9][a-z0-9._-]{0,62}",
            version in "[0-9][0-9A-Za-z.+-]{0,62}",
            artifact in "[0-9a-f]{32}",
            kek in "[0-9a-f-]{36}",
            mut blobs in prop::collection::vec(digest(), 1..1_001),
        ) -> Event {
            blobs.sort();
            Event::Register(Register { model, version, artifact, kek, file_index: blobs[0].clone(), blobs })
        }
    }

    prop_compose! {
        fn promote()(
            model in "[a-z0-9][a-z0-9._-]{0,62}",
            alias in "[a-z][a-z0-9._-]{0,62}",
            version in "[0-9][0-9A-Za-z.+-]{0,62}",
            index in any::<u64>(),
            sha256 in digest(),
            previous in prop::option::of("[0-9][0-9A-Za-z.+-]{0,62}"),
        ) -> Event {
            Event::Promote(Promote { model, alias, version, register: EntryRef { index, sha256 }, previous })
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_written_is_read_again(event in prop_oneof![register(), promote()], index: u64, prev in digest()) {
            let entry = Entry::write(index, &prev, "2026-01-31T23:59:59Z", event.clone()).unwrap();
            let read = Entry::read(entry.bytes.clone()).unwrap();
            prop_assert_eq!((read.index, read.prev, read.event), (index, prev, event));
            prop_assert_eq!(read.digest, sha256_hex(&entry.bytes));
        }

        #[test]
        fn an_unknown_field_anywhere_is_refused(event in promote(), place in any::<prop::sample::Index>()) {
            let entry = Entry::write(0, NO_PREVIOUS, "", event).unwrap();
            let text = std::str::from_utf8(&entry.bytes).unwrap();
            let braces: Vec<usize> = text.match_indices('{').map(|(at, _)| at + 1).collect();
            let mut altered = text.to_owned();
            altered.insert_str(*place.get(&braces), "\"more\":1,");
            prop_assert!(Entry::read(altered.into()).is_err());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            prop_assert!(Entry::read(bytes.into()).is_err());
        }
    }
}
