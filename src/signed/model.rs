//! The statement that a model's author signs: OpenSSF Model Signing v1.0, every file with its SHA-256.

use std::collections::BTreeMap;

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::SignatureError;

const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const PREDICATE: &str = "https://model_signing/signature/v1.0";
/// What other people's tools leave out, too.
const IGNORED: [&str; 4] = [".git", ".gitattributes", ".github", ".gitignore"];
/// More files than this are no model.
const MAX_FILES: usize = 1_000;

/// Whether the file `path` of a model's directory is a signature of the others: `model.sig`, or `model.NAME.sig`.
pub fn is_signature_file(path: &str) -> bool {
    path == "model.sig" || (path.starts_with("model.") && path.ends_with(".sig") && !path.contains('/'))
}

/// Which files a signature is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelStatement {
    /// Of the signed directory; says nothing of what is in it.
    pub name: String,
    /// Hex SHA-256 by path.
    files: BTreeMap<String, String>,
}

impl ModelStatement {
    /// Of the directory `name`, whose `files` are given by path with their hex SHA-256. Signature files are left out.
    pub fn of<'a>(name: &str, files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let files = files.into_iter().filter(|(path, _)| !is_signature_file(path));
        Self {
            name: name.to_owned(),
            files: files.map(|(path, digest)| (path.to_owned(), digest.to_owned())).collect(),
        }
    }

    /// The bytes to be signed, which will lie in the file `signature_file` of the directory.
    pub fn write(&self, signature_file: &str) -> Vec<u8> {
        let resource = |(name, digest): (&String, &String)| Resource {
            name: name.clone(),
            digest: digest.clone(),
            algorithm: "sha256".to_owned(),
        };
        let ignored = IGNORED.iter().copied().chain([signature_file]).map(str::to_owned).collect();
        let statement = Statement {
            statement_type: STATEMENT.to_owned(),
            subject: vec![Subject {
                name: self.name.clone(),
                digest: BTreeMap::from([("sha256".to_owned(), self.root())]),
            }],
            predicate_type: PREDICATE.to_owned(),
            predicate: Predicate {
                resources: self.files.iter().map(resource).collect(),
                serialization: Serialization {
                    method: "files".to_owned(),
                    hash_type: "sha256".to_owned(),
                    shard_size: None,
                    allow_symlinks: false,
                    ignore_paths: Some(ignored),
                },
            },
        };
        // Nothing in it can fail to be written as JSON.
        serde_json::to_vec(&statement).unwrap_or_default()
    }

    /// Reads what was signed.
    ///
    /// # Errors
    /// [`SignatureError::NotOfAModel`]: another statement, or one of shards or with another hash.
    pub fn read(payload: &[u8]) -> Result<Self, SignatureError> {
        // Told apart by its kind first: what another kind holds is not our business.
        let kind: Kind = serde_json::from_slice(payload).map_err(|error| not_of_a_model(&error.to_string()))?;
        if kind.predicate_type != PREDICATE {
            return Err(not_of_a_model(&format!("its predicateType is not {PREDICATE}")));
        }
        let statement: Statement =
            serde_json::from_slice(payload).map_err(|error| not_of_a_model(&error.to_string()))?;
        if statement.statement_type != STATEMENT {
            return Err(not_of_a_model(&format!("its _type is not {STATEMENT}")));
        }
        let Serialization { method, hash_type, .. } = &statement.predicate.serialization;
        if method != "files" || hash_type != "sha256" {
            let found: String = format!("{method} and {hash_type}").chars().take(80).collect();
            return Err(not_of_a_model(&format!("it is serialised by {found}, expected files and sha256")));
        }
        let [subject] = &statement.subject[..] else {
            return Err(not_of_a_model("it has other than one subject"));
        };
        let resources = statement.predicate.resources;
        let root = root_of(resources.iter().map(|resource| resource.digest.as_str()));
        let read = Self { name: subject.name.clone(), files: files_of(resources)? };
        match subject.digest.get("sha256") == root.as_ref() {
            true => Ok(read),
            false => Err(not_of_a_model("its subject's digest is not the one of its files")),
        }
    }

    /// Whether exactly the signed files are there, each as it was signed: `files` by path with their hex SHA-256.
    ///
    /// # Errors
    /// The first that is not: [`SignatureError::Unlisted`], [`SignatureError::Altered`], [`SignatureError::Missing`].
    pub fn check<'a>(&self, files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), SignatureError> {
        let mut missing: BTreeMap<&str, &str> =
            self.files.iter().map(|(path, digest)| (path.as_str(), digest.as_str())).collect();
        for (path, found) in files.into_iter().filter(|(path, _)| !is_signature_file(path)) {
            match missing.remove(path) {
                Some(signed) if signed == found => {}
                Some(signed) => {
                    let (path, found, signed) = (path.to_owned(), found.to_owned(), signed.to_owned());
                    return Err(SignatureError::Altered { path, found, signed });
                }
                None => return Err(SignatureError::Unlisted { path: path.to_owned() }),
            }
        }
        match missing.keys().next() {
            Some(path) => Err(SignatureError::Missing { path: (*path).to_owned() }),
            None => Ok(()),
        }
    }

    /// SHA-256 over the digests of all files, in the order of their names.
    fn root(&self) -> String {
        root_of(self.files.values().map(String::as_str)).unwrap_or_default()
    }
}

/// `None` where a digest is no hex.
fn root_of<'a>(digests: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut hash = Context::new(&SHA256);
    for digest in digests {
        hash.update(&hex::decode(digest).ok()?);
    }
    Some(hex::encode(hash.finish()))
}

fn files_of(resources: Vec<Resource>) -> Result<BTreeMap<String, String>, SignatureError> {
    if resources.len() > MAX_FILES {
        return Err(not_of_a_model(&format!("it names more than {MAX_FILES} files")));
    }
    let mut files = BTreeMap::new();
    for Resource { name, digest, algorithm } in resources {
        let shown: String = name.chars().take(80).collect();
        if algorithm != "sha256" || digest.len() != 64 || digest.bytes().any(|c| c.is_ascii_uppercase()) {
            return Err(not_of_a_model(&format!("{shown} has no SHA-256 in lower-case hex")));
        }
        if files.insert(name, digest).is_some() {
            return Err(not_of_a_model(&format!("it names {shown} twice")));
        }
    }
    Ok(files)
}

fn not_of_a_model(reason: &str) -> SignatureError {
    SignatureError::NotOfAModel { reason: reason.chars().take(200).collect() }
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "predicateType")]
    predicate_type: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    #[serde(rename = "_type")]
    statement_type: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Serialize, Deserialize)]
struct Subject {
    name: String,
    digest: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Predicate {
    resources: Vec<Resource>,
    serialization: Serialization,
}

#[derive(Serialize, Deserialize)]
struct Resource {
    name: String,
    digest: String,
    algorithm: String,
}

#[derive(Serialize, Deserialize)]
struct Serialization {
    method: String,
    hash_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard_size: Option<f64>,
    allow_symlinks: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ignore_paths: Option<Vec<String>>,
}
