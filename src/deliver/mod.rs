//! Delivery: one thread makes events of records and lets them through the gate, a few send them to each destination.
//!
//! ```text
//! sink, SDK transport → queue → processing thread: build, hygiene, gate, spool ─┬▶ outbox → senders → server
//!                                                                              └▶ outbox → senders → server
//!                                        gate ◀─ what the spool had from before ──┘ after what is new
//! ```
//! Nobody waits for anybody behind him. Nothing is unbounded: the queue holds 16 384 records or 64 MiB, each outbox
//! 16 384 events or 32 MiB. Both have lanes: what matters more goes first, and when there is no room what matters
//! less goes for it, which is counted.

pub(crate) mod backlog;
mod check_in;
mod clock;
mod destination;
mod gate;
mod gzip;
mod heartbeat;
mod hygiene;
mod job;
mod json;
mod labels;
mod lanes;
mod limits;
mod outbox;
pub(crate) mod post;
mod process;
mod progress;
#[cfg(feature = "metrics")]
mod publishing;
mod queue;
mod reports;
mod retry;
mod schedule;
pub(crate) mod sentry;
pub(crate) mod spool;
mod transport;
mod watch;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::sentry::Client;

pub(crate) use self::destination::{Destination, Terms};
pub(crate) use self::gate::Outgoing;
pub(crate) use self::heartbeat::Heartbeats;
pub(crate) use self::hygiene::{mended_environment, mended_release};
use self::job::Job;
pub(crate) use self::labels::Filter;
use self::lanes::Lane;
use self::limits::Category;
use self::process::Builder;
use self::progress::Progress;
#[cfg(feature = "metrics")]
use self::publishing::Publishing;
use self::queue::Queue;
use self::reports::{Discards, Tally, Why};
pub(crate) use self::transport::SdkTransport;
use self::watch::{Bell, Watch};
use crate::record::CheckIn;
use crate::reporter::{self, Reporter};
use crate::scrub::Scrubber;
use crate::sink::{Admission, Finished, Intake, Record, Watcher};
use crate::stats::{Counters, Reason};

const MAX_QUEUED: usize = 16 * 1_024;
const MAX_QUEUED_BYTES: usize = 64 * 1024 * 1024;
/// Nobody waits for longer than this.
const LONGEST_FLUSH: Duration = Duration::from_secs(24 * 60 * 60);
/// How many requests to a server run at the same time.
const SENDERS: usize = 4;

/// The way from the sink to the servers.
pub(crate) struct Delivery {
    queue: Queue<Job>,
    progress: Arc<Progress>,
    counters: Arc<Counters>,
    destinations: Vec<Arc<Destination>>,
    admission: Arc<Admission>,
    /// The log tells about every event, not only about trouble.
    verbose: bool,
    watchers: Vec<Arc<dyn Watcher>>,
    /// What does not come, before it was known for whom it was.
    discards: Discards,
    bell: Bell,
    heartbeats: Arc<Heartbeats>,
    #[cfg(feature = "metrics")]
    publishing: Publishing,
}

impl Delivery {
    /// `destinations` are where events go; without one they are written to the log. `watchers` see all of them.
    pub(crate) fn new(
        destinations: Vec<Destination>,
        counters: Arc<Counters>,
        admission: Arc<Admission>,
        verbose: bool,
        watchers: Vec<Arc<dyn Watcher>>,
        heartbeats: Arc<Heartbeats>,
    ) -> Arc<Self> {
        Arc::new(Self {
            queue: Queue::new(MAX_QUEUED, MAX_QUEUED_BYTES),
            progress: Progress::new(Arc::clone(&counters)),
            counters,
            destinations: destinations.into_iter().map(Arc::new).collect(),
            admission,
            verbose,
            watchers,
            discards: Discards::default(),
            bell: Bell::default(),
            heartbeats,
            #[cfg(feature = "metrics")]
            publishing: Publishing::default(),
        })
    }

    /// Starts the threads.
    pub(crate) fn start(
        self: &Arc<Self>,
        client: Arc<Client>,
        reporter: &Arc<Reporter>,
        scrubber: Arc<Scrubber>,
    ) -> std::io::Result<()> {
        let hash_users = reporter.settings.hash_users;
        let builder = Builder { client, reporter: Arc::downgrade(reporter), hash_users, scrubber };
        let delivery = Arc::clone(self);
        spawn("faultwire", move || delivery.process(&builder))?;
        for destination in &self.destinations {
            if destination.keeps() {
                let (destination, progress) = (Arc::clone(destination), Arc::clone(&self.progress));
                spawn("faultwire-spool", move || destination.read_back(&progress))?;
            }
            for _ in 0..SENDERS {
                let destination = Arc::clone(destination);
                spawn("faultwire-send", move || destination.send())?;
            }
        }
        // Without a destination nothing can be stuck, and without a recorder nothing is published.
        if self.destinations.is_empty() && !cfg!(feature = "metrics") {
            return Ok(());
        }
        let delivery = Arc::clone(self);
        spawn("faultwire-watch", move || delivery.watch())
    }

    /// Waits until everything is delivered that is on its way, but no longer than that. True if nothing is left.
    pub(crate) fn flush(&self, timeout: Duration) -> bool {
        self.wait(timeout, || false)
            && self.destinations.iter().all(|destination| destination.left_on_disk() == 0)
    }

    /// The same before the end: for a server that is away nobody waits when everything is on disk.
    pub(crate) fn finish(&self, timeout: Duration) {
        let may_leave = || self.destinations.iter().all(|destination| destination.may_be_left());
        self.wait(timeout, || self.progress.is_safe() && may_leave());
    }

