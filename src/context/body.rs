//! The body of the running request, as far as it was read.

use std::num::NonZero;
use std::sync::atomic::Ordering;

use super::{Context, Inner};
use crate::record::KeptBody;

#[cfg_attr(
    not(any(feature = "axum", feature = "tonic")),
    expect(dead_code, reason = "only the bodies of axum and tonic can be looked into")
)]
impl Context {
    /// Keeps what goes by of the request's body, from here on.
    pub(crate) fn keep_body(&self, body: KeptBody) {
        self.change_body(|kept| *kept = Some(body));
    }

    /// Bytes of the body go by. Without effect after the end of the request, or once they were taken.
    #[inline]
    pub(crate) fn body_frame(&self, frame: &[u8]) {
        self.change_body(|kept| {
            if let Some(kept) = kept {
                kept.push(frame);
            }
        });
    }

    /// The body was read to its end.
    #[inline]
    pub(crate) fn body_end(&self) {
        self.change_body(|kept| {
            if let Some(kept) = kept {
                kept.end();
            }
        });
    }

    /// The client left before that, as the error in this place says.
    pub(crate) fn leave_in_body(&self, error: NonZero<usize>) {
        if let Some(inner) = &self.0 {
            inner.left.store(error.get(), Ordering::Relaxed);
            inner.was_opened.store(true, Ordering::Relaxed);
        }
    }
}

impl Context {
    /// A copy of what is kept, for a failure that the request survives.
    pub(crate) fn body(&self) -> Option<Box<KeptBody>> {
        self.change_body(|kept| kept.clone().map(Box::new)).flatten()
    }

    /// Where the error is that said that the client left while the body was read.
    #[inline]
    pub(crate) fn left_in_body(&self) -> Option<NonZero<usize>> {
        self.0.as_ref().and_then(|inner| NonZero::new(inner.left.load(Ordering::Relaxed)))
    }

    /// What is kept, for the failure that ends the request. Nothing is kept after that.
    pub(crate) fn take_body(&self) -> Option<Box<KeptBody>> {
        self.change_body(|kept| kept.take().map(Box::new)).flatten()
    }

    #[inline]
    fn change_body<T>(&self, change: impl FnOnce(&mut Option<KeptBody>) -> T) -> Option<T> {
        self.0.as_ref().map(|inner| change(&mut inner.lock().body))
    }
}

impl Inner {
    /// Frees what is kept, where somebody holds the context beyond the end of its request.
    #[cold]
    pub(super) fn forget_body(&self) {
        drop(self.lock().body.take());
    }
}
