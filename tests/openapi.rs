//! The OpenAPI document says what servers do, and `docs/openapi.json` is that document.

#[path = "support/program.rs"]
mod program;
#[path = "support/schemathesis.rs"]
mod schemathesis;
#[path = "support/server.rs"]
mod server;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use program::{Served, artifact, program};
use serde_json::{Value, json};
use server::{TestServer, config, eventually, send};
use strongroom::http::{Config, document_of_all_servers};

/// Requests that schemathesis tries, in all; `make schemathesis` sets it to 10,000.
const CASES: &str = "STRONGROOM_SCHEMATHESIS_CASES";
/// Rewrites `docs/openapi.json`; `make openapi` sets it.
const UPDATE: &str = "UPDATE_OPENAPI";

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_committed_document_is_what_the_code_makes() {
    let made = document_of_all_servers();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(file("docs/openapi.json"), &made).unwrap();
    }
    assert!(text("docs/openapi.json") == made, "docs/openapi.json is out of date; run `make openapi`");
}

#[test]
fn every_error_code_of_the_sources_is_in_the_document_and_no_other() {
    let document = serde_json::from_str(&document_of_all_servers()).unwrap();
    let (mut codes, mut kinds) = (BTreeSet::new(), BTreeSet::new());
    collect(&document, &mut codes, &mut kinds);
    assert_eq!(codes, codes_of_errors());
    assert_eq!(kinds, quoted(&text("src/http/models/dialect.rs"), |word| word.ends_with("Exception")));
}

/// The words of every schema of a code and of a type.
fn collect(document: &Value, codes: &mut BTreeSet<String>, kinds: &mut BTreeSet<String>) {
    let add = |name: &str, words: &mut BTreeSet<String>| {
        let found = document["properties"][name]["enum"].as_array().into_iter().flatten();
        words.extend(found.filter_map(Value::as_str).map(str::to_owned));
    };
    add("code", codes);
    add("type", kinds);
    match document {
        Value::Object(fields) => fields.values().for_each(|field| collect(field, codes, kinds)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, codes, kinds)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What stands beside a status in the map, and the codes of malformed bodies.
fn codes_of_errors() -> BTreeSet<String> {
    let source = text("src/http/error.rs");
    let map = source.split("#[cfg(test)]").next().unwrap_or_default();
    let beside_a_status: String = map.lines().filter(|line| line.contains("StatusCode::")).collect();
    let mut codes = quoted(&beside_a_status, |_| true);
    codes.extend(quoted(map, |word| word.starts_with("malformed_")));
    assert!(codes.len() > 25, "{codes:?}");
    codes
}

fn quoted(source: &str, keep: impl Fn(&str) -> bool) -> BTreeSet<String> {
    source.split('"').skip(1).step_by(2).filter(|word| keep(word)).map(str::to_owned).collect()
}

#[test]
fn a_server_has_the_routes_that_it_documents_with_these_methods_only() {
    let switched_on = Config { openapi: true, ..config() };
    for test in [TestServer::ready(switched_on.clone()), TestServer::of_many(switched_on)] {
        let document = test.get("/openapi.json").json();
        for (path, operations) in document["paths"].as_object().unwrap() {
            let refused = send(test.address, "PATCH", path, &[], b"");
            assert_eq!(refused.code(), (405, "method_not_allowed".into()), "{path}");
            let allowed: BTreeSet<String> = refused.headers["allow"].split(", ").map(str::to_lowercase).collect();
            let documented: BTreeSet<String> = operations.as_object().unwrap().keys().cloned().collect();
            assert_eq!(allowed, documented, "{path}");
        }
    }
}

#[test]
fn the_document_is_shown_only_where_it_is_switched_on() {
    assert_eq!(TestServer::ready(config()).get("/openapi.json").code(), (404, "not_found".into()));
    let test = TestServer::ready(Config { openapi: true, convenience_routes: false, ..config() });
    let answer = test.get("/openapi.json");
    assert_eq!((answer.status, answer.headers["content-type"].as_str()), (200, "application/json"));
    let paths = answer.json()["paths"].as_object().unwrap().clone();
    assert!(paths.contains_key("/invocations") && !paths.contains_key("/analyze") && !paths.contains_key("/models"));
}

#[test]
fn schemathesis_finds_no_undocumented_answer_of_a_model_of_rows() {
    schemathesis::run(&one_model("iris-random-forest"), cases() * 4 / 10, &json!({}));
}

#[test]
fn schemathesis_finds_no_undocumented_answer_of_a_model_of_images() {
    schemathesis::run(&one_model("imagenet-efficientnet-lite0"), cases() * 2 / 10, &json!({}));
}

#[test]
fn schemathesis_finds_no_undocumented_answer_of_a_multi_model_endpoint() {
    let served = many_models();
    let url = artifact("iris-random-forest").display().to_string();
    let models = json!({ "flowers": url, "a/name with %, ö and a slash": url });
    for (name, url) in models.as_object().unwrap() {
        let body = json!({ "model_name": name, "url": url }).to_string();
        let answer = send(served.address, "POST", "/models", &[], body.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    schemathesis::run(&served, cases() * 4 / 10, &models);
}

fn cases() -> u64 {
    std::env::var(CASES).map_or(1_000, |cases| cases.parse().unwrap())
}

fn one_model(bundle: &str) -> Served {
    let path = artifact(bundle);
    let served = serve(&["--model", path.to_str().unwrap()], false);
    served.log("ready");
    served
}

fn many_models() -> Served {
    let served = serve(&["--models-dir", artifact("").to_str().unwrap()], true);
    eventually(|| send(served.address, "GET", "/ping", &[], b"").status == 200);
    served
}

fn serve(arguments: &[&str], multi_model: bool) -> Served {
    let mut command = program();
    command.args(["serve", "--bind", "127.0.0.1:0", "--allow-unsealed", "true", "--openapi", "true"]).args(arguments);
    Served::start(command.env("SAGEMAKER_MULTI_MODEL", multi_model.to_string()))
}
