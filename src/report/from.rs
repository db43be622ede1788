//! `?` into a report, from every error there is.

use std::any::type_name;
use std::panic::Location;

use super::Report;
use crate::record::{BoxError, Cause, Details};

/// Any error: whatever becomes a [`BoxError`], which is every `std::error::Error` that can cross threads,
/// `anyhow::Error`, `eyre::Report`, and texts. The error is boxed, nothing is read or formatted here.
impl<E: Into<BoxError> + 'static> From<E> for Report {
    #[track_caller]
    fn from(error: E) -> Self {
        let backtrace = backtrace_of(&error);
        let mut details = Details::new(Cause::Error { error: error.into(), type_name: type_name::<E>() });
        details.location = Some(Location::caller().into());
        details.backtrace = backtrace;
        Self::with_details(details)
    }
}

/// The backtrace that an `anyhow::Error` caught where it was made (only with `RUST_BACKTRACE`).
#[cfg(feature = "anyhow")]
fn backtrace_of(error: &dyn std::any::Any) -> Option<String> {
    use std::backtrace::BacktraceStatus;

    let backtrace = error.downcast_ref::<anyhow::Error>()?.backtrace();
    (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string())
}

#[cfg(not(feature = "anyhow"))]
fn backtrace_of(_: &dyn std::any::Any) -> Option<String> {
    None
}
