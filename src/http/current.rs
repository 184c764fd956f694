//! The model of a server that has one, and the one that it had before: for an instant way back.

use std::sync::{Arc, PoisonError, RwLock};

use super::hosted::Hosted;

/// Empty until a model is ready.
#[derive(Default)]
pub(super) struct Current(RwLock<Generations>);

#[derive(Default)]
struct Generations {
    now: Option<Arc<Hosted>>,
    before: Option<Arc<Hosted>>,
}

impl Current {
    /// The model that takes requests.
    pub(super) fn get(&self) -> Option<Arc<Hosted>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).now.clone()
    }

    /// `hosted` takes requests from now on. The one that did stays loaded, and ends what it began.
    pub(super) fn replace(&self, hosted: Arc<Hosted>) {
        self.change(|generations| generations.before = generations.now.replace(hosted));
    }

    /// The model before takes requests again, if it has this digest and is sound; answers with it.
    pub(super) fn go_back(&self, digest: &str) -> Option<Arc<Hosted>> {
        self.change(|Generations { now, before }| {
            let is_it = before.as_ref().is_some_and(|it| it.model.card.digest == digest && it.is_sound());
            if is_it {
                std::mem::swap(now, before);
            }
            now.clone().filter(|_| is_it)
        })
    }

    /// The model before, which is not kept any more.
    pub(super) fn forget_before(&self) -> Option<Arc<Hosted>> {
        self.change(|generations| generations.before.take())
    }

    // Two pointers are whole at any time, also when a thread that held the lock panicked.
    fn change<T>(&self, change: impl FnOnce(&mut Generations) -> T) -> T {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }
}
