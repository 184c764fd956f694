//! The OpenAPI document. It is made of the table of routes, the map of failures and the types of answers, so that it says
//! what the server does. `docs/openapi.json` is the one of all servers together.

mod answers;
mod bodies;
mod failures;
mod operations;
mod parameters;
mod shape;

use actix_web::http::Method;
use actix_web::http::header::ContentType;
use actix_web::{HttpResponse, web};
use utoipa::openapi::path::PathsBuilder;
use utoipa::openapi::schema::ComponentsBuilder;
use utoipa::openapi::{HttpMethod, InfoBuilder, LicenseBuilder, OpenApiBuilder, PathItem};

use super::routes::{self, Place};
use super::shared::Shared;

const ABOUT: &str = "Sealed ONNX models in the container contract of Amazon SageMaker. A server has one model, or is a \
    multi-model endpoint whose models come and go; the tags say which routes belong to which. Every answer carries \
    `x-request-id`, but for a 400 or 408 without a body to what is no HTTP request.";

/// All routes of all servers, as pretty JSON with a line end.
pub fn document_of_all_servers() -> String {
    document(routes::all())
}

/// `GET /openapi.json`: what this server has.
pub(super) async fn get(shared: web::Data<Shared>) -> HttpResponse {
    let document = document(routes::of(&shared.config));
    HttpResponse::Ok().content_type(ContentType::json()).body(document)
}

fn document(places: impl Iterator<Item = &'static Place>) -> String {
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let about = InfoBuilder::new().title("Strongroom").version(env!("CARGO_PKG_VERSION"));
    let paths = places.fold(PathsBuilder::new(), |paths, place| paths.path(place.path, item(place)));
    let document = OpenApiBuilder::new()
        .info(about.description(Some(ABOUT)).license(Some(license)))
        .paths(paths)
        .components(Some(answers::add(bodies::add(parameters::add(failures::add(ComponentsBuilder::new())))).build()))
        .build();
    // Maps with text for keys always serialise.
    document.to_pretty_json().unwrap_or_default() + "\n"
}

fn item(place: &Place) -> PathItem {
    place.operations.iter().fold(PathItem::default(), |mut item, (method, operation)| {
        if let Some(known) = known(method) {
            let described = operations::describe(*operation, method, place.on);
            item.merge_operations(PathItem::new(known, described));
        }
        item
    })
}

/// As the crate calls a method; our table has none but these.
fn known(method: &Method) -> Option<HttpMethod> {
    let known = [
        (Method::GET, HttpMethod::Get),
        (Method::HEAD, HttpMethod::Head),
        (Method::POST, HttpMethod::Post),
        (Method::DELETE, HttpMethod::Delete),
    ];
    known.into_iter().find(|(ours, _)| ours == method).map(|(_, theirs)| theirs)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::http::Config;

    fn parsed(document: &str) -> Value {
        serde_json::from_str(document).expect("JSON")
    }

    fn check(document: &Value, places: impl Iterator<Item = &'static Place>) {
        let mut paths = 0;
        for place in places {
            let found =
                document["paths"][place.path].as_object().unwrap_or_else(|| panic!("{} is missing", place.path));
            let methods: Vec<String> =
                place.operations.iter().map(|(method, _)| method.as_str().to_lowercase()).collect();
            assert!(methods.iter().all(|method| found.contains_key(method)), "{}: {found:?}", place.path);
            assert_eq!(found.len(), methods.len(), "{}", place.path);
            paths += 1;
        }
        assert_eq!(document["paths"].as_object().map(serde_json::Map::len), Some(paths));
    }

    #[test]
    fn every_route_and_method_is_in_the_document_and_no_other() {
        check(&parsed(&document_of_all_servers()), routes::all());
        for multi_model in [false, true] {
            let config = Config { multi_model, openapi: true, ..Config::default() };
            check(&parsed(&document(routes::of(&config))), routes::of(&config));
        }
    }
}
