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
mod clock;
mod destination;
mod gate;
mod hygiene;
mod labels;
mod lanes;
mod limits;
mod outbox;
pub(crate) mod post;
mod progress;
mod queue;
mod reports;
mod retry;
mod schedule;
pub(crate) mod sentry;
pub(crate) mod spool;
mod transport;
mod watch;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ::sentry::protocol::EnvelopeItem;
use ::sentry::{Client, Envelope};

use self::destination::Parcel;
pub(crate) use self::destination::{Destination, Terms};
pub(crate) use self::gate::Outgoing;
pub(crate) use self::hygiene::{mended_environment, mended_release};
pub(crate) use self::labels::Filter;
use self::labels::Labels;
use self::lanes::Lane;
use self::limits::Category;
use self::progress::{Progress, Ticket};
use self::queue::{Queue, Taken};
use self::reports::{Discards, Tally, Why};
pub(crate) use self::transport::SdkTransport;
use self::watch::{Bell, Watch};
use crate::report::stack::Symbols;
use crate::report::{build, decorate};
use crate::reporter::{self, Reporter};
use crate::scrub::scrubber;
use crate::sink::{Admission, Intake, Record, Watcher};
use crate::stats::{Counters, Reason};
use crate::storm::{Example, Summary};

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
}

/// What the processing thread needs to build events. It has them alone: the client holds the transport, and
/// the transport holds the delivery.
struct Builder {
    client: Arc<Client>,
    reporter: Weak<Reporter>,
}

enum Job {
    Record(Record, Ticket),
    Sdk(Box<Envelope>, Ticket),
}

impl Job {
    fn weight(&self) -> usize {
        match self {
            Self::Record(record, _) => record.weight(),
            Self::Sdk(envelope, _) => envelope.items().fold(SDK_EVENT, |weight, item| match item {
                EnvelopeItem::Attachment(attachment) => weight.saturating_add(attachment.buffer.len()),
                _ => weight,
            }),
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::Record(record, _) => labels::lane_of_record(record),
            Self::Sdk(envelope, _) => labels::lane_of_envelope(envelope),
        }
    }

    fn category(&self) -> Category {
        match self {
            Self::Record(..) => Category::Error,
            Self::Sdk(envelope, _) => labels::category_of_envelope(envelope),
        }
    }

    fn ticket(&self) -> &Ticket {
        match self {
            Self::Record(_, ticket) | Self::Sdk(_, ticket) => ticket,
        }
    }
}

/// What an event of the SDK is taken to occupy: it cannot be weighed without being serialized.
const SDK_EVENT: usize = 16 * 1024;

