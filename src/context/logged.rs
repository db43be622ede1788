//! Failures that were logged in a request, held back until it ends: one that is logged and returned is one failure.
//!
//! An error is told more than once, in other words each time: `error!("order 7: {e}")` on its way up, and then as
//! the report that becomes the response. So what is logged waits here. When a failure is reported, what told of
//! it before goes (its line is a breadcrumb of that event); what is left at the end is sent then.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use sentry::Hub;

use super::{Context, Facts, Inner};
use crate::record::{Details, KeptBody, Origin, truncated};

/// So many are held back in one context; when there are more, the oldest is sent.
const MAX_HELD: usize = 8;
/// So many that were reported are remembered in one context.
const MAX_REPORTED: usize = 8;
/// So many texts of one failure, and so much of each, tell it from others.
const MAX_TEXTS: usize = 8;
const MAX_TEXT: usize = 512;
/// A shorter text says too little to be found inside of another.
const MIN_PART: usize = 6;

/// Whether anybody listens to the log: else nobody asks what a failure says.
static LISTENING: AtomicBool = AtomicBool::new(false);

pub(crate) fn listen() {
    LISTENING.store(true, Ordering::Relaxed);
}

#[inline]
pub(crate) fn is_listening() -> bool {
    cfg!(feature = "logs") && LISTENING.load(Ordering::Relaxed)
}

/// A failure that was logged, with what was known then.
pub(crate) struct Held {
    pub(crate) details: Box<Details>,
    pub(crate) texts: Texts,
    /// Whether the line had the error itself, not only its text.
    pub(crate) has_error: bool,
    pub(crate) timestamp: SystemTime,
    pub(crate) facts: Option<Arc<Facts>>,
    pub(crate) body: Option<Box<KeptBody>>,
    pub(crate) hub: Arc<Hub>,
    /// How it goes on if nothing else tells of it.
    pub(crate) send: fn(Context, Self),
}

/// What a failure says, its causes included, by which it is recognised in other words.
#[derive(Debug, Default)]
pub(crate) struct Texts(Vec<Box<str>>);

/// What was logged in a context, and what was reported there.
#[derive(Default)]
pub(super) struct Logged {
    held: VecDeque<Held>,
    reported: VecDeque<Texts>,
}

/// Whether a request or task is running here.
#[inline]
pub(crate) fn is_somewhere() -> bool {
    super::with_current(|inner| inner.is_some()).unwrap_or_default()
}

impl Context {
    /// Whether this is the context of a request or task.
    pub(crate) fn is_attached(&self) -> bool {
        self.0.is_some()
    }

    /// Holds a failure back that was logged here. What comes back is to be sent now.
    pub(crate) fn hold(&self, held: Held) -> Option<Held> {
        let Some(inner) = &self.0 else { return Some(held) };
        // What is left out is dropped after the lock: a hub holds code of the application.
        let (now, _left_out) = inner.hold(held);
        now
    }

    /// Whether it matters here what a failure says.
    #[inline]
    pub(crate) fn compares(&self, ends_here: bool) -> bool {
        self.0.as_ref().is_some_and(|inner| {
            // Something may be logged here later, unless this context was made for one failure.
            let goes_on = || !matches!(inner.origin, Origin::Log | Origin::Process);
            inner.holds_lines() || (!ends_here && is_listening() && goes_on())
        })
    }

    /// A failure is reported that says this: what was logged of it before is no failure of its own.
    pub(crate) fn reported(&self, texts: Texts) {
        let Some(inner) = &self.0 else { return };
        let mut shared = inner.shared();
        let logged = shared.logged.get_or_insert_default();
        let held = std::mem::take(&mut logged.held);
        let (same, others): (VecDeque<_>, _) = held.into_iter().partition(|held| held.texts.like(&texts));
        inner.holds.store(!others.is_empty(), Ordering::Relaxed);
        logged.held = others;
        logged.reported.push_back(texts);
        let _forgotten = (logged.reported.len() > MAX_REPORTED).then(|| logged.reported.pop_front());
        drop(shared);
        drop(same);
    }

    /// The request is answered: what is held back is sent, and what is logged while its body goes out is not held.
    #[cfg_attr(
        not(any(feature = "axum", feature = "tonic")),
        expect(dead_code, reason = "no body is watched")
    )]
    pub(crate) fn answered(&self) {
        let Some(inner) = &self.0 else { return };
        inner.outlived();
    }

    /// Whether a failure that says this was reported here before, or logged.
    pub(crate) fn was_told(&self, texts: &Texts) -> bool {
        let Some(inner) = &self.0 else { return false };
        let shared = inner.shared();
        shared.logged.as_ref().is_some_and(|logged| logged.reported.iter().any(|told| told.like(texts)))
    }

    /// The last failure that was logged, to say why a request failed of which nobody said it.
    pub(crate) fn take_logged(&self) -> Option<Box<Details>> {
        let inner = self.0.as_ref().filter(|inner| inner.holds_lines())?;
        let mut shared = inner.shared();
        let logged = shared.logged.as_mut()?;
        let last = logged.held.pop_back();
        inner.holds.store(!logged.held.is_empty(), Ordering::Relaxed);
        drop(shared);
        last.map(|last| last.details)
    }
}

impl Inner {
    /// Whether a line waits here.
    #[inline]
    pub(super) fn holds_lines(&self) -> bool {
        cfg!(feature = "logs") && self.holds.load(Ordering::Relaxed)
    }

