//! One run of a job: its context, how it ended, and what is made of that.

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use sentry::Hub;

use super::alarm::Alarm;
use super::told::{as_breadcrumb, submit_failure, submit_warning};
use super::{Job, Plan, attempts};
use crate::context::Context;
use crate::panics::{self, Caught};
use crate::record::{Cause, CheckIn, CheckInStatus, Details, EditEvent, EventId, Mechanism};
use crate::report::submit::{settle, submit_call, tell_apart};
use crate::report::{Report, auth};
use crate::reporter::{self, Reporter};

/// A run that took longer than [`Job::timeout`](super::Job::timeout), and was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut {
    limit: Duration,
}

impl TimedOut {
    /// How long it might have taken.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.limit
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the job did not end within {:?}", self.limit)
    }
}

impl Error for TimedOut {}

/// A run under way. Dropped before it ended, it was cancelled.
pub(super) struct Run {
    plan: Plan,
    began: Instant,
    place: Option<&'static Location<'static>>,
    /// `None` while reporting is disabled, and after the end.
    active: Option<Active>,
}

/// What there is only while somebody listens.
struct Active {
    context: Context,
    hub: Arc<Hub>,
    check_in: EventId,
    overrun: Option<Alarm>,
}

/// How a run failed: the tag `job.outcome`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Failed,
    /// For good, whatever the number of the attempt.
    Aborted,
    Panicked,
    TimedOut,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::Panicked => "panicked",
            Self::TimedOut => "timed_out",
        }
    }
}

impl Run {
    pub(super) fn begin(job: Job, place: Option<&'static Location<'static>>) -> Self {
        let Job { mut facts, plan } = job;
        let began = Instant::now();
        let active = reporter::global().map(|reporter| {
            facts.began = SystemTime::now();
            let hub = Arc::new(Hub::new_from_top(&reporter.hub));
            let context = Context::for_job(reporter, facts, plan.trace());
            let overrun = plan.overrun_alarm(began, &context, &hub);
            Active { context, hub, check_in: EventId::random(), overrun }
        });
        if let Some(active) = &active {
            active.check_in(&plan, CheckInStatus::InProgress, None);
        }
        Self { plan, began, place, active }
    }

    /// Destroys what ran, in its own context. A panic there is a failure of its own, whatever became of the run.
    pub(super) fn destroy(&self, destroy: impl FnOnce()) {
        let entered = self.active.as_ref().map(|active| active.context.enter_to_destroy(&active.hub));
        // A hub that the job left behind goes with it, and may panic.
        let destroyed = catch_unwind(AssertUnwindSafe(|| within(entered, destroy)));
        if let (Ok(Err(caught)), Some(active)) = (destroyed, &self.active) {
            let details = Box::new(Details::new(Cause::Panic(caught.info)));
            let mechanism = Mechanism { name: "job", handled: false };
            submit_failure(&active.context, &active.hub, details, mechanism, Outcome::Panicked.as_str());
        }
    }

    /// Runs some of it: a poll, a call.
    pub(super) fn enter<T>(&self, run: impl FnOnce() -> T) -> Result<T, Caught> {
        within(self.active.as_ref().map(|active| active.context.enter(&active.hub)), run)
    }

    /// When it is to be ended.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.began.checked_add(self.plan.timeout?)
    }

    pub(super) fn succeeded(&mut self) {
        let Some(active) = self.active.take() else { return };
        let Some(reporter) = active.context.reporter() else { return };
        reporter.counters.jobs.succeeded.add(1);
        if let Some(job) = active.context.job() {
            drop(attempts::take(job));
        }
        active.check_in(&self.plan, CheckInStatus::Ok, Some(self.began.elapsed()));
        if let Some(url) = self.plan.heartbeat.take() {
            reporter.sink.heartbeat(url.into());
        }
        active.end();
    }

    pub(super) fn failed<E: Into<Report> + 'static>(&mut self, error: E) -> Report {
        // `?` in the job knows its place; an error that is passed on as it is knows none.
        let report = match self.place {
            Some(place) => Report::at(error, place),
            None => error.into(),
        };
        self.failed_with(report, Outcome::Failed)
    }

    pub(super) fn panicked(&mut self, caught: Caught) -> Report {
        self.failed_with(Report::of_panic(caught.info), Outcome::Panicked)
    }

    pub(super) fn timed_out(&mut self) -> Report {
        let limit = self.plan.timeout.unwrap_or_default();
        let report = Report::from(TimedOut { limit });
        let report = match self.place {
            Some(place) => report.made_at(place),
            None => report,
        };
        self.failed_with(report, Outcome::TimedOut)
    }

    /// The same for an error that stays where it is. What it makes no event of comes back.
    pub(super) fn failed_elsewhere(
        &mut self,
        outcome: Outcome,
        read: impl FnOnce(&Context, &Reporter) -> Details,
    ) -> Option<Unsent> {
        let active = self.active.take()?;
        let details = Box::new(read(&active.context, active.context.reporter()?));
        active.fail(&self.plan, self.began.elapsed(), details, outcome)
    }

    fn failed_with(&mut self, mut report: Report, outcome: Outcome) -> Report {
        if let Some(active) = self.active.take() {
            let names = active.context.reporter().map_or(&[][..], |reporter| &reporter.settings.error_names);
            report.tell_apart(&active.context);
            // The caller keeps the report; what goes out is a copy.
            if let Some(details) = report.take_copy(names) {
                let unsent = active.fail(&self.plan, self.began.elapsed(), details, outcome);
                if let Some(Unsent { edit }) = unsent {
                    report.hold_back();
                    report = report.edited_by(edit);
                }
            }
        }
        report
    }

    fn cancelled(&mut self) {
        let Some(active) = self.active.take() else { return };
        let Some(reporter) = active.context.reporter() else { return };
        reporter.counters.jobs.cancelled.add(1);
        let ran_for = self.began.elapsed();
        active.check_in(&self.plan, CheckInStatus::Error, Some(ran_for));
        if self.plan.reports_cancelled {
            let message = "the job was cancelled".to_owned();
            submit_warning(&active.context, &active.hub, "JobCancelled", message, "cancelled");
        }
        active.end();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.cancelled();
    }
}

