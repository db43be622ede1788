//! A client that leaves while its body is read: the error of the body says so, and the failure that it becomes is none
//! of the application's.

use std::error::Error;
use std::io;
use std::iter;
use std::num::NonZero;
use std::ptr::NonNull;

use http::StatusCode;

use super::response::Active;
use crate::context::Texts;
use crate::record::{Cause, Details};
use crate::report::submit::apply_rules;
use crate::report::{chain, foreign};
use crate::reporter;

/// Hyper's words for a body, and for trailers, that cannot be read. Its client says the same of a response.
const UNREADABLE: [&str; 2] = ["error reading a body from connection", "http2 error"];
/// What h2 says below that of a stream or a connection that the other side ended: its type is not one of ours.
const ENDED: [&str; 2] = ["stream error received: ", "connection error received: "];
const BROKEN_PIPE: &str = "stream closed because of a broken pipe";
/// What rustls says of a peer that goes without a word: of such an error HTTP/2 keeps nothing but the text.
const UNANNOUNCED: &str = "peer closed connection without sending TLS close_notify";
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

type Link<'a> = &'a (dyn Error + 'static);

/// Where the error of a body is that says that the other side of its connection is gone, if this chain ends with one.
///
/// That place tells it from one like it, of a connection that the application has with somebody else: errors are handed
/// on in their boxes, so whoever wraps one leaves it where it is.
#[cfg(any(feature = "axum", feature = "tonic"))]
pub(super) fn of(error: Link<'_>) -> Option<NonZero<usize>> {
    links(error).windows(2).find_map(|pair| match pair {
        [broken, gone] => says_gone(*broken, *gone),
        _ => None,
    })
}

/// What a failure says above that error, if it is in this chain. Whoever dropped it may have got another one in its
/// place, so it has to be the error of a body of our own frameworks, too: a client's has a type of its own around it.
fn words(error: Link<'_>, left: NonZero<usize>) -> Option<Vec<String>> {
    let links = links(error);
    let at = links.windows(3).position(|three| match three {
        [body, broken, gone] => is_of_body(*body) && says_gone(*broken, *gone) == Some(left),
        _ => false,
    })?;
    Some(links.iter().take(at.saturating_add(2)).map(|link| chain::text_of(*link)).collect())
}

fn links<'a>(error: Link<'a>) -> Vec<Link<'a>> {
    iter::successors(Some(error), |error: &Link<'a>| (*error).source()).take(MAX_LINKS).collect()
}

fn is_of_body(error: Link<'_>) -> bool {
    #[cfg(feature = "axum")]
    if error.is::<axum::Error>() {
        return true;
    }
    #[cfg(feature = "tonic")]
    if error.is::<tonic::Status>() {
        return true;
    }
    _ = error;
    false
}

fn says_gone(broken: Link<'_>, gone: Link<'_>) -> Option<NonZero<usize>> {
    let says = UNREADABLE.contains(&chain::text_of(broken).as_str()) && is_gone(gone);
    says.then(|| NonNull::from(gone).addr())
}

fn is_gone(error: Link<'_>) -> bool {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return GONE.contains(&error.kind());
    }
    // H2 keeps the error of its socket to itself, and prints it as it is.
    let text = chain::text_of(error);
    text == BROKEN_PIPE
        || ENDED.iter().any(|ended| text.starts_with(ended))
        || GONE.iter().any(|kind| text == io::Error::from(*kind).to_string())
        || text.starts_with(UNANNOUNCED)
}

impl Active {
    /// What this report says, if that is nothing but that the client left while its body was read. One for which the
    /// application claims more (that it is of another service, that it is critical) says more.
    #[inline]
    pub(super) fn leaving(&self, details: &mut Details) -> Option<Vec<String>> {
        let left = self.context.left_in_body()?;
        self.leaving_by(details, left)
    }

    #[cold]
    fn leaving_by(&self, details: &mut Details, left: NonZero<usize>) -> Option<Vec<String>> {
        let Cause::Error { error, .. } = &details.cause else { return None };
        let said = reporter::shielded(|| words(&**error, left)).flatten()?;
        let status = details.answer;
        self.is_unclaimed(details, Some(status)).then_some(said)
    }

    /// The same of an error that the service failed with.
    pub(super) fn fails_by_leaving<E: 'static>(
        &self,
        details: &mut Details,
        error: &E,
    ) -> Option<Vec<String>> {
        let left = self.context.left_in_body()?;
        let known = match foreign::report_in(error) {
            Some(report) => report.error(),
            None => foreign::known(error),
        }?;
        let said = reporter::shielded(|| words(known, left)).flatten()?;
        self.is_unclaimed(details, None).then_some(said)
    }

    /// What the log says of it is no failure of its own.
    pub(super) fn tell_apart_leaving(&self, said: &[String]) {
        if self.context.compares(true) {
            self.context.reported(Texts::of(said));
        }
    }

    fn is_unclaimed(&self, details: &mut Details, status: Option<StatusCode>) -> bool {
        if let Some(reporter) = self.context.reporter() {
            apply_rules(details, &self.context, status, &reporter.settings);
        }
        let is_claimed = details.critical || details.always || details.subject.is_some();
        // What is recorded already is an event.
        !is_claimed && !details.fate.is_recorded() && self.panic.is_none()
    }
}
