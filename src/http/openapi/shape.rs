//! JSON schemas in few words.

use utoipa::openapi::schema::{AdditionalProperties, AllOfBuilder, AnyOfBuilder, ArrayBuilder, ObjectBuilder};
use utoipa::openapi::schema::{KnownFormat, SchemaFormat, Type};
use utoipa::openapi::{Ref, RefOr, Schema};

pub(super) type Shape = RefOr<Schema>;

/// One of the document's components.
pub(super) fn named(name: &str) -> Shape {
    Ref::from_schema_name(name).into()
}

pub(super) fn any_of(shapes: impl IntoIterator<Item = Shape>) -> Shape {
    shapes.into_iter().fold(AnyOfBuilder::new(), AnyOfBuilder::item).into()
}

pub(super) fn all_of(shapes: impl IntoIterator<Item = Shape>) -> Shape {
    shapes.into_iter().fold(AllOfBuilder::new(), AllOfBuilder::item).into()
}

pub(super) fn list(items: Shape) -> Shape {
    ArrayBuilder::new().items(items).into()
}

/// With one item at least.
pub(super) fn some(items: Shape) -> Shape {
    ArrayBuilder::new().items(items).min_items(Some(1)).into()
}

pub(super) fn text() -> Shape {
    ObjectBuilder::new().schema_type(Type::String).into()
}

pub(super) fn described_text(description: &str) -> Shape {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description)).into()
}

pub(super) fn number() -> Shape {
    ObjectBuilder::new().schema_type(Type::Number).into()
}

pub(super) fn count() -> Shape {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).into()
}

pub(super) fn base64() -> Shape {
    ObjectBuilder::new().schema_type(Type::String).content_encoding("base64").into()
}

/// Bytes that are no text. OpenAPI 3.1 would leave the schema out; tools know this form of 3.0 better.
pub(super) fn binary(description: &str) -> Shape {
    let format = SchemaFormat::KnownFormat(KnownFormat::Binary);
    ObjectBuilder::new().schema_type(Type::String).format(Some(format)).description(Some(description)).into()
}

pub(super) fn one_of_words(words: impl IntoIterator<Item = &'static str>) -> Shape {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
}

/// An object with at least these fields.
pub(super) fn object<const N: usize>(fields: [(&str, Shape); N]) -> ObjectBuilder {
    let fields = fields.into_iter();
    fields.fold(ObjectBuilder::new(), |object, (name, shape)| object.property(name, shape).required(name))
}

/// An object with these fields and no other.
pub(super) fn closed<const N: usize>(fields: [(&str, Shape); N]) -> ObjectBuilder {
    object(fields).additional_properties(Some(AdditionalProperties::FreeForm(false)))
}
