//! What one destination gets next, and when: the order of events, limits, retries and the backlog.
//!
//! It holds no lock, starts no thread and asks no clock: time is handed in, so that tests have as much of it as they
//! like. `outbox` puts it between threads.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::lanes::{Lane, Lanes, Placed, Side};
use super::limits::{Category, LIMITED_WAIT, Limits};
use super::retry::{Change, Flight, Go, Line, Verdict};

/// A server that was away for longer than this gets its backlog gently; before, there is hardly any.
const OUTAGE: Duration = Duration::from_secs(5);
/// After so many attempts an event goes behind the others, which it may be holding up.
const PATIENT_ATTEMPTS: u32 = 3;
/// An event that failed so often, each time after others had passed, is what the server stumbles over.
const MAX_STRIKES: u32 = 10;
/// How much of what is elsewhere waits here. Enough for all senders.
const MAX_FED: usize = 64;
/// Issues that are remembered as known to the server.
const MAX_KNOWN: usize = 4_096;

/// What waits for one destination.
#[derive(Debug)]
pub(super) struct Schedule<T> {
    lanes: Lanes<Entry<T>>,
    line: Line,
    limits: Limits,
    under_way: Vec<Order>,
    /// Issues of which the server has accepted an event.
    known: HashSet<u64>,
    /// Between two events of the backlog.
    pace: Duration,
    backlog_not_before: Option<Instant>,
    /// Somebody waits for the end of it.
    hurried_until: Option<Instant>,
    closed: bool,
}

/// An event of one destination.
#[derive(Debug)]
pub(super) struct Entry<T> {
    pub(super) item: T,
    category: Category,
    order: Order,
    attempts: u32,
    strikes: u32,
    /// How many others the server had accepted when it last failed.
    accepted_before: Option<u64>,
}

/// Which events may not overtake each other. A few requests are under way at the same time, and any of them may
/// fail, so nothing else is in order; events carry their time, and servers sort by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Any,
    /// The first event of an issue goes alone: it gives the issue its title and its level on the server.
    FirstOfIssue(u64),
    /// Check-ins of one monitor go one by one: a job that has ended may not begin afterwards.
    OneByOne(u64),
}

/// One request that is to be made.
#[derive(Debug)]
pub(super) struct Sending<T> {
    placed: Placed<Entry<T>>,
    flight: Flight,
}

#[derive(Debug)]
pub(super) enum Next<T> {
    Send(Sending<T>),
    /// Nothing before that time; without one, not before something changes.
    Wait(Option<Instant>),
    Closed,
}

/// What an answer made of an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Settled<T> {
    /// The server has it, or refuses it.
    Over(T),
    /// It waits again.
    Again,
    /// The server failed on it again and again while others passed.
    GivenUp(T),
    /// Nobody counts any more.
    Closed,
}

impl<T> Sending<T> {
    pub(super) fn item(&self) -> &T {
        &self.placed.item.item
    }

    pub(super) fn item_mut(&mut self) -> &mut T {
        &mut self.placed.item.item
    }

    pub(super) fn is_repeated(&self) -> bool {
        self.placed.item.attempts > 0
    }
}

impl<T> Schedule<T> {
    pub(super) fn new(max_len: usize, max_weight: usize, pace: Duration, random: fn() -> f64) -> Self {
        Self {
            lanes: Lanes::new(max_len, max_weight),
            line: Line::new(random),
            limits: Limits::default(),
            under_way: Vec::new(),
            known: HashSet::new(),
            pace,
            backlog_not_before: None,
            hurried_until: None,
            closed: false,
        }
    }

    /// Adds an event and returns what had to make room for it; gives it back when there is no room.
    pub(super) fn push(
        &mut self,
        lane: Lane,
        weight: usize,
        category: Category,
        order: Order,
        item: T,
    ) -> Result<Vec<T>, T> {
        let entry = Entry { item, category, order, attempts: 0, strikes: 0, accepted_before: None };
        match self.lanes.push(lane, weight, entry) {
            Ok(shed) => Ok(shed.into_iter().map(|entry| entry.item).collect()),
            Err(entry) => Err(entry.item),
        }
    }

