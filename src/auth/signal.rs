//! A change of an incident as a record, which becomes an event like any other.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use sentry::protocol::Context as SdkContext;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::incident::{Change, Incident, Pattern, State};
use super::{Watch, window};
use crate::context::Context;
use crate::record::{Cause, Details, Kind, Level, Link, Mechanism, Origin};
use crate::sink::Record;

/// The context of the event, and the beginning of its tags.
const NAME: &str = "brute_force";

impl Pattern {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::OneNetwork => "one_account",
            Self::ManyNetworks => "one_account_many_networks",
            Self::ManyAccounts => "many_accounts",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::OneNetwork => "one account from one network",
            Self::ManyNetworks => "one account from many networks",
            Self::ManyAccounts => "many accounts from one network",
        }
    }
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Probing => "probing",
            Self::Attack => "attack",
            Self::Over => "over",
        }
    }

    const fn level(self) -> Level {
        match self {
            Self::Probing => Level::Warning,
            Self::Attack => Level::Error,
            Self::Over => Level::Info,
        }
    }
}

impl Watch {
    /// The event of a change. All of one incident are one issue; so is the next one with the same target, as long as
    /// the key is the same.
    pub(super) fn signal(&self, Change(incident): Change) -> Record {
        let Incident { subject, state, .. } = incident;
        let pattern = subject.pattern;
        let login = subject.login.map(|login| login.to_string());
        let network = subject.network.map(|network| self.key.of_network(&network).to_string());

        let message = match (pattern, &network) {
            (Pattern::OneNetwork, None) => "one account",
            _ => pattern.text(),
        };
        let message = format!("{}: {message}", state.as_str());
        let link = Link { type_name: "BruteForce".into(), message };
        let mut details = Box::new(Details::new(Cause::Chain(vec![link])));
        details.kind = Some(Kind::Auth);
        details.level = Some(state.level());
        let fingerprint = ["auth", NAME, pattern.as_str()].map(str::to_owned);
        details.added_mut().fingerprint =
            Some(fingerprint.into_iter().chain(login.clone()).chain(network.clone()).collect());
        let tags = [
            ("brute_force.pattern", Some(pattern.as_str().to_owned())),
            ("brute_force.state", Some(state.as_str().to_owned())),
            ("user.hash", login),
            ("network.hash", network),
        ];
        let tags = tags.into_iter().filter_map(|(name, value)| Some((Cow::Borrowed(name), value?)));
        details.added_mut().tags = tags.collect();
        let context = self.context_of(&incident);
        details.added_mut().edit = Some(Box::new(move |event| {
            event.contexts.insert(NAME.to_owned(), SdkContext::Other(context.into_iter().collect()));
        }));
        Record {
            details,
            timestamp: SystemTime::now(),
            mechanism: Mechanism { name: NAME, handled: true },
            origin: Origin::Process,
            status: None,
            context: Context::default(),
            facts: None,
            body: None,
            hub: None,
            stands_for: None,
        }
    }

    fn context_of(&self, incident: &Incident) -> Map<String, Value> {
        let elapsed = self.started.elapsed();
        let clock = SystemTime::now().checked_sub(elapsed).unwrap_or(SystemTime::UNIX_EPOCH);
        let time = |at: u32| {
            let at = clock.checked_add(Duration::from_secs(u64::from(at))).unwrap_or(clock);
            Value::from(OffsetDateTime::from(at).format(&Rfc3339).unwrap_or_default())
        };
        let kinds: Vec<_> = window::kinds(incident.kinds).map(|kind| Value::from(kind.as_str())).collect();
        let seconds = incident.last.saturating_sub(incident.since);
        let partners = match incident.subject.pattern {
            Pattern::OneNetwork => None,
            Pattern::ManyNetworks => Some("networks_estimate"),
            Pattern::ManyAccounts => Some("accounts_estimate"),
        };
        let fixed = [
            ("failures", incident.failures.into()),
            ("kinds", kinds.into()),
            ("since", time(incident.since)),
            ("until", time(incident.last)),
            ("seconds", seconds.into()),
        ];
        let estimate = partners.map(|name| (name, incident.partners.into()));
        fixed.into_iter().chain(estimate).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
