//! Test vectors of AWS Encryption SDK messages: our own, each named by its property or defect, and AWS's published ones.
#[path = "support/esdk.rs"]
mod esdk;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use esdk::{Case, open, refusal, repository};
use strongroom::sealed::digest::sha256_hex;

fn own() -> PathBuf {
    repository("tests/vectors/esdk")
}

fn outcome(directory: &Path, case: &Case) -> Result<Vec<u8>, strongroom::sealed::OpenError> {
    let sealed = std::fs::read(directory.join(&case.file)).unwrap();
    open(&sealed, &case.key_name(), &case.key(), &case.encryption_context)
}

fn assert_opens(directory: &Path, case: &Case) {
    let plain = outcome(directory, case).unwrap_or_else(|error| panic!("{}: {error}", case.file));
    assert_eq!(plain.len() as u64, case.plaintext_len, "{}", case.file);
    assert_eq!(sha256_hex(&plain), case.plaintext_sha256, "{}", case.file);
}

#[test]
fn own_vectors_open_or_are_refused_for_the_reason_in_their_name() {
    let cases = Case::read_all(&own());
    for case in &cases {
        match &case.refusal {
            None => assert_opens(&own(), case),
            Some(expected) => assert_eq!(&refusal(outcome(&own(), case)), expected, "{}", case.file),
        }
    }
    assert!(cases.len() >= 75, "{} cases", cases.len());
}

#[test]
fn every_own_vector_file_is_a_case() {
    let cases: BTreeSet<_> = Case::read_all(&own()).into_iter().map(|case| case.file).collect();
    let files = std::fs::read_dir(own()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<_> = files.filter(|name| name.ends_with(".bin")).collect();
    assert_eq!(cases, files);
}

/// AWS's raw-AES v2 vectors where `STRONGROOM_TEST_VECTORS` names the directory that holds `esdk/`; our own elsewhere.
#[test]
fn published_vectors_open_and_signed_or_wrongly_authenticated_ones_are_refused() {
    let directory = std::env::var_os("STRONGROOM_TEST_VECTORS").map_or_else(own, |all| PathBuf::from(all).join("esdk"));
    let cases = Case::read_all(&directory);
    assert!(cases.len() >= 12, "only {} cases in {}", cases.len(), directory.display());
    for case in cases {
        match (case.suite.as_deref(), case.expect.as_str()) {
            (Some("0578"), _) => assert_eq!(refusal(outcome(&directory, &case)), "SignedSuite", "{}", case.file),
            (_, "open") => assert_opens(&directory, &case),
            (_, "refuse") => assert_ne!(refusal(outcome(&directory, &case)), "opened", "{}", case.file),
            (_, other) => panic!("{}: {other}", case.file),
        }
    }
}

#[test]
fn the_refusal_of_a_signed_message_names_the_option_that_avoids_it() {
    let case = Case::read_all(&own()).into_iter().find(|case| case.file == "sdk-suite-0578.bin").unwrap();
    let error = outcome(&own(), &case).unwrap_err();
    assert!(error.to_string().contains("0x0578"), "{error}");
    assert!(error.remedy().unwrap().contains("--algorithm AES_256_GCM_HKDF_SHA512_COMMIT_KEY"));
}