impl Plan {
    /// Tells of a run that goes on for too long, also when it blocks its thread.
    fn overrun_alarm(&self, began: Instant, context: &Context, hub: &Arc<Hub>) -> Option<Alarm> {
        let of_monitor = || self.monitor.as_ref()?.schedule.as_ref()?.plan().max_runtime;
        let after = self.overruns_after.or_else(of_monitor)?;
        let at = began.checked_add(after)?;
        let (context, hub) = (context.clone(), Arc::clone(hub));
        Some(Alarm::at(at, move || {
            if let Some(reporter) = context.reporter() {
                reporter.counters.jobs.overran.add(1);
            }
            let message = format!("the job is still running after {after:?}");
            submit_warning(&context, &hub, "JobOverran", message, "overran");
        }))
    }
}

impl Active {
    fn check_in(&self, plan: &Plan, status: CheckInStatus, duration: Option<Duration>) {
        let (Some(monitor), Some(reporter)) = (&plan.monitor, self.context.reporter()) else { return };
        let trace = self.context.trace().map(|trace| (trace.trace_id, trace.span_id));
        let monitor = Arc::clone(monitor);
        reporter.sink.check_in(CheckIn { id: self.check_in, monitor, status, duration, trace });
    }

    fn fail(
        self,
        plan: &Plan,
        ran_for: Duration,
        mut details: Box<Details>,
        outcome: Outcome,
    ) -> Option<Unsent> {
        let (reporter, job) = (self.context.reporter()?, self.context.job()?);
        if let Some(attempts) = &plan.attempts {
            job.set_attempt(attempts());
        }
        let counters = &reporter.counters.jobs;
        let is_dead = outcome == Outcome::Aborted || job.is_last() == Some(true);
        counters.failed.add(1);
        counters.dead.add(u64::from(is_dead));
        counters.timed_out.add(u64::from(outcome == Outcome::TimedOut));
        self.check_in(plan, CheckInStatus::Error, Some(ran_for));

        // Whatever becomes of it: an attempt that is held back is no event as a line of the log, either.
        tell_apart(&self.context, &details, true);
        self.context.absorb_calls(&mut details);
        let is_asked_for = details.always || details.critical;
        // A dead letter is nobody's wrong password.
        details.critical |= is_dead;
        auth::note(reporter, None, &details);
        let mut unsent = None;
        if details.fate.is_recorded() {
            // By a job in this one.
            drop(attempts::take(job));
        } else if details.is_single_login() {
            settle(&self.context, &details);
            unsent = Some(Unsent { edit: take_edit(&mut details) });
        } else if is_dead || is_asked_for || plan.policy.reports(job) {
            for earlier in attempts::take(job) {
                self.context.breadcrumb(earlier);
            }
            let mechanism = Mechanism { name: "job", handled: outcome != Outcome::Panicked };
            submit_failure(&self.context, &self.hub, details, mechanism, outcome.as_str());
        } else {
            counters.held_back.add(1);
            unsent = Some(Unsent { edit: take_edit(&mut details) });
            counters.forgotten.add(attempts::remember(job, as_breadcrumb(job, *details)));
        }
        self.end();
        unsent
    }

    fn end(mut self) {
        // It holds the context, too.
        drop(self.overrun.take());
        for call in self.context.end_calls().into_iter().flatten() {
            submit_call(&self.context, call, || Some(Arc::clone(&self.hub)));
        }
        std::mem::take(&mut self.context).recycle(None, true);
    }
}

/// A failure that made no event here: its report may make one elsewhere.
pub(super) struct Unsent {
    edit: Option<EditEvent>,
}

/// Runs it guarded, and leaves what was entered for it.
fn within<G, T>(entered: G, run: impl FnOnce() -> T) -> Result<T, Caught> {
    let done = panics::guarded(run);
    drop(entered);
    // One that the job caught itself is nobody's failure.
    drop(panics::seen());
    done
}

fn take_edit(details: &mut Details) -> Option<EditEvent> {
    details.additions.as_mut()?.edit.take()
}
