//! Labels, in place or in a file with one a line.

use super::{BundleError, Files, Labels, MAX_MANIFEST_LEN};

pub(super) fn resolve(labels: &Labels, files: &Files) -> Result<Vec<String>, BundleError> {
    match labels {
        Labels::List(list) => Ok(list.clone()),
        Labels::File(name) => lines(name, files),
    }
}

fn lines(name: &str, files: &Files) -> Result<Vec<String>, BundleError> {
    let bytes = files.get(name).ok_or_else(|| BundleError::MissingFile { name: name.to_owned() })?;
    if bytes.len() > MAX_MANIFEST_LEN {
        return Err(BundleError::TooLong { file: name.to_owned(), found: bytes.len(), limit: MAX_MANIFEST_LEN });
    }
    let wrong = |reason: String| BundleError::Labels { file: name.to_owned(), reason };
    let text =
        std::str::from_utf8(bytes).map_err(|cause| wrong(format!("not UTF-8 at byte {}", cause.valid_up_to())))?;
    let labels: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    match labels.iter().position(String::is_empty) {
        Some(line) => Err(wrong(format!("line {} is empty", line + 1))),
        None if labels.is_empty() => Err(wrong("there is no label in it".to_owned())),
        None => Ok(labels),
    }
}
