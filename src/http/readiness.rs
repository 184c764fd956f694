//! What `/ping` says: starting, ready, draining, or poisoned. One word for all routes.

use tokio::sync::watch;

use super::error::Failure;

/// Where the server is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// The model is not there yet; holds what is going on.
    Starting(&'static str),
    /// The self-test has passed.
    Ready,
    /// No new requests; the accepted ones are answered.
    Draining,
    /// The model no longer passes its self-test: the platform is to replace this instance.
    Poisoned,
}

/// Reading it never waits for inference.
#[derive(Debug)]
pub(super) struct Readiness(watch::Sender<Stage>);

impl Readiness {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Stage::Starting("bind")))
    }

    pub(super) fn starting(&self, stage: &'static str) {
        self.become_unless_draining(Stage::Starting(stage));
    }

    pub(super) fn ready(&self) {
        self.become_unless_draining(Stage::Ready);
    }

    pub(super) fn poisoned(&self) {
        self.become_unless_draining(Stage::Poisoned);
    }

    pub(super) fn draining(&self) {
        self.0.send_replace(Stage::Draining);
    }

    pub(super) fn is_draining(&self) -> bool {
        *self.0.borrow() == Stage::Draining
    }

    /// `Ok` only while ready.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match &*self.0.borrow() {
            Stage::Ready => Ok(()),
            Stage::Starting(stage) => Err(Failure::NotReady { stage }),
            Stage::Poisoned => Err(Failure::NotReady { stage: "self-test after a crash failed" }),
            Stage::Draining => Err(Failure::Draining),
        }
    }

    /// Returns when the model no longer passes its self-test.
    pub(super) async fn until_poisoned(&self) {
        // The sender lives as long as this does.
        let _ = self.0.subscribe().wait_for(|stage| *stage == Stage::Poisoned).await;
    }

    /// Draining is the end: a model that becomes ready meanwhile comes too late.
    fn become_unless_draining(&self, next: Stage) {
        self.0.send_if_modified(|stage| {
            let changes = *stage != Stage::Draining;
            if changes {
                *stage = next;
            }
            changes
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draining_is_final() {
        let readiness = Readiness::new();
        readiness.draining();
        readiness.ready();
        assert!(matches!(readiness.check(), Err(Failure::Draining)));
    }
}
