//! One destination: what it takes, what waits for it, who sends it, and what became of it.
//!
//! An event comes in by `put`, on the processing thread, and leaves by `settle`, on a sender's, once the lock is
//! released; else it is lost (`lose`) or left at the end (`close`). Whoever keeps copies elsewhere stands there.

mod read_back;
mod tell;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use super::backlog::Backlog;
use super::labels::{Filter, Labels};
use super::lanes::Lane;
use super::limits::Category;
use super::outbox::Outbox;
use super::progress::Ticket;
use super::reports::{self, Discards, Tally, Why};
use super::retry::{Change, Verdict};
use super::schedule::{Schedule, Sending, Settled};
use super::sentry::{Reply, Server};
use super::spool::Entry;
use super::{Outgoing, clock};
use crate::record::EventId;
use crate::scrub::Scrubber;
use crate::stats::{Counters, DestinationCounters, Reason};

const MAX_WAITING: usize = 16 * 1_024;
const MAX_WAITING_BYTES: usize = 32 * 1_024 * 1_024;
/// What an event occupies beside its payload.
const PARCEL: usize = 256;

/// An event for one destination. Its copies for the others share what passed the gate.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) outgoing: Arc<Outgoing>,
    pub(super) ticket: Arc<Ticket>,
    /// Where it is on disk, until the server has it. Dropped, it is read back later.
    pub(super) entry: Option<Entry>,
}

impl Parcel {
    fn weight(&self) -> usize {
        self.outgoing.payload.len().saturating_add(PARCEL)
    }
}

/// How a destination is treated.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) filter: Filter,
    /// How many events a second of those that waited through an outage are sent after it.
    pub(crate) backlog_rate: u32,
    /// Whether it understands client reports.
    pub(crate) client_reports: bool,
    /// The log tells about every event.
    pub(crate) verbose: bool,
    /// What comes back from the disk passes it: what wrote it may have known other secrets.
    pub(crate) scrubber: Arc<Scrubber>,
}

/// One server and project.
pub(crate) struct Destination {
    terms: Terms,
    server: Server,
    outbox: Outbox<Parcel>,
    backlog: Option<Backlog>,
    /// Requests under way whose event is in memory only.
    unkept: AtomicUsize,
    discards: Discards,
    counters: Arc<DestinationCounters>,
    totals: Arc<Counters>,
}

impl Destination {
    pub(crate) fn new(
        terms: Terms,
        server: Server,
        backlog: Option<Backlog>,
        counters: Arc<DestinationCounters>,
        totals: Arc<Counters>,
    ) -> Self {
        let pace = Duration::from_secs(1).checked_div(terms.backlog_rate).unwrap_or_default();
        let schedule = Schedule::new(MAX_WAITING, MAX_WAITING_BYTES, pace, || EventId::random().fraction());
        let outbox = Outbox::new(schedule, Arc::clone(&counters));
        let (discards, unkept) = (Discards::default(), AtomicUsize::new(0));
        Self { terms, server, outbox, backlog, unkept, discards, counters, totals }
    }

    pub(super) fn takes(&self, labels: &Labels) -> bool {
        self.terms.filter.takes(labels)
    }

    /// Whether events are written to disk before they are sent.
    pub(super) fn keeps(&self) -> bool {
        self.backlog.is_some()
    }

    /// Writes an event to disk, if that can be done.
    pub(super) fn keep(&self, lane: Lane, envelope: &[u8]) -> Option<Entry> {
        self.backlog.as_ref()?.put(lane, envelope)
    }

    /// Queues an event, leaves it on disk, or counts it as lost. Never waits: the events of other destinations stand
    /// behind it.
    pub(super) fn put(&self, parcel: Parcel, labels: &Labels) {
        let (weight, category) = (parcel.weight(), Category::of_item(parcel.outgoing.kind));
        let turned_away = self.outbox.with(|schedule| {
            if schedule.is_closed() {
                self.lose(&parcel, Reason::Shutdown);
                return vec![parcel];
            }
            match schedule.push(labels.lane, weight, category, labels.order, parcel) {
                Ok(shed) => {
                    shed.iter().for_each(|parcel| self.lose(parcel, Reason::Shed));
                    shed
                }
                Err(parcel) => {
                    self.lose(&parcel, Reason::QueueFull);
                    vec![parcel]
                }
            }
        });
        if turned_away.iter().any(|parcel| parcel.entry.is_some()) {
            drop(turned_away);
            self.outbox.spilled();
            self.publish();
        }
    }

