//! `?` into a report, from every error there is.

use std::any::{TypeId, type_name};
use std::panic::Location;

use super::{Report, as_error, auth};
use crate::record::{BoxError, Cause, Details};

/// Any error: whatever becomes a [`BoxError`], which is every `std::error::Error` that can cross threads,
/// `anyhow::Error`, `eyre::Report`, and texts. The error is boxed. Its own text (512 bytes of it) is printed once,
/// here or when the report is handed in, to recognise what repeats; the chain is read on our thread.
impl<E: Into<BoxError> + 'static> From<E> for Report {
    #[track_caller]
    fn from(error: E) -> Self {
        if as_error::may_hold::<E>() {
            return match as_error::unwrapped(error) {
                Ok(report) => report,
                Err(error) => Self::of(error, Location::caller()),
            };
        }
        Self::of(error, Location::caller())
    }
}

impl Report {
    /// A report of an error that knows no place, which is that of a report only.
    pub(crate) fn at<E: Into<Self> + 'static>(error: E, place: &'static Location<'static>) -> Self {
        if TypeId::of::<E>() == TypeId::of::<Self>() {
            return error.into();
        }
        let error = if as_error::may_hold::<E>() { as_error::unwrapped(error) } else { Err(error) };
        error.unwrap_or_else(|error| error.into().made_at(place))
    }

    #[inline]
    fn of<E: Into<BoxError> + 'static>(error: E, place: &'static Location<'static>) -> Self {
        let backtrace = backtrace_of(&error);
        let login = auth::recognise(&error);
        let cause = Cause::Error { error: boxed(error), type_name: type_name::<E>() };
        let mut details = Box::new(Details::new(cause));
        details.recognise();
        details.location = Some(place.into());
        details.backtrace = backtrace;
        match login {
            Some(failure) => auth::of_login(details, failure),
            None => Self::with_details(details),
        }
    }
}

/// An `anyhow::Error` boxes what is in it behind a type of its own, unless it is asked for the error itself.
#[cfg(feature = "anyhow")]
#[inline]
fn boxed<E: Into<BoxError> + 'static>(error: E) -> BoxError {
    use std::any::Any;

    let mut error = Some(error);
    let anyhow = (&mut error as &mut dyn Any).downcast_mut::<Option<anyhow::Error>>().and_then(Option::take);
    match (anyhow, error) {
        (Some(anyhow), _) => anyhow.reallocate_into_boxed_dyn_error_without_backtrace(),
        (None, Some(error)) => error.into(),
        // One of the two is there.
        (None, None) => "error".into(),
    }
}

#[cfg(not(feature = "anyhow"))]
fn boxed<E: Into<BoxError>>(error: E) -> BoxError {
    error.into()
}

/// The backtrace that an `anyhow::Error` caught where it was made (only with `RUST_BACKTRACE`).
#[cfg(feature = "anyhow")]
#[inline]
fn backtrace_of<E: 'static>(error: &E) -> Option<Box<str>> {
    use std::any::Any;
    use std::backtrace::BacktraceStatus;

    let backtrace = (error as &dyn Any).downcast_ref::<anyhow::Error>()?.backtrace();
    (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string().into())
}

#[cfg(not(feature = "anyhow"))]
fn backtrace_of<E>(_: &E) -> Option<Box<str>> {
    None
}
