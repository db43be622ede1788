//! The addresses of a stack: which failures bring them, and how they are taken. Names, files and lines are
//! found on our own thread (`report::stack`).
//!
//! Taking thirty addresses costs ten times what the rest of a report does. So by default a report brings them
//! when it is the first of its kind at its place in a storm's window; panics always do.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::record::{Details, spread};

/// Which reports bring their stack, taken where the report is made. Panics always do.
///
/// # Example
/// ```
/// use faultwire::Config;
/// use faultwire::config::StackTraces;
///
/// let config = Config::new().stack_traces(StackTraces::Always);
/// # drop(config);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StackTraces {
    /// None; each still names the file, line and column where it was made.
    Off,
    /// The first of a kind at its place in each window of [`Storm`](crate::config::Storm) (60 s where that is
    /// off), and at most eight kinds at one place.
    #[default]
    First,
    /// All of them. One costs its thread about 2 000 instructions a frame.
    Always,
}

/// The return addresses of the frames that were active, innermost first.
pub(crate) type Stack = Box<[usize]>;

/// More frames are not taken; what is left out is the outermost.
const MAX_FRAMES: usize = 128;
/// So many kinds of failures bring a stack from one place in a window. Messages in which something varies that
/// nobody recognises are as many kinds.
const MAX_KINDS: u64 = 8;
const KINDS: usize = 1024;
const PLACES: usize = 256;
/// The low bits of a place's entry are its count.
const COUNT: u64 = 0xff;

/// What the last `init` said. Reports are made where no reporter is at hand.
static POLICY: AtomicU8 = AtomicU8::new(0);
static SAMPLE_RATE: AtomicU32 = AtomicU32::new(0);
/// The page that is open: another one in each `init`, and in each of its windows. Our thread turns it, so that
/// nobody else looks at a clock.
static PAGE: AtomicU64 = AtomicU64::new(0);
/// Whether something stands on it.
static WRITTEN: AtomicBool = AtomicBool::new(false);

/// The kinds of failures that brought a stack, each with its page, and how many there were at a place. Slots are
/// shared by chance: then a stack is taken once more, or once less.
static SEEN_KINDS: [AtomicU64; KINDS] = [const { AtomicU64::new(0) }; KINDS];
static SEEN_PLACES: [AtomicU64; PLACES] = [const { AtomicU64::new(0) }; PLACES];

/// Reports bring stacks as this says from now on.
pub(crate) fn configure(policy: StackTraces, sample_rate: f32) {
    turn();
    SAMPLE_RATE.store(sample_rate.to_bits(), Ordering::Relaxed);
    POLICY.store(policy as u8, Ordering::Relaxed);
}

fn turn() {
    // In this order: whoever writes on the new page is not forgotten.
    WRITTEN.store(false, Ordering::Relaxed);
    PAGE.store(spread(PAGE.load(Ordering::Relaxed).wrapping_add(1)), Ordering::Release);
}

/// Turns pages, on our thread.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    ends: Option<Instant>,
}

impl Pages {
    /// Turns the page if its time is over. When the next one is to be turned: a window after something was
    /// written.
    pub(crate) fn next(&mut self, window: Duration) -> Option<Instant> {
        let now = Instant::now();
        if self.ends.take_if(|ends| *ends <= now).is_some() {
            turn();
        }
        if self.ends.is_none() && WRITTEN.load(Ordering::Relaxed) {
            self.ends = now.checked_add(window);
        }
        self.ends
    }
}

/// Takes the stack of a report that is being made, if it is to bring one.
pub(crate) fn take_for(details: &mut Details) {
    let policy = POLICY.load(Ordering::Relaxed);
    if policy == StackTraces::Off as u8 || details.backtrace.is_some() {
        return;
    }
    if policy == StackTraces::Always as u8 || is_first(details) {
        details.stack = Some(take());
    }
}

/// The addresses of this thread's stack. Nothing is resolved.
// Each frame of ours would be walked, too.
#[inline(always)]
pub(crate) fn take() -> Stack {
    let mut addresses = [0; MAX_FRAMES];
    let mut taken = 0_usize;
    // A panic in here would abort the process.
    backtrace::trace(|frame| {
        if let Some(address) = addresses.get_mut(taken) {
            *address = frame.ip().addr();
            taken = taken.saturating_add(1);
        }
        taken < MAX_FRAMES
    });
    addresses.get(..taken).unwrap_or_default().into()
}

fn is_first(details: &mut Details) -> bool {
    // Sampling leaves it out in the end.
    if details.id.fraction() >= f64::from(f32::from_bits(SAMPLE_RATE.load(Ordering::Relaxed))) {
        return false;
    }
    let (page, place) = (PAGE.load(Ordering::Acquire), details.place_hash());
    let Some(seen) = SEEN_PLACES.get(slot(place, PLACES)) else { return false };
    let kinds = seen.load(Ordering::Relaxed);
    let kinds = if kinds & !COUNT == page & !COUNT { kinds & COUNT } else { 0 };
    if kinds >= MAX_KINDS {
        return false;
    }
    let kind = details.likeness(place);
    details.likeness = Some(kind);
    let Some(last) = SEEN_KINDS.get(slot(kind, KINDS)) else { return false };
    let mark = kind ^ page;
    if last.load(Ordering::Relaxed) == mark || last.swap(mark, Ordering::Relaxed) == mark {
        return false;
    }
    seen.store((page & !COUNT) | kinds.saturating_add(1), Ordering::Relaxed);
    WRITTEN.store(true, Ordering::Relaxed);
    true
}

/// `slots` is a power of two.
fn slot(bits: u64, slots: usize) -> usize {
    bits as usize & slots.saturating_sub(1)
}
