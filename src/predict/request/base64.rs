//! Images as base64 text.

use ::base64::Engine as _;
use ::base64::alphabet::{STANDARD, URL_SAFE};
use ::base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

use super::malformed;
use crate::predict::PredictError;
use crate::predict::image::ImageLimits;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD_TEXT: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const URL_SAFE_TEXT: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// Decodes the base64 of image `item`: standard or URL-safe alphabet, with or without padding, with or without a
/// `data:...;base64,` in front. Whitespace is skipped: `base64` and Python's `encodebytes` break lines.
///
/// # Errors
/// Malformed base64, or [`PredictError::ImageTooLarge`] before anything is decoded.
pub(super) fn decode(item: usize, text: &str, limits: &ImageLimits) -> Result<Bytes, PredictError> {
    let text = without_prefix(item, text.trim())?;
    let spaced = text.bytes().any(|byte| byte.is_ascii_whitespace());
    let compact: String;
    let text = if spaced {
        compact = text.chars().filter(|letter| !letter.is_ascii_whitespace()).collect();
        &compact
    } else {
        text
    };
    let digits = text.trim_end_matches('=');
    limits.check_bytes(item, digits.len() as u64 / 4 * 3)?;
    let engine = if digits.contains(['-', '_']) { URL_SAFE_TEXT } else { STANDARD_TEXT };
    let decoded =
        engine.decode(text).map_err(|error| malformed("base64", format!("image {item}: {}", reason(&error))))?;
    if decoded.is_empty() {
        return Err(malformed("base64", format!("image {item} is empty")));
    }
    Ok(decoded.into())
}

fn without_prefix(item: usize, text: &str) -> Result<&str, PredictError> {
    let Some(url) = text.get(..5).filter(|start| start.eq_ignore_ascii_case("data:")).and_then(|_| text.get(5..))
    else {
        return Ok(text);
    };
    let (kind, content) = url.split_once(',').unwrap_or((url, ""));
    if kind.len() <= 256 && kind.to_ascii_lowercase().ends_with(";base64") {
        return Ok(content);
    }
    Err(malformed("base64", format!("image {item}: a data: URL must be data:TYPE;base64,CONTENT")))
}

/// The crate's own words name the offending byte, which is content of the body.
fn reason(error: &::base64::DecodeError) -> String {
    match error {
        ::base64::DecodeError::InvalidByte(at, _) | ::base64::DecodeError::InvalidLastSymbol(at, _) => {
            format!("no base64 digit at {at}")
        }
        ::base64::DecodeError::InvalidLength(length) => format!("{length} digits are no whole number of bytes"),
        ::base64::DecodeError::InvalidPadding => "wrong padding".into(),
    }
}
