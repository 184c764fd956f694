//! Uploads by `multipart/form-data` (RFC 7578).

use bytes::Bytes;
use futures_util::{FutureExt as _, stream};
use multer::{Field, Multipart};

use super::{Decoded, Envelope, Item, invalid, malformed};
use crate::bundle::Limits;
use crate::predict::PredictError;
use crate::predict::image::ImageLimits;

/// Parts that are no files are passed over; more than this many are refused.
const OTHER_PARTS: usize = 100;
/// Longest value of the field `task`.
const TASK_BYTES: usize = 64;

/// Every part with a file name or an image's content type is an image. A field `task` with the value `compare` compares
/// two.
pub(super) fn read(body: &Bytes, boundary: &str, limits: &Limits) -> Result<Decoded, PredictError> {
    // The body is in memory, so the parser never waits: one poll gives the whole answer.
    let found = parts(body.clone(), boundary, limits).now_or_never();
    let (images, task) = found.unwrap_or_else(|| Err(malformed("multipart", "it does not end")))?;
    match (task.as_deref(), images.len()) {
        (_, 0) => Err(invalid("multipart/form-data", "a part with a file", "none")),
        (None, count) => {
            let envelope = if count == 1 { Envelope::Bare } else { Envelope::Predictions };
            Ok(Decoded { items: images.into_iter().map(|image| Ok(Item::Image(image))).collect(), envelope })
        }
        (Some(b"compare"), count) => {
            let pair = images.try_into().map_err(|_| invalid("images to compare", "2", count.to_string()))?;
            Ok(Decoded { items: vec![Ok(Item::Compare(pair))], envelope: Envelope::Bare })
        }
        (Some(_), _) => Err(invalid("task", "compare, or no task", "another")),
    }
}

async fn parts(body: Bytes, boundary: &str, limits: &Limits) -> Result<(Vec<Bytes>, Option<Bytes>), PredictError> {
    let image_limits = ImageLimits::from(limits);
    let mut multipart = Multipart::new(stream::iter([Ok::<_, std::io::Error>(body)]), boundary);
    let (mut images, mut task, mut others) = (Vec::new(), None, 0);
    while let Some(field) = multipart.next_field().await.map_err(|error| reason(&error))? {
        if is_file(&field) {
            super::check_items(images.len() + 1, limits)?;
            let bytes = field.bytes().await.map_err(|error| reason(&error))?;
            image_limits.check_bytes(images.len(), bytes.len() as u64)?;
            images.push(bytes);
            continue;
        }
        others += 1;
        if others > OTHER_PARTS {
            return Err(malformed("multipart", format!("more than {OTHER_PARTS} parts without a file")));
        }
        if field.name() == Some("task") {
            let value = field.bytes().await.map_err(|error| reason(&error))?;
            task = Some(value.slice(..value.len().min(TASK_BYTES)));
        }
    }
    Ok((images, task))
}

fn is_file(field: &Field<'_>) -> bool {
    field.file_name().is_some() || field.content_type().is_some_and(|kind| kind.type_() == "image")
}

/// Our own words: the crate's may quote the body.
fn reason(error: &multer::Error) -> PredictError {
    let reason = match error {
        multer::Error::IncompleteHeaders => "a part's headers do not end",
        multer::Error::IncompleteFieldData { .. } => "a part does not end",
        multer::Error::IncompleteStream => "the last boundary is missing",
        multer::Error::ReadHeaderFailed(_)
        | multer::Error::DecodeHeaderName { .. }
        | multer::Error::DecodeHeaderValue { .. } => "a part's headers cannot be read",
        _ => "it cannot be read",
    };
    malformed("multipart", reason)
}
