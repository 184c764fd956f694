//! A secret's next KEK: made as AWSPENDING, moved to AWSCURRENT, and labelled so that no version in use is forgotten.
//!
//! Secrets Manager keeps versions that have a label. Two have one by themselves, so each version that seals something gets one of
//! ours, `kek-N`, until it seals nothing more. Each step finds out whether it was done, so all of it may be repeated.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_secretsmanager::primitives::Blob;

use super::{CURRENT, KeyError, Secret, lock, usable};
use crate::keys::{Kek, form};
use crate::sealed::SealingKey;

/// The label of the version that will seal.
const PENDING: &str = "AWSPENDING";
/// What our labels begin with.
const LABEL: &str = "kek-";

impl Secret {
    /// The version that is to be current next: the one that a stopped rotation left, or a new one.
    pub(in crate::keys) async fn successor(&self) -> Result<Arc<Kek>, KeyError> {
        if let Some(kek) = usable(self.fetch(|request| request.version_stage(PENDING)).await)? {
            return Ok(kek);
        }
        let labels = self.version_labels().await?;
        let mut next = labels.values().flatten().filter_map(|label| number(label)).max().unwrap_or(0) + 1;
        // The present one, where it was never labelled: made before the first rotation.
        let current = self.labelled(CURRENT).await?;
        if !labels.get(&current.name).is_some_and(|labels| labels.iter().any(|label| number(label).is_some())) {
            self.move_label(&format!("{LABEL}{next}"), Some(&current.name), None).await?;
            next += 1;
        }
        let key = SealingKey::generate().map_err(|source| KeyError::Random { source: source.into() })?;
        let request = self.client.put_secret_value().secret_id(&self.failure.secret);
        // What the secret says beside the key, it goes on saying.
        let value = form::write(&key, current.min_index);
        let request = request.secret_binary(Blob::new(value.as_slice()));
        let put = request.version_stages(PENDING).version_stages(format!("{LABEL}{next}")).send().await;
        let put = put.map_err(|error| self.failure.denied(self.failure.of(error), "secretsmanager:PutSecretValue"))?;
        let name = put.version_id.ok_or_else(|| KeyError::Empty { secret: self.failure.secret.clone() })?;
        let kek = Arc::new(Kek { name: name.clone(), key, min_index: current.min_index });
        lock(&self.versions).insert(name, Arc::clone(&kek));
        Ok(kek)
    }

    /// Makes the version `name` the one that seals. It stays pending, for a rotation is not over yet.
    pub(in crate::keys) async fn make_current(&self, name: &str) -> Result<(), KeyError> {
        let labels = self.version_labels().await?;
        let holder = labels.iter().find(|(_, labels)| labels.iter().any(|label| label == CURRENT));
        if holder.is_some_and(|(holder, _)| holder == name) {
            return Ok(());
        }
        self.move_label(CURRENT, Some(name), holder.map(|(holder, _)| holder.as_str())).await?;
        lock(&self.labels).clear();
        Ok(())
    }

    /// Ends a rotation: the version `name` is pending no more.
    pub(in crate::keys) async fn settle(&self, name: &str) -> Result<(), KeyError> {
        let labels = self.version_labels().await?;
        match labels.get(name).is_some_and(|labels| labels.iter().any(|label| label == PENDING)) {
            true => self.move_label(PENDING, None, Some(name)).await,
            false => Ok(()),
        }
    }

    /// Lets Secrets Manager forget the version `name`: it loses the label that we gave it.
    pub(in crate::keys) async fn release(&self, name: &str) -> Result<(), KeyError> {
        let labels = self.version_labels().await?;
        for label in labels.get(name).into_iter().flatten().filter(|label| number(label).is_some()) {
            self.move_label(label, None, Some(name)).await?;
        }
        Ok(())
    }

    async fn version_labels(&self) -> Result<BTreeMap<String, Vec<String>>, KeyError> {
        let request = self.client.list_secret_version_ids().secret_id(&self.failure.secret);
        let mut pages = request.into_paginator().send();
        let mut labels = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let denied = |error| self.failure.denied(error, "secretsmanager:ListSecretVersionIds");
            let page = page.map_err(|error| denied(self.failure.of(error)))?;
            for version in page.versions.into_iter().flatten() {
                labels.insert(version.version_id.unwrap_or_default(), version.version_stages.unwrap_or_default());
            }
        }
        Ok(labels)
    }

    async fn move_label(&self, label: &str, to: Option<&str>, from: Option<&str>) -> Result<(), KeyError> {
        let request = self.client.update_secret_version_stage().secret_id(&self.failure.secret).version_stage(label);
        let request = request.set_move_to_version_id(to.map(str::to_owned));
        let moved = request.set_remove_from_version_id(from.map(str::to_owned)).send().await;
        let denied = |error| self.failure.denied(error, "secretsmanager:UpdateSecretVersionStage");
        moved.map(drop).map_err(|error| denied(self.failure.of(error)))
    }
}

fn number(label: &str) -> Option<u32> {
    label.strip_prefix(LABEL)?.parse().ok()
}
