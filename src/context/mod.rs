//! The context of a request or task: who, what and which breadcrumbs, and the report that became a response.
//!
//! A context is made per request by the layer and lives in one `Arc`. While the request's future is polled
//! it stands in a thread-local (next to the SDK's hub), so that [`current`] finds it anywhere below, across
//! `.await` and on whichever thread the runtime goes on. What is set is shared copy-on-write: a failure
//! takes a snapshot by cloning one `Arc`.

mod body;
mod calls;
mod entered;
mod facts;
pub(crate) mod hub;
#[cfg_attr(not(feature = "logs"), expect(dead_code, reason = "nobody listens to the log"))]
mod logged;
mod pool;
pub(crate) mod spans;
mod task;
mod trace;

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use sentry::Hub;

pub(crate) use self::entered::in_request;
use self::entered::with_current;
pub(crate) use self::facts::{Facts, put};
#[cfg(feature = "logs")]
pub(crate) use self::logged::{Held, is_somewhere, listen};
pub(crate) use self::logged::{Texts, is_listening};
pub use self::task::{InContext, WithContext, in_context};
#[cfg(feature = "tokio")]
pub use self::task::{spawn, spawn_blocking};
pub(crate) use self::trace::{SENTRY_TRACE, TRACEPARENT, Trace};
use crate::record::{
    Breadcrumb, Crumb, Details, EventId, FailedCall, Headers, JobFacts, KeptBody, Kind, MAX_SHORT, Origin,
    RequestLine, RequestSnapshot, User, short_text, to_value,
};
use crate::reporter::Reporter;

/// The context of the request or task that is running here.
///
/// Outside of one, the result is detached: setting something does nothing but leave one debug line in the log.
///
/// # Example
/// ```
/// use faultwire::User;
///
/// async fn show_cart() {
///     faultwire::current().user(User::id("42")).tag("plan", "pro").breadcrumb("cart loaded");
/// }
/// # drop(show_cart());
/// ```
#[must_use]
pub fn current() -> Context {
    Context(with_current(|inner| inner.cloned()).flatten())
}

/// What is known about the running request or task; see [`current`]. Cloning is cheap: clones are the same
/// context.
#[derive(Clone, Default)]
pub struct Context(Option<Arc<Inner>>);

struct Inner {
    /// `None` only in the pool.
    reporter: Option<Arc<Reporter>>,
    origin: Origin,
    /// Only a request's context has one; the place is there in all, so that it can be used again.
    request: RequestSnapshot,
    has_request: bool,
    /// Only a job's context has one.
    job: Option<Box<JobFacts>>,
    trace: OnceLock<Trace>,
    has_failed_calls: AtomicBool,
    /// Set where somebody holds the context beyond the end of its request.
    has_ended: AtomicBool,
    /// Whether a failure that was logged waits: what success pays is this look.
    holds: AtomicBool,
    /// Whether there may be more in what follows than a body: a request of which nobody says anything pays this look.
    was_opened: AtomicBool,
    /// Where the error is that said that the client left while its body was read; else 0.
    left: AtomicUsize,
    shared: Mutex<Shared>,
    /// What stands in the place of the request's hub while the context waits for another one.
    empty_hub: Option<Hub>,
}

#[derive(Default)]
struct Shared {
    facts: Option<Arc<Facts>>,
    parked: Option<Box<Details>>,
    /// Failures that were reported here, and are not what the request ends with. Boxed: most requests have none.
    told: Option<Box<Told>>,
    body: Option<KeptBody>,
    failed_calls: Vec<FailedCall>,
    logged: Option<Box<logged::Logged>>,
    /// The request is over or answered, and a task or its body goes on with its context: nothing that is logged waits.
    waits_for_nothing: bool,
}

struct Told {
    last: EventId,
    /// The last panic of a task that took this context along.
    panic: Option<EventId>,
}

