//! [`Report::auth`]: somebody was not let in.

use std::any::Any;
use std::error::Error;

use super::Report;
use super::links::{MAX_LINKS, inside};
use crate::context::current;
use crate::record::{AuthError, AuthFailure, Cause, ClientAddress, Details, RequestSnapshot};
use crate::reporter::{self, Reporter};
use crate::stacks;

impl Report {
    /// A report of a failed login, or of another request that was not let in.
    ///
    /// The response has the failure's status ([`AuthFailure::status`]). A 401 wants a `WWW-Authenticate` header
    /// (RFC 9110), whose scheme only you know: add it to the response, or use `attach`.
    ///
    /// Below 500 it is counted ([`Stats::auth`](crate::Stats::auth)) and a breadcrumb, and not sent, neither as a
    /// response nor by [`send`](Self::send), unless it is [`always`](Self::always) or [`critical`](Self::critical).
    /// Everybody mistypes a password; an outage of the provider is an error at once, one issue whatever the route.
    ///
    /// Errors of jsonwebtoken (feature `jsonwebtoken`) are told by `.map_err(Report::auth)?`. By a plain `?`, or deeper in
    /// a chain, they are a label of the event (`auth.failure`): answered 500, sent, neither counted nor watched.
    ///
    /// # Brute force
    ///
    /// Bad credentials, bad signatures, wrong second factors and tries of locked accounts are watched:
    ///
    /// | pattern | from (twice as many, or going on for long: an attack) |
    /// |---|---|
    /// | `one_account`: from one network, or an unknown one | 100 in an hour |
    /// | `one_account_many_networks` | 50 networks in 12 to 24 hours, or 200 in an hour from three or more |
    /// | `many_accounts`: from one network | 1.5 accounts in 12 to 24 hours, or 6 failures in an hour, for each of [`Config::users_per_network`](crate::Config::users_per_network) |
    ///
    /// Each change of an incident is one event: `probing` (a warning), `attack` (an error), `over` (information,
    /// after a silence of twelve mean pauses, 30 minutes to 12 hours). All of them are one issue; neither sampling nor
    /// storm control leaves one out. Neither accounts nor addresses are named: tags `user.hash` and `network.hash` stand
    /// for them. Of an attack that is spread over many accounts and many networks, a few failures each, nothing is told.
    /// Each process counts for itself.
    ///
    /// Networks are known in axum with `into_make_service_with_connect_info`, from the first failed login on, if the
    /// peer's address is public or [`ReportLayer::trusted_proxies`](crate::ReportLayer::trusted_proxies) is set.
    ///
    /// # Timing
    ///
    /// What is done depends on what the client sent, never on whether there is such an account: a hash, and a few
    /// bytes in a list that another thread looks at. That your answers do not tell it by text or time is yours.
    ///
    /// # Example
    /// ```
    /// use faultwire::Report;
    /// use faultwire::report::AuthFailure;
    ///
    /// async fn log_in(login: &str, password: &str) -> Result<(), Report> {
    ///     # fn is_right(_: &str, _: &str) -> bool { false }
    ///     if !is_right(login, password) {
    ///         return Err(Report::auth(AuthFailure::BadCredentials).identifier(login));
    ///     }
    ///     Ok(())
    /// }
    /// # drop(log_in("ada", "x"));
    /// ```
    #[track_caller]
    pub fn auth(failure: impl Into<AuthError>) -> Self {
        Self::from(failure.into())
    }

    /// Who it was about, by a hash (HMAC-SHA-256 under [`Config::hash_key`](crate::Config::hash_key), 32 hexadecimal
    /// digits, tag `user.hash`), so that one user's events are found without naming anybody. Spaces around it and
    /// capital letters make no difference; 512 bytes of it count. The text itself is kept nowhere.
    ///
    /// `printf 'login:ada@example.org' | openssl dgst -sha256 -hmac "$FAULTWIRE_HASH_KEY"` prints it first.
    ///
    /// # Example
    /// ```
    /// use faultwire::Report;
    /// use faultwire::report::AuthFailure;
    ///
    /// let report = Report::auth(AuthFailure::Mfa).identifier("ada@example.org");
    /// # drop(report);
    /// ```
    pub fn identifier(self, identifier: &str) -> Self {
        let context = current();
        let global = if context.reporter().is_none() { reporter::global() } else { None };
        let reporter = context.reporter().or(global.as_ref());
        let login = reporter.map(|reporter| reporter.sink.admission.auth.pseudonym(identifier));
        self.say(|details| details.subject_mut().login = login)
    }
}

/// What a report of this error says by itself.
#[inline]
pub(super) fn recognise<E: 'static>(error: &E) -> Option<AuthFailure> {
    let error: &dyn Any = error;
    let known = error.downcast_ref::<AuthError>().map(AuthError::failure);
    known.or_else(|| error.downcast_ref::<AuthFailure>().copied())
}

/// Makes a report that of a failed login. A single one is not sent, and so brings no stack.
pub(super) fn of_login(mut details: Box<Details>, failure: AuthFailure) -> Report {
    details.subject_mut().auth = Some(failure);
    details.answer = failure.status();
    if failure.is_outage() {
        stacks::take_for(&mut details);
    }
    Report(Some(details))
}

/// Remembers the failed login in the chain of a report of which nobody said that it is one. What asks for it is rare: a
/// rule, a summary, our own thread; so it is not looked for where a report is made.
pub(super) fn label(details: &mut Details) {
    if details.auth_label().is_some() {
        return;
    }
    if let Cause::Error { error, .. } = &details.cause
        && let Some(failure) = reporter::shielded(|| in_chain(&**error)).flatten()
    {
        details.subject_mut().in_chain = Some(failure);
    }
}

/// The failed login in a chain, if there is one in it. It runs the application's code.
pub(super) fn in_chain(error: &(dyn Error + 'static)) -> Option<AuthFailure> {
    let chain = std::iter::successors(Some(error), |error| (*error).source());
    chain.take(MAX_LINKS).find_map(|error| of_link(inside(error)))
}

fn of_link(error: &(dyn Error + 'static)) -> Option<AuthFailure> {
    #[cfg(feature = "jsonwebtoken")]
    if let Some(error) = error.downcast_ref::<jsonwebtoken::errors::Error>() {
        return Some(error.into());
    }
    let known = error.downcast_ref::<AuthError>().map(AuthError::failure);
    known.or_else(|| error.downcast_ref::<AuthFailure>().copied())
}

/// Counts a failed login and shows it to the watch, whatever becomes of the report.
#[inline]
pub(crate) fn note(reporter: &Reporter, request: Option<&RequestSnapshot>, details: &Details) {
    // Who met it first has counted it.
    if let Some(failure) = details.auth()
        && !details.fate.is_decided()
    {
        let network = request.and_then(|request| request.line.client).map(ClientAddress::network);
        reporter.sink.login_failed(failure, details.login(), network);
    }
}
