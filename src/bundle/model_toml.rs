//! `model.toml` parsed strictly: an unknown key is refused with the nearest known one and its line.

use super::{BundleError, MANIFEST_FILE, MAX_MANIFEST_LEN, Manifest};

/// Words at least this alike (Jaro-Winkler) are taken for a slip of the hand.
const ALIKE: f64 = 0.75;

pub(super) fn parse(bytes: &[u8]) -> Result<Manifest, BundleError> {
    let text = text_of(MANIFEST_FILE, bytes)?;
    toml::from_str(text).map_err(|cause| BundleError::manifest(MANIFEST_FILE, explain(text, &cause)))
}

/// The text of a file that is read whole.
pub(super) fn text_of<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, BundleError> {
    if bytes.len() > MAX_MANIFEST_LEN {
        return Err(BundleError::TooLong { file: file.to_owned(), found: bytes.len(), limit: MAX_MANIFEST_LEN });
    }
    std::str::from_utf8(bytes)
        .map_err(|cause| BundleError::manifest(file, format!("not UTF-8 at byte {}", cause.valid_up_to())))
}

fn explain(text: &str, cause: &toml::de::Error) -> String {
    let message = suggest(cause.message());
    let Some(before) = cause.span().and_then(|span| text.get(..span.start)) else { return message };
    format!("line {}: {message}", before.matches('\n').count() + 1)
}

/// Serde names the key that is unknown and all that are known, each in backquotes; we name the nearest.
fn suggest(message: &str) -> String {
    let message = message.trim();
    if message.starts_with("wanted exactly 1 element") {
        return "exactly one table is allowed here".to_owned();
    }
    if let Some(keys) = message.strip_prefix("unexpected keys in table: ") {
        let keys = keys.split(", available keys:").next().unwrap_or(keys);
        return format!("unknown key `{keys}`; none is known here");
    }
    let kind = ["field", "variant"].into_iter().find(|kind| message.starts_with(&format!("unknown {kind} `")));
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (Some(kind), Some(found)) = (kind, quoted.next()) else { return message.replace('\n', " ") };
    let word = if kind == "field" { "key" } else { "name" };
    let known: Vec<&str> = quoted.collect();
    let nearest = known.iter().map(|name| (strsim::jaro_winkler(name, found), name)).max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest.filter(|(likeness, _)| *likeness >= ALIKE) {
        Some((_, nearest)) => format!("unknown {word} `{found}`; did you mean `{nearest}`?"),
        None => format!("unknown {word} `{found}`; known here: {}", known.join(", ")),
    }
}
