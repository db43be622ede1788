//! Storm control: the first failures of a kind pass, the others are counted, and the end of each window says
//! how many there were.
//!
//! It stands before everything that costs something. Its tables are bounded, its locks are held for a look and
//! a count, and nothing of the application runs or is dropped under them.

mod key;
mod table;

use std::cmp::Reverse;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use sentry::protocol::Event;

pub(crate) use self::key::{Key, KeyOf};
use self::table::{Counted, Table};
pub(crate) use self::table::{Offer, Verdict};
use crate::context::Context;
use crate::record::{Cause, Details, EventId, Link, Mechanism, Origin};
use crate::sink::Record;

/// How many failures of a kind are sent one by one.
///
/// Failures are of a kind when their category, type and place are the same, and their message but for numbers,
/// ids and quoted text. The first ones in a window are sent; the others are counted, and at the end of the
/// window one event says how many there were, when, in which routes, and the ids of the first fifty. It belongs
/// to the same issue, so that totals are exact. A window begins with its first failure. The process as a whole
/// sends at most 1 000 times as many in a window, whatever their kind; panics and what is
/// [`critical`](crate::Report::critical) are counted apart from the others.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use faultwire::Config;
/// use faultwire::config::Storm;
///
/// let config = Config::new().storm(Storm::Limit { failures: 5, window: Duration::from_secs(300) });
/// # drop(config);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storm {
    /// All of them are sent.
    Off,
    /// So many in each window.
    Limit {
        /// From 1 to 1 000 000.
        failures: u32,
        /// From 0.1 s to one hour.
        window: Duration,
    },
}

impl Default for Storm {
    /// 30 in 60 s.
    fn default() -> Self {
        Self::Limit { failures: 30, window: DEFAULT_WINDOW }
    }
}

/// How many failures of a kind pass in a window.
#[derive(Clone, Copy, Debug)]
struct Limit {
    failures: u32,
    window: Duration,
}

const DEFAULT_WINDOW: Duration = Duration::from_secs(60);
/// The process as a whole passes on so many times the limit in a window, and once more as many critical ones
/// and panics: about what full tables would pass.
const PROCESS: u32 = 1_000;
/// The keys are spread over so many tables, so that threads rarely wait for each other.
const SHARDS: usize = 16;
const WINDOWS_PER_SHARD: usize = 64;
/// So many windows may have ended before our thread looks.
const MAX_PENDING: usize = 256;
/// So many routes are named in a summary.
const MAX_ROUTES: usize = 10;

/// The storm control of one initialisation.
pub(crate) struct Control {
    /// `None`: everything passes.
    limit: Option<Limit>,
    started: Instant,
    shards: [Mutex<Table<Example>>; SHARDS],
    process: Mutex<Process>,
    /// Windows that ended when somebody needed their place.
    pending: Mutex<Vec<Counted<Example>>>,
    /// When there may be something to say, in milliseconds since `started`.
    next_end: AtomicU64,
    closed: AtomicBool,
}

/// What passed in the process' window, and the failures that there was no room for.
#[derive(Default)]
struct Process {
    ends: Duration,
    passed: [u32; 2],
    over: Option<Counted<()>>,
}

/// A failure that stands for those that were counted with it.
#[derive(Debug)]
pub(crate) enum Example {
    Record(Box<Record>),
    /// Captured through the SDK.
    Event(Box<Event<'static>>),
}

/// One event that stands for many.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) example: Example,
    pub(crate) counts: Counts,
}

/// What was counted in a window and not sent one by one, the example included.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    pub(crate) failures: u64,
    pub(crate) first: SystemTime,
    pub(crate) last: SystemTime,
    /// The names of requests and how often, the most frequent first.
    pub(crate) routes: Vec<(String, u64)>,
    /// The first fifty.
    pub(crate) ids: Vec<EventId>,
}

impl Control {
    pub(crate) fn new(storm: Storm) -> Self {
        Self {
            limit: match storm {
                Storm::Off => None,
                Storm::Limit { failures, window } => Some(Limit { failures, window }),
            },
            started: Instant::now(),
            shards: std::array::from_fn(|_| Mutex::new(Table::new(WINDOWS_PER_SHARD))),
            process: Mutex::default(),
            pending: Mutex::default(),
            next_end: AtomicU64::new(u64::MAX),
            closed: AtomicBool::new(false),
        }
    }

