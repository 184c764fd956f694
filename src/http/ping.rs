//! `/ping`: 503 with the reason until the self-test has passed, 200 and nothing after, 503 again when draining or
//! poisoned. It reads one value and waits for nothing.

use actix_web::{HttpRequest, HttpResponse, web};

use super::shared::Shared;

/// `GET`, `HEAD`, `POST /ping`
pub(super) async fn ping(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    match shared.readiness.check() {
        Ok(()) => HttpResponse::Ok().finish(),
        Err(failure) => failure.respond(&request),
    }
}
