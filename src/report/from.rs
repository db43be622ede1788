//! `?` into a report, from every error there is.

use std::any::type_name;
use std::panic::Location;

use super::{Report, auth};
use crate::record::{BoxError, Cause, Details};

/// Any error: whatever becomes a [`BoxError`], which is every `std::error::Error` that can cross threads,
/// `anyhow::Error`, `eyre::Report`, and texts. The error is boxed. Its own text (512 bytes of it) is printed once,
/// here or when the report is handed in, to recognise what repeats; the chain is read on our thread.
impl<E: Into<BoxError> + 'static> From<E> for Report {
    #[track_caller]
    fn from(error: E) -> Self {
        let backtrace = backtrace_of(&error);
        let login = auth::recognise(&error);
        let cause = Cause::Error { error: error.into(), type_name: type_name::<E>() };
        let mut details = Box::new(Details::new(cause));
        details.location = Some(Location::caller().into());
        details.backtrace = backtrace;
        match login {
            Some(failure) => auth::of_login(details, failure),
            None => Self::with_details(details),
        }
    }
}

/// The backtrace that an `anyhow::Error` caught where it was made (only with `RUST_BACKTRACE`).
#[cfg(feature = "anyhow")]
#[inline]
fn backtrace_of<E: 'static>(error: &E) -> Option<String> {
    use std::any::Any;
    use std::backtrace::BacktraceStatus;

    let backtrace = (error as &dyn Any).downcast_ref::<anyhow::Error>()?.backtrace();
    (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string())
}

#[cfg(not(feature = "anyhow"))]
fn backtrace_of<E>(_: &E) -> Option<String> {
    None
}
