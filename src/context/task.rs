//! Taking the context along into what runs elsewhere: futures, tasks, threads.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use pin_project_lite::pin_project;
use sentry::Hub;

use super::{Context, current, hub};

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
        InContext { future: Some(self), context: current(), hub: hub::forked() }
    }
}

impl<F: Future> WithContext for F {}

impl Context {
    /// A future that runs in this context, wherever it is made: for callbacks that are called outside of the request.
    ///
    /// # Example
    /// ```
    /// use axum::extract::ws::{WebSocket, WebSocketUpgrade};
    /// use axum::response::Response;
    ///
    /// async fn talk(socket: WebSocket) {
    ///     faultwire::current().breadcrumb("connected");
    ///     # drop(socket);
    /// }
    ///
    /// async fn chat(upgrade: WebSocketUpgrade) -> Response {
    ///     let request = faultwire::current();
    ///     upgrade.on_upgrade(move |socket| request.scope(talk(socket)))
    /// }
    /// # let app: axum::Router = axum::Router::new().route("/chat", axum::routing::get(chat));
    /// ```
    pub fn scope<F: Future>(&self, future: F) -> InContext<F> {
        // Another's hub has what was said there.
        let hub = if self.is_current() { hub::forked() } else { hub::of_main() };
        InContext { future: Some(future), context: self.clone(), hub }
    }

    fn is_current(&self) -> bool {
        match (&self.0, &current().0) {
            (Some(inner), Some(current)) => Arc::ptr_eq(inner, current),
            _ => false,
        }
    }
}

/// Carries the running context into a closure that runs elsewhere: a thread, a pool's worker.
///
/// # Example
/// ```
/// let thread = std::thread::spawn(faultwire::in_context(|| {
///     faultwire::current().tag("step", "thumbnail");
/// }));
/// thread.join().unwrap();
/// ```
pub fn in_context<T>(f: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let (context, hub) = (current(), hub::forked());
    move || {
        let _entered = context.enter(&hub);
        f()
    }
}

/// `tokio::spawn`, with the running context taken along.
///
/// # Panics
/// Outside of a runtime, as `tokio::spawn` does.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let mail = faultwire::spawn(async { faultwire::current().breadcrumb("the mail was sent"); });
/// # mail.await.unwrap(); }
/// ```
#[cfg(feature = "tokio")]
#[track_caller]
pub fn spawn<F>(future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future.with_context())
}

/// `tokio::task::spawn_blocking`, with the running context taken along.
///
/// # Panics
/// Outside of a runtime, as `tokio::task::spawn_blocking` does.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let resized = faultwire::spawn_blocking(|| { faultwire::current().tag("step", "resize"); 7 });
/// # assert_eq!(resized.await.unwrap(), 7); }
/// ```
#[cfg(feature = "tokio")]
#[track_caller]
pub fn spawn_blocking<F, T>(f: F) -> tokio::task::JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    tokio::task::spawn_blocking(in_context(f))
}

pin_project! {
    /// The future of [`WithContext::with_context`] and [`Context::scope`].
    pub struct InContext<F> {
        // `None` only while it is dropped.
        #[pin]
        future: Option<F>,
        context: Context,
        hub: Arc<Hub>,
    }

    impl<F> PinnedDrop for InContext<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // What it destroys, it destroys in its own context.
            let _entered = this.context.enter_to_destroy(this.hub);
            this.future.set(None);
        }
    }
}

impl<F: Future> Future for InContext<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = this.context.enter(this.hub);
        this.future.as_pin_mut().map_or(Poll::Pending, |future| future.poll(cx))
    }
}

impl<F> fmt::Debug for InContext<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InContext").field("context", &self.context).finish_non_exhaustive()
    }
}
