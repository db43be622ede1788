//! Delivery: one thread makes events of records and lets them through the gate, a few send them.
//!
//! ```text
//! sink, SDK transport → queue → processing thread: build, hygiene, gate → outbox → senders → server
//! ```
//! Nothing is unbounded: the queue holds 2 048 items or 64 MiB, the outbox 1 024 or 16 MiB. When the outbox is full
//! the processing thread waits, and the queue turns new records away, which is counted.

mod gate;
mod hygiene;
pub(crate) mod post;
mod queue;
pub(crate) mod sentry;
mod transport;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ::sentry::protocol::EnvelopeItem;
use ::sentry::types::Uuid;
use ::sentry::{Client, Envelope};

pub(crate) use self::hygiene::{mended_environment, mended_release};
use self::queue::{Progress, Queue, Taken, Ticket};
use self::sentry::{Destination, Outcome};
pub(crate) use self::transport::SdkTransport;
use crate::report::stack::Symbols;
use crate::report::{build, decorate};
use crate::reporter::{self, Reporter};
use crate::sink::{Admission, Intake, Record, Watcher};
use crate::stacks::Pages;
use crate::stats::Counters;
use crate::storm::{Example, Summary};

const MAX_QUEUED: usize = 2_048;
const MAX_QUEUED_BYTES: usize = 64 * 1024 * 1024;
const MAX_OUTBOX: usize = 1_024;
const MAX_OUTBOX_BYTES: usize = 16 * 1024 * 1024;
/// Nobody waits for longer than this.
const LONGEST_FLUSH: Duration = Duration::from_secs(24 * 60 * 60);
/// How many requests to a server run at the same time.
const SENDERS: usize = 4;

/// The way from the sink to the server.
pub(crate) struct Delivery {
    queue: Queue<Job>,
    outbox: Queue<Outgoing>,
    progress: Arc<Progress>,
    counters: Arc<Counters>,
    admission: Arc<Admission>,
    destination: Option<Destination>,
    /// The log tells about every event, not only about trouble.
    verbose: bool,
    watchers: Vec<Arc<dyn Watcher>>,
    /// After this nothing is counted as sent: it was counted as lost.
    closed: AtomicBool,
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
}

/// What an event of the SDK is taken to occupy: it cannot be weighed without being serialized.
const SDK_EVENT: usize = 16 * 1024;

/// One scrubbed item on its way to the server.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) event_id: Option<Uuid>,
    /// The item's type: `event`, `transaction`, ...
    pub(crate) kind: &'static str,
    pub(crate) payload: Vec<u8>,
    /// What people call it, scrubbed like the rest.
    pub(crate) title: String,
    pub(crate) attempts: u32,
    _ticket: Option<Ticket>,
}

