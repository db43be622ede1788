//! What a report is about, where it is more than an error: what was recognised in its chain, and what was said of that.

use super::{
    AuthFailure, Database, DatabaseFailure, Details, Fault, Kind, ThirdPartyClass, ThirdPartyFailure,
};
use crate::auth::Pseudonym;

/// The one place for it. Boxed as a whole, so that a report that is about nothing stays small: its place in the
/// allocator is what a failure pays for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject {
    pub(crate) dependency: Option<Dependency>,
    /// Why somebody was not let in, and what stands for who that was.
    pub(crate) auth: Option<AuthFailure>,
    /// The same where only an error in the chain says it: a label, which is neither counted nor watched.
    pub(crate) in_chain: Option<AuthFailure>,
    pub(crate) login: Option<Pseudonym>,
}

/// What the application needs and does not contain. What was said last counts. Boxed: most subjects are logins.
#[derive(Clone, Debug)]
pub(crate) enum Dependency {
    Database(Box<Database>),
    ThirdParty(Box<ThirdPartyFailure>),
}

/// What is known by the subject.
impl Details {
    pub(crate) fn subject_mut(&mut self) -> &mut Subject {
        self.subject.get_or_insert_default()
    }

    /// Says something of a database, which is what it depends on from now on.
    pub(crate) fn about_database(&mut self, say: impl FnOnce(&mut Database)) {
        let dependency = &mut self.subject_mut().dependency;
        let mut database = match dependency.take() {
            Some(Dependency::Database(database)) => database,
            _ => Box::default(),
        };
        say(&mut database);
        *dependency = Some(Dependency::Database(database));
    }

    /// The same for a call of another service.
    pub(crate) fn about_third_party(&mut self, say: impl FnOnce(&mut ThirdPartyFailure)) {
        let dependency = &mut self.subject_mut().dependency;
        let mut failure = match dependency.take() {
            Some(Dependency::ThirdParty(failure)) => failure,
            _ => Box::default(),
        };
        say(&mut failure);
        *dependency = Some(Dependency::ThirdParty(failure));
    }

    /// Why somebody was not let in.
    pub(crate) fn auth(&self) -> Option<AuthFailure> {
        self.subject.as_ref()?.auth
    }

    /// The same, also where only the chain says it.
    pub(crate) fn auth_label(&self) -> Option<AuthFailure> {
        let subject = self.subject.as_ref()?;
        subject.auth.or(subject.in_chain)
    }

    /// What stands for who it was.
    pub(crate) fn login(&self) -> Option<Pseudonym> {
        self.subject.as_ref()?.login
    }

    pub(crate) fn database(&self) -> Option<&Database> {
        match self.subject.as_ref()?.dependency.as_ref()? {
            Dependency::Database(database) => Some(database),
            Dependency::ThirdParty(_) => None,
        }
    }

    /// What is known of a failed call of another service.
    pub(crate) fn third_party(&self) -> Option<&ThirdPartyFailure> {
        match self.subject.as_ref()?.dependency.as_ref()? {
            Dependency::ThirdParty(failure) => Some(failure),
            Dependency::Database(_) => None,
        }
    }

    /// What the driver of a database said, if one did.
    pub(crate) fn failure(&self) -> Option<&DatabaseFailure> {
        self.database()?.failure.as_ref()
    }

    /// The kind that follows from all that.
    pub(crate) fn kind_of_subject(&self) -> Option<Kind> {
        let subject = self.subject.as_ref()?;
        match (subject.auth.or(subject.in_chain), &subject.dependency) {
            (Some(_), _) => Some(Kind::Auth),
            (None, Some(Dependency::Database(_))) => Some(Kind::Database),
            (None, Some(Dependency::ThirdParty(_))) => Some(Kind::ThirdParty),
            (None, None) => None,
        }
    }

    /// Hands out the parts of the fingerprint of what is one issue and one storm whatever the route, the type and the
    /// message: the outage of a dependency, the failures of one kind that a service has. False if it is none.
    pub(crate) fn issue(&self, mut part: impl FnMut(&str)) -> bool {
        if let Some(failure) = self.auth() {
            if failure.is_outage() {
                part(Kind::Auth.as_str());
                part(failure.as_str());
            }
            return failure.is_outage();
        }
        if let Some(failure) = self.third_party() {
            return third_party_issue(failure, part);
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

fn third_party_issue(failure: &ThirdPartyFailure, mut part: impl FnMut(&str)) -> bool {
    if failure.class == ThirdPartyClass::Other {
        return false;
    }
    part(Kind::ThirdParty.as_str());
    part(&failure.name());
    part(failure.class.as_str());
    // A 404 is another mistake than a 422.
    if let (Fault::Code, Some(code)) = (failure.fault(), failure.code()) {
        part(code);
    }
    true
}
