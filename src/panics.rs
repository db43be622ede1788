//! Panics: our hook records what it sees and never sends, waits or symbolicates.
//!
//! Inside [`guarded`] code the hook leaves what it saw for the one who catches the panic, who knows the
//! request. Elsewhere (a spawned task, a thread) it hands in a record itself. The hook that was there before
//! always runs too.
//!
//! It waits in one case: a program that is built with `panic = "abort"` ends when the hook returns, so there it
//! delivers first, for at most the shutdown timeout. A panic that unwinds out of `main` drops the guard on its
//! way, which delivers.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

use crate::context::current;
use crate::record::{Cause, Details, Mechanism, Origin, PanicInfo, Place, truncated};
use crate::report;
use crate::reporter;
use crate::stacks;

/// The payload of a panic, to go on unwinding with.
pub(crate) type Payload = Box<dyn Any + Send>;

/// A panic that was caught, and what the hook saw of it.
pub(crate) struct Caught {
    pub(crate) payload: Payload,
    pub(crate) info: Box<PanicInfo>,
}

/// Whether nobody catches a panic, because the process ends.
const ABORTS: bool = cfg!(panic = "abort");

/// At most this many bytes of a panic's message: more than servers keep.
const MAX_MESSAGE: usize = 16 * 1024;

thread_local! {
    static GUARDS: Cell<usize> = const { Cell::new(0) };
    /// Whether `SEEN` holds one: what success pays is this look.
    static HAS_SEEN: Cell<bool> = const { Cell::new(false) };
    static SEEN: RefCell<Option<Box<PanicInfo>>> = const { RefCell::new(None) };
}

/// Adds our hook to the process' hooks, once.
pub(crate) fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            see(info);
            previous(info);
        }));
    });
}

/// Runs `f` and catches its panic. One that `f` itself caught, as other middleware does, is [`seen`].
pub(crate) fn guarded<T>(f: impl FnOnce() -> T) -> Result<T, Caught> {
    let _guard = Guard::new();
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        let info = seen().unwrap_or_else(|| {
            Box::new(PanicInfo { message: message(&*payload), location: None, thread: None, stack: None })
        });
        Caught { payload, info }
    })
}

/// Takes the last panic of guarded code on this thread that its guard did not see.
#[inline]
pub(crate) fn seen() -> Option<Box<PanicInfo>> {
    if HAS_SEEN.replace(false) { take_seen() } else { None }
}

#[cold]
fn take_seen() -> Option<Box<PanicInfo>> {
    SEEN.with(|seen| seen.try_borrow_mut().ok().and_then(|mut seen| seen.take()))
}

struct Guard;

impl Guard {
    #[inline]
    fn new() -> Self {
        let outer = GUARDS.with(|guards| guards.replace(guards.get().saturating_add(1)));
        if outer == 0 {
            // What nobody asked for belongs to an earlier request.
            HAS_SEEN.set(false);
        }
        Self
    }
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        GUARDS.with(|guards| guards.set(guards.get().saturating_sub(1)));
    }
}

/// What the hook does. Nothing in here may panic: that would abort the process.
fn see(info: &PanicHookInfo<'_>) {
    if reporter::is_ours() {
        return;
    }
    let guarded = GUARDS.try_with(Cell::get).unwrap_or_default() > 0;
    if !guarded && !reporter::is_enabled() && current().reporter().is_none() {
        return;
    }
    let thread = std::thread::current();
    let seen = Box::new(PanicInfo {
        message: message(info.payload()),
        location: info.location().map(|at| Place {
            file: at.file().to_owned().into(),
            line: at.line(),
            column: at.column(),
        }),
        thread: thread.name().map(str::to_owned),
        stack: Some(stacks::take()),
    });
    if guarded && !ABORTS {
        let kept = SEEN.try_with(|slot| slot.try_borrow_mut().map(|mut slot| *slot = Some(seen)));
        let _ = HAS_SEEN.try_with(|has| has.set(matches!(kept, Ok(Ok(())))));
        return;
    }
    let mut details = Box::new(Details::new(Cause::Panic(seen)));
    details.always = true;
    let origin = match thread.name() {
        _ if guarded => current().origin().unwrap_or(Origin::Request),
        Some("main") => Origin::Process,
        _ => Origin::Task,
    };
    report::send_panic(origin, details, Mechanism { name: "panic", handled: false });
    if ABORTS && let Some(reporter) = current().reporter().cloned().or_else(reporter::global) {
        reporter.sink.flush(reporter.settings.shutdown_timeout);
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = match (payload.downcast_ref::<&'static str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text.as_str(),
        _ => "a panic without a message",
    };
    truncated(text, MAX_MESSAGE).to_owned()
}