    /// Adds an event of the backlog, which goes after new ones; gives it back when there is no room.
    pub(super) fn push_old(
        &mut self,
        lane: Lane,
        weight: usize,
        category: Category,
        order: Order,
        item: T,
    ) -> Result<(), T> {
        let entry = Entry { item, category, order, attempts: 0, strikes: 0, accepted_before: None };
        self.lanes.push_old(lane, weight, entry).map_err(|entry| entry.item)
    }

    /// Whether it is time for more of the backlog: the server takes what it gets, or there is nothing else to find
    /// that out with.
    pub(super) fn wants_backlog(&self, now: Instant) -> bool {
        let is_idle = || self.lanes.len() == 0 && self.line.in_flight() == 0;
        !self.closed
            && self.lanes.old() < MAX_FED
            && self.lanes.is_half_empty()
            && (self.line.is_open(now) || is_idle())
    }

    /// Whether nothing here would be lost with the process, as `is_safe` says of what waits, and the server is away.
    pub(super) fn may_be_left(&self, is_safe: impl Fn(&T) -> bool) -> bool {
        let mut waiting = self.lanes.iter(Side::Fresh).chain(self.lanes.iter(Side::Old));
        let is_empty = self.lanes.len() == 0 && self.line.in_flight() == 0;
        is_empty || (self.line.is_down() && waiting.all(|entry| is_safe(&entry.item)))
    }

    pub(super) fn next(&mut self, now: Instant) -> Next<T> {
        if self.closed {
            return Next::Closed;
        }
        match self.line.may_go(now) {
            Go::Now => {}
            Go::At(until) => return Next::Wait(Some(until)),
            Go::WhenAnswered => return Next::Wait(None),
        }
        if Category::ALL.into_iter().all(|category| self.limits.held(category, now).is_some()) {
            return Next::Wait(self.next_change(now));
        }
        let (limits, under_way, known) = (&self.limits, &self.under_way, &self.known);
        let may_go = |entry: &Entry<T>| {
            limits.held(entry.category, now).is_none()
                && match entry.order {
                    Order::Any => true,
                    Order::FirstOfIssue(issue) => known.contains(&issue) || !under_way.contains(&entry.order),
                    Order::OneByOne(_) => !under_way.contains(&entry.order),
                }
        };
        let mut taken = self.lanes.take(Side::Fresh, may_go);
        if taken.is_none() && self.pause_of_backlog(now).is_none() {
            taken = self.lanes.take(Side::Old, may_go);
            if taken.is_some() {
                self.backlog_not_before =
                    self.backlog_not_before.max(Some(now)).and_then(|at| at.checked_add(self.pace));
            }
        }
        let Some(placed) = taken else { return Next::Wait(self.next_change(now)) };
        self.under_way.push(placed.item.order);
        Next::Send(Sending { placed, flight: self.line.depart() })
    }

    /// Keeps categories back for as long as the server asks, whatever else it answered.
    pub(super) fn limit(&mut self, now: Instant, limits: &[(Category, Duration)]) {
        for (category, wait) in limits.iter().filter(|(_, wait)| !wait.is_zero()) {
            if let Some(until) = now.checked_add(self.line.longer(*wait)) {
                self.limits.hold(*category, until);
            }
        }
    }

    pub(super) fn settle(
        &mut self,
        now: Instant,
        sending: Sending<T>,
        verdict: Verdict,
    ) -> (Settled<T>, Change) {
        let Sending { placed, flight } = sending;
        if let Some(at) = self.under_way.iter().position(|order| *order == placed.item.order) {
            self.under_way.swap_remove(at);
        }
        let change = self.line.arrive(now, &flight, verdict);
        if self.closed {
            return (Settled::Closed, change);
        }
        if matches!(change, Change::CameBack { after } if after >= OUTAGE) {
            // Check-ins are few, and those of one monitor keep their order.
            self.lanes.age(|entry| !matches!(entry.order, Order::OneByOne(_)));
        }
        let settled = match verdict {
            Verdict::Accepted => {
                self.know(placed.item.order);
                Settled::Over(placed.item.item)
            }
            Verdict::Rejected => Settled::Over(placed.item.item),
            Verdict::Limited => {
                if self.limits.held(placed.item.category, now).is_none() {
                    self.limit(now, &[(placed.item.category, LIMITED_WAIT)]);
                }
                self.again(placed, false)
            }
            Verdict::Failed { .. } | Verdict::Refused { .. } => self.again(placed, true),
        };
        (settled, change)
    }