impl Context {
    /// The context of a request, which is filled in by `keep`, and its hub.
    #[inline]
    pub(crate) fn for_request(
        reporter: Arc<Reporter>,
        keep: impl FnOnce(&mut RequestSnapshot),
    ) -> (Self, Arc<Hub>) {
        let (mut inner, hub) = pool::take_with_hub(&reporter.hub).unwrap_or_else(|| {
            // So it is where the first request of a thread is destroyed.
            entered::use_hub();
            let hub = Hub::new_from_top(&reporter.hub);
            (Arc::new(Inner::new(None, Origin::Request)), Arc::new(hub))
        });
        // Nobody else holds what is new or comes from the pool.
        if let Some(inner) = Arc::get_mut(&mut inner) {
            inner.reporter = Some(reporter);
            inner.has_request = true;
            keep(&mut inner.request);
        }
        (Self(Some(inner)), hub)
    }

    /// The context of a run of a job. `trace` is what it goes on with, if it came with one.
    pub(crate) fn for_job(reporter: Arc<Reporter>, job: Box<JobFacts>, trace: Option<Trace>) -> Self {
        let mut inner = pool::take().unwrap_or_else(|| Arc::new(Inner::new(None, Origin::Job)));
        if let Some(inner) = Arc::get_mut(&mut inner) {
            inner.reporter = Some(reporter);
            inner.origin = Origin::Job;
            inner.job = Some(job);
            if let Some(trace) = trace {
                inner.trace = OnceLock::from(trace);
            }
        }
        Self(Some(inner))
    }

    pub(crate) fn for_process(reporter: Arc<Reporter>, origin: Origin) -> Self {
        Self(Some(Arc::new(Inner::new(Some(reporter), origin))))
    }

    /// Ends the context of a request or a job, and the hub of a request. If nobody else holds them, the next one on
    /// this thread gets their places. `gave_body`: its failure took the body with it.
    #[inline]
    pub(crate) fn recycle(self, hub: Option<&mut Arc<Hub>>, gave_body: bool) {
        if let Some(inner) = self.0 {
            pool::put(inner, hub, gave_body);
        }
    }

    /// Sets the user of this request or task. The last one set counts.
    #[expect(clippy::must_use_candidate, reason = "called for its effect")]
    pub fn user(&self, user: User) -> &Self {
        self.change(|facts| facts.user = Some(user))
    }

    /// Sets a tag: a short searchable text (up to 200 characters). At most 64 are kept.
    pub fn tag(&self, key: impl Into<Cow<'static, str>>, value: impl fmt::Display) -> &Self {
        let (key, value) = (key.into(), short_text(value, MAX_SHORT));
        self.change(|facts| {
            let kept = put(&mut facts.tags, key, value);
            facts.count(kept);
        })
    }

