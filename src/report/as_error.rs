//! [`ReportError`]: a report where an error is asked for.

use std::any::{Any, TypeId};
use std::error::Error;
use std::fmt;

use super::Report;
use crate::record::{BoxError, EventId};

/// A [`Report`] as an error: for `main`, and for whoever takes boxed errors. A report is none itself, so that every
/// error becomes one by `?`.
///
/// It becomes the same report again, by `?` or as the error of a service, also from inside of a box or an
/// `anyhow::Error`. Another error around it makes another report, which knows what this one was made of.
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

impl ReportError {
    pub(super) fn error(&self) -> Option<&(dyn Error + 'static)> {
        self.0.error()
    }

    /// The id of its event, if there is one already. Another report that owns it stands for it from now on; one that
    /// only looks leaves it to whoever has it.
    pub(super) fn event(&self, is_owned: bool) -> Option<EventId> {
        let details = self.0.0.as_ref()?;
        let is_recorded = details.fate.is_recorded();
        if is_owned {
            details.fate.record();
        }
        is_recorded.then_some(details.id)
    }
}

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
    #[cfg(feature = "anyhow")]
    if TypeId::of::<E>() == TypeId::of::<anyhow::Error>() {
        return true;
    }
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
    #[cfg(feature = "anyhow")]
    if let Some(anyhow) = (&mut error as &mut dyn Any).downcast_mut::<Option<anyhow::Error>>()
        // With a context around it, it is a link of another error.
        && anyhow.as_deref().is_some_and(|error| error.is::<ReportError>())
        && let Some(Ok(report)) = anyhow.take().map(anyhow::Error::downcast::<ReportError>)
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