impl Delivery {
    /// `destination` is where events go; without one they are written to the log. `watchers` see all of them.
    pub(crate) fn new(
        destination: Option<Destination>,
        counters: Arc<Counters>,
        admission: Arc<Admission>,
        verbose: bool,
        watchers: Vec<Arc<dyn Watcher>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            queue: Queue::new(MAX_QUEUED, MAX_QUEUED_BYTES, Job::weight),
            outbox: Queue::new(MAX_OUTBOX, MAX_OUTBOX_BYTES, |item: &Outgoing| item.payload.len()),
            progress: Arc::default(),
            counters,
            admission,
            destination,
            verbose,
            watchers,
            closed: AtomicBool::new(false),
        })
    }

    /// Starts the threads.
    pub(crate) fn start(
        self: &Arc<Self>,
        client: Arc<Client>,
        reporter: &Arc<Reporter>,
    ) -> std::io::Result<()> {
        let builder = Builder { client, reporter: Arc::downgrade(reporter) };
        self.spawn("faultwire", move |delivery| delivery.process(&builder))?;
        if self.destination.is_some() {
            for _ in 0..SENDERS {
                self.spawn("faultwire-send", Self::send)?;
            }
        }
        Ok(())
    }

    fn spawn(self: &Arc<Self>, name: &str, run: impl FnOnce(&Self) + Send + 'static) -> std::io::Result<()> {
        let delivery = Arc::clone(self);
        let run = move || {
            reporter::own_this_thread();
            run(&delivery);
        };
        std::thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
    }

    /// Waits until everything is delivered, but no longer than that. True if nothing is left.
    pub(crate) fn flush(&self, timeout: Duration) -> bool {
        let now = Instant::now();
        let deadline = now.checked_add(timeout.min(LONGEST_FLUSH)).unwrap_or(now);
        for summary in self.admission.storm.so_far() {
            self.queue.put_extra(self.summary(summary));
        }
        // Nothing comes of waiting when all that is left is held back for longer than that.
        let hopeless = |pending| self.outbox.held_beyond(deadline).is_some_and(|held| held == pending);
        self.progress.wait(deadline, hopeless)
    }

    /// Ends delivery. What is still on its way is counted as lost; returns how much that is.
    pub(crate) fn close(&self) -> u64 {
        if self.closed.swap(true, Ordering::Relaxed) {
            return 0;
        }
        let unsaid = self.admission.storm.close();
        self.counters.summaries.add(unsaid);
        let lost = u64::try_from(self.progress.pending()).unwrap_or(u64::MAX).saturating_add(unsaid);
        self.counters.shutdown.add(lost);
        self.queue.close();
        self.outbox.close();
        lost
    }

    fn process(&self, builder: &Builder) {
        let (mut symbols, mut pages) = (Symbols::default(), Pages::default());
        let storm = &self.admission.storm;
        loop {
            let next = [storm.next_end(), symbols.rests_at(), pages.next(storm.window())];
            match self.queue.take_until(next.into_iter().flatten().min()) {
                Taken::Item(job) => self.process_safely(job, builder, &mut symbols),
                Taken::Nothing => symbols.rest(),
                Taken::Closed => return,
            }
            for summary in storm.ended() {
                self.process_safely(self.summary(summary), builder, &mut symbols);
            }
        }
    }

    fn process_safely(&self, job: Job, builder: &Builder, symbols: &mut Symbols) {
        // What panics in here is the application's code: an error's destructor, an event processor.
        if catch_unwind(AssertUnwindSafe(|| self.process_one(job, builder, symbols))).is_err() {
            self.counters.by_hook.add(1);
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
                    Some(event) => self.hand_over(gate::event(event), ticket),
                    None => self.counters.by_hook.add(1),
                }
            }
            Job::Sdk(envelope, ticket) => {
                let mut ticket = Some(ticket);
                for item in envelope.into_items() {
                    match (gate::item(item), ticket.take()) {
                        (Some(item), Some(ticket)) => self.hand_over(Some(item), ticket),
                        (Some(item), None) => self.hand_over(Some(item), self.progress.ticket()),
                        (None, unused) => {
                            ticket = unused;
                            self.counters.unsupported.add(1);
                        }
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

    fn hand_over(&self, item: Option<Outgoing>, ticket: Ticket) {
        let Some(item) = item else {
            self.counters.rejected.add(1);
            return;
        };
        for watcher in &self.watchers {
            watcher.passed(item.kind, &item.payload);
        }
        if self.verbose {
            let (kind, bytes) = (item.kind, item.payload.len());
            say(|| tracing::info!(target: "faultwire", kind, bytes, "captured {}", item.title));
        }
        if self.destination.is_none() {
            self.counters.logged.add(1);
            if item.kind == "event" {
                say(
                    || tracing::error!(target: "faultwire", "not sent, SENTRY_DSN is not set: {}", item.title),
                );
            }
            return;
        }
        // One that comes back was counted when the outbox was closed.
        let _ = self.outbox.put_when_room(Outgoing { _ticket: Some(ticket), ..item });
    }

    fn send(&self) {
        let Some(destination) = &self.destination else { return };
        while let Some(mut item) = self.outbox.take() {
            if item.attempts > 0 {
                self.counters.retried.add(1);
            }
            let outcome = destination.send(&item);
            if self.closed.load(Ordering::Relaxed) {
                return;
            }
            let server = destination.name();
            match outcome {
                Outcome::Accepted { hold } => {
                    self.counters.succeeded();
                    if let Some(hold) = hold {
                        self.outbox.hold(hold);
                    }
                    if self.verbose {
                        say(|| tracing::info!(target: "faultwire", server, "sent {}", item.title));
                    }
                }
                Outcome::Later { hold, why } => {
                    item.attempts = item.attempts.saturating_add(1);
                    self.outbox.put_back(item, hold);
                    say(
                        || tracing::warn!(target: "faultwire", server, "not delivered, next try in {hold:.1?}: {why}"),
                    );
                    self.counters.failed(why);
                }
                Outcome::Rejected { why } => {
                    self.counters.rejected.add(1);
                    say(|| tracing::warn!(target: "faultwire", server, "refused {}: {why}", item.title));
                    self.counters.failed(why);
                }
            }
        }
    }
}

/// Writes to the log. What listens there is the application's code, and a panic in it must not end our thread.
fn say(line: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(line));
}

impl Intake for Delivery {
    fn put(&self, record: Record) -> bool {
        self.queue.put(Job::Record(record, self.progress.ticket())).is_ok()
    }

    fn flush(&self, timeout: Duration) -> bool {
        Self::flush(self, timeout)
    }
}
