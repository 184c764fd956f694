//! Sealing keys in HashiCorp Vault, tried on rusty_vault, which speaks its API: tokens, denials, secrets. Its KV engine keeps no
//! versions and it has no transit engine: what version 2 of the one answers is put into it as it would be answered, and the
//! other is a service that answers as Vault documents it. Before it stands what adds the members that Vault's answers have and
//! its own have not.

#[path = "support/program.rs"]
mod program;
#[allow(dead_code, reason = "each test file uses its part")]
#[path = "support/scripted.rs"]
mod scripted;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use program::{Place, artifact};
use scripted::{Scripted, Service};
use serde_json::{Value, json};
use tempfile::TempDir;

const IRIS: &str = "iris-random-forest";
/// 32 bytes of 7, in base64.
const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// A running, unsealed server with a KV engine at `secret/`.
struct Vault {
    server: Child,
    address: SocketAddr,
    before: SocketAddr,
    root: String,
    _place: TempDir,
}

impl Vault {
    fn start() -> Self {
        let place = TempDir::new().unwrap();
        // Free now: nobody else asks for one meanwhile.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let path = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
        let settings = format!(
            "storage \"file\" {{\n  path = \"{}\"\n}}\nlistener \"tcp\" {{\n  address = \"{address}\"\n  tls_disable = true\n}}\n\
             api_addr = \"http://{address}\"\nwork_dir = \"{}\"\nlog_level = \"error\"\n",
            path("data"),
            path("work")
        );
        std::fs::write(path("vault.hcl"), settings).unwrap();
        let tools =
            PathBuf::from(std::env::var_os("STRONGROOM_TEST_TOOLS").expect("run `make test`, which sets it up"));
        let program = tools.join("vault/bin/rvault");
        let mut command = Command::new(program);
        let command = command.arg("server").arg(format!("--config={}", path("vault.hcl")));
        let mut server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("rusty_vault starts");
        while TcpStream::connect(address).is_err() {
            assert!(server.try_wait().unwrap().is_none(), "rusty_vault ended");
            std::thread::sleep(Duration::from_millis(20));
        }
        let before = stand_before(address);
        let mut vault = Self { server, address, before, root: String::new(), _place: place };
        let made = vault.call("PUT", "sys/init", &json!({ "secret_shares": 1, "secret_threshold": 1 }));
        made["root_token"].as_str().unwrap().clone_into(&mut vault.root);
        vault.call("PUT", "sys/unseal", &json!({ "key": made["keys"][0] }));
        vault
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let mut stream = TcpStream::connect(self.address).unwrap();
        let head = format!(
            "{method} /v1/{path} HTTP/1.1\r\nHost: vault\r\nConnection: close\r\nCookie: token={0}\r\nX-Vault-Token: {0}\r\n",
            self.root
        );
        write!(stream, "{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 2"), "{method} {path}: {answer}");
        serde_json::from_str(body).unwrap_or_default()
    }

    /// What version 2 of the engine answers for a secret of this content.
    fn put(&self, path: &str, data: &Value) {
        let metadata = json!({ "created_time": "2026-01-31T23:59:59Z", "deletion_time": "", "custom_metadata": null,
            "destroyed": false, "version": 1 });
        self.call("PUT", &format!("secret/data/{path}"), &json!({ "data": data, "metadata": metadata }));
    }

    fn on<'a>(&self, command: &'a mut Command, token: &str) -> &'a mut Command {
        command.env("VAULT_ADDR", format!("http://{}", self.before)).env("VAULT_TOKEN", token)
    }
}

/// What adds the members.
fn stand_before(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            // Whoever hangs up early asked nothing.
            let _ = pass_on(&mut client, server);
        }
    });
    address
}

/// One request without a body and its answer.
fn pass_on(client: &mut TcpStream, server: SocketAddr) -> std::io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let mut server = TcpStream::connect(server)?;
    server.write_all(&head[..head.len() - 2])?;
    server.write_all(b"Connection: close\r\n\r\n")?;
    let mut answer = String::new();
    server.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let mut body = body.to_owned();
    if let Ok(Value::Object(mut members)) = serde_json::from_str(&body) {
        for name in ["wrap_info", "warnings"] {
            members.entry(name).or_insert(Value::Null);
        }
        members.entry("request_id").or_insert("none".into());
        body = Value::Object(members).to_string();
    }
    let status = head.lines().next().unwrap_or_default();
    let head = format!("{status}\r\nContent-Type: application/json\r\nConnection: close\r\n");
    write!(client, "{head}Content-Length: {}\r\n\r\n{body}", body.len())
}

