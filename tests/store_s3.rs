//! What the S3 store does with answers that a moto server does not give.

#[path = "support/moto.rs"]
mod moto;
#[path = "support/scripted.rs"]
mod scripted;

use std::error::Error;
use std::net::TcpListener;

use aws_config::SdkConfig;
use bytes::Bytes;
use scripted::{Scripted, Service};
use strongroom::store::{ETag, Location, Store, StoreError};

async fn store_at(endpoint: &str) -> Store {
    Store::open(&"s3://bucket/team".parse::<Location>().unwrap(), &moto::sdk_at(endpoint).await)
}

async fn scripted_store(answers: Vec<Scripted>) -> (Service, Store) {
    let service = Service::start(answers);
    let store = store_at(&service.endpoint).await;
    (service, store)
}

fn refused(status: u16, code: &str) -> Scripted {
    Scripted::new(status, format!("<Error><Code>{code}</Code><Message>because</Message></Error>"))
}

fn body(text: &str) -> Scripted {
    Scripted::new(206, text).header("ETag", "\"v1\"")
}

fn etag() -> ETag {
    ETag("\"v1\"".into())
}

#[tokio::test]
async fn a_range_that_breaks_off_is_fetched_again() {
    let (service, store) = scripted_store(vec![body("0123456789").broken_after(4), body("0123456789")]).await;
    assert_eq!(store.read_range("k", 0..10, &etag()).await.unwrap(), "0123456789");
    let requests = service.requests();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert!(request.starts_with("get /bucket/team/k"), "{request}");
        assert!(request.contains("\r\nrange: bytes=0-9\r\n"), "{request}");
        assert!(request.contains("\r\nif-match: \"v1\"\r\n"), "{request}");
    }
}

#[tokio::test]
async fn a_range_that_always_breaks_off_is_given_up() {
    let (service, store) = scripted_store(vec![body("0123456789").broken_after(4)]).await;
    let given_up = store.read_range("k", 0..10, &etag()).await;
    assert!(matches!(given_up, Err(StoreError::Unreachable { attempts: 4, .. })), "{given_up:?}");
    assert_eq!(service.requests().len(), 4);
}

#[tokio::test]
async fn a_service_that_ignores_the_pin_is_found_out() {
    let (_service, store) = scripted_store(vec![body("0123456789").header("x-amz-id", "1")]).await;
    let changed = store.read_range("k", 0..10, &ETag("\"v0\"".into())).await;
    assert!(matches!(changed, Err(StoreError::Changed { .. })), "{changed:?}");
}

#[tokio::test]
async fn a_service_that_ignores_the_range_is_found_out() {
    let (_service, store) = scripted_store(vec![body("0123456789")]).await;
    assert!(store.read_range("k", 0..5, &etag()).await.is_err());
}

#[tokio::test]
async fn two_conditional_writes_that_meet_are_tried_again() {
    let met = refused(409, "ConditionalRequestConflict");
    let (service, store) = scripted_store(vec![met, Scripted::new(200, "").header("ETag", "\"v2\"")]).await;
    assert!(store.create("k", Bytes::from_static(b"x")).await.unwrap());
    assert_eq!(service.requests().len(), 2);
    assert!(service.requests()[1].contains("\r\nif-none-match: *\r\n"));
    assert!(service.requests()[1].contains("\r\nx-amz-checksum-sha256: "));
}

