//! What a model answers with: the types of `predict`, and how a request's answers are wrapped.

use utoipa::ToSchema;
use utoipa::openapi::schema::ComponentsBuilder;
use utoipa::openapi::{ContentBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder};

use super::parameters::with_id;
use super::shape::{Shape, all_of, any_of, binary, closed, described_text, list, named, object, text};
use crate::http::{execution_parameters, model};
use crate::predict::{Comparison, Detection, Embedding, Faces, LabelScore, Row, Tensors};

const LINES: &str = "One line for each item of the request, in its order, as JSON: an `Answer`, or `RecordError` in the \
    place of an item that has none, unless the bundle says `bad_records = \"fail\"`. If no item has an answer, the \
    request fails as its first item does; in a batch transform job it does not.";
const ROWS: &str = "One line for each item of the request, in its order, without a header: label, score, label, score, \
    ...; or the numbers of the embedding; or the label and the scores of the row. In the place of an item that has no \
    answer stands `RecordError` as one quoted cell. Not of detections, faces, comparisons and tensors.";
const ARRAY: &str = "One array of numpy's format 1.0: a row of float32 for each item; or the model's one output. Not of \
    labels, detections, faces and comparisons.";

pub(super) fn add(components: ComponentsBuilder) -> ComponentsBuilder {
    let answer = ["Labels", "Detections", "Embedding", "Faces", "Comparison", "Row", "Tensors"].map(named);
    let components = with::<LabelScore>(components).schema("Labels", list(named("LabelScore")));
    let components = with::<Detection>(components).schema("Detections", list(named("Detection")));
    let components = with::<Row>(with::<Comparison>(with::<Faces>(with::<Embedding>(components))));
    let components =
        with::<model::Described<'_>>(with::<execution_parameters::Parameters>(with::<Tensors>(components)));
    let id = ObjectBuilder::new().property("id", described_text("The request's own, given back."));
    components
        .schema("Answer", any_of(answer))
        .schema("Predictions", closed([("predictions", list(named("Answer")))]))
        .schema("OpenInferenceAnswer", all_of([named("Tensors"), id.into()]))
        .schema(
            "Answers",
            any_of([named("Answer"), list(named("Answer")), named("Predictions"), named("OpenInferenceAnswer")]),
        )
        .response("Answers", answers())
}

/// A type and all that it is made of.
fn with<T: ToSchema>(components: ComponentsBuilder) -> ComponentsBuilder {
    let mut parts = Vec::new();
    T::schemas(&mut parts);
    components.schemas_from_iter(parts).schema_from::<T>()
}

/// A request's answers: wrapped as its items were.
fn answers() -> Response {
    let contents = [
        ("application/json", named("Answers")),
        ("application/jsonlines", described_text(LINES)),
        ("text/csv", described_text(ROWS)),
        ("application/x-npy", binary(ARRAY)),
    ];
    let response = ResponseBuilder::new()
        .description("The answers, wrapped as the request's items were and written as Accept asks for.")
        .header_ref("X-Amzn-SageMaker-Custom-Attributes", Ref::new("#/components/headers/CustomAttributes"));
    let response = with_id(response);
    contents.into_iter().fold(response, |response, (kind, shape)| response.content(kind, content(shape))).build()
}

pub(super) fn content(shape: Shape) -> utoipa::openapi::Content {
    ContentBuilder::new().schema(Some(shape)).build()
}

/// Those of a request.
pub(super) fn of_items() -> RefOr<Response> {
    Ref::from_response_name("Answers").into()
}

/// A document of one type.
pub(super) fn json(description: &str, shape: Shape) -> RefOr<Response> {
    plain(description, "application/json", shape)
}

pub(super) fn plain(description: &str, kind: &str, shape: Shape) -> RefOr<Response> {
    with_id(ResponseBuilder::new().description(description)).content(kind, content(shape)).build().into()
}

pub(super) fn empty(description: &str) -> RefOr<Response> {
    with_id(ResponseBuilder::new().description(description)).build().into()
}

/// `GET /test`
pub(super) fn sample() -> RefOr<Response> {
    let found = closed([("sample", text()), ("media_type", text()), ("analysis", named("Answers"))]);
    with_id(
        ResponseBuilder::new().description(
            "The bundle's first self-test vector and its answer; a page where Accept asks for `text/html`.",
        ),
    )
    .content("application/json", content(found.into()))
    .content("text/html", content(text()))
    .build()
    .into()
}

/// `GET /models`
pub(super) fn page_of_models() -> Shape {
    let next = described_text("Where there are more: the `next_page_token` to ask with.");
    object([("models", list(hosted()))]).property("nextPageToken", next).into()
}

/// `GET /models/NAME`
pub(super) fn hosted() -> Shape {
    closed([("modelName", text()), ("modelUrl", text())]).into()
}

/// What has been done with a model.
pub(super) fn status() -> Shape {
    closed([("status", text())]).into()
}
