//! Sealing keys: the forms they may have, the refusals, and what Secrets Manager's answers mean.

#[path = "support/moto.rs"]
mod moto;
#[path = "support/scripted.rs"]
#[allow(dead_code, reason = "bodies that break off are the store's test")]
mod scripted;

use std::error::Error;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use aws_config::SdkConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::primitives::Blob;
use base64::Engine;
use scripted::{Scripted, Service};
use strongroom::keys::{KeyError, KeySource, Keys, create};
use strongroom::secret_file::SecretFileError;

const KEY: [u8; 32] = [0xc3; 32];
const OTHER: [u8; 32] = [0x99; 32];

fn base64(key: [u8; 32]) -> String {
    base64::engine::general_purpose::STANDARD.encode(key)
}

fn no_aws() -> SdkConfig {
    SdkConfig::builder().build()
}

/// A key file of mode 0600 with `content`.
struct KeyFile {
    folder: tempfile::TempDir,
}

impl KeyFile {
    fn with(content: impl AsRef<[u8]>) -> Self {
        let file = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(file.path(), content).unwrap();
        file.mode(0o600);
        file
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("kek.key")
    }

    fn mode(&self, mode: u32) {
        fs::set_permissions(self.path(), Permissions::from_mode(mode)).unwrap();
    }

    async fn open(&self) -> Result<Keys, KeyError> {
        Keys::open(&KeySource::File(self.path()), &no_aws()).await
    }
}

async fn key_in(content: impl AsRef<[u8]>) -> Result<[u8; 32], KeyError> {
    Ok(*KeyFile::with(content).open().await?.current().await?.key.expose())
}

fn forms() -> Vec<Vec<u8>> {
    let texts = [base64(KEY), hex::encode(KEY), hex::encode_upper(KEY), format!(r#"{{"key":"{}"}}"#, base64(KEY))];
    let texts = texts.into_iter().chain([format!(" {{\"min_index\": 7, \"key\": \"{}\"}} ", base64(KEY))]);
    std::iter::once(KEY.to_vec())
        .chain(texts.flat_map(|text| ["", "\n", "\r\n"].map(|end| format!("{text}{end}").into_bytes())))
        .collect()
}

fn refused_forms() -> Vec<(Vec<u8>, &'static str)> {
    vec![
        (b"correct horse battery staple 123".to_vec(), "a password, not a key"),
        (b"correct horse battery staple 123\n".to_vec(), "a password, not a key"),
        (b"".to_vec(), "it is 0 bytes long"),
        (KEY[..31].to_vec(), "it is 31 bytes long"),
        ([KEY.as_slice(), b"\n"].concat(), "it is 32 bytes long"),
        ([KEY.as_slice(), b"x"].concat(), "it is 33 bytes long"),
        (vec![b'a'; 44], "not base64 of 32 bytes"),
        (format!("{}=", &base64(KEY)[..43]).replace('=', "*").into_bytes(), "not base64 of 32 bytes"),
        (vec![b'g'; 64], "not hex"),
        (vec![b'a'; 100_000], "it is 65537 bytes long"),
        (b"{\"key\":\"AAAA\"}".to_vec(), "it is 4 bytes long"),
        (b"{\"key\":32}".to_vec(), "not a JSON object"),
        (b"{\"kek\":\"x\"}".to_vec(), "not a JSON object"),
        (b"{".to_vec(), "not a JSON object"),
        (format!("{}\n\n", base64(KEY)).into_bytes(), "it is 45 bytes long"),
    ]
}

#[tokio::test]
async fn a_key_file_holds_any_form() {
    for form in forms() {
        assert_eq!(key_in(&form).await.unwrap(), KEY, "{}", String::from_utf8_lossy(&form));
    }
}

#[tokio::test]
async fn what_is_no_key_is_refused_and_not_shown() {
    for (content, reason) in refused_forms() {
        let refused = key_in(&content).await.unwrap_err();
        let source = refused.source().unwrap().to_string();
        assert!(source.contains(reason), "{source} is not {reason}");
        assert!(refused.to_string().ends_with("kek.key holds no key"), "{refused}");
        let shown = format!("{refused:?} {source}");
        assert!(content.len() < 5 || !shown.contains(&*String::from_utf8_lossy(&content)), "{shown}");
        assert!(refused.remedy().unwrap().contains("strongroom key new"));
    }
}

#[tokio::test]
async fn a_key_file_that_others_may_use_is_refused() {
    let file = KeyFile::with(KEY);
    for mode in [0o644, 0o604, 0o620, 0o602, 0o610, 0o601, 0o660] {
        file.mode(mode);
        let refused = file.open().await.unwrap_err();
        assert!(
            matches!(refused, KeyError::File(SecretFileError::Mode { mode: found, .. }) if found == mode),
            "{mode:o}: {refused:?}"
        );
        assert!(refused.remedy().unwrap().starts_with("chmod 600 "));
    }
    for mode in [0o600, 0o400] {
        file.mode(mode);
        file.open().await.unwrap();
    }
}

#[tokio::test]
async fn the_group_of_a_key_file_may_read_it_only_where_it_is_roots() {
    let file = KeyFile::with(KEY);
    for mode in [0o640, 0o440] {
        file.mode(mode);
        assert_eq!(file.open().await.is_ok(), rustix::process::geteuid().is_root(), "{mode:o}");
    }
}

#[tokio::test]
async fn only_a_file_is_a_key_file() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&pipe).status().unwrap().success());
    for path in [pipe, folder.path().to_owned(), "/dev/zero".into()] {
        let refused = Keys::open(&KeySource::File(path), &no_aws()).await.unwrap_err();
        assert!(matches!(refused, KeyError::File(SecretFileError::NotAFile { .. })), "{refused:?}");
    }
    let missing = Keys::open(&KeySource::File(folder.path().join("none")), &no_aws()).await.unwrap_err();
    assert!(missing.remedy().unwrap().contains("strongroom key new"), "{missing:?}");
}