    /// Sends what waits, one event at a time, until the end.
    pub(super) fn send(&self) {
        let taken = |parcel: &Parcel| self.count_unkept(parcel, usize::saturating_add);
        while let Some(mut sending) = self.outbox.take(taken) {
            if sending.is_repeated() {
                self.count_retry();
            }
            let mut reply = self.post(&sending.item().outgoing);
            if reply.too_large
                && let Some(smaller) = sending.item().outgoing.shrunk()
            {
                // Once: what is refused even so is refused.
                sending.item_mut().outgoing = Arc::new(smaller);
                self.count_retry();
                reply = self.post(&sending.item().outgoing);
            }
            self.settle(sending, reply);
        }
    }

    fn post(&self, outgoing: &Outgoing) -> Reply {
        let asked = SystemTime::now();
        // Nothing in there should panic. If something does, a sender is still here for the next event.
        let reply = catch_unwind(AssertUnwindSafe(|| self.server.send(outgoing)));
        let reply = reply.unwrap_or_else(|_| Reply::panicked());
        if let Some(date) = reply.date {
            self.compare_clocks(clock::ahead(asked, SystemTime::now(), date));
        }
        reply
    }

    fn count_retry(&self) {
        self.counters.retried.add(1);
        self.totals.retried.add(1);
    }

    /// Tells the server what does not come, `before` any destination or here, and remembers what it was told. Waits
    /// for the answer.
    pub(super) fn report(&self, mut before: Tally, told: &mut Tally) {
        if !self.terms.client_reports || !self.outbox.with(|schedule| schedule.is_open(Instant::now())) {
            return;
        }
        self.discards.add_to(&mut before);
        let Some(report) = reports::report(&before, told, SystemTime::now()) else { return };
        // What it does not want is not sent again. Else the next report says it.
        if matches!(self.post(&report).verdict, Verdict::Accepted | Verdict::Rejected) {
            *told = before;
        }
    }

    /// Whoever waits for the end of it gets the backlog without its pauses, until that time.
    pub(super) fn hurry(&self, until: Instant) {
        self.outbox.with_all(|schedule| schedule.hurry(until));
    }

    /// Whether nothing is lost here when nobody waits for the server, which is away.
    pub(super) fn may_be_left(&self) -> bool {
        self.outbox.with(|schedule| schedule.may_be_left(|parcel| parcel.entry.is_some()))
    }

    /// How many events wait on disk and nowhere else.
    pub(super) fn left_on_disk(&self) -> u64 {
        self.backlog.as_ref().map_or(0, Backlog::waiting)
    }

    /// How many events wait, if none of them will move before that time.
    pub(super) fn stuck_until(&self, deadline: Instant) -> Option<usize> {
        self.outbox.with(|schedule| schedule.stuck_until(deadline))
    }

    /// Ends it. Returns what waited and will not get to this server.
    pub(super) fn close(&self) -> Vec<Parcel> {
        self.outbox.with_all(|schedule| {
            let waiting = schedule.close();
            let unkept = waiting.iter().filter(|parcel| parcel.entry.is_none()).count();
            let lost = unkept.saturating_add(self.unkept.load(Ordering::Acquire));
            self.counters.shutdown.add(u64::try_from(lost).unwrap_or(u64::MAX));
            waiting
        })
    }

    /// Leaves the disk to the next process. Returns how many events there are.
    pub(super) fn leave(&self) -> u64 {
        self.backlog.as_ref().map_or(0, Backlog::close)
    }

    fn publish(&self) {
        if let Some(backlog) = &self.backlog {
            backlog.publish();
        }
    }

    fn count_unkept(&self, parcel: &Parcel, change: fn(usize, usize) -> usize) {
        if parcel.entry.is_none() {
            // Under the lock of the outbox.
            self.unkept.store(change(self.unkept.load(Ordering::Acquire), 1), Ordering::Release);
        }
    }

    /// It does not have to be on disk any longer.
    fn clear(&self, entry: Option<Entry>, reply: &Reply) {
        match (&self.backlog, entry) {
            (Some(backlog), Some(entry)) if reply.verdict == Verdict::Accepted => backlog.remove(entry),
            (Some(backlog), Some(entry)) => backlog.quarantine(entry, &reply.why),
            _ => {}
        }
    }

