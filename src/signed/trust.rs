//! Who is trusted with what: the signers, their keys and from when to when, and how many of them have to agree.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;

use super::{Envelope, PublicKey, SignatureError, TrustError};

/// A policy is at most this long, in bytes.
const MAX_LEN: usize = 256 * 1024;
/// A policy names at most this many keys, over all signers.
const MAX_KEYS: usize = 100;

/// What is signed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The files of a model.
    Author,
    /// What happens in a registry.
    Publisher,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Author => "author",
            Self::Publisher => "publisher",
        })
    }
}

/// Somebody whose signature counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signer {
    /// As the trust policy calls them.
    pub name: String,
    /// Of the key.
    pub fingerprint: String,
}

/// A trust policy, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    keys: Vec<TrustedKey>,
    /// None where nobody has to sign models.
    authors: Option<Quorum>,
    publishers: Quorum,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct TrustedKey {
    signer: String,
    key: PublicKey,
    from: Option<String>,
    until: Option<String>,
}

/// So many of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Quorum {
    signers: BTreeSet<String>,
    #[serde(default = "one")]
    threshold: usize,
}

fn one() -> usize {
    1
}

/// A time as it stands in policies and statements: `2026-01-31T23:59:59Z`. Such texts are in the order of their times.
pub fn is_timestamp(text: &str) -> bool {
    const FORM: &[u8; 20] = b"0000-00-00T00:00:00Z";
    let fits = |(byte, form): (u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { byte == *form };
    text.len() == FORM.len() && text.bytes().zip(FORM).all(fits)
}

impl Trust {
    /// Reads a policy in JSON: `docs/REGISTRY.md` describes it.
    ///
    /// # Errors
    /// It is none, a key in it is none, or it contradicts itself.
    pub fn read(json: &[u8]) -> Result<Self, TrustError> {
        if json.len() > MAX_LEN {
            return Err(TrustError::TooLong { len: json.len(), limit: MAX_LEN });
        }
        let form =
            |error: serde_json::Error| TrustError::Form { reason: error.to_string().chars().take(200).collect() };
        let policy: Policy = serde_json::from_slice(json).map_err(form)?;
        let mut keys = Vec::new();
        for (signer, listed) in &policy.signers {
            for (number, key) in (1..).zip(listed) {
                keys.push(key.read(signer, number)?);
            }
        }
        let trust = Self { keys, authors: policy.author, publishers: policy.publisher };
        trust.check_itself(&policy.signers)?;
        Ok(trust)
    }

    /// Those whose signatures count for `role`, over all of `envelopes`, which hold the same statement and were signed at
    /// `at` (see [`is_timestamp`]).
    ///
    /// # Errors
    /// Why there are not enough of them: no trusted key, another role, another time, too few.
    pub fn check(&self, role: Role, envelopes: &[Envelope], at: &str) -> Result<Vec<Signer>, SignatureError> {
        let (mut keys, mut failure) = (Vec::new(), None);
        for envelope in envelopes {
            match self.signers_of(envelope) {
                Ok(found) => keys.extend(found),
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        self.agreed(role, &keys, failure, at)
    }

    /// Whether what these keys sign at `at` will count for `role`.
    ///
    /// # Errors
    /// As for [`Self::check`].
    pub fn check_keys(&self, role: Role, keys: &[&PublicKey], at: &str) -> Result<(), SignatureError> {
        let trusted: Vec<&TrustedKey> = self.keys.iter().filter(|trusted| keys.contains(&&trusted.key)).collect();
        let failure = SignatureError::NotTrusted { hint: keys.first().map(|key| key.fingerprint()) };
        self.agreed(role, &trusted, Some(failure), at).map(drop)
    }

    /// Whether enough signers of `role` have a key that is trusted at `at`.
    ///
    /// # Errors
    /// As for [`Self::check`].
    pub fn check_time(&self, role: Role, at: &str) -> Result<(), SignatureError> {
        let Some(quorum) = self.quorum(role) else { return Ok(()) };
        let keys: Vec<_> = self.keys.iter().filter(|key| quorum.signers.contains(&key.signer)).collect();
        self.agreed(role, &keys, None, at).map(drop)
    }

    /// Those of `keys` that count, if they are enough; `failure` is why there are no more of them.
    fn agreed(
        &self,
        role: Role,
        keys: &[&TrustedKey],
        mut failure: Option<SignatureError>,
        at: &str,
    ) -> Result<Vec<Signer>, SignatureError> {
        let Some(quorum) = self.quorum(role) else { return Ok(Vec::new()) };
        let mut found = BTreeMap::new();
        for key in keys {
            match key.counts(role, quorum, at) {
                Ok(signer) => {
                    found.entry(signer.name.clone()).or_insert(signer);
                }
                // Said of a key that is trusted, it says more than that one is not.
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if found.is_empty() => Err(error),
            _ if found.len() < quorum.threshold => {
                Err(SignatureError::TooFew { found: found.into_keys().collect(), needed: quorum.threshold, role })
            }
            _ => Ok(found.into_values().collect()),
        }
    }

    /// The trusted keys that made a signature of `envelope`.
    fn signers_of(&self, envelope: &Envelope) -> Result<Vec<&TrustedKey>, SignatureError> {
        let keys = envelope.signed_by(self.keys.iter().map(|key| (&key.key, key)));
        let keys: Vec<&TrustedKey> = keys.into_iter().map(|(_, key)| key).collect();
        let hint = envelope.hint().map(|hint| hint.chars().take(64).collect());
        let Some(first) = keys.first() else { return Err(SignatureError::NotTrusted { hint }) };
        match hint.filter(|hint: &String| keys.iter().all(|key| key.key.fingerprint() != *hint)) {
            Some(hint) => Err(SignatureError::OtherKey { hint, found: first.key.fingerprint() }),
            None => Ok(keys),
        }
    }

    /// Whether models have to be signed by authors.
    pub fn asks_for_authors(&self) -> bool {
        self.authors.is_some()
    }

    fn quorum(&self, role: Role) -> Option<&Quorum> {
        match role {
            Role::Author => self.authors.as_ref(),
            Role::Publisher => Some(&self.publishers),
        }
    }

    fn check_itself(&self, signers: &BTreeMap<String, Vec<Listed>>) -> Result<(), TrustError> {
        let contradiction = |reason| Err(TrustError::Contradiction { reason });
        if self.keys.len() > MAX_KEYS {
            return contradiction(format!("it has {} keys; at most {MAX_KEYS} are allowed", self.keys.len()));
        }
        for (at, key) in self.keys.iter().enumerate() {
            if let Some(other) = self.keys[..at].iter().find(|other| other.key == key.key) {
                return contradiction(format!("{} and {} have the same key", other.signer, key.signer));
            }
            if key.from.is_some() && key.until.is_some() && key.from >= key.until {
                return contradiction(format!("a key of {} is trusted until before it is trusted", key.signer));
            }
        }
        for role in [Role::Author, Role::Publisher] {
            let Some(Quorum { signers: named, threshold }) = self.quorum(role) else { continue };
            if let Some(name) = named.iter().find(|name| !signers.contains_key(*name)) {
                return contradiction(format!("{role}s name {name}, who is no signer"));
            }
            if *threshold == 0 || *threshold > named.len() {
                return contradiction(format!("{threshold} of {} {role}s cannot agree", named.len()));
            }
        }
        Ok(())
    }
}

impl TrustedKey {
    fn counts(&self, role: Role, quorum: &Quorum, at: &str) -> Result<Signer, SignatureError> {
        let (signer, fingerprint) = (self.signer.clone(), self.key.fingerprint());
        if !quorum.signers.contains(&signer) {
            return Err(SignatureError::NotInRole { signer, role });
        }
        let early = self.from.as_deref().is_some_and(|from| at < from);
        let late = self.until.as_deref().is_some_and(|until| at >= until);
        if early || late {
            let window = match (&self.from, &self.until) {
                (Some(from), Some(until)) => format!("from {from} until {until}"),
                (Some(from), None) => format!("from {from} on"),
                (None, Some(until)) => format!("until {until}"),
                (None, None) => "always".to_owned(),
            };
            return Err(SignatureError::NotAtThatTime { signer, fingerprint, at: at.to_owned(), window });
        }
        Ok(Signer { name: signer, fingerprint })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    signers: BTreeMap<String, Vec<Listed>>,
    author: Option<Quorum>,
    publisher: Quorum,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    pem: String,
    from: Option<String>,
    until: Option<String>,
}

impl Listed {
    fn read(&self, signer: &str, number: usize) -> Result<TrustedKey, TrustError> {
        let refused = |source| TrustError::Key { signer: signer.to_owned(), number, source };
        let key = PublicKey::from_pem(&self.pem).map_err(refused)?;
        if let Some(time) = [&self.from, &self.until].into_iter().flatten().find(|time| !is_timestamp(time)) {
            let time: String = time.chars().take(40).collect();
            let reason = format!("{time} is no time, expected one as 2026-01-31T23:59:59Z");
            return Err(TrustError::Form { reason });
        }
        Ok(TrustedKey { signer: signer.to_owned(), key, from: self.from.clone(), until: self.until.clone() })
    }
}
