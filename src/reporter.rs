//! One initialisation: its settings, its door to delivery, its counters.
//!
//! Each context holds the reporter it was made under; everything else asks for the global one.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ipnet::IpNet;
use sentry::Hub;

use crate::record::{ClientIp, FailureInfo};
use crate::sink::Sink;
use crate::stacks::{self, StackTraces};
use crate::stats::Counters;
use crate::storm::Storm;

static LAST: RwLock<Option<Arc<Counters>>> = RwLock::new(None);
static GLOBAL: RwLock<Option<Arc<Reporter>>> = RwLock::new(None);
/// Whether `GLOBAL` holds one: what a request pays when reporting is disabled is this load.
static ENABLED: AtomicBool = AtomicBool::new(false);

pub(crate) struct Reporter {
    pub(crate) settings: Settings,
    pub(crate) sink: Sink,
    pub(crate) counters: Arc<Counters>,
    /// The SDK's main hub: requests' hubs start from its scope.
    pub(crate) hub: Arc<Hub>,
}

/// What the rest of the crate reads of the configuration.
pub(crate) struct Settings {
    pub(crate) sample_rate: f32,
    /// The share of requests that become transactions; 0 if none do.
    pub(crate) traces_sample_rate: f32,
    /// Whether it is up to whoever sends a request.
    pub(crate) trusts_sampled: bool,
    pub(crate) storm: Storm,
    pub(crate) stack_traces: StackTraces,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) error_names: Vec<ErrorName>,
    pub(crate) critical: Vec<CriticalRule>,
    pub(crate) bodies: Bodies,
    /// How many bytes of a body are kept; 0 if none are shown.
    pub(crate) body_limit: usize,
    /// Whether events have hashes in the place of users.
    pub(crate) hash_users: bool,
    pub(crate) client_ip: ClientIp,
    /// The proxies that every layer believes.
    pub(crate) proxies: Vec<IpNet>,
    /// Where events are sent: host and port.
    pub(crate) servers: Vec<(String, u16)>,
}

/// Which request bodies are shown with a failure.
///
/// Their secrets are masked. See [`layer`](crate::layer#request-bodies) for when and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bodies {
    /// None.
    Off,
    /// JSON (`application/json`, `application/*+json`; GraphQL included) and url-encoded forms.
    #[default]
    JsonAndForm,
    /// Every text: `text/*`, XML, NDJSON and multipart too. Of the rest, files for instance, type and size.
    All,
}

/// Says whether somebody should get up for a failure.
pub(crate) type CriticalRule = Box<dyn Fn(&FailureInfo<'_>) -> bool + Send + Sync>;

/// Names one concrete error type wherever it stands in a chain.
pub(crate) struct ErrorName {
    pub(crate) name: &'static str,
    pub(crate) matches: fn(&(dyn Error + 'static)) -> bool,
}

thread_local! {
    static OWN_THREAD: Cell<bool> = const { Cell::new(false) };
    static SHIELDED: Cell<bool> = const { Cell::new(false) };
}

/// Marks this thread as one of ours: what panics on it is the application's code (an error's `Display`, a
/// hook), caught and counted by whoever calls it, and never an event of its own.
pub(crate) fn own_this_thread() {
    OWN_THREAD.set(true);
}

/// Runs code of the application that we call on its own thread: an error's `Display`, a layer of the log. A
/// panic in it is caught and is no event. `None` after one, and inside of another call of this, so that what
/// reports while it is printed comes to an end.
pub(crate) fn shielded<T>(run: impl FnOnce() -> T) -> Option<T> {
    if SHIELDED.try_with(|shielded| shielded.replace(true)).unwrap_or(true) {
        return None;
    }
    let done = catch_unwind(AssertUnwindSafe(run));
    let _ = SHIELDED.try_with(|shielded| shielded.set(false));
    done.ok()
}

/// The same for what is read while a line of the log is: also inside of another call of [`shielded`].
pub(crate) fn shielded_anyway<T>(run: impl FnOnce() -> T) -> Option<T> {
    if SHIELDED.try_with(Cell::get).unwrap_or_default() {
        return catch_unwind(AssertUnwindSafe(run)).ok();
    }
    shielded(run)
}

/// Whether a panic here is to be no event.
pub(crate) fn is_ours() -> bool {
    OWN_THREAD.try_with(Cell::get).unwrap_or_default() || SHIELDED.try_with(Cell::get).unwrap_or_default()
}

/// The reporter of the last `init`, as long as its guard lives.
#[inline]
pub(crate) fn global() -> Option<Arc<Reporter>> {
    if !ENABLED.load(Ordering::Relaxed) {
        return None;
    }
    GLOBAL.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Whether there is one.
pub(crate) fn is_enabled() -> bool {
    ENABLED.load(Ordering::Relaxed)
}

/// The counters of the last `init`, also after its end.
pub(crate) fn last_counters() -> Option<Arc<Counters>> {
    LAST.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Makes `reporter` the global one. The one before goes on for the contexts that hold it.
pub(crate) fn install(reporter: Arc<Reporter>) {
    let mut global = GLOBAL.write().unwrap_or_else(PoisonError::into_inner);
    *LAST.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&reporter.counters));
    stacks::configure(reporter.settings.stack_traces, reporter.settings.sample_rate);
    *global = Some(reporter);
    ENABLED.store(true, Ordering::Relaxed);
}

/// Ends reporting, unless another `init` took over in between.
pub(crate) fn uninstall(reporter: &Arc<Reporter>) {
    let mut global = GLOBAL.write().unwrap_or_else(PoisonError::into_inner);
    if global.as_ref().is_some_and(|current| Arc::ptr_eq(current, reporter)) {
        *global = None;
        stacks::configure(StackTraces::Off, 0.0);
        ENABLED.store(false, Ordering::Relaxed);
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter").field("counters", &self.counters).finish_non_exhaustive()
    }
}
