//! The house's plan, held: imports go to lower floors, foreign crates stay where they live, files stay short.

use std::path::Path;

/// Module and floor. An import goes to a lower floor only; siblings of a floor do not know each other.
const FLOORS: [(&str, u8); 20] = [
    ("cli", 7),
    ("serve", 6),
    ("config", 5),
    ("http", 4),
    ("guard", 3),
    ("watch", 3),
    ("predict", 2),
    ("registry", 2),
    ("model", 1),
    ("keys", 1),
    ("signer", 1),
    ("store", 1),
    ("sealed", 0),
    ("signed", 0),
    ("secret_file", 0),
    ("bundle", 0),
    ("jpeg", 0),
    ("kernels", 0),
    ("sandbox", 0),
    ("telemetry", 0),
];

/// What is named outside only where it lives: path prefixes under `src/`.
const OWNERS: [(&str, &[&str]); 33] = [
    ("tract_onnx::", &["model/"]),
    ("tract_core::", &["model/"]),
    ("strongroom_jpeg::", &["predict/image/"]),
    ("strongroom_kernels::", &["model/", "kernels/tests/"]),
    ("actix_web::", &["http.rs", "http/"]),
    ("prometheus_client::", &["http/metrics.rs"]),
    ("aws_sdk_s3::", &["store/s3.rs", "store/s3/"]),
    ("aws_sdk_secretsmanager::", &["keys/secrets_manager.rs", "keys/secrets_manager/"]),
    ("ring::", &["sealed.rs", "sealed/", "signed/", "signer/", "keys/vault.rs"]),
    ("aws_sdk_kms::", &["signer/kms.rs"]),
    ("use image::", &["predict/image.rs", "predict/image/", "jpeg/"]),
    ("fast_image_resize::", &["predict/image.rs", "predict/image/"]),
    ("clap::", &["config.rs", "config/", "cli.rs", "cli/"]),
    ("clap_complete::", &["config/completions.rs"]),
    ("env::var", &["config.rs", "config/"]),
    ("env::vars", &["config.rs", "config/"]),
    ("env::args", &["config.rs", "config/"]),
    (
        "aws_config::",
        &["config/aws.rs", "keys.rs", "keys/", "signer.rs", "signer/", "store.rs", "store/", "registry.rs"],
    ),
    ("aws_types::", &["store/s3.rs", "store/s3/"]),
    ("aws_credential_types::", &["store/s3/", "keys/secrets_manager/"]),
    ("subtle::", &["sealed/"]),
    ("indicatif::", &["cli.rs", "cli/"]),
    ("tar::", &["cli/tar_gz.rs"]),
    ("flate2::", &["cli/tar_gz.rs"]),
    // The types that the document describes, where they are.
    ("utoipa::", &["http/", "predict/answer.rs", "predict/describe.rs"]),
    ("anyhow::", &["main.rs", "cli.rs", "cli/"]),
    ("landlock::", &["sandbox/access.rs"]),
    ("seccompiler::", &["sandbox/calls.rs"]),
    ("rustls_native_certs::", &["cli/doctor.rs"]),
    ("cryptoki::", &["signer/pkcs11.rs"]),
    ("vaultrs::", &["keys/vault.rs"]),
    ("rustls::", &["keys/vault.rs"]),
    ("ureq::", &["cli/healthcheck.rs"]),
];

const BANNED: [&str; 10] =
    ["manager", "handler", "helper", "helpers", "util", "utils", "common", "types", "info", "mod"];
/// Words that say nothing, in what we name ourselves.
const BANNED_WORDS: [&str; 9] = ["get", "do", "data", "info", "process", "manager", "handler", "helper", "util"];
/// Names that are not ours to choose: the specification's, ONNX's and the protocols'.
const GIVEN: [&str; 6] = ["data_key", "provider_info", "data_type", "secrets_manager", "info", "get"];
/// AWS gave it that name.
const SECRETS_MANAGER: &str = "secrets_manager";
const MAX_LINES: usize = 400;
const MAX_MAIN_LINES: usize = 30;

#[test]
fn every_source_file_keeps_to_the_plan() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut problems = Vec::new();
    visit(&root, &mut |path| {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
        problems.extend(check(name, &std::fs::read_to_string(path).unwrap()));
    });
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn an_import_that_points_upwards_is_found() {
    assert_eq!(check("model/onnx.rs", "use crate::predict::Predictor;").len(), 1);
    assert_eq!(check("store.rs", "use crate::{sealed::Header, http};").len(), 1);
    assert_eq!(check("keys/file.rs", "fn f(a: &crate::config::Serve) {}").len(), 1);
}

#[test]
fn siblings_of_a_floor_do_not_know_each_other() {
    assert_eq!(check("keys.rs", "use crate::store::Store;").len(), 1);
    assert_eq!(check("registry/fetch.rs", "use crate::predict;").len(), 1);
}

#[test]
fn an_import_that_points_downwards_or_inwards_is_let_through() {
    let source = "use crate::keys::{self, Keys};\nuse crate::{sealed, store::Store};\nuse crate::registry::error::X;";
    assert_eq!(check("registry/fetch.rs", source), Vec::<String>::new());
}

#[test]
fn a_module_without_a_floor_is_found() {
    assert_eq!(check("cellar.rs", "").len(), 1);
    assert_eq!(check("cli.rs", "use crate::cellar::Wine;").len(), 1);
}

