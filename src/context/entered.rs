//! The context that is running on this thread, and its hub of the SDK's.

use std::cell::Cell;
use std::sync::Arc;

use sentry::{Hub, HubSwitchGuard};

use super::{Context, Inner};

thread_local! {
    static CURRENT: Cell<Option<Arc<Inner>>> = const { Cell::new(None) };
}

impl Context {
    /// The same as `enter` for who has nothing else to do with the context meanwhile: it changes places with the one
    /// that is current, and back.
    #[inline]
    pub(crate) fn lend(&mut self, hub: &Arc<Hub>) -> Lent<'_> {
        self.change_places();
        Lent { context: self, _hub: HubSwitchGuard::new(Arc::clone(hub)) }
    }

    #[inline]
    fn change_places(&mut self) {
        // While the thread ends both stay where they are.
        let _ends = CURRENT.try_with(|current| self.0 = current.replace(self.0.take()));
    }

    /// Makes this the current context, and `hub` the SDK's, until the guard is dropped.
    #[inline]
    pub(crate) fn enter(&self, hub: &Arc<Hub>) -> Entered {
        let previous = CURRENT.try_with(|current| current.replace(self.0.clone())).unwrap_or_default();
        Entered { previous, _hub: HubSwitchGuard::new(Arc::clone(hub)) }
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

/// Has the context change places once more when dropped, on the thread that lent it. Whoever entered meanwhile has left
/// by then.
#[must_use]
pub(crate) struct Lent<'a> {
    context: &'a mut Context,
    _hub: HubSwitchGuard,
}

impl Drop for Lent<'_> {
    #[inline]
    fn drop(&mut self) {
        self.context.change_places();
    }
}

/// Puts the previous context and hub back when dropped, on the thread that entered.
#[must_use]
pub(crate) struct Entered {
    previous: Option<Arc<Inner>>,
    _hub: HubSwitchGuard,
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        // The one that is taken out was put in by `enter`, and may be the last to hold its request.
        let _entered = CURRENT.try_with(|current| current.replace(self.previous.take()));
    }
}