    fn hold(&self, held: Held) -> (Option<Held>, Option<Held>) {
        let mut shared = self.shared();
        let at_once = shared.waits_for_nothing;
        let logged = shared.logged.get_or_insert_default();
        if logged.reported.iter().any(|reported| reported.like(&held.texts)) {
            return (None, Some(held));
        }
        if let Some(same) = logged.held.iter_mut().find(|other| other.texts.like(&held.texts)) {
            if held.has_error && !same.has_error {
                return (None, Some(std::mem::replace(same, held)));
            }
            return (None, Some(held));
        }
        if at_once {
            return (Some(held), None);
        }
        self.holds.store(true, Ordering::Relaxed);
        logged.held.push_back(held);
        let oldest = if logged.held.len() > MAX_HELD { logged.held.pop_front() } else { None };
        (oldest, None)
    }

    /// The request is over, and somebody holds its context beyond that. Nothing comes in between: a task of it may be
    /// logging now.
    #[cold]
    pub(super) fn outlived(self: &Arc<Self>) {
        self.shared().waits_for_nothing = true;
        if self.holds_lines() {
            self.let_go();
        }
    }

    /// What is left is sent.
    #[cold]
    pub(super) fn let_go(self: &Arc<Self>) {
        self.holds.store(false, Ordering::Relaxed);
        let held = self.shared().logged.as_mut().map(|logged| std::mem::take(&mut logged.held));
        for held in held.unwrap_or_default() {
            (held.send)(Context(Some(Arc::clone(self))), held);
        }
    }
}

impl Texts {
    pub(crate) fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let said = texts.into_iter().map(|text| truncated(text, MAX_TEXT).trim());
        Self(said.filter(|text| !text.is_empty()).take(MAX_TEXTS).map(Box::from).collect())
    }

    pub(crate) fn of(texts: &[String]) -> Self {
        Self::new(texts.iter().map(String::as_str))
    }

    /// Whether both tell of one failure: one text is the same, or stands in another as a whole.
    fn like(&self, other: &Self) -> bool {
        self.0.iter().any(|a| other.0.iter().any(|b| a == b || has_part(a, b) || has_part(b, a)))
    }
}

/// Whether `part` stands in `text`, and no word goes on before or after it.
fn has_part(text: &str, part: &str) -> bool {
    if part.len() < MIN_PART || part.len() >= text.len() {
        return false;
    }
    let goes_on = |next: Option<char>, edge: Option<char>| {
        next.is_some_and(char::is_alphanumeric) && edge.is_some_and(char::is_alphanumeric)
    };
    text.match_indices(part).any(|(at, _)| {
        let (before, rest) = text.split_at(at);
        let after = rest.strip_prefix(part).unwrap_or_default();
        !goes_on(before.chars().next_back(), part.chars().next())
            && !goes_on(after.chars().next(), part.chars().next_back())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn like(a: &[&str], b: &[&str]) -> bool {
        let (a, b) = (Texts::new(a.iter().copied()), Texts::new(b.iter().copied()));
        assert_eq!(a.like(&b), b.like(&a), "{a:?} {b:?}");
        a.like(&b)
    }

    #[test]
    #[cfg(feature = "logs")]
    fn what_a_task_logs_while_its_request_ends_is_sent_by_one_of_them() {
        static SENT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let line = |text: &str| Held {
            details: Box::new(Details::new(crate::record::Cause::Status)),
            texts: Texts::new([text]),
            has_error: false,
            timestamp: SystemTime::UNIX_EPOCH,
            facts: None,
            body: None,
            hub: Hub::main(),
            send: |_, _| {
                SENT.fetch_add(1, Ordering::Relaxed);
            },
        };
        let request = || Context(Some(Arc::new(Inner::new(None, Origin::Request))));
        let end = |request: Context| super::super::pool::put(request.0.unwrap(), None, false);

        let goes_on = request();
        let task = goes_on.clone();
        assert!(task.hold(line("the mail could not be sent")).is_none());
        end(goes_on);
        assert_eq!(SENT.load(Ordering::Relaxed), 1);
        assert!(task.hold(line("nor could the fax")).is_some(), "from now on a line is sent by who logs it");

        // One that ends before its request does.
        let outlives = request();
        assert!(outlives.clone().hold(line("the mail could not be sent")).is_none());
        end(outlives);
        assert_eq!(SENT.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_failure_is_recognised_by_its_text_alone_or_inside_of_another() {
        let reported = ["order 7 could not be loaded", "connection refused"];
        assert!(like(&["order 7 could not be loaded"], &reported));
        assert!(like(&["loading: connection refused (os error 111)"], &reported));
        assert!(!like(&["connection refusedly"], &reported));
        assert!(!like(&["the cache is cold"], &reported));
        assert!(like(&["gone"], &["gone"]), "a short text has to be the whole");
        assert!(!like(&["it is gone"], &["gone"]));
        assert!(!like(&[""], &[""]), "nobody said anything");
    }

    proptest! {
        #[test]
        fn likeness_goes_both_ways_and_a_text_is_like_itself(a in "\\PC{0,600}", b in "[a-cé ]{0,12}") {
            like(&[&a, &b], &[&b]);
            prop_assert_eq!(like(&[&a], &[&a]), !truncated(&a, MAX_TEXT).trim().is_empty());
        }

        #[test]
        fn a_text_is_found_wherever_it_stands_as_a_whole(text in "[a-z][a-zé0-9 ]{5,40}[a-z]", around in "[a-z]{0,9}") {
            let text = text.trim();
            let whole = format!("{around}: {text} ({around})");
            prop_assert!(like(&[text], &[&whole]));
            let glued = format!("{around}x{text}x{around}");
            prop_assert_eq!(like(&[text], &[&glued]), false);
        }
    }
}
