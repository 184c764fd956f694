//! AWS on loopback: one moto server per test process.

#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;

/// Serves on a port that the kernel chooses, one request at a time (so that its conditional writes are atomic, as S3's
/// are), until its standard input closes: it dies with the test process, however that ends. KMS is asked to sign digests,
/// which moto would hash once more.
const SERVE: &str = "
import os, sys, threading
from werkzeug.serving import WSGIRequestHandler, make_server
from moto.server import DomainDispatcherApplication, create_backend_app
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto.kms.utils import ECDSAPrivateKey
def sign_digest(self, digest, _algorithm):
    hashed = {32: hashes.SHA256, 48: hashes.SHA384}[len(digest)]()
    return self.private_key.sign(digest, ec.ECDSA(Prehashed(hashed)))
ECDSAPrivateKey.sign = sign_digest
class Quiet(WSGIRequestHandler):
    def log(self, *args): pass
def die_with_parent():
    sys.stdin.read()
    os._exit(0)
server = make_server('127.0.0.1', 0, DomainDispatcherApplication(create_backend_app), request_handler=Quiet)
threading.Thread(target=die_with_parent, daemon=True).start()
print(server.server_port, flush=True)
server.serve_forever()
";

/// A running moto server.
pub(crate) struct Moto {
    endpoint: String,
    _server: Child,
    _alive: ChildStdin,
}

/// The server of this test process.
pub(crate) fn moto() -> &'static Moto {
    static SHARED: OnceLock<Moto> = OnceLock::new();
    SHARED.get_or_init(Moto::start)
}

impl Moto {
    fn start() -> Self {
        let mut server = Command::new(python())
            .args(["-c", SERVE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python of the test tools starts");
        let alive = server.stdin.take().expect("stdin is piped");
        let mut port = String::new();
        BufReader::new(server.stdout.take().expect("stdout is piped")).read_line(&mut port).expect("moto prints");
        let port: u16 = port.trim().parse().expect("moto starts; its error is seen with `python -m moto.server`");
        Self { endpoint: format!("http://127.0.0.1:{port}"), _server: server, _alive: alive }
    }

    /// For a program's `AWS_ENDPOINT_URL`.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What `strongroom` would load with `AWS_ENDPOINT_URL` set to the server.
    pub(crate) async fn sdk(&self) -> SdkConfig {
        sdk_at(&self.endpoint).await
    }
}

/// The SDK's configuration as `strongroom` makes it, but for a service at `endpoint` and with credentials of its own.
pub(crate) async fn sdk_at(endpoint: &str) -> SdkConfig {
    strongroom::config::aws::loader()
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new("test", "test", None, None, "tests"))
        .load()
        .await
}

fn python() -> PathBuf {
    let tools = std::env::var_os("STRONGROOM_TEST_TOOLS").expect("run `make test`, which sets up the test tools");
    PathBuf::from(tools).join("py/bin/python")
}
