//! The AWS SDK's configuration: region, credentials and endpoints the way every AWS SDK finds them.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

/// Calls are tried so often in all; the SDK knows which failures a repetition can mend.
const ATTEMPTS: u32 = 3;
/// A service that is there accepts at once; three of these and the pauses between stay within seconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// From the request to the first byte of its answer. A body that stalls afterwards is the SDK's to notice.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// The configuration for what is on AWS. With `needed` false it is empty, and nothing is looked up: no file, no
/// environment, no metadata service.
pub async fn load(needed: bool) -> SdkConfig {
    if !needed {
        return SdkConfig::builder().build();
    }
    loader().load().await
}

/// What Strongroom sets of the SDK's configuration; the rest is looked up when it is loaded.
pub fn loader() -> ConfigLoader {
    // The one HTTP client, for credential providers too: TLS by ring, the only provider that is compiled in.
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
}
