//! Taking the context along into a future that runs elsewhere.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use pin_project_lite::pin_project;
use sentry::Hub;

use super::{Context, current};

/// Carries the running context into a future that runs elsewhere: a spawned task, a `JoinSet`.
///
/// # Example
/// ```
/// use faultwire::WithContext;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let task = tokio::spawn(
///     async {
///         faultwire::current().tag("step", "mail");
///     }
///     .with_context(),
/// );
/// # task.await.unwrap(); }
/// ```
pub trait WithContext: Sized {
    /// The future, run in the context in which this is called.
    fn with_context(self) -> InContext<Self> {
        InContext { future: self, context: current(), hub: Arc::new(Hub::new_from_top(Hub::current())) }
    }
}

impl<F: Future> WithContext for F {}

pin_project! {
    /// The future of [`WithContext::with_context`].
    pub struct InContext<F> {
        #[pin]
        future: F,
        context: Context,
        hub: Arc<Hub>,
    }
}

impl<F: Future> Future for InContext<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = this.context.enter(this.hub);
        Poll::Ready(ready!(this.future.poll(cx)))
    }
}

impl<F> fmt::Debug for InContext<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InContext").field("context", &self.context).finish_non_exhaustive()
    }
}