    /// Whether anything is ever counted; without it nobody needs a key.
    pub(crate) fn is_on(&self) -> bool {
        self.limit.is_some()
    }

    /// How long a window is, also where nothing is counted.
    pub(crate) fn window(&self) -> Duration {
        self.limit.map_or(DEFAULT_WINDOW, |limit| limit.window)
    }

    /// Whether a failure passes or is counted.
    pub(crate) fn offer(&self, offer: &Offer<'_>) -> Verdict {
        let Some(limit) = self.limit else { return Verdict::Passes };
        let now = self.started.elapsed();
        let process = || lock(&self.process).has_room(now, limit, offer.urgent);
        let (verdict, ended) = match self.shard(offer.key) {
            // Asked under the lock: what is counted after the end is said by nobody.
            Some(mut table) if !self.is_closed() => table.offer(now, limit, offer, process),
            _ => return Verdict::Passes,
        };
        if let Some(ended) = ended {
            self.settle(*ended);
        }
        match verdict {
            Some(Verdict::Passes) => self.look_at(now.saturating_add(limit.window)),
            Some(Verdict::Counted { .. }) => {}
            None => {
                let mut process = lock(&self.process);
                if self.is_closed() {
                    return Verdict::Passes;
                }
                process.over.get_or_insert_with(|| Counted::new(now)).add(now, offer);
                self.look_at(now.saturating_add(limit.window));
            }
        }
        verdict.unwrap_or(Verdict::Counted { same_as: None, keep: false })
    }

    /// Keeps the failure that was asked for.
    pub(crate) fn keep(&self, key: Key, example: Example) {
        let late = self.shard(key).map(|mut table| table.keep(key, example));
        // Dropped here, where the table is not locked.
        drop(late);
    }

    /// When there may be something to say.
    pub(crate) fn next_end(&self) -> Option<Instant> {
        match self.next_end.load(Ordering::Relaxed) {
            u64::MAX => None,
            next => self.started.checked_add(Duration::from_millis(next)),
        }
    }

    /// Ends the windows whose time is over.
    pub(crate) fn ended(&self) -> Vec<Summary> {
        let now = self.started.elapsed();
        let Some(limit) = self.limit.filter(|_| millis(now) >= self.next_end.load(Ordering::Relaxed)) else {
            return Vec::new();
        };
        // What is put in from here on is seen below, or says itself when to look again.
        self.next_end.store(u64::MAX, Ordering::Relaxed);
        let mut ended = std::mem::take(&mut *lock(&self.pending));
        for shard in &self.shards {
            let mut table = lock(shard);
            ended.append(&mut table.ended(now));
            let next = table.next_end();
            drop(table);
            if let Some(next) = next {
                // An example that is on its way takes a moment.
                self.look_at(next.max(now.saturating_add(Duration::from_millis(100))));
            }
        }
        let mut process = lock(&self.process);
        let over = process.over.take_if(|over| over.first.saturating_add(limit.window) <= now);
        if let Some(over) = &process.over {
            self.look_at(over.first.saturating_add(limit.window));
        }
        drop(process);
        self.summaries(now, ended, over)
    }

    /// What was counted so far; the windows go on.
    pub(crate) fn so_far(&self) -> Vec<Summary> {
        let mut counted = std::mem::take(&mut *lock(&self.pending));
        for shard in &self.shards {
            counted.append(&mut lock(shard).counted());
        }
        let over = lock(&self.process).over.take();
        self.summaries(self.started.elapsed(), counted, over)
    }

    /// Counts nothing any more and forgets everything; how many summaries that was.
    pub(crate) fn close(&self) -> u64 {
        self.closed.store(true, Ordering::Relaxed);
        let mut lost = std::mem::take(&mut *lock(&self.pending));
        for shard in &self.shards {
            let mut table = lock(shard);
            lost.append(&mut table.all_counted());
        }
        let over = lock(&self.process).over.take();
        u64::try_from(lost.len()).unwrap_or(u64::MAX).saturating_add(u64::from(over.is_some()))
    }

