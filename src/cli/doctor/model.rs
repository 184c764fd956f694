//! Whose word counts, and whether the model could be served: everything but its files is opened.

use super::finding::Finding;
use crate::config::serve::{Serve, Source};
use crate::keys::Keys;
use crate::model::memory_limit;
use crate::registry::{Authority, Examined, RegistryError, examine_mount, now};
use crate::serve::peak;
use crate::signed::Role;
use crate::telemetry::chain;

pub(super) async fn examine(config: &Serve, keys: Option<Keys>) -> Vec<Finding> {
    let authority = match config.source.trusted().authority().await {
        Ok(authority) => authority,
        Err(error) => return vec![failed("trust", &error)],
    };
    let mut findings = vec![trust(&authority)];
    match look(config, keys, &authority).await {
        Ok(None) => {}
        Ok(Some(examined)) => {
            let Examined { name, version, len, .. } = &examined;
            let signed =
                if authority.trust.is_some() { "signed as the policy asks" } else { "its signatures not verified" };
            findings.push(Finding::good("model", format!("{name}:{version} opens, {} MB, {signed}", len / 1_000_000)));
            findings.extend(recovery(&examined));
            findings.extend(memory(&examined));
            findings.extend(clock(&examined));
        }
        Err(error) => findings.push(failed("model", &error)),
    }
    findings
}

/// `None` where there is nothing that could be opened: models that are mounted later, a plain bundle.
async fn look(config: &Serve, keys: Option<Keys>, authority: &Authority) -> Result<Option<Examined>, RegistryError> {
    match (&config.source, keys) {
        (Source::Registered { registry, model, .. }, Some(keys)) => {
            registry.with(keys).await?.examine(model).await.map(Some)
        }
        (Source::Mounted(mount), keys) => {
            examine_mount(&mount.path, keys.as_ref(), authority, mount.allow_unsealed).await
        }
        (Source::Registered { .. }, None) | (Source::Many(_), _) => Ok(None),
    }
}

fn failed(subject: &str, error: &RegistryError) -> Finding {
    Finding::failed(subject, chain(error), error.remedy())
}

/// A policy whose keys have run out still opens what was signed in time: a server starts with it.
fn trust(authority: &Authority) -> Finding {
    let Some(trust) = &authority.trust else {
        let remedy = "name a policy by STRONGROOM_TRUST (--trust); `strongroom trust` writes one";
        return Finding::warning("trust", "no policy: no signature is verified".to_owned(), remedy);
    };
    let expired = [Role::Publisher, Role::Author].into_iter().find_map(|role| trust.check_time(role, &now()).err());
    match expired {
        Some(error) => Finding::warning("trust", chain(&error), "add a key that is trusted now to the policy"),
        None => Finding::good("trust", "a policy whose keys are trusted now".to_owned()),
    }
}

fn recovery(examined: &Examined) -> Option<Finding> {
    let remedy = "publish the same files again with --recovery-key, and keep that key elsewhere";
    let found = "no other key opens the model: should the sealing key be lost, so is the model".to_owned();
    (examined.recovery == Some(false)).then(|| Finding::warning("recovery key", found, remedy))
}

fn memory(examined: &Examined) -> Option<Finding> {
    let (limit, needed) = (memory_limit()?, peak(examined.len));
    let megabytes = |bytes: u64| bytes / 1_000_000;
    let found = format!("loading takes about {} MB, {} are allowed", megabytes(needed), megabytes(limit));
    (needed > limit).then(|| Finding::warning("memory", found, "use an instance with more memory"))
}

/// Whoever wrote the newest entry has another time than this machine. AWS refuses requests of a wrong clock by itself.
fn clock(examined: &Examined) -> Option<Finding> {
    let (now, written) = (now(), &examined.written);
    let found = format!("it is {now} here, and an entry of the model says that it was written at {written}");
    let remedy = "set the clock here, or of the machine that published (NTP)";
    (*written > now).then(|| Finding::warning("clock", found, remedy))
}
