//! What a request may be. Bodies are read by hand (`predict::request`), so that their forms are told by hand here.

use serde_json::{Value, json};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{AdditionalProperties, ComponentsBuilder};
use utoipa::openapi::{Content, ContentBuilder, ObjectBuilder, Ref, Required, Schema};

use super::answers::content;
use super::shape::{
    Shape, any_of, base64, binary, count, described_text, named, number, object, one_of_words, some, text,
};
use crate::http::models::LoadRequest;

const ANY: &str = "By Content-Type, or `X-Amzn-SageMaker-Content-Type`; without one, or for `application/octet-stream`, \
    the first bytes decide. Which forms a model reads depends on its task, see `/model`. `text/json`, \
    `application/*+json`, `application/jsonl`, `application/x-ndjson`, `application/csv` and `application/npy` are \
    read as what they stand for. No Content-Encoding.";
const IMAGE: &str = "JPEG, PNG, WebP, GIF (its first frame), BMP or TIFF, told apart by content.";
const LINES: &str = "One item a line, each JSON: `Item`, or `OpenInferenceRequest` for a model of tensors.";
const CSV: &str = "A row a line, with a header of the features' names or without.";
const NPY: &str = "One array of numpy's format: rows, or the model's one input.";
const RECORDS: &str = "MXNet's RecordIO, an image a record.";
const PROTOBUF: &str = "RecordIO with SageMaker's protobuf records: the tensor `values` is a row.";

/// A row of the sample bundle of irises.
const FLOWER: [f64; 4] = [5.1, 3.5, 1.4, 0.2];

pub(super) fn add(components: ComponentsBuilder) -> ComponentsBuilder {
    let datatype = described_text("`FP32`, `INT64`, `BYTES`, ...");
    let tensor =
        [("name", text()), ("shape", some(count())), ("datatype", datatype), ("data", some(Schema::default().into()))];
    components
        .schema_from::<LoadRequest>()
        .schema(
            "ImageItem",
            any_of([base64(), object([("b64", base64())]).into(), object([("image", base64())]).into()]),
        )
        .schema("RowItem", any_of([some(number()), object([("features", some(number()))]).into(), row_by_name()]))
        .schema("Item", any_of([named("ImageItem"), named("RowItem")]))
        .schema("Instances", object([("instances", some(named("Item")))]))
        .schema("Inputs", object([("inputs", any_of([named("Item"), some(named("Item"))]))]))
        .schema("Images", object([("images", some(named("ImageItem")))]).property("task", one_of_words(["compare"])))
        .schema("OpenInferenceTensor", object(tensor))
        .schema("OpenInferenceRequest", object([("inputs", some(named("OpenInferenceTensor")))]).property("id", text()))
        .schema("Items", items())
        .request_body("Items", body())
}

/// Numbers by the names of the features.
fn row_by_name() -> Shape {
    ObjectBuilder::new()
        .additional_properties(Some(AdditionalProperties::RefOr(number())))
        .min_properties(Some(1))
        .into()
}

fn items() -> Shape {
    let wrapped = ["Instances", "Inputs", "Images", "OpenInferenceRequest", "Item"].map(named);
    any_of(wrapped.into_iter().chain([some(named("Item"))]))
}

fn body() -> RequestBody {
    let contents = [
        ("image/*", content(binary(IMAGE))),
        ("application/x-image", content(binary(IMAGE))),
        ("application/octet-stream", content(binary("Any of the others; the first bytes decide."))),
        ("application/json", shown(named("Items"), json!({ "instances": [FLOWER] }))),
        ("application/jsonlines", shown(described_text(LINES), json!("[5.1, 3.5, 1.4, 0.2]\n[6.2, 2.9, 4.3, 1.3]\n"))),
        ("text/csv", shown(described_text(CSV), json!("5.1,3.5,1.4,0.2\n6.2,2.9,4.3,1.3\n"))),
        ("application/x-npy", content(binary(NPY))),
        ("application/x-recordio", content(binary(RECORDS))),
        ("application/x-recordio-protobuf", content(binary(PROTOBUF))),
        ("multipart/form-data", content(form())),
    ];
    let body = RequestBodyBuilder::new().description(Some(ANY)).required(Some(Required::True));
    contents.into_iter().fold(body, |body, (kind, content)| body.content(kind, content)).build()
}

fn shown(shape: Shape, example: Value) -> Content {
    ContentBuilder::new().schema(Some(shape)).example(Some(example)).build()
}

/// Files under any name, and what is to be done with two of them.
fn form() -> Shape {
    let image = binary("An image; under any name, several parts of them, too.");
    object([("image", image)]).property("task", one_of_words(["compare"])).into()
}

/// A request's items.
pub(super) fn of_items() -> Ref {
    Ref::new("#/components/requestBodies/Items")
}

/// `POST /models`
pub(super) fn load() -> RequestBody {
    let shape = named("LoadRequest");
    RequestBodyBuilder::new().content("application/json", content(shape)).required(Some(Required::True)).build()
}
