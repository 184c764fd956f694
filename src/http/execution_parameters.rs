//! `/execution-parameters`: what a batch transform job should send, unless its maker says otherwise.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::shared::Shared;

/// The platform takes no job whose concurrency times payload is more, in MB.
const MAX_PRODUCT: usize = 100;

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Parameters {
    max_concurrent_transforms: usize,
    batch_strategy: &'static str,
    #[serde(rename = "MaxPayloadInMB")]
    max_payload_in_mb: usize,
}

/// `GET /execution-parameters`
pub(super) async fn get(shared: web::Data<Shared>) -> HttpResponse {
    HttpResponse::Ok().json(parameters(shared.config.threads, shared.config.max_body))
}

/// One transform per thread, as far as the product allows. One record a request: the platform fills a mini-batch up to
/// the payload, and 25 MB of rows are more than `[limits] items` lets through.
fn parameters(threads: usize, max_body: usize) -> Parameters {
    let max_payload_in_mb = (max_body >> 20).clamp(1, MAX_PRODUCT);
    Parameters {
        max_concurrent_transforms: threads.clamp(1, MAX_PRODUCT / max_payload_in_mb),
        batch_strategy: "SINGLE_RECORD",
        max_payload_in_mb,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concurrency_times_payload_never_passes_what_the_platform_takes() {
        for threads in [0, 1, 2, 4, 64, 1_000] {
            for megabytes in [0, 1, 6, 25, 33, 51, 100, 1_024] {
                let parameters = parameters(threads, megabytes << 20);
                assert!(parameters.max_concurrent_transforms >= 1 && parameters.max_payload_in_mb >= 1);
                assert!(parameters.max_concurrent_transforms * parameters.max_payload_in_mb <= MAX_PRODUCT);
            }
        }
    }

    #[test]
    fn the_defaults_on_two_threads_send_two_single_records_of_25_mb_at_most() {
        let expected =
            Parameters { max_concurrent_transforms: 2, batch_strategy: "SINGLE_RECORD", max_payload_in_mb: 25 };
        assert_eq!(parameters(2, 25 << 20), expected);
    }
}
