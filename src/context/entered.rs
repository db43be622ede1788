//! The context that is running on this thread, and its hub of the SDK's.

use std::cell::Cell;
use std::sync::Arc;

use sentry::{Hub, HubSwitchGuard};

use super::{Context, Inner};

thread_local! {
    static CURRENT: Cell<Option<Arc<Inner>>> = const { Cell::new(None) };
    /// Whether the SDK's hub of this thread is in use. It has no destructor: it is there as long as the thread is.
    static USES_HUB: Cell<bool> = const { Cell::new(false) };
    /// Made after that hub, and so destroyed before it.
    static AFTER_HUB: AfterHub = const { AfterHub };
}

struct AfterHub;

impl Drop for AfterHub {
    fn drop(&mut self) {}
}

/// From here on the hub of this thread is known to be there, until its destructors run.
#[inline]
pub(super) fn use_hub() {
    if !USES_HUB.replace(true) {
        make_hub();
    }
}

#[cold]
fn make_hub() {
    drop(Hub::current());
    let _ends = AFTER_HUB.try_with(|_| ());
}

fn has_hub() -> bool {
    USES_HUB.get() && AFTER_HUB.try_with(|_| ()).is_ok()
}

impl Context {
    /// Runs something in this context, and with `hub` as the SDK's: the context changes places with the one that is
    /// current, and back, by when whoever entered meanwhile has left. `run` catches its own panics.
    #[inline]
    pub(crate) fn lend<T>(&mut self, hub: &Arc<Hub>, run: impl FnOnce() -> T) -> T {
        self.change_places();
        let switched = HubSwitchGuard::new(Arc::clone(hub));
        let done = run();
        self.change_places();
        // A service that left a hub of its own behind has it destroyed here, which may panic.
        drop(switched);
        done
    }

    #[inline]
    fn change_places(&mut self) {
        // While the thread ends both stay where they are.
        let _ends = CURRENT.try_with(|current| self.0 = current.replace(self.0.take()));
    }

    /// Makes this the current context, and `hub` the SDK's, until the guard is dropped.
    #[inline]
    pub(crate) fn enter(&self, hub: &Arc<Hub>) -> Entered {
        use_hub();
        let switched = HubSwitchGuard::new(Arc::clone(hub));
        Entered { previous: self.replace_current(), _hub: Some(switched) }
    }

    /// The same to destroy something, which may happen while the thread ends: where the SDK's hub of the thread may be
    /// gone, `hub` does not take its place, since the SDK would panic.
    pub(crate) fn enter_to_destroy(&self, hub: &Arc<Hub>) -> Entered {
        let switched = has_hub().then(|| HubSwitchGuard::new(Arc::clone(hub)));
        Entered { previous: self.replace_current(), _hub: switched }
    }

    #[inline]
    fn replace_current(&self) -> Option<Arc<Inner>> {
        CURRENT.try_with(|current| current.replace(self.0.clone())).unwrap_or_default()
    }
}

/// Looks at the current context. `None` while the thread ends.
#[inline]
pub(super) fn with_current<T>(look: impl FnOnce(Option<&Arc<Inner>>) -> T) -> Option<T> {
    let look = |current: &Cell<Option<Arc<Inner>>>| {
        let inner = current.take();
        let seen = look(inner.as_ref());
        current.set(inner);
        seen
    };
    CURRENT.try_with(look).ok()
}

/// Whether a request is running here.
#[inline]
pub(crate) fn in_request() -> bool {
    with_current(|inner| inner.is_some_and(|inner| inner.has_request)).unwrap_or_default()
}

/// Puts the previous context and hub back when dropped, on the thread that entered.
#[must_use]
pub(crate) struct Entered {
    previous: Option<Arc<Inner>>,
    _hub: Option<HubSwitchGuard>,
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        // The one that is taken out was put in by `enter`, and may be the last to hold its request.
        let _entered = CURRENT.try_with(|current| current.replace(self.previous.take()));
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::record::Origin;

    /// The hub that the service leaves behind is destroyed with the guard.
    #[test]
    fn a_context_is_back_in_its_place_also_when_the_hub_of_a_service_panics_as_it_goes() {
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("destroyed");
            }
        }
        let panics = Arc::new(Panics);
        let mut context = Context(Some(Arc::new(Inner::new(None, Origin::Request))));
        let hub = Arc::new(Hub::new(None, Arc::default()));
        let leave = || {
            let own = Arc::new(Hub::new(None, Arc::default()));
            own.configure_scope(|scope| {
                scope.add_event_processor(move |event| {
                    let _held = &panics;
                    Some(event)
                });
            });
            std::mem::forget(HubSwitchGuard::new(own));
        };
        let left = catch_unwind(AssertUnwindSafe(|| context.lend(&hub, leave)));
        assert!(left.is_err());
        assert!(!in_request() && with_current(|inner| inner.is_none()).unwrap());
        assert!(context.0.is_some());
    }
}
