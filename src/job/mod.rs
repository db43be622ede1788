//! [`job`]: background jobs, whose failures are events like those of requests.
//!
//! # When an event is made
//!
//! One for a run that fails: with an error, a panic, or a timeout ([`Job::timeout`]), if the [`Policy`] says so. By
//! default that is the last attempt: earlier ones in this process become breadcrumbs of it. Where nobody said how many
//! attempts there are, every one may be the last, and is an event.
//!
//! | what happens | event | check-in | heartbeat |
//! |---|---|---|---|
//! | it succeeds | none | `ok` | yes |
//! | it fails, and another attempt follows | by the policy; else a breadcrumb of the last one | `error` | no |
//! | it fails for the last time (a dead letter) | one, critical | `error` | no |
//! | it panics | as if it failed; `run` returns it as an error | `error` | no |
//! | it takes longer than [`Job::timeout`] | as if it failed, with [`TimedOut`] | `error` | no |
//! | it goes on for longer than [`Job::overruns_after`] | a warning, while it runs | | |
//! | it is cancelled: its future is dropped | none, unless [`Job::report_cancelled`]; it is counted | `error` | no |
//!
//! [`Stats::jobs`](crate::Stats::jobs) counts every run that began (a future that is dropped before its first poll did
//! not). Of the error that [`Job::run`] returns an event was made already, or it was held back: to pass it on or to drop
//! it makes no other one, nor does a line of the log that tells of it, or a call through
//! [`UpstreamLayer`](crate::UpstreamLayer) by which the job failed. One that was held back is an event where it is the
//! end of something else: the answer of a request, or a run of the job around this one.
//!
//! The event is named after the job; tags say the job, the attempt (`2 of 3`), the queue
//! (`messaging.destination.name`) and the id (`messaging.message.id`), and the context `job` shows the rest. A failure
//! that is a database's stays one; what is nothing more specific is of the kind `job`, and an issue of its job.
//!
//! Each run has its own [`Context`](crate::Context) and its own hub of the SDK, as requests have.
//!
//! # A loop with retries
//!
//! Attempts of one job are recognised by its name and [id](Job::id).
//!
//! ```
//! use std::time::Duration;
//!
//! struct Invoice { id: u64, attempt: u32 }
//! # async fn next_invoice() -> Option<Invoice> { None }
//! # async fn put_back(invoice: Invoice) {}
//! # async fn send(invoice: &Invoice) -> Result<(), std::io::Error> { Ok(()) }
//!
//! async fn worker() {
//!     while let Some(invoice) = next_invoice().await {
//!         let job = faultwire::job("send_invoice").id(invoice.id).attempt(invoice.attempt).of(3);
//!         if job.run(send(&invoice)).await.is_err() && invoice.attempt < 3 {
//!             put_back(Invoice { attempt: invoice.attempt + 1, ..invoice }).await;
//!         }
//!     }
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main() { worker().await; }
//! ```
//!
//! # With a scheduler
//!
//! Whatever calls a closure at its time (a crate for cron expressions, `tokio::time::interval`) calls this one. The
//! monitor is made by its first check-in: the server then knows when the job is late.
//!
//! ```
//! use faultwire::job::Schedule;
//! # async fn clean_up() -> Result<(), std::io::Error> { Ok(()) }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), faultwire::job::ScheduleError> {
//! let nightly = Schedule::crontab("0 3 * * *")?.time_zone("Europe/Berlin");
//! let tick = move || {
//!     let nightly = nightly.clone();
//!     async move {
//!         let job = faultwire::job("clean_up").monitor("clean-up", nightly);
//!         drop(job.run(clean_up()).await); // reported
//!     }
//! };
//! tick().await;
//! # Ok(()) }
//! ```
//!
//! GlitchTip throws check-ins away; its monitors are heartbeats: [`Job::heartbeat`].
//!
//! # A program that runs once
//!
//! A cron job of the system or of Kubernetes: the guard's end delivers the event, the check-in and the heartbeat.
//!
//! ```
//! use std::process::ExitCode;
//! # fn import() -> Result<(), std::io::Error> { Ok(()) }
//!
//! fn main() -> Result<ExitCode, faultwire::ConfigError> {
//!     let _guard = faultwire::init()?;
//!     let done = faultwire::job("import").attempt(1).of(1).run_blocking(import);
//!     Ok(if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
//! }
//! ```
//!
//! # A job that a request queued
//!
//! [`Context::trace_headers`](crate::Context::trace_headers) goes into the payload, and comes back with
//! [`Job::trace`]: the events of the request and of the job have one trace.
//!
//! # Queues that are tower services
//!
//! [`JobLayer`] does the same for each task of apalis, and of whatever else calls a tower service for a job.
//!
//! # Threads
//!
//! Timeouts and overruns are noticed by one thread, which is there while a run has one; heartbeats are called by
//! another. Neither is in a child that was forked afterwards.

