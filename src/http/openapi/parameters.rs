//! Headers, queries and names in paths.

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ComponentsBuilder, Type};
use utoipa::openapi::{Header, HeaderBuilder, ObjectBuilder, Ref, Required, ResponseBuilder};

use super::shape::{Shape, count, text};

/// Of the platform, for requests to a model.
pub(super) const OF_ITEMS: [&str; 3] = ["CustomAttributes", "Accept", "ContentType"];
/// Which every request may have.
pub(super) const OF_ALL: &str = "InferenceId";

pub(super) fn add(components: ComponentsBuilder) -> ComponentsBuilder {
    let id = "The request's id in answers, errors and the log: 1 to 64 visible characters of ASCII. Another one, or \
        none, is replaced by one that is made.";
    let attributes =
        "Opaque; given back where the bundle says `custom_attributes = true`. Longer than 1,024 bytes: passed over.";
    let accept = "Stands for Accept where that is not sent.";
    let kind = "Stands for Content-Type where that is not sent.";
    let attributes_back = "The request's own, where the bundle says so.";
    components
        .parameter(OF_ALL, header("X-Amzn-SageMaker-Inference-Id", id))
        .parameter("CustomAttributes", header("X-Amzn-SageMaker-Custom-Attributes", attributes))
        .parameter("Accept", header("X-Amzn-SageMaker-Accept", accept))
        .parameter("ContentType", header("X-Amzn-SageMaker-Content-Type", kind))
        .header("RequestId", described_header("The request's id."))
        .header("CustomAttributes", described_header(attributes_back))
}

/// Of an answer.
pub(super) fn described_header(description: &str) -> Header {
    HeaderBuilder::new().schema(Some(text())).description(Some(description)).build()
}

/// A response that says its request's id.
pub(super) fn with_id(response: ResponseBuilder) -> ResponseBuilder {
    response.header_ref("x-request-id", Ref::new("#/components/headers/RequestId"))
}

pub(super) fn named(name: &str) -> Ref {
    Ref::new(format!("#/components/parameters/{name}"))
}

fn header(name: &str, description: &str) -> Parameter {
    parameter(name, ParameterIn::Header, description, text()).build()
}

/// The model's name in a path.
pub(super) fn model_name() -> Parameter {
    let name = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(1_024)).into();
    parameter("name", ParameterIn::Path, "As the platform gave it; a key, never a path.", name)
        .required(Required::True)
        .build()
}

/// `GET /models`
pub(super) fn paging() -> [Parameter; 2] {
    let limit = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(100)).into();
    [
        parameter("limit", ParameterIn::Query, "Models on the page, at most 100.", limit).build(),
        parameter("next_page_token", ParameterIn::Query, "From the page before.", count()).build(),
    ]
}

fn parameter(name: &str, place: ParameterIn, description: &str, shape: Shape) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(shape))
}