    /// Draws the consequences of an answer.
    fn settle(&self, mut sending: Sending<Parcel>, reply: Reply) {
        let outgoing = Arc::clone(&sending.item().outgoing);
        let was_kept = sending.item().entry.is_some();
        // Also when nobody counts any more. Before it is counted: who sees it counted finds it gone.
        if matches!(reply.verdict, Verdict::Accepted | Verdict::Rejected) {
            self.clear(sending.item_mut().entry.take(), &reply);
        }
        // Counted under the lock, so that the end finds every event either waiting or counted.
        let (mut settled, change) = self.outbox.with(|schedule| {
            if !was_kept {
                self.count_unkept(sending.item(), usize::saturating_sub);
            }
            let now = Instant::now();
            schedule.limit(now, &reply.limits);
            let (settled, change) = schedule.settle(now, sending, reply.verdict);
            match &settled {
                Settled::Over(parcel) if reply.verdict == Verdict::Accepted => {
                    self.counters.succeeded();
                    parcel.ticket.accepted();
                }
                Settled::Over(parcel) | Settled::GivenUp(parcel) => self.lose(parcel, Reason::Rejected),
                Settled::Again | Settled::Closed => {}
            }
            match change {
                Change::WentDown { .. } | Change::StaysDown { .. } => self.counters.set_reachable(false),
                Change::CameBack { .. } => self.counters.set_reachable(true),
                Change::Nothing => {}
            }
            (settled, change)
        });
        if matches!(settled, Settled::Closed) {
            return;
        }
        if reply.verdict != Verdict::Accepted {
            self.counters.failed(&reply.why);
            self.totals.failed(reply.why.clone());
        }
        if let Settled::GivenUp(parcel) = &mut settled {
            self.clear(parcel.entry.take(), &reply);
        }
        self.tell(&settled, change, &outgoing, &reply);
        // Only now is it no longer on its way: whoever waited for it finds everything said.
        drop(settled);
    }

    /// It does not get to the server from here: unless the server refuses it, it stays on disk if it is there.
    fn lose(&self, parcel: &Parcel, reason: Reason) {
        if parcel.entry.is_some() && reason != Reason::Rejected {
            return parcel.ticket.spilled();
        }
        self.counters.lost(reason);
        let why = match reason {
            Reason::QueueFull | Reason::Shed => Some(Why::QueueOverflow),
            Reason::Rejected => Some(Why::SendError),
            Reason::NoDestination | Reason::Shutdown => None,
        };
        if let Some(why) = why {
            self.discards.add(why, Category::of_item(parcel.outgoing.kind));
        }
        parcel.ticket.lost(reason);
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination").field("server", &self.server.name()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::lanes::Lane;
    use super::super::post::Poster;
    use super::super::progress::Progress;
    use super::super::schedule::Order;
    use super::super::spool::Options;
    use super::super::watch::Watch;
    use super::*;
    use crate::scrub::scrubber;

    /// One to which nobody sends.
    fn destination(totals: &Arc<Counters>) -> Destination {
        with_backlog(totals, Arc::default(), None)
    }

    fn with_backlog(
        totals: &Arc<Counters>,
        counters: Arc<DestinationCounters>,
        backlog: Option<Backlog>,
    ) -> Destination {
        let server = Server::new(&"http://key@localhost/1".parse().unwrap(), Poster::new(None));
        let filter = Filter::default();
        let terms =
            Terms { filter, backlog_rate: 50, client_reports: false, verbose: false, scrubber: scrubber() };
        Destination::new(terms, server, backlog, counters, Arc::clone(totals))
    }

    /// What is logged meanwhile.
    fn logged(doing: impl FnOnce()) -> String {
        use std::io::{PipeReader, Read as _, pipe};
        use tracing_subscriber::prelude::*;
        let (mut reader, writer): (PipeReader, _) = pipe().unwrap();
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(move || writer.try_clone().unwrap());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), doing);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_minute_without_a_delivery_is_said_with_what_waits_and_why() {
        let totals = Arc::new(Counters::default());
        let progress = Progress::new(Arc::clone(&totals));
        let stuck = destination(&totals);
        stuck.counters.failed("the server answered 503");
        let (mut watch, now) = (Watch::default(), Instant::now());
        let minute = now.checked_add(Duration::from_secs(61)).unwrap();
        assert_eq!(logged(|| [now, minute].into_iter().for_each(|at| stuck.look(&mut watch, at))), "");

        let outgoing = Outgoing { event_id: None, kind: "event", payload: vec![b'x'], title: String::new() };
        let parcel =
            Parcel { outgoing: Arc::new(outgoing), ticket: Arc::new(progress.ticket()), entry: None };
        stuck.put(parcel, &Labels { lane: Lane::Errors, order: Order::Any, event: None });
        let text = logged(|| [now, minute].into_iter().for_each(|at| stuck.look(&mut watch, at)));
        assert!(text.contains("WARN faultwire: nothing has been delivered for 61s"), "{text}");
        assert!(text.contains("the server answered 503") && text.contains("queued=1"), "{text}");
    }

