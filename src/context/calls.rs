//! The calls that a request or job makes of other services, and those that failed.
//!
//! A failed call waits until its request or job ends: if that fails by it, the two are one event, which knows what both know.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use super::{Context, Inner};
use crate::record::{Call, Crumb, Details, FailedCall, ThirdPartyFailure};

/// So many failed calls wait in one request; of one host and kind only the last does.
const MAX_WAITING: usize = 8;

impl Context {
    /// Leaves a call among the breadcrumbs. Without effect where no request or task runs.
    pub(crate) fn called(&self, call: Call) {
        if let Some(inner) = &self.0 {
            let mut shared = inner.shared();
            Arc::make_mut(shared.facts.get_or_insert_default()).push(Crumb::Called(call));
        }
    }

    /// Keeps a failed call until the request or job ends. It comes back if none is running here, or there is no room.
    pub(crate) fn hold_call(&self, mut details: Box<Details>) -> Result<(), Box<Details>> {
        let Some(inner) = self.0.as_deref().filter(|inner| inner.has_request || inner.job.is_some()) else {
            return Err(details);
        };
        if inner.has_ended.load(Ordering::SeqCst) {
            return Err(details);
        }
        let mut shared = inner.shared();
        let earlier = shared
            .failed_calls
            .iter()
            .position(|earlier| both(&earlier.details, &details, ThirdPartyFailure::is_same));
        // The last try tells most.
        let earlier = earlier.map(|place| shared.failed_calls.remove(place));
        if shared.failed_calls.len() >= MAX_WAITING {
            return Err(details);
        }
        let tries = earlier
            .as_ref()
            .and_then(|earlier| earlier.details.third_party())
            .map(|failure| failure.attempt.unwrap_or(1));
        if let Some(tries) = tries {
            details.about_third_party(|failure| {
                failure.attempt.get_or_insert(tries.saturating_add(1));
            });
        }
        let id = details.id;
        shared.failed_calls.push(FailedCall { details, timestamp: SystemTime::now() });
        inner.has_failed_calls.store(true, Ordering::SeqCst);
        // The request may have ended in between: whoever asks second sees what the other has done.
        let mut given_back = None;
        if inner.has_ended.load(Ordering::SeqCst) {
            let mine = shared.failed_calls.iter().position(|call| call.details.id == id);
            given_back = mine.map(|place| shared.failed_calls.remove(place));
        }
        drop(shared);
        drop(earlier);
        given_back.map_or(Ok(()), |call| Err(call.details))
    }

    /// Whether a failed call waits.
    #[inline]
    pub(crate) fn has_failed_calls(&self) -> bool {
        self.0.as_ref().is_some_and(|inner| inner.has_failed_calls.load(Ordering::Relaxed))
    }

    /// A failure takes the calls with it that it is about.
    #[inline]
    pub(crate) fn absorb_calls(&self, details: &mut Details) {
        if self.has_failed_calls() {
            self.absorb(details);
        }
    }

    #[cold]
    fn absorb(&self, details: &mut Details) {
        let Some(inner) = &self.0 else { return };
        let mut shared = inner.shared();
        let calls = &mut shared.failed_calls;
        // What is not said is guessed once: the last call is the likely one, and the others tell of themselves.
        let place = [ThirdPartyFailure::is_same, ThirdPartyFailure::may_be_same]
            .into_iter()
            .find_map(|is_it| calls.iter().rposition(|call| both(&call.details, details, is_it)));
        let call = place.map(|place| calls.remove(place));
        drop(shared);
        if let Some(seen) = call.as_ref().and_then(|call| call.details.third_party()).cloned() {
            details.about_third_party(|failure| failure.complete(seen));
        }
    }

    /// The failed calls that nobody has told of. What was logged of them goes first, and takes them along.
    #[cold]
    pub(crate) fn take_failed_calls(&self) -> Vec<FailedCall> {
        let Some(inner) = &self.0 else { return Vec::new() };
        if inner.holds_lines() {
            inner.let_go();
        }
        inner.has_failed_calls.store(false, Ordering::Relaxed);
        std::mem::take(&mut inner.shared().failed_calls)
    }

    /// The same at the end of the request, if there are any: a task that goes on tells of its calls itself.
    #[inline]
    pub(crate) fn end_calls(&self) -> Option<Vec<FailedCall>> {
        let inner = self.0.as_ref()?;
        if Arc::strong_count(inner) > 1 {
            inner.has_ended.store(true, Ordering::SeqCst);
        }
        inner.has_failed_calls.load(Ordering::SeqCst).then(|| self.take_failed_calls())
    }
}

impl Inner {
    /// How many of them nobody will tell of.
    pub(super) fn forget_calls(&mut self) -> usize {
        *self.has_failed_calls.get_mut() = false;
        let shared = self.shared.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        std::mem::take(&mut shared.failed_calls).len()
    }
}

fn both(one: &Details, other: &Details, is_it: fn(&ThirdPartyFailure, &ThirdPartyFailure) -> bool) -> bool {
    match (one.third_party(), other.third_party()) {
        (Some(one), Some(other)) => is_it(one, other),
        _ => false,
    }
}