    /// Sets a value of any shape (up to 16 KiB), shown with the event. At most 64 are kept. It is scrubbed
    /// like everything that leaves.
    pub fn data<T>(&self, name: impl Into<Cow<'static, str>>, value: &T) -> &Self
    where
        T: serde::Serialize + ?Sized,
    {
        let (name, value) = (name.into(), to_value(value));
        self.change(|facts| {
            let kept = put(&mut facts.data, name, value);
            facts.count(kept);
        })
    }

    /// Leaves a breadcrumb: a text or a [`Breadcrumb`]. The last 100, at most
    /// 64 KiB, are kept.
    pub fn breadcrumb(&self, breadcrumb: impl Into<Breadcrumb>) -> &Self {
        let breadcrumb = breadcrumb.into();
        self.change(|facts| facts.push(Crumb::Said(breadcrumb)))
    }

    fn change(&self, change: impl FnOnce(&mut Facts)) -> &Self {
        match &self.0 {
            Some(inner) => {
                let mut shared = inner.shared();
                change(Arc::make_mut(shared.facts.get_or_insert_default()));
            }
            None => {
                // Once: a layer of the log that calls this for every event would never come to an end.
                static SAID: AtomicBool = AtomicBool::new(false);
                if !SAID.swap(true, Ordering::Relaxed) {
                    tracing::debug!(target: "faultwire", "no request or task is running here: nothing was set");
                }
            }
        }
        self
    }

    pub(crate) fn reporter(&self) -> Option<&Arc<Reporter>> {
        self.0.as_ref().and_then(|inner| inner.reporter.as_ref())
    }

    pub(crate) fn origin(&self) -> Option<Origin> {
        self.0.as_ref().map(|inner| inner.origin)
    }

    pub(crate) fn request(&self) -> Option<&RequestSnapshot> {
        self.0.as_ref().and_then(|inner| inner.request())
    }

    pub(crate) fn job(&self) -> Option<&JobFacts> {
        self.0.as_ref().and_then(|inner| inner.job.as_deref())
    }

    /// What a failure here is taken for when nothing more is known of it.
    pub(crate) fn surface(&self) -> Kind {
        match &self.0 {
            Some(inner) if inner.has_request => Kind::Route,
            Some(inner) if inner.job.is_some() => Kind::Job,
            _ => Kind::Other,
        }
    }

    pub(crate) fn facts(&self) -> Option<Arc<Facts>> {
        self.0.as_ref().and_then(|inner| inner.shared().facts.clone())
    }

    /// Remembers that a failure was reported: what follows from it in the same request is no second one.
    pub(crate) fn tell(&self, id: EventId, panicked: bool) {
        if let Some(inner) = &self.0 {
            let mut shared = inner.shared();
            let before = shared.told.take().and_then(|told| told.panic);
            shared.told = Some(Box::new(Told { last: id, panic: if panicked { Some(id) } else { before } }));
        }
    }

    /// The last failure that was reported here.
    pub(crate) fn told(&self) -> Option<EventId> {
        self.0.as_ref().and_then(|inner| Some(inner.shared().told.as_ref()?.last))
    }

    /// The last panic that was reported here.
    pub(crate) fn panicked(&self) -> Option<EventId> {
        self.0.as_ref().and_then(|inner| inner.shared().told.as_ref()?.panic)
    }

    #[inline]
    pub(crate) fn unpark(&self) -> Option<Box<Details>> {
        let inner = self.0.as_ref().filter(|inner| inner.was_opened.load(Ordering::Relaxed))?;
        inner.shared().parked.take()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("attached", &self.0.is_some()).finish_non_exhaustive()
    }
}

impl Inner {
    fn new(reporter: Option<Arc<Reporter>>, origin: Origin) -> Self {
        Self {
            reporter,
            origin,
            request: RequestSnapshot { line: RequestLine::default(), headers: Headers::new() },
            has_request: false,
            job: None,
            trace: OnceLock::new(),
            has_failed_calls: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            holds: AtomicBool::new(false),
            was_opened: AtomicBool::new(false),
            left: AtomicUsize::new(0),
            shared: Mutex::default(),
            empty_hub: None,
        }
    }

    /// Forgets the request or job and everything that was said.
    #[inline]
    fn reset(&mut self) {
        if std::mem::take(self.was_opened.get_mut()) {
            self.settle();
            *self.shared.get_mut().unwrap_or_else(PoisonError::into_inner) = Shared::default();
            *self.left.get_mut() = 0;
        }
        self.shared.get_mut().unwrap_or_else(PoisonError::into_inner).body = None;
        *self.has_ended.get_mut() = false;
        self.reporter = None;
        self.request.clear();
        self.has_request = false;
        if self.origin != Origin::Request {
            self.job = None;
            self.origin = Origin::Request;
        }
        self.trace.take();
    }

    /// Counts a report that became a response which nobody saw: the request was cancelled.
    #[cold]
    fn settle(&mut self) {
        let unseen = self.shared.get_mut().unwrap_or_else(PoisonError::into_inner).parked.take();
        let unseen = unseen.filter(|details| !details.fate.is_decided());
        let calls = self.forget_calls();
        if let Some(reporter) = &self.reporter
            && (unseen.is_some() || calls > 0)
        {
            reporter.counters.discarded.add(calls.saturating_add(usize::from(unseen.is_some())) as u64);
        }
    }

    fn request(&self) -> Option<&RequestSnapshot> {
        self.has_request.then_some(&self.request)
    }

    #[inline]
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.was_opened.store(true, Ordering::Relaxed);
        self.lock()
    }

    /// The same for who touches nothing but the body.
    #[inline]
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.settle();
    }
}

/// Keeps a report that became a response in the current context until the layer sees that response. One that was
/// parked before is returned: its response was replaced. Without a context it comes back.
pub(crate) fn park(details: Box<Details>) -> Result<Option<Box<Details>>, Box<Details>> {
    let mut details = Some(details);
    let replaced = with_current(|inner| {
        let mut shared = inner?.shared();
        std::mem::replace(&mut shared.parked, details.take())
    });
    match details {
        Some(details) => Err(details),
        None => Ok(replaced.flatten()),
    }
}