#[tokio::test]
async fn a_key_file_has_one_key_whose_name_is_its_id() {
    let keys = KeyFile::with(KEY).open().await.unwrap();
    let kek = keys.current().await.unwrap();
    assert_eq!(kek.name, kek.key.id());
    assert_eq!(keys.by_name(&kek.name).await.unwrap().key.expose(), &KEY);
    let other = keys.by_name("0123").await.unwrap_err();
    assert!(matches!(&other, KeyError::OtherKey { found, name, .. } if *found == kek.name && name == "0123"));
}

#[tokio::test]
async fn a_new_key_file_is_private_and_never_overwrites() {
    let folder = tempfile::tempdir().unwrap();
    let place = KeySource::File(folder.path().join("new.key"));
    let made = create(&place, &no_aws()).await.unwrap();
    assert_eq!(fs::metadata(folder.path().join("new.key")).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::read(folder.path().join("new.key")).unwrap(), made.key.expose());
    let read = Keys::open(&place, &no_aws()).await.unwrap().current().await.unwrap();
    assert_eq!((&read.name, read.key.expose()), (&made.name, made.key.expose()));
    let again = create(&place, &no_aws()).await.unwrap_err();
    assert!(matches!(again, KeyError::File(SecretFileError::Exists { .. })), "{again:?}");
    assert_eq!(fs::read(folder.path().join("new.key")).unwrap(), made.key.expose());
}

#[test]
fn sources_are_read_as_documented() {
    let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:team/kek-AbCdEf";
    let secret = |id: &str| KeySource::SecretsManager(id.into());
    assert_eq!("file:a/b".parse::<KeySource>().unwrap(), KeySource::File("a/b".into()));
    assert_eq!("secretsmanager:team/kek".parse::<KeySource>().unwrap(), secret("team/kek"));
    assert_eq!(arn.parse::<KeySource>().unwrap(), secret(arn));
    assert_eq!(format!("secretsmanager:{arn}").parse::<KeySource>().unwrap(), secret(arn));
    let wrong = ["", "file:", "a/b", "secretsmanager:", "secretsmanager:a b", "arn:aws:s3:::bucket", "kms:x", "arn:"];
    for text in wrong.into_iter().chain([base64(KEY).as_str()]) {
        let refused = text.parse::<KeySource>().unwrap_err().to_string();
        assert_eq!(
            refused,
            "a key is named file:PATH, secretsmanager:NAME, secretsmanager:ARN, a secret's bare ARN, vault:kv/MOUNT/PATH or vault:transit/MOUNT/NAME?file=PATH"
        );
    }
}

/// A secret of a name that no other test has, without a value.
struct Secret {
    name: String,
    client: Client,
    aws: SdkConfig,
}

impl Secret {
    async fn new() -> Self {
        let aws = moto::moto().sdk().await;
        Self { name: format!("test/{}", uuid::Uuid::new_v4()), client: Client::new(&aws), aws }
    }

