//! Settings that clap takes and that are refused all the same, and defaults.

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    serve: ServeArgs,
}

fn check(arguments: &[&str]) -> Result<Serve, SettingsError> {
    let line = ["serve"].iter().chain(arguments);
    Line::try_parse_from(line).expect("clap takes it").serve.check(&Platform::default())
}

const NEEDED: [&str; 6] = ["--registry", "dir", "--model", "faces", "--key", "file:key"];

#[test]
fn all_that_is_missing_or_wrong_is_told_at_once() {
    let text = check(&["--registry", "s3://", "--threads", "0", "--bind", "nowhere"]).unwrap_err().to_string();
    for name in ["STRONGROOM_REGISTRY", "STRONGROOM_MODEL", "STRONGROOM_KEY", "STRONGROOM_THREADS", "STRONGROOM_BIND"] {
        assert!(text.contains(name), "{name} is not in: {text}");
    }
}

#[test]
fn a_log_that_would_hide_failures_is_refused() {
    let off = [&NEEDED[..], &["--log", "off"]].concat();
    assert!(check(&off).unwrap_err().to_string().contains("STRONGROOM_LOG"));
    let error = [&NEEDED[..], &["--log", "error"]].concat();
    assert_eq!(check(&error).unwrap().log.level, LevelFilter::ERROR);
}

#[test]
fn the_platforms_port_counts_unless_an_address_is_given() {
    let port = [&NEEDED[..], &["--port", "8123"]].concat();
    assert_eq!(check(&port).unwrap().http.bind.to_string(), "0.0.0.0:8123");
    let both = [&port[..], &["--bind", "127.0.0.1:9"]].concat();
    assert_eq!(check(&both).unwrap().http.bind.to_string(), "127.0.0.1:9");
}

#[test]
fn defaults_are_those_of_the_platform() {
    let http = check(&NEEDED).unwrap().http;
    assert_eq!((http.max_body, http.deadline.as_secs(), http.bind.port()), (25 << 20, 55, 8080));
    assert_eq!(http.queue, 8 * http.threads);
}