#[tokio::test]
async fn a_swap_sends_the_version_it_expects() {
    let (service, store) = scripted_store(vec![Scripted::new(200, "").header("ETag", "\"v2\"")]).await;
    let swapped = store.swap("k", Some(&etag()), Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(swapped, ETag("\"v2\"".into()));
    assert!(service.requests()[0].contains("\r\nif-match: \"v1\"\r\n"));
}

#[tokio::test]
async fn a_denied_call_is_not_a_missing_object() {
    let (service, store) = scripted_store(vec![refused(403, "AccessDenied")]).await;
    let denied = store.get("k", 10).await.unwrap_err();
    assert_eq!(denied.to_string(), "access to s3://bucket/team/k is denied");
    assert_eq!(denied.source().unwrap().to_string(), "S3 answered AccessDenied: because");
    assert!(denied.remedy().unwrap().contains("s3:ListBucket"));
    assert_eq!(service.requests().len(), 1);
}

#[tokio::test]
async fn refused_credentials_are_named() {
    let (_service, store) = scripted_store(vec![refused(400, "ExpiredToken")]).await;
    let refused = store.get("k", 10).await.unwrap_err();
    assert!(matches!(refused, StoreError::Credentials { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_service_that_is_busy_for_a_moment_is_asked_again() {
    let (service, store) = scripted_store(vec![refused(503, "SlowDown"), body("x")]).await;
    assert_eq!(store.get("k", 10).await.unwrap().0, "x");
    assert_eq!(service.requests().len(), 2);
}

#[tokio::test]
async fn nobody_at_the_address_is_one_clear_line() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let store = store_at(&format!("http://127.0.0.1:{port}")).await;
    let unreachable = store.head("k").await.unwrap_err();
    assert_eq!(unreachable.to_string(), "the store does not answer for s3://bucket/team/k after 3 attempts");
    assert!(unreachable.source().unwrap().to_string().contains("refused"), "{unreachable:?}");
    assert!(unreachable.remedy().unwrap().contains("AWS_ENDPOINT_URL"));
}

#[tokio::test]
async fn a_missing_region_is_named() {
    let store = Store::open(&"s3://bucket".parse::<Location>().unwrap(), &SdkConfig::builder().build());
    let missing = store.head("k").await.unwrap_err();
    assert!(matches!(missing, StoreError::Region { .. }), "{missing:?}");
}

#[tokio::test]
async fn missing_credentials_are_named() {
    let aws = moto::sdk_at("http://127.0.0.1:9").await.into_builder();
    let none = aws_credential_types::provider::SharedCredentialsProvider::new(NoCredentials);
    let store = Store::open(&"s3://bucket".parse().unwrap(), &aws.credentials_provider(none).build());
    let missing = store.head("k").await.unwrap_err();
    assert!(matches!(missing, StoreError::Credentials { .. }), "{missing:?}");
    assert!(missing.source().unwrap().to_string().contains("nobody gave any"), "{missing:?}");
}

#[derive(Debug)]
struct NoCredentials;

impl aws_credential_types::provider::ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let error = aws_credential_types::provider::error::CredentialsError::not_loaded("nobody gave any");
        aws_credential_types::provider::future::ProvideCredentials::ready(Err(error))
    }
}

#[test]
fn locations_are_read_as_documented() {
    let s3 = |bucket: &str, prefix: &str| Location::S3 { bucket: bucket.into(), prefix: prefix.into() };
    assert_eq!("s3://models".parse::<Location>().unwrap(), s3("models", ""));
    assert_eq!("s3://models/".parse::<Location>().unwrap(), s3("models", ""));
    assert_eq!("s3://my.models-1/a/b/".parse::<Location>().unwrap(), s3("my.models-1", "a/b/"));
    assert_eq!("s3://my.models-1/a/b".parse::<Location>().unwrap().to_string(), "s3://my.models-1/a/b/");
    assert_eq!("some/folder".parse::<Location>().unwrap(), Location::Dir("some/folder".into()));
    for wrong in ["", "s3://", "s3://Up/x", "s3://ab", "s3://bucket/../x", "s3://bucket//x", "gs://bucket", "https://x"]
    {
        let refused = wrong.parse::<Location>().unwrap_err();
        assert!(matches!(refused, StoreError::Location { .. }), "{wrong}");
        assert!(refused.remedy().unwrap().contains("s3://BUCKET[/PREFIX]"));
    }
}

#[tokio::test]
async fn another_region_and_a_wrong_clock_are_named() {
    for (status, code) in
        [(301, "PermanentRedirect"), (400, "AuthorizationHeaderMalformed"), (400, "IllegalLocationConstraintException")]
    {
        let (_service, store) = scripted_store(vec![refused(status, code)]).await;
        let other = store.get("k", 10).await.unwrap_err();
        assert!(matches!(other, StoreError::OtherRegion { .. }), "{other:?}");
        assert!(other.remedy().unwrap().contains("AWS_REGION"));
    }
    let (_service, store) = scripted_store(vec![refused(403, "RequestTimeTooSkewed")]).await;
    let skewed = store.get("k", 10).await.unwrap_err();
    assert!(matches!(skewed, StoreError::Clock { .. }), "{skewed:?}");
}

#[tokio::test]
async fn an_upload_that_was_completed_by_an_attempt_whose_answer_was_lost_is_there() {
    let missing = || refused(404, "NoSuchKey");
    let begun = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
    let part = || Scripted::new(200, "").header("ETag", "\"p\"");
    let answers = vec![
        missing(),
        missing(),
        Scripted::new(200, begun),
        part(),
        part(),
        refused(404, "NoSuchUpload"),
        refused(404, "NoSuchUpload"),
        Scripted::new(200, "").header("ETag", "\"v1\""),
    ];
    let (_service, store) = scripted_store(answers).await;
    let draft = store.draft().await.unwrap();
    draft.file().set_len((8 << 20) + 1).unwrap();
    assert!(!draft.create_retained("k", &|_| ()).await.unwrap());
}

#[tokio::test]
async fn a_large_object_is_retained_from_its_first_part() {
    let begun = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
    let done = "<CompleteMultipartUploadResult><ETag>\"v1\"</ETag></CompleteMultipartUploadResult>";
    let part = || Scripted::new(200, "").header("ETag", "\"p\"");
    let missing = || refused(404, "NoSuchKey");
    let answers = vec![missing(), missing(), Scripted::new(200, begun), part(), part(), Scripted::new(200, done)];
    let (service, store) = scripted_store(answers).await;
    let store = store.retaining("compliance:7".parse().unwrap()).unwrap();
    let draft = store.draft().await.unwrap();
    draft.file().set_len((8 << 20) + 1).unwrap();
    assert!(draft.create_retained("k", &|_| ()).await.unwrap());
    let requests = service.requests();
    let begins = &requests[2];
    assert!(begins.contains("\r\nx-amz-object-lock-mode: compliance\r\n"), "{begins}");
    assert!(begins.contains("\r\nx-amz-object-lock-retain-until-date: 2"), "{begins}");
}

#[tokio::test]
async fn a_bucket_without_object_lock_is_named() {
    let said = "Bucket is missing Object Lock Configuration";
    let answer = format!("<Error><Code>InvalidRequest</Code><Message>{said}</Message></Error>");
    let (_service, store) = scripted_store(vec![Scripted::new(400, answer)]).await;
    let store = store.retaining("governance:7".parse().unwrap()).unwrap();
    let refused = store.create_retained("k", Bytes::from_static(b"x")).await.unwrap_err();
    assert!(matches!(refused, StoreError::NoObjectLock { .. }), "{refused:?}");
    assert!(refused.to_string().contains("s3://bucket"), "{refused}");
}
