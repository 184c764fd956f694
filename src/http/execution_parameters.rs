//! `/execution-parameters`: what a batch transform job should send, unless its maker says otherwise.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::model::memory_limit;

use super::shared::Shared;

/// The platform takes no job whose concurrency times payload is more, in MB.
const MAX_PRODUCT: usize = 100;
/// What the platform sends where nobody says anything, in MB; more requests at a time are not had for smaller ones.
const USUAL_PAYLOAD: usize = 6;
/// A request's body, what is read of it and its answers are taken to need so many times its length.
const WORKING_MEMORY: u64 = 8;

/// In the platform's words.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = ExecutionParameters)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Parameters {
    max_concurrent_transforms: usize,
    batch_strategy: &'static str,
    #[serde(rename = "MaxPayloadInMB")]
    max_payload_in_mb: usize,
}

/// `GET /execution-parameters`
pub(super) async fn get(shared: web::Data<Shared>) -> HttpResponse {
    HttpResponse::Ok().json(parameters(shared.config.threads, shared.config.max_body, memory_limit()))
}

/// A transform for each thread, each as large as the platform's product, the server's limit and the memory allow; as many
/// records in each as fit, since they are spread over the threads and none holds up the next.
fn parameters(threads: usize, max_body: usize, memory: Option<u64>) -> Parameters {
    let most = (max_body >> 20).clamp(1, MAX_PRODUCT);
    let held = memory.map_or(most, |memory| ((memory >> 20) / WORKING_MEMORY / threads.max(1) as u64) as usize);
    let usual = USUAL_PAYLOAD.min(most);
    let max_payload_in_mb = (MAX_PRODUCT / threads.max(1)).clamp(usual, most).min(held.max(1));
    Parameters {
        max_concurrent_transforms: threads.clamp(1, MAX_PRODUCT / max_payload_in_mb),
        batch_strategy: "MULTI_RECORD",
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
                for memory in [None, Some(0), Some(256 << 20), Some(64 << 30)] {
                    let parameters = parameters(threads, megabytes << 20, memory);
                    assert!(parameters.max_concurrent_transforms >= 1 && parameters.max_payload_in_mb >= 1);
                    assert!(parameters.max_concurrent_transforms * parameters.max_payload_in_mb <= MAX_PRODUCT);
                }
            }
        }
    }

    #[test]
    fn cores_memory_and_the_body_limit_bound_what_a_job_sends() {
        let told = |threads, megabytes: usize, memory| {
            let found = parameters(threads, megabytes << 20, Some(memory));
            (found.max_concurrent_transforms, found.max_payload_in_mb)
        };
        assert_eq!(told(2, 100, 64 << 30), (2, 50));
        assert_eq!(told(2, 25, 64 << 30), (2, 25));
        assert_eq!(told(64, 100, 64 << 30), (16, 6));
        assert_eq!(told(2, 100, 256 << 20), (2, 16));
    }
}
