//! Contexts that are used again: what a successful request needs is allocated once.

use std::cell::RefCell;
use std::sync::Arc;

use super::Inner;

/// At most this many are kept for each thread.
const MAX_POOLED: usize = 32;

thread_local! {
    static POOL: RefCell<Vec<Arc<Inner>>> = const { RefCell::new(Vec::new()) };
}

/// A blank one that nobody else holds.
#[inline]
pub(super) fn take() -> Option<Arc<Inner>> {
    POOL.try_with(|pool| pool.try_borrow_mut().ok()?.pop()).ok().flatten()
}

/// Keeps one, if nobody else holds it and there is room. A failure's record, a spawned task or a clone that
/// somebody has taken holds it, and it is dropped when they are done.
#[inline]
pub(super) fn put(mut inner: Arc<Inner>, gave_body: bool) {
    let Some(unshared) = Arc::get_mut(&mut inner) else {
        inner.outlived();
        if !gave_body {
            inner.forget_body();
        }
        return;
    };
    // Destructors of what the application said run here, before the pool is touched.
    unshared.reset();
    // An error means that the thread ends.
    let _ = POOL.try_with(|pool| match pool.try_borrow_mut() {
        Ok(mut pool) if pool.len() < MAX_POOLED => pool.push(inner),
        _ => {}
    });
}
