//! [`ResultExt`]: for places that handle an error and go on.

use super::Report;

/// Reports an error where it is handled, and goes on without the value.
///
/// # Example
/// ```
/// use faultwire::ResultExt;
/// use faultwire::report::Level;
///
/// // A cache that cannot be read is no reason to fail.
/// let cached = std::fs::read_to_string("/var/cache/prices.json").or_report();
/// let prices = cached.unwrap_or_else(|| "{}".to_owned());
///
/// std::fs::remove_file("/var/cache/old").report_with(|report| report.level(Level::Warning).tag("cache", "old"));
/// # drop(prices);
/// ```
pub trait ResultExt<T>: private::Sealed {
    /// The value; or `None`, and the error is reported from here ([`Report::send`]).
    fn or_report(self) -> Option<T>;

    /// The same, with what `say` says about the report.
    fn report_with(self, say: impl FnOnce(Report) -> Report) -> Option<T>;
}

impl<T, E: Into<Report>> ResultExt<T> for Result<T, E> {
    #[track_caller]
    fn or_report(self) -> Option<T> {
        self.report_with(|report| report)
    }

    #[track_caller]
    fn report_with(self, say: impl FnOnce(Report) -> Report) -> Option<T> {
        // No closure: the caller's place does not reach into one.
        match self {
            Ok(value) => Some(value),
            Err(error) => {
                say(error.into()).send();
                None
            }
        }
    }
}

mod private {
    pub trait Sealed {}

    impl<T, E> Sealed for Result<T, E> {}
}