mod alarm;
pub(crate) mod attempts;
#[cfg(feature = "apalis")]
mod from_apalis;
mod future;
mod layer;
mod policy;
mod run;
mod told;

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;

#[cfg(feature = "apalis")]
pub use self::from_apalis::OfTask;
pub use self::future::JobFuture;
pub use self::layer::{Describe, JobLayer, JobService, JobServiceFuture};
pub use self::policy::Policy;
use self::run::Run;
pub use self::run::TimedOut;
use crate::context::{Trace, current};
use crate::record::{JobArgs, JobFacts, MAX_SHORT, Monitor, short_text};
pub use crate::record::{Schedule, ScheduleError};
use crate::report::{Report, trace};
use crate::reporter;

/// A run of a background job, to be described and [run](Job::run); see the [module](self).
///
/// # Example
/// ```
/// # async fn send() -> Result<(), std::io::Error> { Ok(()) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let sent = faultwire::job("send_invoice").attempt(2).of(3).id(4711).run(send()).await;
/// # assert!(sent.is_ok()); }
/// ```
pub fn job(name: impl Into<Cow<'static, str>>) -> Job {
    Job { facts: Box::new(JobFacts::new(name.into())), plan: Plan::default() }
}

/// A run of a background job, before it runs; see the [module](self).
#[must_use = "a job does nothing before it is run"]
pub struct Job {
    facts: Box<JobFacts>,
    plan: Plan,
}

/// What is done with a run.
#[derive(Default)]
struct Plan {
    policy: Policy,
    timeout: Option<Duration>,
    overruns_after: Option<Duration>,
    monitor: Option<Arc<Monitor>>,
    heartbeat: Option<Cow<'static, str>>,
    reports_cancelled: bool,
    trace: Option<Trace>,
    /// Asks the queue which attempt it was, for one that tries again under the run.
    attempts: Option<Attempts>,
}

type Attempts = Box<dyn Fn() -> u32 + Send + Sync>;

impl Job {
    /// Which attempt this is; the first is 1. Default: unknown.
    pub fn attempt(self, attempt: u32) -> Self {
        self.say(|job| job.set_attempt(attempt))
    }

    /// How many attempts there are at most. Default: unknown, so that every failure is an event.
    pub fn of(self, max: u32) -> Self {
        self.say(|job| job.max_attempts = Some(max))
    }

    /// The queue that it comes from: tag `messaging.destination.name`. Default: none.
    pub fn queue(self, queue: impl Into<String>) -> Self {
        let queue = short_text(queue.into(), MAX_SHORT);
        self.say(|job| job.queue = Some(queue))
    }

    /// What tells it from others of its name, the same in all of its attempts: tag `messaging.message.id`. Default:
    /// none, and attempts know nothing of each other.
    pub fn id(self, id: impl fmt::Display) -> Self {
        let id = short_text(id, MAX_SHORT);
        self.say(|job| job.id = Some(id))
    }

    /// What it was given: shown with its failure, up to 2 kB of JSON, scrubbed like a request's body. No more than
    /// that is serialized, here. Default: none.
    ///
    /// # Example
    /// ```
    /// #[derive(serde::Serialize)]
    /// struct Invoice<'a> { customer: u64, api_key: &'a str }
    ///
    /// let invoice = Invoice { customer: 7, api_key: "hunter2" };
    /// let job = faultwire::job("send_invoice").args(&invoice); // shown as {"customer": 7, "api_key": "[Filtered]"}
    /// # drop(job);
    /// ```
    pub fn args<T: Serialize + ?Sized>(self, args: &T) -> Self {
        if !reporter::is_enabled() {
            return self;
        }
        let args = reporter::shielded(|| JobArgs::of(args)).unwrap_or_else(JobArgs::unreadable);
        self.say(|job| job.args = Some(args))
    }

    /// How long it waited in its queue. Default: unknown.
    pub fn latency(self, latency: Duration) -> Self {
        self.say(|job| job.latency = Some(latency))
    }

    /// When it is tried again if it fails: a `Duration` from now, or a `SystemTime`. Default: unknown.
    pub fn next_retry(self, at: impl Into<NextRetry>) -> Self {
        let NextRetry(at) = at.into();
        self.say(|job| job.next_retry = at)
    }

    /// Which failed runs are events. Default: [`Policy::FinalOnly`].
    pub fn policy(mut self, policy: Policy) -> Self {
        self.plan.policy = policy;
        self
    }