    /// Whoever waits for the end of it gets the backlog without its pauses, until that time.
    pub(super) fn hurry(&mut self, until: Instant) {
        self.hurried_until = self.hurried_until.max(Some(until));
    }

    /// How many events wait, if none of them will move before that time, hurried as they are.
    pub(super) fn stuck_until(&self, deadline: Instant) -> Option<usize> {
        let limited = |entry: &Entry<T>| self.limits.held(entry.category, deadline).is_some();
        let held = matches!(self.line.may_go(deadline), Go::At(_))
            || self.lanes.iter(Side::Fresh).chain(self.lanes.iter(Side::Old)).all(limited);
        (held && self.line.in_flight() == 0).then_some(self.lanes.len())
    }

    /// How many events wait or are under way, and what those that wait weigh.
    pub(super) fn load(&self) -> (usize, usize) {
        (self.lanes.len().saturating_add(self.line.in_flight()), self.lanes.weight())
    }

    /// Whether the server takes what it gets.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        !self.closed && self.line.is_open(now) && self.limits.held(Category::Error, now).is_none()
    }

    /// Whether events wait or are under way, and how many the server has accepted.
    pub(super) fn progress(&self) -> (bool, u64) {
        let mut waiting = self.lanes.iter(Side::Fresh).chain(self.lanes.iter(Side::Old));
        let has_events = waiting.any(|entry| entry.category == Category::Error);
        (has_events || self.line.in_flight() > 0, self.line.accepted())
    }

    pub(super) fn has_waiting(&self) -> bool {
        self.lanes.len() > 0
    }

    /// Gives out no more and counts no more. Returns what waited.
    pub(super) fn close(&mut self) -> Vec<T> {
        self.closed = true;
        self.lanes.drain().into_iter().map(|entry| entry.item).collect()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    fn again(&mut self, mut placed: Placed<Entry<T>>, failed: bool) -> Settled<T> {
        let entry = &mut placed.item;
        entry.attempts = entry.attempts.saturating_add(1);
        // A failure says something about the event only if others have passed since the last one.
        if failed && entry.accepted_before != Some(self.line.accepted()) {
            entry.accepted_before = Some(self.line.accepted());
            entry.strikes = entry.strikes.saturating_add(1);
        }
        if entry.strikes >= MAX_STRIKES {
            return Settled::GivenUp(placed.item.item);
        }
        if failed && entry.attempts >= PATIENT_ATTEMPTS && !matches!(entry.order, Order::OneByOne(_)) {
            self.lanes.put_behind(placed);
        } else {
            self.lanes.put_back(placed);
        }
        Settled::Again
    }

    fn know(&mut self, order: Order) {
        if let Order::FirstOfIssue(issue) = order {
            // Forgetting costs each issue one request that goes alone.
            if self.known.len() >= MAX_KNOWN {
                self.known.clear();
            }
            self.known.insert(issue);
        }
    }

    /// When the next event of the backlog may go, if not now.
    fn pause_of_backlog(&self, now: Instant) -> Option<Instant> {
        let hurried = self.hurried_until.is_some_and(|until| until > now);
        self.backlog_not_before.filter(|at| !hurried && *at > now)
    }

    /// When something may go that may not go now, as far as time decides it.
    fn next_change(&self, now: Instant) -> Option<Instant> {
        let is_empty = self.lanes.len() == 0;
        let limits = Category::ALL.into_iter().filter_map(|category| self.limits.held(category, now));
        limits.chain(self.pause_of_backlog(now)).min().filter(|_| !is_empty)
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