impl Drop for Vault {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// It fails with 1, says so and what helps, and neither key nor token.
fn fails(command: &mut Command, said: &str) {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(said) && text.contains("help: ") && !text.contains(KEY), "{said}: {text}");
}

fn publish(place: &Place, key: &str) -> Command {
    let mut command = place.command();
    command.arg("publish").arg(artifact(IRIS)).args(["--alias", "live"]).env("STRONGROOM_KEY", key);
    command
}

#[test]
fn a_key_in_the_kv_engine_seals_and_opens() {
    let (vault, place) = (Vault::start(), Place::new());
    vault.put("models/kek", &json!({ "key": KEY }));
    let key = "vault:kv/secret/models/kek";
    succeed(vault.on(&mut publish(&place, key), &vault.root));
    let mut served = place.command();
    served.args(["predict", IRIS]).arg(artifact(IRIS).join("self-test/flowers.csv")).env("STRONGROOM_KEY", key);
    succeed(vault.on(&mut served, &vault.root));
    // The same bytes in a file are the same key.
    let file = place.path("same");
    std::fs::write(&file, [7; 32]).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut served = place.command();
    served.args(["predict", IRIS]).arg(artifact(IRIS).join("self-test/flowers.csv"));
    succeed(served.env("STRONGROOM_KEY", format!("file:{file}")));
}

#[test]
fn a_server_takes_its_key_from_vault_inside_its_sandbox() {
    let (vault, place) = (Vault::start(), Place::new());
    vault.put("models/kek", &json!({ "key": KEY, "min_index": 1 }));
    let key = "vault:kv/secret/models/kek";
    succeed(vault.on(&mut publish(&place, key), &vault.root));
    let mut serve = place.command();
    serve.args(["serve", "--model", IRIS, "--bind", "127.0.0.1:0"]).env("STRONGROOM_KEY", key);
    program::Served::start(vault.on(&mut serve, &vault.root)).log("ready");
}

#[test]
fn what_vault_denies_or_has_not_is_named() {
    let (vault, place) = (Vault::start(), Place::new());
    vault.put("models/password", &json!({ "key": "correct horse battery staple 123" }));
    let key = "vault:kv/secret/models/kek";
    fails(vault.on(&mut publish(&place, key), "of-nobody"), "Vault denies access to vault:kv/secret/models/kek");
    fails(vault.on(&mut publish(&place, key), &vault.root), "Vault has no key at vault:kv/secret/models/kek");
    let password = "vault:kv/secret/models/password";
    fails(vault.on(&mut publish(&place, password), &vault.root), "a password, not a key");
    fails(publish(&place, key).env("VAULT_ADDR", "vault.example"), "VAULT_ADDR");
    let mut nowhere = publish(&place, key);
    fails(nowhere.env("VAULT_ADDR", "http://127.0.0.1:9").env("VAULT_TOKEN", "t"), "Vault does not give the key");
}

#[test]
fn a_key_that_the_transit_engine_wrapped_is_unwrapped() {
    let place = Place::new();
    let answer = |data: Value| {
        let whole = json!({ "request_id": "r", "lease_id": "", "renewable": false, "lease_duration": 0, "data": data,
            "wrap_info": null, "warnings": null, "auth": null });
        Scripted::new(200, whole.to_string()).header("Content-Type", "application/json")
    };
    let service = Service::start(vec![answer(json!({ "plaintext": KEY }))]);
    std::fs::write(place.path("kek.wrapped"), "vault:v1:abcdef\n").unwrap();
    std::fs::set_permissions(place.path("kek.wrapped"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let key = format!("vault:transit/transit/models?file={}", place.path("kek.wrapped"));
    let mut command = publish(&place, &key);
    succeed(command.env("VAULT_ADDR", &service.endpoint).env("VAULT_TOKEN", "t"));
    let requests = service.requests();
    assert!(requests[0].starts_with("post /v1/transit/decrypt/models http/1.1"), "{requests:?}");
    // A file of the same bytes opens it: the key is the one that was unwrapped.
    std::fs::write(place.path("same"), [7; 32]).unwrap();
    std::fs::set_permissions(place.path("same"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut opened = place.command();
    opened.args(["predict", IRIS]).arg(artifact(IRIS).join("self-test/flowers.csv"));
    succeed(opened.env("STRONGROOM_KEY", format!("file:{}", place.path("same"))));
}