    /// A window ended before its time. Without an example it is counted with what the process had no room for.
    fn settle(&self, mut ended: Counted<Example>) {
        if ended.example.is_some() {
            let mut pending = lock(&self.pending);
            if pending.len() < MAX_PENDING {
                pending.push(ended);
                drop(pending);
                self.look_at(Duration::ZERO);
                return;
            }
        }
        let example = ended.example.take();
        let mut process = lock(&self.process);
        process.over.get_or_insert_with(|| Counted::new(ended.first)).merge(ended);
        drop(process);
        drop(example);
    }

    fn summaries(
        &self,
        now: Duration,
        counted: Vec<Counted<Example>>,
        over: Option<Counted<()>>,
    ) -> Vec<Summary> {
        let clock = SystemTime::now();
        let time = |at: Duration| clock.checked_sub(now.saturating_sub(at)).unwrap_or(clock);
        let over = over.map(|over| {
            let record = Box::new(self.too_many(over.failures));
            let mut counted = Counted::new(over.first);
            counted.merge(over);
            counted.example = Some(Example::Record(record));
            counted
        });
        let summary = |Counted { failures, first, last, ids, mut routes, example }| {
            routes.sort_by_key(|(_, failures)| Reverse(*failures));
            routes.truncate(MAX_ROUTES);
            let counts = Counts { failures, first: time(first), last: time(last), routes, ids };
            example.map(|example| Summary { example, counts })
        };
        counted.into_iter().chain(over).filter_map(summary).collect()
    }

    /// Stands for failures of many kinds.
    fn too_many(&self, failures: u64) -> Record {
        let limit = self.limit.unwrap_or(Limit { failures: 0, window: Duration::ZERO });
        let message = format!(
            "{failures} failures were counted and not sent: this process sends at most {} in {:?}",
            limit.failures.saturating_mul(PROCESS),
            limit.window
        );
        let link = Link { type_name: "Storm".into(), message };
        let mut details = Box::new(Details::new(Cause::Chain(vec![link])));
        details.added_mut().fingerprint = Some(vec!["faultwire.storm".to_owned()]);
        Record {
            details,
            timestamp: SystemTime::now(),
            mechanism: Mechanism { name: "storm", handled: true },
            origin: Origin::Process,
            status: None,
            context: Context::default(),
            facts: None,
            body: None,
            hub: None,
            stands_for: None,
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn look_at(&self, at: Duration) {
        self.next_end.fetch_min(millis(at), Ordering::Relaxed);
    }

    fn shard(&self, Key(key): Key) -> Option<MutexGuard<'_, Table<Example>>> {
        let [.., high] = key.to_le_bytes();
        self.shards.get(usize::from(high) % SHARDS).map(lock)
    }
}

impl Process {
    fn has_room(&mut self, now: Duration, limit: Limit, urgent: bool) -> bool {
        if now >= self.ends {
            self.ends = now.saturating_add(limit.window);
            self.passed = [0; 2];
        }
        let [others, urgents] = &mut self.passed;
        let passed = if urgent { urgents } else { others };
        let has_room = *passed < limit.failures.saturating_mul(PROCESS);
        *passed = passed.saturating_add(u32::from(has_room));
        has_room
    }
}

/// Rounded up: what ends within a millisecond has not ended.
fn millis(at: Duration) -> u64 {
    let whole = at.as_secs().saturating_mul(1_000).saturating_add(u64::from(at.subsec_millis()));
    whole.saturating_add(1)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("limit", &self.limit).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn nothing_is_counted_after_the_end() {
        let storm = Storm::Limit { failures: 1, window: DEFAULT_WINDOW };
        let offer = Offer { key: Key::default(), id: EventId::random(), urgent: false, request: None };
        for _ in 0..2_000 {
            let (control, begun) = (Control::new(storm), Barrier::new(2));
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    begun.wait();
                    for _ in 0..200 {
                        control.offer(&offer);
                    }
                });
                begun.wait();
                control.close();
            });
            assert_eq!(control.close(), 0, "a summary that nobody sends or counts");
        }
    }
}
