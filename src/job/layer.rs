//! [`JobLayer`]: the same for queues whose jobs are calls of a tower service.

use std::fmt;
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::run::{Outcome, Run};
use super::{Job, job};
use crate::panics::{self, Caught};
use crate::record::{Cause, Details};
use crate::report::foreign;
use crate::report::submit::tell_apart_kept;
use crate::reporter;
use crate::scrub::scrub_text;

/// Reports the failures of a service whose requests are jobs; see the [module](mod@crate::job) for when.
///
/// Request, response and error pass as they are. A panic goes on unwinding after it was recorded. A job's
/// [timeout](Job::timeout) does nothing here: there is no error of the service's to return for it.
///
/// # Example
/// ```
/// use faultwire::job::{Job, JobLayer};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// struct Message { id: u64, delivered: u32, body: String }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let describe = |message: &Message| -> Job {
///     faultwire::job("import").queue("imports").id(message.id).attempt(message.delivered).of(5)
/// };
/// let handler = service_fn(|message: Message| async move { message.body.parse::<u64>() });
/// let worker = ServiceBuilder::new().layer(JobLayer::new(describe)).service(handler);
///
/// let message = Message { id: 1, delivered: 1, body: "4711".to_owned() };
/// assert_eq!(worker.oneshot(message).await, Ok(4711));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct JobLayer<D> {
    describe: D,
}

/// What a request to a service is, as a job: a function does, and [`OfTask`](super::OfTask) for apalis.
pub trait Describe<R> {
    /// The job, which is not run: its description is what counts.
    fn describe(&self, request: &R) -> Job;
}

impl<R, F: Fn(&R) -> Job> Describe<R> for F {
    fn describe(&self, request: &R) -> Job {
        self(request)
    }
}

impl<D> JobLayer<D> {
    /// A layer for requests that this function describes. A panic in it costs the description, and nothing else.
    #[must_use]
    pub fn new(describe: D) -> Self {
        Self { describe }
    }
}

impl<S, D: Clone> Layer<S> for JobLayer<D> {
    type Service = JobService<S, D>;

    fn layer(&self, inner: S) -> JobService<S, D> {
        JobService { inner, describe: self.describe.clone() }
    }
}

/// The service of [`JobLayer`].
#[derive(Clone, Debug)]
pub struct JobService<S, D> {
    inner: S,
    describe: D,
}

impl<S, D> JobService<S, D> {
    fn described<R>(&self, request: &R) -> Job
    where
        D: Describe<R>,
    {
        panics::guarded(|| self.describe.describe(request)).unwrap_or_else(|Caught { info, .. }| {
            let message = scrub_text(&info.message).unwrap_or(info.message);
            reporter::shielded(|| {
                tracing::warn!(target: "faultwire", "a job could not be described: {message}");
            });
            job("job")
        })
    }
}

impl<S, D, R> Service<R> for JobService<S, D>
where
    S: Service<R>,
    S::Error: fmt::Display + 'static,
    D: Describe<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = JobServiceFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        if !reporter::is_enabled() {
            let inner = Some(self.inner.call(request));
            return JobServiceFuture { inner, run: None };
        }
        let mut run = Run::begin(self.described(&request), None);
        match run.enter(|| self.inner.call(request)) {
            Ok(inner) => JobServiceFuture { inner: Some(inner), run: Some(run) },
            Err(caught) => resume_unwind(recorded(&mut run, caught)),
        }
    }
}

pin_project! {
    /// The future of [`JobService`].
    pub struct JobServiceFuture<F> {
        // `None` after the end.
        #[pin]
        inner: Option<F>,
        // `None` when the layer steps aside, and after the end.
        run: Option<Run>,
    }

    impl<F> PinnedDrop for JobServiceFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(run) = this.run {
                run.destroy(|| this.inner.set(None));
            }
        }
    }
}

impl<F, T, E> Future for JobServiceFuture<F>
where
    F: Future<Output = Result<T, E>>,
    E: fmt::Display + 'static,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else { return Poll::Pending };
        let Some(run) = this.run.as_mut() else { return inner.poll(cx) };
        match run.enter(|| inner.poll(cx)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(Ok(value))) => {
                run.succeeded();
                *this.run = None;
                Poll::Ready(Ok(value))
            }
            Ok(Poll::Ready(Err(error))) => {
                let outcome = if is_final(&error) { Outcome::Aborted } else { Outcome::Failed };
                let unsent = run.failed_elsewhere(outcome, |context, reporter| {
                    tell_apart_kept(context, &error);
                    foreign::details_of(&error, &reporter.settings.error_names)
                });
                if let (Some(_), Some(report)) = (unsent, foreign::report_in(&error)) {
                    report.hold_back();
                }
                *this.run = None;
                Poll::Ready(Err(error))
            }
            Err(caught) => {
                let payload = recorded(run, caught);
                *this.run = None;
                resume_unwind(payload)
            }
        }
    }
}

/// Whether a failure is one for good, whatever the number of the attempt.
fn is_final<E: 'static>(error: &E) -> bool {
    #[cfg(feature = "apalis")]
    {
        super::from_apalis::is_abort(error)
    }
    #[cfg(not(feature = "apalis"))]
    {
        let _ = error;
        false
    }
}

/// Records a panic that goes on.
fn recorded(run: &mut Run, caught: Caught) -> panics::Payload {
    let Caught { payload, info } = caught;
    run.failed_elsewhere(Outcome::Panicked, |_, _| Details::new(Cause::Panic(info)));
    payload
}

impl<F> fmt::Debug for JobServiceFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobServiceFuture").field("runs", &self.run.is_some()).finish_non_exhaustive()
    }
}