    fn wait(&self, timeout: Duration, enough: impl Fn() -> bool) -> bool {
        let now = Instant::now();
        let deadline = now.checked_add(timeout.min(LONGEST_FLUSH)).unwrap_or(now);
        for summary in self.admission.storm.so_far() {
            let job = self.summary(summary);
            self.queue.put_extra(job.lane(), job.weight(), job);
        }
        for signal in self.admission.auth.signals() {
            let job = self.signal(signal);
            self.queue.put_extra(job.lane(), job.weight(), job);
        }
        self.destinations.iter().for_each(|destination| destination.hurry(deadline));
        // Nothing comes of waiting when all that is left is held back for longer than that.
        let stuck = || self.destinations.iter().map(|destination| destination.stuck_until(deadline)).sum();
        let hopeless = || Option::<usize>::is_some_and(stuck(), |events| events > 0) || enough();
        let nothing_is_left = self.progress.wait(deadline, hopeless);
        let no_heartbeat_is_left = self.heartbeats.wait(deadline);
        self.bell.ring();
        nothing_is_left && no_heartbeat_is_left
    }

    /// Ends delivery. What no server has accepted is on disk, or counted as lost. Returns how many events are on disk.
    pub(crate) fn close(&self) -> u64 {
        let unsaid = self.admission.storm.close();
        self.counters.summaries.add(unsaid);
        self.counters.shutdown.add(unsaid);
        self.heartbeats.close();
        // In this order: what a server accepts from here on is counted by nobody, and what waits is on its way
        // until it was counted.
        let waiting: Vec<_> = self.destinations.iter().map(|destination| destination.close()).collect();
        self.progress.close();
        drop(waiting);
        drop_quietly(self.queue.close());
        let on_disk = self.destinations.iter().map(|destination| destination.leave());
        let on_disk = on_disk.fold(0, u64::saturating_add);
        self.bell.end();
        self.publish();
        on_disk
    }

    /// Looks after everything now and then, until the end.
    fn watch(&self) {
        let mut watches: Vec<_> =
            self.destinations.iter().map(|_| (Watch::default(), Tally::new())).collect();
        let mut reported = None;
        while self.bell.wait(watch::TICK) {
            let now = Instant::now();
            let is_due = reported.is_none_or(|at| now.saturating_duration_since(at) >= reports::EVERY);
            for (destination, (watch, told)) in self.destinations.iter().zip(&mut watches) {
                destination.look(watch, now);
                if is_due {
                    destination.report(self.discarded(), told);
                }
            }
            reported = if is_due { Some(now) } else { reported };
            self.publish();
        }
    }

    /// What does not come, before it was known for whom it was.
    fn discarded(&self) -> Tally {
        let error = Category::Error.as_str();
        let mut tally = Tally::new();
        self.discards.add_to(&mut tally);
        reports::add(&mut tally, (Why::SampleRate, error), self.counters.sampled.get());
        reports::add(&mut tally, (Why::BeforeSend, error), self.counters.by_hook.get());
        tally
    }

    /// Hands the counters to the application's recorder, as long as they are those that the stats show: those of the
    /// last `init`.
    fn publish(&self) {
        #[cfg(feature = "metrics")]
        if reporter::last_counters().is_some_and(|last| Arc::ptr_eq(&last, &self.counters)) {
            self.publishing.publish(|| say(|| crate::stats::facade::publish(&self.counters.read())));
        }
    }

    /// Queues what was captured, or counts it as lost where there is no room. Never waits.
    #[inline]
    fn take_in(&self, lane: Lane, job: Job) {
        let weight = job.weight();
        match self.queue.put(lane, weight, job) {
            Ok(shed) if shed.is_empty() => {}
            Ok(shed) => self.lose(shed, Reason::Shed),
            Err(job) => self.lose(vec![job], Reason::QueueFull),
        }
    }

    /// Counts what there is no room for, unless the end has counted it.
    #[cold]
    fn lose(&self, jobs: Vec<Job>, reason: Reason) {
        for job in &jobs {
            self.discards.add(Why::QueueOverflow, job.category());
            job.ticket().end(|counters| counters.lost(reason));
        }
        drop_quietly(jobs);
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let run = move || {
        reporter::own_this_thread();
        run();
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}

/// Writes to the log. What listens there is the application's code, and a panic in it must not end our thread.
fn say(line: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(line));
}

/// Drops records. Errors have destructors, which are the application's code; a panic in one harms nobody else.
fn drop_quietly<T>(items: Vec<T>) {
    for item in items {
        let _ = catch_unwind(AssertUnwindSafe(|| drop(item)));
    }
}

impl Intake for Delivery {
    fn put(&self, record: Record) {
        self.take_in(labels::lane_of_record(&record), Job::Record(record, self.progress.ticket()));
    }

    fn put_finished(&self, finished: Finished) {
        self.take_in(Lane::Rest, Job::Finished(finished, self.progress.ticket()));
    }

    fn check_in(&self, check_in: CheckIn) {
        self.take_in(Lane::Rest, Job::CheckIn(check_in, self.progress.ticket()));
    }

    fn heartbeat(&self, url: Box<str>) {
        self.heartbeats.call(url);
    }

    fn wake(&self) {
        self.queue.wake();
    }

    fn flush(&self, timeout: Duration) -> bool {
        Self::flush(self, timeout)
    }
}
