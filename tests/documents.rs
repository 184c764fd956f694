//! What the documents say is so.

use std::collections::BTreeSet;
use std::fs::read_to_string;
use std::path::Path;

fn text(path: &str) -> String {
    read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every `"word"` of a source that `keep` takes.
fn quoted(source: &str, keep: impl Fn(&str) -> bool) -> Vec<String> {
    source.split('"').skip(1).step_by(2).filter(|word| keep(word)).map(str::to_owned).collect()
}

#[test]
fn the_readme_has_at_most_120_lines() {
    assert!(text("README.md").lines().count() <= 120);
}

#[test]
fn every_link_of_the_readme_leads_somewhere() {
    let readme = text("README.md");
    let targets: Vec<&str> = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(targets.len() > 5);
    for target in targets.iter().filter(|target| !target.starts_with("http")) {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(target).exists(), "{target}");
    }
}

#[test]
fn every_error_code_is_documented() {
    let source = text("src/http/error.rs");
    let map = source.split("#[cfg(test)]").next().unwrap_or_default().to_owned() + &text("src/http/models/dialect.rs");
    let codes = quoted(&map, |word| word.contains('_') && word.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
    assert!(codes.len() > 20, "{codes:?}");
    let page = text("docs/API.md");
    let missing: Vec<_> = codes.iter().filter(|code| !page.contains(code.as_str())).collect();
    assert!(missing.is_empty(), "docs/API.md does not name {missing:?}");
}

#[test]
fn every_rule_of_the_contract_is_quoted_above_a_test_and_every_quote_is_a_rule() {
    let page = text("docs/CONTRACT.md");
    let rules: BTreeSet<String> =
        page.split("\n- ").skip(1).map(|rule| one_line(rule.split("\n\n").next().unwrap_or_default())).collect();
    assert!(rules.len() > 50, "{rules:?}");
    let tests = ["http", "contract", "contract_program", "multi_model", "life_cycle"];
    let quotes: BTreeSet<String> = tests.iter().flat_map(|test| quotes(&text(&format!("tests/{test}.rs")))).collect();
    let (untested, unwritten): (Vec<_>, Vec<_>) =
        (rules.difference(&quotes).collect(), quotes.difference(&rules).collect());
    assert!(untested.is_empty() && unwritten.is_empty(), "no test quotes {untested:#?}\nno rule is {unwritten:#?}");
}

/// The rules that a test file quotes: comments in quotation marks right above a test.
fn quotes(source: &str) -> Vec<String> {
    let above = source.split("#[test]").map(|part| {
        let lines = part.lines().rev().take_while(|line| line.starts_with("///"));
        let lines: Vec<&str> = lines.map(|line| line.trim_start_matches("///")).collect();
        one_line(&lines.into_iter().rev().collect::<Vec<_>>().join(" "))
    });
    above.filter_map(|quote| Some(quote.strip_prefix('"')?.strip_suffix('"')?.to_owned())).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_setting_of_serve_is_documented() {
    let source = text("src/config/serve.rs") + &text("src/config/platform.rs");
    let settings = quoted(&source, |word| {
        (word.starts_with("STRONGROOM_") || word.starts_with("SAGEMAKER_")) && !word.contains(' ')
    });
    assert!(settings.len() > 8, "{settings:?}");
    let page = text("docs/API.md");
    let missing: Vec<_> = settings.iter().filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/API.md does not name {missing:?}");
}

#[test]
fn every_metric_is_documented() {
    let page = text("docs/API.md");
    let missing: Vec<_> = strongroom::telemetry::METRICS
        .iter()
        .filter(|metric| !page.contains(&format!("| `{}` |", metric.name)))
        .collect();
    assert!(missing.is_empty(), "docs/API.md does not name {missing:?}");
}

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let page = text("docs/THREAT-MODEL.md");
    let named: Vec<&str> = page.split('`').skip(1).step_by(2).filter(|word| word.contains("::")).collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named.into_iter().filter(|name| *name != "FILE::TEST") {
        let (file, test) = name.split_once("::").unwrap();
        assert!(text(&format!("tests/{file}.rs")).contains(&format!("fn {test}(")), "{name}");
    }
}