    /// The version that `value` became; it is AWSCURRENT now.
    async fn put(&self, value: &[u8]) -> String {
        let _ = self.client.create_secret().name(&self.name).send().await;
        let put = self.client.put_secret_value().secret_id(&self.name).secret_binary(Blob::new(value));
        put.send().await.unwrap().version_id.unwrap()
    }

    async fn keys(&self) -> Keys {
        Keys::open(&format!("secretsmanager:{}", self.name).parse().unwrap(), &self.aws).await.unwrap()
    }
}

#[tokio::test]
async fn a_secret_holds_any_form_as_binary_or_text() {
    let secret = Secret::new().await;
    for form in forms() {
        let version = secret.put(&form).await;
        let kek = secret.keys().await.current().await.unwrap();
        assert_eq!((kek.name.as_str(), kek.key.expose()), (version.as_str(), &KEY));
        if let Ok(text) = String::from_utf8(form) {
            let put = secret.client.put_secret_value().secret_id(&secret.name).secret_string(text);
            put.send().await.unwrap();
            assert_eq!(secret.keys().await.current().await.unwrap().key.expose(), &KEY);
        }
    }
}

#[tokio::test]
async fn a_secret_that_holds_no_key_is_refused() {
    let secret = Secret::new().await;
    for (content, reason) in refused_forms().into_iter().filter(|(content, _)| (1..=65536).contains(&content.len())) {
        secret.put(&content).await;
        let refused = secret.keys().await.current().await.unwrap_err();
        assert_eq!(refused.to_string(), format!("secretsmanager:{} holds no key", secret.name));
        assert!(refused.source().unwrap().to_string().contains(reason), "{refused:?}");
    }
}

#[tokio::test]
async fn a_kek_is_found_by_its_version() {
    let secret = Secret::new().await;
    let (first, second) = (secret.put(&KEY).await, secret.put(&OTHER).await);
    let keys = secret.keys().await;
    assert_eq!(keys.by_name(&first).await.unwrap().key.expose(), &KEY);
    assert_eq!(keys.by_name(&second).await.unwrap().key.expose(), &OTHER);
    assert_eq!(keys.current().await.unwrap().name, second);
    assert_eq!(keys.candidates(&first).await.unwrap().len(), 1);
}

#[tokio::test]
async fn under_a_name_that_is_no_version_current_and_then_previous_are_tried() {
    let secret = Secret::new().await;
    let (previous, current) = (secret.put(&KEY).await, secret.put(&OTHER).await);
    let keys = secret.keys().await;
    for name in ["my key", "00000000-0000-4000-8000-000000000000", &"x".repeat(5000)] {
        let names: Vec<_> = keys.candidates(name).await.unwrap().iter().map(|kek| kek.name.clone()).collect();
        assert_eq!(names, [current.clone(), previous.clone()]);
        assert_eq!(keys.by_name(name).await.unwrap().name, current);
    }
}

#[tokio::test]
async fn previous_is_tried_where_current_holds_no_key() {
    let secret = Secret::new().await;
    let previous = secret.put(&KEY).await;
    secret.put(b"oops").await;
    assert_eq!(secret.keys().await.by_name("my key").await.unwrap().name, previous);
}

#[tokio::test]
async fn a_missing_secret_is_named_with_its_region() {
    let secret = Secret::new().await;
    let keys = secret.keys().await;
    for missing in [keys.current().await.unwrap_err(), keys.by_name("my key").await.unwrap_err()] {
        assert_eq!(missing.to_string(), format!("secret {} does not exist in region us-east-1", secret.name));
        assert!(missing.remedy().unwrap().contains("strongroom key new --to"));
    }
}

#[tokio::test]
async fn a_secret_that_is_scheduled_for_deletion_is_named_with_the_way_back() {
    let secret = Secret::new().await;
    secret.put(&KEY).await;
    secret.client.delete_secret().secret_id(&secret.name).recovery_window_in_days(7).send().await.unwrap();
    let deleted = secret.keys().await.current().await.unwrap_err();
    assert!(matches!(deleted, KeyError::Deleted { .. }), "{deleted:?}");
    assert!(deleted.remedy().unwrap().contains("restore-secret"));
}

