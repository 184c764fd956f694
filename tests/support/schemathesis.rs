//! schemathesis, which makes requests from a server's own document and judges the answers by it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::program::Served;
use crate::server::send;

/// Tries at least `cases` requests. `models` are the urls of a multi-model endpoint's models by their names.
pub(crate) fn run(served: &Served, cases: u64, models: &Value) {
    let work = tempfile::tempdir().unwrap();
    let report = work.path().join("report.json");
    let output =
        command(served, cases, models, &report).current_dir(work.path()).output().expect("schemathesis starts");
    let (told, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}{errors}");
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert!(report["failures"] == json!([]) && report["errors"] == json!([]), "{told}");
    let tried = report["test_cases"]["generated"].as_u64().unwrap();
    assert!(tried >= cases, "only {tried} of {cases} requests were tried");
    println!("schemathesis: {tried} requests in {} s, no finding", report["running_time"]);
}

fn command(served: &Served, cases: u64, models: &Value, report: &Path) -> Command {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python");
    let mut command = Command::new(tools().join("py/bin/st"));
    command.arg("--config-file").arg(python.join("schemathesis.toml"));
    command.arg("run").arg(format!("http://{}/openapi.json", served.address));
    // Half as many again, since some operations run out of different requests.
    let examples = (cases * 3).div_ceil(operations(served) * 2);
    // With more than one worker, Python 3.11 fails now and then within `ast.parse`.
    command.args(["--workers", "1", "--max-examples", &examples.to_string()]);
    command.arg("--report").arg("json").arg("--report-json-path").arg(report);
    command.env("SCHEMATHESIS_HOOKS", python.join("schemathesis_hooks.py"));
    command.env("STRONGROOM_TEST_MODELS", models.to_string());
    command
}

/// How many the server documents, but for the one that schemathesis asks once.
fn operations(served: &Served) -> u64 {
    let document = send(served.address, "GET", "/openapi.json", &[], b"").json();
    let mut paths = document["paths"].as_object().unwrap().clone();
    paths.remove("/openapi.json");
    paths.values().map(|path| path.as_object().unwrap().len() as u64).sum()
}

fn tools() -> PathBuf {
    std::env::var_os("STRONGROOM_TEST_TOOLS").expect("run `make test`, which sets up the test tools").into()
}
