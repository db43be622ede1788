//! What a report is about, where it is more than an error: what was recognised in its chain, and what was said of that.

use super::{AuthFailure, Database, DatabaseFailure, Details, Fault, Kind};
use crate::auth::Pseudonym;

/// The one place for it. Boxed as a whole, so that a report that is about nothing stays small: its place in the
/// allocator is what a failure pays for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject {
    pub(crate) dependency: Option<Dependency>,
    /// Why somebody was not let in, and what stands for who that was.
    pub(crate) auth: Option<AuthFailure>,
    pub(crate) login: Option<Pseudonym>,
}

/// What the application needs and does not contain. What was said last counts.
#[derive(Clone, Debug)]
pub(crate) enum Dependency {
    Database(Database),
}

/// What is known by the subject.
impl Details {
    pub(crate) fn subject_mut(&mut self) -> &mut Subject {
        self.subject.get_or_insert_default()
    }

    /// The database that it is about from now on.
    pub(crate) fn database_mut(&mut self) -> &mut Database {
        let dependency = &mut self.subject_mut().dependency;
        let Dependency::Database(database) =
            dependency.get_or_insert_with(|| Dependency::Database(Database::default()));
        database
    }

    /// Why somebody was not let in.
    pub(crate) fn auth(&self) -> Option<AuthFailure> {
        self.subject.as_ref()?.auth
    }

    /// What stands for who it was.
    pub(crate) fn login(&self) -> Option<Pseudonym> {
        self.subject.as_ref()?.login
    }

    pub(crate) fn database(&self) -> Option<&Database> {
        let Dependency::Database(database) = self.subject.as_ref()?.dependency.as_ref()?;
        Some(database)
    }

    /// What the driver of a database said, if one did.
    pub(crate) fn failure(&self) -> Option<&DatabaseFailure> {
        self.database()?.failure.as_ref()
    }

    /// The kind that follows from all that.
    pub(crate) fn kind_of_subject(&self) -> Option<Kind> {
        let subject = self.subject.as_ref()?;
        match (subject.auth, &subject.dependency) {
            (Some(_), _) => Some(Kind::Auth),
            (None, Some(Dependency::Database(_))) => Some(Kind::Database),
            (None, None) => None,
        }
    }

    /// Hands out the parts of the fingerprint of an outage, which is one issue and one storm whatever the route, the
    /// type and the message. False if it is none.
    pub(crate) fn outage(&self, mut part: impl FnMut(&str)) -> bool {
        if let Some(failure) = self.auth() {
            if failure.is_outage() {
                part(Kind::Auth.as_str());
                part(failure.as_str());
            }
            return failure.is_outage();
        }
        let failure = self.failure().filter(|failure| failure.fault() == Fault::Infrastructure);
        if let Some(failure) = failure {
            part(Kind::Database.as_str());
            part(failure.driver);
            part(failure.class.as_str());
        }
        failure.is_some()
    }
}