    #[test]
    fn a_full_queue_of_one_keeps_nothing_from_another_and_what_matters_more_gets_in() {
        let totals = Arc::new(Counters::default());
        let progress = Progress::new(Arc::clone(&totals));
        let (full, other) = (destination(&totals), destination(&totals));
        let put = |lane, destinations: &[&Destination]| {
            let outgoing =
                Outgoing { event_id: None, kind: "event", payload: vec![b'x'], title: String::new() };
            let (outgoing, ticket) = (Arc::new(outgoing), Arc::new(progress.ticket()));
            ticket.route(destinations.len());
            for destination in destinations {
                let (outgoing, ticket) = (Arc::clone(&outgoing), Arc::clone(&ticket));
                let parcel = Parcel { outgoing, ticket, entry: None };
                destination.put(parcel, &Labels { lane, order: Order::Any, event: None });
            }
        };
        for _ in 0..MAX_WAITING {
            put(Lane::Warnings, &[&full]);
        }
        put(Lane::Warnings, &[&full, &other]);
        put(Lane::Errors, &[&full, &other]);
        assert_eq!(full.counters.read().queued, MAX_WAITING as u64);
        assert_eq!(other.counters.read().queued, 2);
        let dropped = full.counters.read().dropped;
        assert_eq!((dropped.queue_full, dropped.shed, dropped.total()), (1, 1, 2));
        let dropped = totals.read().dropped;
        assert_eq!((dropped.shed, dropped.total()), (1, 1), "the other one has what was turned away here");

        let waiting = [full.close(), other.close()];
        progress.close();
        drop(waiting);
        assert_eq!(totals.read().dropped.shutdown, MAX_WAITING as u64 + 1);
        assert_eq!(full.counters.read().dropped.shutdown, MAX_WAITING as u64);
    }

    #[test]
    fn what_finds_no_room_in_memory_is_on_disk_and_lost_to_nobody() {
        let dir = std::env::temp_dir().join(format!("faultwire-spilled-{}", std::process::id()));
        let totals = Arc::new(Counters::default());
        let progress = Progress::new(Arc::clone(&totals));
        let counters = Arc::<DestinationCounters>::default();
        let options = Options::new(&dir, "0123456789abcdef");
        let backlog = Backlog::open(options, "a server", Arc::clone(&counters));
        let destination = with_backlog(&totals, counters, Some(backlog));
        let put = |lane| {
            let outgoing =
                Outgoing { event_id: None, kind: "event", payload: vec![b'x'], title: String::new() };
            let (outgoing, ticket) = (Arc::new(outgoing), Arc::new(progress.ticket()));
            let entry = destination.keep(lane, b"an event");
            assert!(entry.is_some());
            ticket.stored();
            let parcel = Parcel { outgoing, ticket, entry };
            destination.put(parcel, &Labels { lane, order: Order::Any, event: None });
        };
        for _ in 0..MAX_WAITING {
            put(Lane::Warnings);
        }
        assert_eq!(destination.left_on_disk(), 0);
        put(Lane::Warnings);
        put(Lane::Errors);
        assert_eq!(destination.left_on_disk(), 2, "the new one, and the oldest of the lower lane");
        let stats = destination.counters.read();
        assert_eq!((stats.queued, stats.dropped.total()), (MAX_WAITING as u64, 0));
        assert!(progress.is_safe());

        let waiting = destination.close();
        progress.close();
        drop(waiting);
        assert_eq!(destination.leave(), MAX_WAITING as u64 + 2);
        let stats = destination.counters.read();
        assert_eq!((stats.spool.unwrap().waiting, stats.dropped.total()), (MAX_WAITING as u64 + 2, 0));
        assert_eq!(totals.read().dropped.total(), 0);
        drop(std::fs::remove_dir_all(dir));
    }
}