#[tokio::test]
async fn a_new_secret_has_the_new_key_as_its_first_version_and_is_never_overwritten() {
    let secret = Secret::new().await;
    let place: KeySource = format!("secretsmanager:{}", secret.name).parse().unwrap();
    let made = create(&place, &secret.aws).await.unwrap();
    let kek = secret.keys().await.current().await.unwrap();
    assert_eq!((&kek.name, kek.key.expose()), (&made.name, made.key.expose()));
    let again = create(&place, &secret.aws).await.unwrap_err();
    assert_eq!(again.to_string(), format!("{place} exists already"));
    assert!(again.remedy().unwrap().contains("another name"));
    let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:x".parse().unwrap();
    assert!(matches!(create(&arn, &secret.aws).await, Err(KeyError::NewArn)));
}

#[tokio::test]
async fn a_denied_making_of_a_secret_names_the_right_it_takes() {
    let service = Service::start(vec![answer(400, "AccessDeniedException", "no")]);
    let place = "secretsmanager:s".parse().unwrap();
    let denied = create(&place, &moto::sdk_at(&service.endpoint).await).await.unwrap_err();
    assert!(matches!(denied, KeyError::MakingDenied { .. }), "{denied:?}");
    assert!(denied.remedy().unwrap().contains("secretsmanager:CreateSecret"));
}

/// Who may give a file away (root) sees that nobody else's is taken; another user's file is not readable to anybody else.
#[tokio::test]
async fn a_key_file_of_somebody_else_is_refused() {
    let file = KeyFile::with(KEY);
    if std::os::unix::fs::chown(file.path(), Some(12_345), None).is_ok() {
        let refused = file.open().await.unwrap_err();
        assert!(matches!(refused, KeyError::File(SecretFileError::Owner { uid: 12_345, .. })), "{refused:?}");
    }
}

fn answer(status: u16, code: &str, message: &str) -> Scripted {
    let body = format!(r#"{{"__type":"{code}","message":"{message}"}}"#);
    Scripted::new(status, body).header("Content-Type", "application/x-amz-json-1.1")
}

fn value(key: [u8; 32]) -> Scripted {
    let body = format!(r#"{{"Name":"s","VersionId":"v1","SecretBinary":"{}"}}"#, base64(key));
    Scripted::new(200, body).header("Content-Type", "application/x-amz-json-1.1")
}

async fn current_of(answers: Vec<Scripted>) -> (Service, Result<[u8; 32], KeyError>) {
    let service = Service::start(answers);
    let source = "secretsmanager:s".parse().unwrap();
    let keys = Keys::open(&source, &moto::sdk_at(&service.endpoint).await).await.unwrap();
    let key = keys.current().await.map(|kek| *kek.key.expose());
    (service, key)
}

#[tokio::test]
async fn a_throttled_call_is_tried_again() {
    let (service, key) = current_of(vec![answer(400, "ThrottlingException", "Rate exceeded"), value(KEY)]).await;
    assert_eq!(key.unwrap(), KEY);
    assert_eq!(service.requests().len(), 2);
}

#[tokio::test]
async fn a_service_that_always_throttles_is_given_up() {
    let (service, key) = current_of(vec![answer(400, "ThrottlingException", "Rate exceeded")]).await;
    let throttled = key.unwrap_err();
    assert_eq!(throttled.to_string(), "Secrets Manager throttles calls for secret s, 3 times in a row");
    assert!(throttled.remedy().is_some());
    assert_eq!(service.requests().len(), 3);
}

#[tokio::test]
async fn a_service_in_trouble_is_tried_again() {
    let (service, key) = current_of(vec![answer(500, "InternalServiceError", "sorry"), value(KEY)]).await;
    assert_eq!(key.unwrap(), KEY);
    assert_eq!(service.requests().len(), 2);
}

#[tokio::test]
async fn a_denied_call_is_not_tried_again() {
    for code in ["AccessDeniedException", "DecryptionFailure"] {
        let (service, key) = current_of(vec![answer(400, code, "User is not authorized")]).await;
        let denied = key.unwrap_err();
        assert_eq!(denied.to_string(), "access to secret s is denied");
        let source = denied.source().unwrap().to_string();
        assert_eq!(source, format!("Secrets Manager answered {code}: User is not authorized"));
        assert!(denied.remedy().unwrap().contains("secretsmanager:GetSecretValue"));
        assert_eq!(service.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_secret_without_a_value_is_not_called_missing() {
    let text = "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT";
    let (_service, key) = current_of(vec![answer(400, "ResourceNotFoundException", text)]).await;
    assert_eq!(key.unwrap_err().to_string(), "secret s has no value");
}

#[tokio::test]
async fn a_deleted_secret_is_not_a_refusal_of_another_kind() {
    let text = "You can't perform this operation on the secret because it was marked for deletion.";
    let (_service, key) = current_of(vec![answer(400, "InvalidRequestException", text)]).await;
    assert!(matches!(key.as_ref().unwrap_err(), KeyError::Deleted { .. }), "{key:?}");
    let (_service, key) = current_of(vec![answer(400, "InvalidRequestException", "Managed by a service")]).await;
    assert!(matches!(key.as_ref().unwrap_err(), KeyError::Refused { .. }), "{key:?}");
}

#[tokio::test]
async fn refused_credentials_are_not_called_a_denial() {
    let (_service, key) = current_of(vec![answer(400, "UnrecognizedClientException", "bad token")]).await;
    let refused = key.unwrap_err();
    assert!(matches!(refused, KeyError::Credentials { .. }), "{refused:?}");
    // Whoever is answered has a network.
    assert!(!refused.remedy().unwrap().contains("isolation"), "{refused:?}");
}

/// Network isolation, and each way out of it.
fn tells_of_network_isolation(error: &KeyError) {
    let remedy = error.remedy().unwrap();
    for part in ["network isolation", "interface endpoint", "STRONGROOM_KEY=file:", "STRONGROOM_ALLOW_UNSEALED=true"] {
        assert!(remedy.contains(part), "{part}: {remedy}");
    }
}

#[tokio::test]
async fn where_there_are_no_credentials_network_isolation_is_told_of() {
    let aws = strongroom::config::aws::loader().region(aws_config::Region::new("us-east-1"));
    let aws = aws.credentials_provider(NoCredentials).load().await;
    let keys = Keys::open(&"secretsmanager:s".parse().unwrap(), &aws).await.unwrap();
    let error = keys.current().await.unwrap_err();
    assert_eq!(error.to_string(), "no AWS credentials are found to read secret s");
    tells_of_network_isolation(&error);
    assert!(error.remedy().unwrap().starts_with("configure credentials as for the AWS CLI"));
}

/// What every provider of a chain comes to where there is none.
#[derive(Debug)]
struct NoCredentials;

impl ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded(
            "no providers in chain provided credentials",
        )))
    }
}

#[tokio::test]
async fn nobody_at_the_address_is_one_clear_line() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let aws = moto::sdk_at(&format!("http://127.0.0.1:{port}")).await;
    let keys = Keys::open(&"secretsmanager:s".parse().unwrap(), &aws).await.unwrap();
    let unreachable = keys.current().await.unwrap_err();
    assert_eq!(unreachable.to_string(), "Secrets Manager does not answer for secret s after 3 attempts");
    assert!(unreachable.source().unwrap().to_string().contains("refused"), "{unreachable:?}");
    tells_of_network_isolation(&unreachable);
    assert!(unreachable.remedy().unwrap().starts_with("check the network, the VPC endpoint for Secrets Manager"));
}

