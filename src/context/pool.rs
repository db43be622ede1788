//! Contexts that are used again, with the places of their hubs: what a successful request needs is allocated once.
//!
//! A hub keeps nothing but its place. What it held is dropped when its request ends, and the next one gets a copy of the
//! main hub as it is then: between two requests a hub that is empty stands there.

use std::cell::RefCell;
use std::mem;
use std::sync::{Arc, LazyLock};

use sentry::{Hub, Scope};

use super::Inner;

/// At most this many are kept for each thread.
const MAX_POOLED: usize = 32;

struct Pooled {
    inner: Arc<Inner>,
    /// Only what was a request has one.
    hub: Option<Arc<Hub>>,
}

thread_local! {
    static POOL: RefCell<Vec<Pooled>> = const { RefCell::new(Vec::new()) };
}

#[inline]
fn pop() -> Option<Pooled> {
    POOL.try_with(|pool| pool.try_borrow_mut().ok()?.pop()).ok().flatten()
}

/// A blank context that nobody else holds.
#[inline]
pub(super) fn take() -> Option<Arc<Inner>> {
    pop().map(|pooled| pooled.inner)
}

/// The same, and a hub that starts with the scope of `main`.
#[inline]
pub(super) fn take_with_hub(main: &Arc<Hub>) -> Option<(Arc<Inner>, Arc<Hub>)> {
    let Pooled { mut inner, hub } = pop()?;
    let started = Hub::new_from_top(main);
    let Some(mut hub) = hub else { return Some((inner, Arc::new(started))) };
    // Nobody else holds either of them.
    match (Arc::get_mut(&mut inner), Arc::get_mut(&mut hub)) {
        (Some(inner), Some(place)) => inner.empty_hub = Some(mem::replace(place, started)),
        _ => hub = Arc::new(started),
    }
    Some((inner, hub))
}

/// Keeps one, if nobody else holds it and there is room. A failure's record, a spawned task or a clone that
/// somebody has taken holds it, and it is dropped when they are done.
#[inline]
pub(super) fn put(mut inner: Arc<Inner>, hub: Option<&mut Arc<Hub>>, gave_body: bool) {
    let Some(unshared) = Arc::get_mut(&mut inner) else {
        inner.outlived();
        if !gave_body {
            inner.forget_body();
        }
        return;
    };
    if cfg!(feature = "logs") && *unshared.holds.get_mut() {
        return put_after_telling(inner, hub, gave_body);
    }
    // Destructors of what the application said run here, before the pool is touched.
    unshared.reset();
    let hub = hub.map(|hub| {
        let empty = unshared.empty_hub.take().unwrap_or_else(empty_hub);
        match Arc::get_mut(hub) {
            Some(place) => drop(mem::replace(place, empty)),
            None => *hub = Arc::new(empty),
        }
        Arc::clone(hub)
    });
    // An error means that the thread ends.
    let _ = POOL.try_with(|pool| match pool.try_borrow_mut() {
        Ok(mut pool) if pool.len() < MAX_POOLED => pool.push(Pooled { inner, hub }),
        _ => {}
    });
}

/// The same with what was logged and waits: nobody can add to it any more.
#[cold]
fn put_after_telling(inner: Arc<Inner>, hub: Option<&mut Arc<Hub>>, gave_body: bool) {
    inner.let_go();
    put(inner, hub, gave_body);
}

#[cold]
fn empty_hub() -> Hub {
    static EMPTY: LazyLock<Arc<Scope>> = LazyLock::new(Arc::default);
    Hub::new(None, Arc::clone(&EMPTY))
}
