//! What must be refused is refused with its code, and nothing panics.

#[path = "support/hostile.rs"]
mod hostile;

use bytes::Bytes;
use proptest::prelude::*;
use strongroom::bundle::Limits;
use strongroom::predict::image::{self, ImageLimits};
use strongroom::predict::request::{self, Item, Reads};
use strongroom::predict::{PredictError, Request};

use hostile::Against;

#[test]
fn every_hostile_body_is_refused_with_its_code() {
    let table = hostile::bodies();
    assert!(table.len() >= 60, "{} bodies", table.len());
    let mut wrong = Vec::new();
    for body in &table {
        let found = read(body.against, body.media_type, body.body.clone());
        let found = found.map_or_else(|error| format!("{} ({error})", code(&error)), |()| "an answer".into());
        if !found.starts_with(&format!("{} (", body.code)) {
            wrong.push(format!("{}: expected {}, found {found}", body.name, body.code));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), table.len(), wrong.join("\n"));
}

#[test]
fn names_of_hostile_bodies_are_distinct() {
    let mut names: Vec<_> = hostile::bodies().into_iter().map(|body| body.name).collect();
    names.sort();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn refusals_fit_into_what_sagemaker_hands_on() {
    for body in hostile::bodies() {
        if let Err(error) = read(body.against, body.media_type, body.body) {
            assert!(error.to_string().len() < 1024, "{}: {error}", body.name);
        }
    }
}

#[test]
fn valid_bodies_are_read() {
    for (against, media_type, body) in hostile::valid() {
        read(against, media_type, body).unwrap_or_else(|error| panic!("{against:?} {media_type}: {error}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn mutated_bodies_never_panic(
        seed in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let valid = hostile::valid();
        let (against, media_type, mut body) = valid[seed.index(valid.len())].clone();
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Some(cut) = cut {
            body.truncate(cut.index(body.len()));
        }
        let _ = read(against, media_type, body);
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        body in prop::collection::vec(any::<u8>(), 0..600),
        media_type in prop::sample::select(vec![
            "application/json", "application/jsonlines", "text/csv", "application/x-npy", "image/png", "",
            "multipart/form-data; boundary=e",
        ]),
    ) {
        for against in [Against::Images, Against::Rows, Against::Tensors] {
            let _ = read(against, media_type, body.clone());
        }
    }

    #[test]
    fn arbitrary_content_types_never_panic(media_type in ".{0,60}", body in ".{0,20}") {
        let _ = read(Against::Images, &media_type, body.into_bytes());
    }
}

/// Reads a body as far as one can without a model.
fn read(against: Against, media_type: &str, body: Vec<u8>) -> Result<(), PredictError> {
    let reads = match against {
        Against::Images => Reads::Images,
        Against::Rows => Reads::Rows,
        Against::Tensors => Reads::Tensors,
    };
    let limits = Limits::default();
    let request = Request { media_type: Some(media_type.into()), accept: None, body: Bytes::from(body) };
    let bounds = ImageLimits::from(&limits);
    request::decode(&request, reads, &limits)?.items.into_iter().enumerate().try_for_each(|(place, item)| match item? {
        Item::Image(bytes) => image::decode(place, &bytes, &bounds).map(drop),
        Item::Compare(pair) => pair.iter().try_for_each(|bytes| image::decode(place, bytes, &bounds).map(drop)),
        Item::Row(_) | Item::Tensors(_) => Ok(()),
    })
}

fn code(error: &PredictError) -> String {
    match error {
        PredictError::UnsupportedMediaType { .. } => "unsupported_media_type".into(),
        PredictError::EmptyBody => "empty_body".into(),
        PredictError::Malformed { format, .. } => format!("malformed_{}", format.to_lowercase()),
        PredictError::TooManyItems { .. } => "too_many_items".into(),
        PredictError::InvalidInput { .. } => "invalid_input".into(),
        PredictError::UnknownImage { .. } => "unknown_image".into(),
        PredictError::DamagedImage { .. } => "damaged_image".into(),
        PredictError::ImageTooLarge { .. } => "image_too_large".into(),
        other => format!("another error: {other}"),
    }
}
