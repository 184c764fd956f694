//! schemathesis, which makes requests from a server's own document and judges the answers by it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::program::Served;
use crate::server::send;

/// Tries at least `cases` requests, if the server has operations enough; answers with how many they were. `models` are
/// the urls of a multi-model endpoint's models by their names.
pub(crate) fn run(served: &Served, cases: u64, models: &Value) -> u64 {
    let work = tempfile::tempdir().unwrap();
    let report = work.path().join("report.json");
    let output =
        command(served, cases, models, &report).current_dir(work.path()).output().expect("schemathesis starts");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert!(report["failures"] == serde_json::json!([]) && report["errors"] == serde_json::json!([]), "{report:#}");
    let generated = report["test_cases"]["generated"].as_u64().unwrap();
    println!(
        "schemathesis: {generated} requests, {} operations, {} s",
        report["operations"]["tested"], report["running_time"]
    );
    generated
}

fn command(served: &Served, cases: u64, models: &Value, report: &Path) -> Command {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python");
    let mut command = Command::new(tools().join("py/bin/st"));
    command.arg("--config-file").arg(python.join("schemathesis.toml"));
    command.arg("run").arg(format!("http://{}/openapi.json", served.address));
    command.args(["--workers", "2", "--max-examples", &cases.div_ceil(operations(served)).to_string()]);
    command.arg("--report").arg("json").arg("--report-json-path").arg(report);
    command.env("SCHEMATHESIS_HOOKS", python.join("schemathesis_hooks.py"));
    command.env("STRONGROOM_TEST_MODELS", models.to_string());
    command
}

/// How many the server documents.
fn operations(served: &Served) -> u64 {
    let document = send(served.address, "GET", "/openapi.json", &[], b"").json();
    let paths = document["paths"].as_object().unwrap();
    paths.values().map(|path| path.as_object().unwrap().len() as u64).sum()
}

fn tools() -> PathBuf {
    std::env::var_os("STRONGROOM_TEST_TOOLS").expect("run `make test`, which sets up the test tools").into()
}
