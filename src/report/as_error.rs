//! [`ReportError`]: a report where an error is asked for.

use std::any::{Any, TypeId};
use std::error::Error;
use std::fmt;

use super::Report;
use crate::record::BoxError;

/// A [`Report`] as an error: for `main`, and for whoever takes boxed errors. A report is none itself, so that every
/// error becomes one by `?`.
///
/// It becomes the same report again, by `?` or as the error of a service, also from inside of a box.
///
/// # Example
/// ```
/// use faultwire::Report;
///
/// # async fn clean_up() -> std::io::Result<()> { Ok(()) }
/// # #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     faultwire::job("clean_up").run(clean_up()).await.map_err(Report::into_error)?;
///     Ok(())
/// }
/// ```
pub struct ReportError(Report);

impl Report {
    /// The report where an error is asked for.
    #[must_use]
    pub fn into_error(self) -> ReportError {
        ReportError(self)
    }
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Error for ReportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.error()?.source()
    }
}

/// Whether a report may be in an error of this type: nearly none is looked into, nor moved for it.
#[inline]
pub(super) fn may_hold<E: 'static>() -> bool {
    TypeId::of::<E>() == TypeId::of::<ReportError>() || TypeId::of::<E>() == TypeId::of::<BoxError>()
}

/// The report in an error, if that is what it is; else the error.
#[cold]
pub(super) fn unwrapped<E: 'static>(error: E) -> Result<Report, E> {
    let mut error = Some(error);
    let any: &mut dyn Any = &mut error;
    if let Some(report) = any.downcast_mut::<Option<ReportError>>().and_then(Option::take) {
        return Ok(report.0);
    }
    if let Some(boxed) = any.downcast_mut::<Option<BoxError>>()
        && boxed.as_ref().is_some_and(|boxed| boxed.is::<ReportError>())
        && let Some(Ok(report)) = boxed.take().map(|boxed| boxed.downcast::<ReportError>())
    {
        return Ok(report.0);
    }
    match error {
        Some(error) => Err(error),
        // It was not taken.
        None => Ok(Report(None)),
    }
}

/// The same for an error that somebody else keeps.
pub(super) fn in_box(error: &BoxError) -> Option<&Report> {
    error.downcast_ref::<ReportError>().map(|error| &error.0)
}