#[tokio::test]
async fn without_a_region_it_is_asked_for_unless_an_arn_says_it() {
    let missing = Keys::open(&"secretsmanager:s".parse().unwrap(), &no_aws()).await.unwrap().current().await;
    assert!(matches!(missing, Err(KeyError::Region { .. })), "{missing:?}");
    let service = Service::start(vec![value(KEY)]);
    let arn = "arn:aws:secretsmanager:ap-south-1:123456789012:secret:s-AbCdEf".parse().unwrap();
    let keys = Keys::open(&arn, &moto::sdk_at(&service.endpoint).await).await.unwrap();
    keys.current().await.unwrap();
    assert!(service.requests()[0].contains("/ap-south-1/secretsmanager/"), "{:?}", service.requests());
}

#[tokio::test]
async fn a_key_is_fetched_once() {
    let service = Service::start(vec![value(KEY)]);
    let source = "secretsmanager:s".parse().unwrap();
    let keys = Keys::open(&source, &moto::sdk_at(&service.endpoint).await).await.unwrap();
    let first = keys.current().await.unwrap();
    assert_eq!(keys.current().await.unwrap().name, first.name);
    assert_eq!(keys.by_name("v1").await.unwrap().name, "v1");
    assert_eq!(service.requests().len(), 1);
}

#[tokio::test]
async fn a_key_is_never_printed() {
    let file = KeyFile::with(base64(KEY));
    let keys = file.open().await.unwrap();
    let shown = format!("{keys:?} {:?}", keys.current().await.unwrap());
    assert!(!shown.contains(&base64(KEY)) && !shown.contains("195, 195"), "{shown}");
}
