//! The addresses of a stack: which failures bring them, and how they are taken. Names, files and lines are
//! found on our own thread (`report::stack`).
//!
//! Taking thirty addresses costs ten times what the rest of a report does. So by default a report brings them
//! when it is the first of its kind at its place in a storm's window; panics always do.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::record::{Cause, Details};
use crate::storm::message_of;

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
static WINDOW: AtomicU64 = AtomicU64::new(0);
/// Which `init` that was: each has windows of its own.
static GENERATION: AtomicU64 = AtomicU64::new(0);
static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The kinds of failures that brought a stack in this window, and how many there were at a place. Slots are
/// shared by chance: then a stack is taken once more, or once less.
static SEEN_KINDS: [AtomicU64; KINDS] = [const { AtomicU64::new(0) }; KINDS];
static SEEN_PLACES: [AtomicU64; PLACES] = [const { AtomicU64::new(0) }; PLACES];

/// Reports bring stacks as this says from now on.
pub(crate) fn configure(policy: StackTraces, window: Duration, sample_rate: f32) {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    WINDOW.store(u64::try_from(window.as_millis()).unwrap_or(u64::MAX).max(1), Ordering::Relaxed);
    SAMPLE_RATE.store(sample_rate.to_bits(), Ordering::Relaxed);
    POLICY.store(policy as u8, Ordering::Relaxed);
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
#[inline(never)]
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
    let (place, window) = (place_of(details), window());
    let Some(seen) = SEEN_PLACES.get(slot(place, PLACES)) else { return false };
    let kinds = seen.load(Ordering::Relaxed);
    let kinds = if kinds & !COUNT == window & !COUNT { kinds & COUNT } else { 0 };
    if kinds >= MAX_KINDS {
        return false;
    }
    let message = *details.message_hash.get_or_insert_with(|| message_of(&details.cause));
    let kind = mix(message ^ place);
    let Some(last) = SEEN_KINDS.get(slot(kind, KINDS)) else { return false };
    let mark = mix(kind ^ window);
    if last.load(Ordering::Relaxed) == mark || last.swap(mark, Ordering::Relaxed) == mark {
        return false;
    }
    seen.store((window & !COUNT) | kinds.saturating_add(1), Ordering::Relaxed);
    true
}

/// Type and place, by where they stand in the program.
fn place_of(details: &Details) -> u64 {
    let type_name = match &details.cause {
        Cause::Error { type_name, .. } => type_name.as_ptr().addr(),
        _ => 0,
    };
    let location = details.location.as_ref();
    let (file, line, column) =
        location.map_or((0, 0, 0), |place| (place.file.as_ptr().addr(), place.line, place.column));
    let at = u64::from(line).wrapping_shl(32) | u64::from(column);
    mix(mix(file as u64 ^ at) ^ type_name as u64)
}

/// The window that this is in: different in each `init`, and at each of its windows.
fn window() -> u64 {
    let now = u64::try_from(STARTED.elapsed().as_millis()).unwrap_or(u64::MAX);
    let number = now.checked_div(WINDOW.load(Ordering::Relaxed)).unwrap_or_default();
    mix(GENERATION.load(Ordering::Relaxed).wrapping_shl(40) | number)
}

/// Spreads the bits (the finalizer of SplitMix64).
fn mix(bits: u64) -> u64 {
    let bits = (bits ^ bits.wrapping_shr(30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ bits.wrapping_shr(27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits.wrapping_shr(31)
}

/// `slots` is a power of two.
fn slot(bits: u64, slots: usize) -> usize {
    bits as usize & slots.saturating_sub(1)
}
