//! A client that leaves while its body is read: the error of the body says so, and the failure that it becomes is none
//! of the application's.

use std::error::Error;
use std::io;
use std::iter;
use std::num::NonZero;
use std::ptr::NonNull;

use super::response::Active;
use crate::record::{Cause, Details};
use crate::report::{chain, foreign};
use crate::reporter;

/// Hyper's words for a body, and for trailers, that cannot be read. Its client says the same of a response.
const UNREADABLE: [&str; 2] = ["error reading a body from connection", "http2 error"];
/// What h2 says below that of a stream or a connection that the other side ended: its type is not one of ours.
const ENDED: [&str; 2] = ["stream error received: ", "connection error received: "];
const BROKEN_PIPE: &str = "stream closed because of a broken pipe";
/// What sockets say of the same.
const GONE: [io::ErrorKind; 5] = [
    io::ErrorKind::UnexpectedEof,
    io::ErrorKind::ConnectionReset,
    io::ErrorKind::ConnectionAborted,
    io::ErrorKind::BrokenPipe,
    io::ErrorKind::NotConnected,
];
/// At most so many links are looked at; a chain that goes round ends here.
const MAX_LINKS: usize = 32;

/// Where the error is that says that the other side of a connection is gone, if this chain ends with one.
///
/// That place tells it from one like it, of a connection that the application has with somebody else: errors are handed
/// on in their boxes, so whoever wraps one leaves it where it is.
pub(super) fn of(error: &(dyn Error + 'static)) -> Option<NonZero<usize>> {
    let walk = iter::successors(Some(error), |error: &&'_ (dyn Error + 'static)| (*error).source());
    let links = walk.take(MAX_LINKS);
    let below = links.clone().skip(1);
    let (_, gone) = links.zip(below).find(|(outer, inner)| {
        let text = chain::text_of(*outer);
        UNREADABLE.contains(&text.as_str()) && is_gone(*inner)
    })?;
    Some(NonNull::from(gone).addr())
}

fn is_gone(error: &(dyn Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return GONE.contains(&error.kind());
    }
    // H2 keeps the error of its socket to itself, and prints it as it is.
    let text = chain::text_of(error);
    text == BROKEN_PIPE
        || ENDED.iter().any(|ended| text.starts_with(ended))
        || GONE.iter().any(|kind| text == io::Error::from(*kind).to_string())
}

impl Active {
    /// Whether this report says nothing but that the client left while its body was read. One for which the application
    /// claims more (that it is of another service, that it is critical) does not.
    #[inline]
    pub(super) fn is_by_leaving(&self, details: &Details) -> bool {
        self.context.left_in_body().is_some_and(|left| self.says_only_that(details, left))
    }

    #[cold]
    fn says_only_that(&self, details: &Details, left: NonZero<usize>) -> bool {
        let Cause::Error { error, .. } = &details.cause else { return false };
        self.is_unclaimed(details) && is_of(&**error, left)
    }

    /// The same of an error that the service failed with.
    pub(super) fn fails_by_leaving<E: 'static>(&self, details: &Details, error: &E) -> bool {
        let Some(left) = self.context.left_in_body() else { return false };
        let known = match foreign::report_in(error) {
            Some(report) => report.error(),
            None => foreign::known(error),
        };
        self.is_unclaimed(details) && known.is_some_and(|error| is_of(error, left))
    }

    fn is_unclaimed(&self, details: &Details) -> bool {
        let is_claimed = details.critical || details.always || details.subject.is_some();
        // What is recorded already is an event.
        !is_claimed && !details.fate.is_recorded() && self.panic.is_none()
    }
}

fn is_of(error: &(dyn Error + 'static), left: NonZero<usize>) -> bool {
    reporter::shielded(|| of(error)).flatten() == Some(left)
}
