//! What a report is about, found in the chain of its error: where it is made, because the answer depends on it.

use std::error::Error;
use std::io;

use http::StatusCode;

use super::links::{HOLDERS, MAX_LINKS, as_a, inside, may_be_one_of};
use super::{ReportError, auth, chain, database, third_party};
use crate::record::{Cause, DatabaseFailure, Details, EventId, ThirdPartyFailure};
use crate::reporter::{self, ErrorName};

/// The sizes of all errors that are known, and of those that may hold one beside the chain.
const SIZES: u64 = match database::SIZES | third_party::SIZES {
    0 => 0,
    sizes => sizes | HOLDERS,
};
/// Seconds: about what it takes to connect again. Clients that all wait for longer come back all at once.
const RETRY_AFTER: u16 = 5;

/// What a chain says.
#[derive(Default)]
struct Seen {
    found: Option<Found>,
    /// The event of a report in it, where that was made already.
    event: Option<EventId>,
}

enum Found {
    Database(Box<DatabaseFailure>),
    ThirdParty(Box<ThirdPartyFailure>),
}

impl Details {
    /// What is said of an error that somebody else keeps: its chain is read here.
    pub(crate) fn of_chain(
        error: &(dyn Error + 'static),
        outermost: Option<&'static str>,
        names: &[ErrorName],
    ) -> Self {
        let mut details = Self::new(Cause::Chain(chain::read(error, outermost, names)));
        if let Some(failure) = reporter::shielded_anyway(|| auth::in_chain(error)).flatten() {
            details.subject_mut().in_chain = Some(failure);
        }
        if let Some(seen) = reporter::shielded_anyway(|| in_chain(error, false)) {
            details.take_in(seen);
        }
        details
    }

    /// Looks into the chain of an error that was just taken.
    #[inline]
    pub(crate) fn recognise(&mut self) {
        if SIZES != 0 {
            self.look_into_chain();
        }
    }

    fn look_into_chain(&mut self) {
        if let Cause::Error { error, .. } = &self.cause
            && let Some(seen) = reporter::shielded(|| in_chain(&**error, true))
        {
            self.take_in(seen);
        }
    }

    #[inline]
    fn take_in(&mut self, seen: Seen) {
        if let Some(id) = seen.event {
            // One failure, one event, whatever was said about it on its way.
            self.id = id;
            self.fate.record();
        }
        if let Some(found) = seen.found {
            self.found(found);
        }
    }

    #[cold]
    fn found(&mut self, found: Found) {
        match found {
            Found::Database(failure) => {
                self.about_database(|database| database.failure = Some(*failure));
                self.answer_for_database();
            }
            Found::ThirdParty(failure) => self.about_call(|said| *said = *failure),
        }
    }

    /// What can be had again later is answered with 503; everything else remains 500.
    pub(super) fn answer_for_database(&mut self) {
        if self.answer == StatusCode::INTERNAL_SERVER_ERROR && self.is_database_unavailable() {
            self.answer = StatusCode::SERVICE_UNAVAILABLE;
        }
    }

    /// Says something of a failed call. The answer follows what is known, unless somebody chose one.
    pub(super) fn about_call(&mut self, say: impl FnOnce(&mut ThirdPartyFailure)) {
        let answer = |details: &Self| {
            details
                .third_party()
                .and_then(|failure| failure.answer())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
        };
        let before = answer(self);
        // What was recognised before is another dependency, and its answer another, too.
        let was_database = self.database().is_some();
        self.about_third_party(say);
        let is_own =
            was_database || self.answer == before || self.answer == StatusCode::INTERNAL_SERVER_ERROR;
        if is_own && self.auth().is_none() {
            self.answer = answer(self);
        }
    }

    fn is_database_unavailable(&self) -> bool {
        self.failure().is_some_and(|failure| failure.class.is_unavailable())
    }

    /// After how many seconds the client may ask again, for the header of that name.
    pub(crate) fn retry_after(&self) -> Option<u16> {
        if self.answer != StatusCode::SERVICE_UNAVAILABLE {
            return None;
        }
        if self.is_database_unavailable() {
            return Some(RETRY_AFTER);
        }
        let pause = self.third_party()?.retry_after?;
        Some(u16::try_from(pause.as_secs()).unwrap_or(u16::MAX).max(1))
    }
}

/// What the first link that is known says. It runs `source()`, which is the application's code.
fn in_chain(error: &(dyn Error + 'static), is_owned: bool) -> Seen {
    let mut seen = Seen::default();
    let mut link = Some(error);
    for _ in 0..MAX_LINKS {
        let Some(error) = link else { break };
        if may_be_one_of(SIZES, error) {
            seen.found = look(error, is_owned, &mut seen.event);
            if seen.found.is_some() {
                break;
            }
        }
        link = error.source();
    }
    seen
}

#[inline(never)]
fn look(error: &(dyn Error + 'static), is_owned: bool, event: &mut Option<EventId>) -> Option<Found> {
    let error = if may_be_one_of(HOLDERS, error) { held(error, is_owned, event)? } else { error };
    if may_be_one_of(database::SIZES, error)
        && let Some(found) = database::look(error)
    {
        return Some(Found::Database(found));
    }
    if may_be_one_of(third_party::SIZES, error)
        && let Some(found) = third_party::look(error)
    {
        return Some(Found::ThirdParty(found));
    }
    None
}

/// What the error holds, or itself. Most chains end in an `io::Error`, which has the size of many and holds nothing.
fn held<'a>(
    error: &'a (dyn Error + 'static),
    is_owned: bool,
    event: &mut Option<EventId>,
) -> Option<&'a (dyn Error + 'static)> {
    let error = match as_a::<io::Error>(error) {
        Some(error) => error.get_ref()?,
        None => error,
    };
    if let Some(report) = as_a::<ReportError>(error) {
        *event = report.event(is_owned);
    }
    Some(inside(error))
}

#[cfg(all(test, feature = "full"))]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_nobody_knows_is_passed_by_its_size_and_one_that_is_known_is_found() {
        let known =
            [&sqlx09::Error::PoolTimedOut as &(dyn Error + 'static), &diesel::result::Error::NotFound];
        assert!(known.into_iter().all(|error| may_be_one_of(SIZES, error)));
        let parse = "x".parse::<u8>().unwrap_err();
        assert!(!may_be_one_of(SIZES, &parse) && in_chain(&parse, true).found.is_none());
        assert!(matches!(
            in_chain(&io::Error::other(sqlx09::Error::PoolTimedOut), true).found,
            Some(Found::Database(_))
        ));
        let call = io::Error::other(tonic::Status::unavailable("x"));
        assert!(matches!(in_chain(&call, true).found, Some(Found::ThirdParty(_))));
    }
}