#[test]
fn a_foreign_crate_outside_its_place_is_found() {
    assert_eq!(check("predict/task.rs", "use tract_onnx::prelude::*;").len(), 1);
    assert_eq!(check("http/ping.rs", "let port = std::env::var(\"PORT\");").len(), 1);
    assert_eq!(check("registry.rs", "use ring::digest;").len(), 1);
    assert_eq!(check("cli.rs", "let all = std::env::args_os();").len(), 1);
    assert_eq!(check("predict.rs", "use aws_config::SdkConfig;").len(), 1);
    assert_eq!(check("keys.rs", "use subtle::ConstantTimeEq;").len(), 1);
    assert_eq!(check("bundle.rs", "use image::DynamicImage;").len(), 1);
    assert_eq!(check("bundle.rs", "mod image;\nuse image::Input;"), Vec::<String>::new());
    assert_eq!(check("sealed/digest.rs", "use ring::digest;"), Vec::<String>::new());
    assert_eq!(
        check("bundle.rs", "// ring::digest is not used here\nfn string() -> Spring::X {}"),
        Vec::<String>::new()
    );
}

#[test]
fn a_file_that_is_too_long_or_badly_named_is_found() {
    assert_eq!(check("bundle/labels.rs", &"\n".repeat(MAX_LINES + 1)).len(), 1);
    assert_eq!(check("main.rs", &"\n".repeat(MAX_MAIN_LINES + 1)).len(), 1);
    assert_eq!(check("bundle/utils.rs", "").len(), 1);
    assert_eq!(check("bundle/mod.rs", "").len(), 1);
    assert_eq!(check("bundle/session_manager.rs", "").len(), 1);
}

#[test]
fn a_name_that_says_nothing_is_found() {
    for source in
        ["fn get_range() {}", "struct KeyManager;", "let mut body_data = 1;", "enum UploadInfo {}", "mod http_util;"]
    {
        assert_eq!(check("sealed/edk.rs", source).len(), 1, "{source}");
    }
    for source in ["let data_key = 1;", "fn forget() {}", "struct Database;", "let doing = 1;"] {
        assert_eq!(check("sealed/edk.rs", source), Vec::<String>::new(), "{source}");
    }
}

/// What is wrong with one file; `name` is its path under `src/`.
fn check(name: &str, text: &str) -> Vec<String> {
    let module = name.split('/').next().unwrap_or(name).trim_end_matches(".rs");
    let mut problems = size_and_name(name, text);
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|l| format!("{l}\n")).collect();
    problems.extend(foreign(name, &code));
    problems.extend(identifiers(name, &code));
    // Packages of their own, which know no other module.
    if !["lib", "main", "jpeg", "kernels"].contains(&module) {
        problems.extend(imports(name, module, &code));
    }
    problems
}

fn size_and_name(name: &str, text: &str) -> Vec<String> {
    let limit = if name == "main.rs" { MAX_MAIN_LINES } else { MAX_LINES };
    let lines = text.lines().count();
    let too_long = (lines > limit).then(|| format!("{name}: {lines} lines, at most {limit} are allowed"));
    let ours = name.trim_end_matches(".rs").replace(SECRETS_MANAGER, "");
    let words = ours.split(['/', '_']);
    let banned = words.filter(|word| BANNED.contains(word)).map(|word| format!("{name}: `{word}` is no name here"));
    banned.chain(too_long).collect()
}

fn identifiers(name: &str, code: &str) -> Vec<String> {
    let declares = |word: &&str| ["fn", "struct", "enum", "let", "mod"].contains(word);
    let mut problems = Vec::new();
    for line in code.lines() {
        let words: Vec<&str> =
            line.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|w| !w.is_empty()).collect();
        let Some(at) = words.iter().position(declares) else { continue };
        let Some(named) = words[at + 1..].iter().find(|word| **word != "mut") else { continue };
        if !GIVEN.contains(named) && snake(named).split('_').any(|word| BANNED_WORDS.contains(&word)) {
            problems.push(format!("{name}: `{named}` is no name here"));
        }
    }
    problems
}

/// `TheName` as `the_name`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

fn foreign(name: &str, code: &str) -> Vec<String> {
    let own_child = |path: &str| path == "use image::" && code.contains("mod image;");
    let starts = |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let named = |path: &str| !own_child(path) && code.match_indices(path).any(|(at, _)| starts(at));
    let outside = |owners: &[&str]| !owners.iter().any(|owner| name.starts_with(owner));
    let found = OWNERS.iter().filter(|(path, owners)| outside(owners) && named(path));
    found.map(|(path, owners)| format!("{name}: `{path}` belongs to {}", owners.join(", "))).collect()
}

fn imports(name: &str, module: &str, code: &str) -> Vec<String> {
    let Some(own) = floor(module) else { return vec![format!("{name}: module `{module}` has no floor")] };
    let mut targets: Vec<&str> =
        code.match_indices("crate::").flat_map(|(at, root)| firsts(&code[at + root.len()..])).collect();
    targets.sort_unstable();
    targets.dedup();
    let wrong = |target: &&str| *target != module && floor(target).is_none_or(|floor| floor >= own);
    targets.into_iter().filter(wrong).map(|target| format!("{name}: `{module}` must not know `{target}`")).collect()
}

/// The modules an import names first: one, or each of a brace's.
fn firsts(path: &str) -> Vec<&str> {
    fn word(text: &str) -> &str {
        let text = text.trim_start();
        let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
        &text[..end]
    }
    let Some(group) = path.strip_prefix('{') else { return vec![word(path)] };
    let mut depth = 0;
    let mut starts = vec![0];
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => starts.push(at + 1),
            _ => {}
        }
    }
    starts.into_iter().map(|at| word(&group[at..])).filter(|word| !word.is_empty()).collect()
}

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

fn visit(directory: &Path, file: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(&path, file);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            file(&path);
        }
    }
}