    /// Ends the run after this long: its future is dropped, and [`run`](Self::run) returns [`TimedOut`]. A future
    /// that blocks its thread cannot be ended, nor can [`run_blocking`](Self::run_blocking) and a service under
    /// [`JobLayer`]; [`overruns_after`](Self::overruns_after) tells of them. Any runtime will do. Default: none.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.plan.timeout = Some(timeout);
        self
    }

    /// Warns when the run goes on for longer than this: one event, while it runs, whatever the policy. Default: what
    /// the schedule of its [monitor](Self::monitor) says, else none.
    pub fn overruns_after(mut self, after: Duration) -> Self {
        self.plan.overruns_after = Some(after);
        self
    }

    /// Makes a run that was cancelled (its future dropped before it ended) an event, a warning. Default: it is counted.
    pub fn report_cancelled(mut self) -> Self {
        self.plan.reports_cancelled = true;
        self
    }

    /// Sends check-ins for Sentry's monitor of this name (lower-case letters, digits, `-`, `_`, up to 50; others are
    /// replaced by `-`): when the run begins, and how it ended. With a [`Schedule`] the monitor is made, or changed to
    /// it; with `None` there has to be one. Default: none.
    ///
    /// They are not kept on disk: they say how things are now.
    pub fn monitor(mut self, slug: impl AsRef<str>, schedule: impl Into<Option<Schedule>>) -> Self {
        self.plan.monitor = Some(Arc::new(Monitor::new(slug.as_ref(), schedule.into())));
        self
    }

    /// Calls this URL (`POST`) after the run succeeded, on a thread of ours: GlitchTip's heartbeat monitors. It is
    /// called once more after 2 s if that fails. At most 256 wait; [`Stats::jobs`](crate::Stats::jobs) counts. The
    /// end of the guard waits for them as for events. Nothing of the URL but its host is ever shown. Default: none.
    pub fn heartbeat(mut self, url: impl Into<Cow<'static, str>>) -> Self {
        self.plan.heartbeat = Some(url.into());
        self
    }

    /// Goes on with the trace of where it was queued: the headers that
    /// [`Context::trace_headers`](crate::Context::trace_headers) gave (`traceparent` will do, too). Default: the
    /// trace of the request or job in which it runs, else a new one.
    pub fn trace<N, V>(mut self, headers: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let (trace, baggage) = trace::from_headers(headers);
        self.plan.trace = trace;
        self.say(|job| job.baggage = baggage)
    }

    /// Runs it in a context of its own. Nothing happens before the first poll.
    ///
    /// # Errors
    /// The future's error, its panic, or [`TimedOut`]. It is reported already, or held back by the policy; what a
    /// [`Report`] said of itself counts, but for its status.
    #[track_caller]
    pub fn run<F, T, E>(self, future: F) -> JobFuture<F>
    where
        F: Future<Output = Result<T, E>>,
        E: Into<Report> + 'static,
    {
        JobFuture::new(self, future, Location::caller())
    }

    /// The same for code that blocks: a thread of its own, a program without a runtime.
    ///
    /// # Errors
    /// As [`run`](Self::run), without the timeout.
    ///
    /// # Example
    /// ```
    /// use faultwire::Report;
    ///
    /// let imported = faultwire::job("import").run_blocking(|| -> Result<usize, Report> {
    ///     Ok("4711".parse::<usize>()?)
    /// });
    /// assert_eq!(imported.ok(), Some(4711));
    /// ```
    #[track_caller]
    pub fn run_blocking<T, E>(self, run: impl FnOnce() -> Result<T, E>) -> Result<T, Report>
    where
        E: Into<Report> + 'static,
    {
        let place = Location::caller();
        let mut running = Run::begin(self, Some(place));
        match running.enter(run) {
            Ok(Ok(value)) => {
                running.succeeded();
                Ok(value)
            }
            Ok(Err(error)) => Err(running.failed(error)),
            Err(caught) => Err(running.panicked(caught)),
        }
    }

    fn say(mut self, say: impl FnOnce(&mut JobFacts)) -> Self {
        say(&mut self.facts);
        self
    }
}

impl Plan {
    /// The trace to go on with: that of the payload, or of where this runs.
    fn trace(&self) -> Option<Trace> {
        self.trace.or_else(|| {
            let Trace { trace_id, span_id, .. } = current().active_trace()?;
            Some(Trace { trace_id, parent: Some(span_id), ..Trace::default() })
        })
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("name", &self.facts.name)
            .field("id", &self.facts.id)
            .field("attempt", &self.facts.attempt())
            .finish_non_exhaustive()
    }
}

/// When a job is tried again: a `Duration` from now, or a `SystemTime`.
#[derive(Clone, Copy, Debug)]
pub struct NextRetry(Option<SystemTime>);

impl From<Duration> for NextRetry {
    fn from(after: Duration) -> Self {
        Self(SystemTime::now().checked_add(after))
    }
}

impl From<SystemTime> for NextRetry {
    fn from(at: SystemTime) -> Self {
        Self(Some(at))
    }
}