impl Delivery {
    /// `destinations` are where events go; without one they are written to the log. `watchers` see all of them.
    pub(crate) fn new(
        destinations: Vec<Destination>,
        counters: Arc<Counters>,
        admission: Arc<Admission>,
        verbose: bool,
        watchers: Vec<Arc<dyn Watcher>>,
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
        })
    }

    /// Starts the threads.
    pub(crate) fn start(
        self: &Arc<Self>,
        client: Arc<Client>,
        reporter: &Arc<Reporter>,
    ) -> std::io::Result<()> {
        let builder = Builder { client, reporter: Arc::downgrade(reporter) };
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
        self.destinations.iter().for_each(|destination| destination.hurry(deadline));
        // Nothing comes of waiting when all that is left is held back for longer than that.
        let stuck = || self.destinations.iter().map(|destination| destination.stuck_until(deadline)).sum();
        let hopeless = || Option::<usize>::is_some_and(stuck(), |events| events > 0) || enough();
        let nothing_is_left = self.progress.wait(deadline, hopeless);
        self.bell.ring();
        nothing_is_left
    }

    /// Ends delivery. What no server has accepted is on disk, or counted as lost. Returns how many events are on disk.
    pub(crate) fn close(&self) -> u64 {
        let unsaid = self.admission.storm.close();
        self.counters.summaries.add(unsaid);
        self.counters.shutdown.add(unsaid);
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

    /// Hands the counters to the application's recorder, which is its code.
    fn publish(&self) {
        #[cfg(feature = "metrics")]
        say(|| crate::stats::facade::publish(&self.counters.read()));
    }

    /// Queues what was captured; false if there is no room. Never waits.
    fn take_in(&self, lane: Lane, job: Job) -> bool {
        let weight = job.weight();
        match self.queue.put(lane, weight, job) {
            Ok(shed) => {
                for job in &shed {
                    self.discards.add(Why::QueueOverflow, job.category());
                    job.ticket().end(|counters| counters.lost(Reason::Shed));
                }
                drop_quietly(shed);
                true
            }
            Err(job) => {
                self.discards.add(Why::QueueOverflow, job.category());
                drop_quietly(vec![job]);
                false
            }
        }
    }

    fn process(&self, builder: &Builder) {
        let mut symbols = Symbols::default();
        loop {
            let next = [self.admission.storm.next_end(), symbols.rests_at()].into_iter().flatten().min();
            match self.queue.take_until(next) {
                Taken::Item(job) => self.process_safely(job, builder, &mut symbols),
                Taken::Nothing => symbols.rest(),
                Taken::Closed => return,
            }
            for summary in self.admission.storm.ended() {
                self.process_safely(self.summary(summary), builder, &mut symbols);
            }
        }
    }

    fn process_safely(&self, job: Job, builder: &Builder, symbols: &mut Symbols) {
        // What panics in here is the application's code: an error's destructor, an event processor.
        // Its ticket counts it.
        if catch_unwind(AssertUnwindSafe(|| self.process_one(job, builder, symbols))).is_err() {
            say(
                || tracing::warn!(target: "faultwire", "an event was lost: the application's code panicked on it"),
            );
        }
    }

    fn process_one(&self, job: Job, builder: &Builder, symbols: &mut Symbols) {
        match job {
            Job::Record(record, ticket) => {
                let Some(reporter) = builder.reporter.upgrade() else { return };
                match build::event(record, &reporter.settings, &builder.client, symbols) {
                    Some(event) => {
                        let labels = Labels::of_event(&event);
                        self.hand_over(gate::event(event, &scrubber()), &labels, ticket);
                    }
                    None => ticket.end(|counters| counters.by_hook.add(1)),
                }
            }
            Job::Sdk(envelope, first) => {
                let mut first = Some(first);
                for item in envelope.into_items() {
                    let labels = Labels::of_item(&item);
                    match gate::item(item, &scrubber()) {
                        Some(item) => {
                            let ticket = first.take().unwrap_or_else(|| self.progress.ticket());
                            self.hand_over(Some(item), &labels, ticket);
                        }
                        None => self.counters.unsupported.add(1),
                    }
                }
            }
        }
    }

    /// A summary as what its example is: a record, or an event of the SDK.
    fn summary(&self, summary: Summary) -> Job {
        self.counters.summaries.add(1);
        let (counts, ticket) = (summary.counts, self.progress.ticket());
        match summary.example {
            Example::Record(mut record) => {
                record.stands_for = Some(Box::new(counts));
                Job::Record(*record, ticket)
            }
            Example::Event(mut event) => {
                decorate::counts(&mut event, &counts);
                Job::Sdk(Box::new(Envelope::from(*event)), ticket)
            }
        }
    }

    /// Hands what passed the gate to everybody who wants it.
    fn hand_over(&self, item: Option<Outgoing>, labels: &Labels, ticket: Ticket) {
        let Some(item) = item else { return ticket.end(|counters| counters.rejected.add(1)) };
        for watcher in &self.watchers {
            watcher.passed(item.kind, &item.payload);
        }
        if self.verbose {
            let (kind, bytes) = (item.kind, item.payload.len());
            say(|| tracing::info!(target: "faultwire", kind, bytes, "captured {}", item.title));
        }
        if self.destinations.is_empty() {
            if item.kind == "event" {
                say(
                    || tracing::error!(target: "faultwire", "not sent, SENTRY_DSN is not set: {}", item.title),
                );
            }
            return ticket.end(|counters| counters.logged.add(1));
        }
        let takers: Vec<_> =
            self.destinations.iter().filter(|destination| destination.takes(labels)).collect();
        if takers.is_empty() {
            return ticket.end(|counters| counters.lost(Reason::NoDestination));
        }
        ticket.route(takers.len());
        let (outgoing, ticket) = (Arc::new(item), Arc::new(ticket));
        // All of them before the first is sent: an event that is on its way is on disk.
        let kept =
            takers.iter().any(|destination| destination.keeps()).then(|| sentry::kept(&outgoing)).flatten();
        let keep = |destination: &Destination| destination.keep(labels.lane, kept.as_deref()?);
        let entries: Vec<_> = takers.iter().map(|destination| keep(destination)).collect();
        if entries.iter().any(Option::is_some) {
            ticket.stored();
        }
        for (destination, entry) in takers.into_iter().zip(entries) {
            let (outgoing, ticket) = (Arc::clone(&outgoing), Arc::clone(&ticket));
            destination.put(Parcel { outgoing, ticket, entry }, labels);
        }
        ticket.routed();
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
    fn put(&self, record: Record) -> bool {
        self.take_in(labels::lane_of_record(&record), Job::Record(record, self.progress.ticket()))
    }
}
