//! From failures to incidents, with the time as an argument.
//!
//! A failure is counted for its network, its account, and the pair of both. The first limit that is passed begins an
//! incident, and from then on its failures belong to it alone: what is known to be one attack is not taken for
//! another one too.

use foldhash::quality::RandomState;
use std::hash::BuildHasher as _;

use super::incident::{Change, Incident, Incidents, Pattern, Sample, State, Subject};
use super::limits::{Account, Limits, Severity, Source};
use super::table::Table;
use super::window::Tally;
use crate::record::spread;

/// How many of each are remembered. All together occupy less than a megabyte, whoever tries.
const SOURCES: usize = 2 * 1024;
const ACCOUNTS: usize = 4 * 1024;
const PAIRS: usize = 8 * 1024;
/// So many accounts may be under attack from one network, each an incident of its own. The next one makes it an
/// incident of the network.
const OF_ONE_NETWORK: usize = 3;

pub(super) struct Detector {
    limits: Limits,
    /// Random, so that nobody can choose networks that share a place.
    seed: RandomState,
    sources: Table<Source>,
    accounts: Table<Account>,
    pairs: Table<Tally>,
    incidents: Incidents,
    /// Incidents that there was no room for.
    pub(super) untold: u64,
}

impl Detector {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            seed: RandomState::default(),
            sources: Table::new(SOURCES),
            accounts: Table::new(ACCOUNTS),
            pairs: Table::new(PAIRS),
            incidents: Incidents::new(),
            untold: 0,
        }
    }

    /// What it occupies.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        [size_of::<Self>(), self.sources.bytes(), self.accounts.bytes(), self.pairs.bytes()].iter().sum()
    }

    /// Counts a failure. What it changes is to be told.
    pub(super) fn observe(&mut self, sample: &Sample) -> Option<Change> {
        let Self { limits, seed, sources, accounts, pairs, incidents, untold } = self;
        let Sample { at: now, failure, login, network } = *sample;
        let login_key = login.map(|login| not_zero(login.number()));
        let network_key = network.map(|network| not_zero(seed.hash_one(network)));
        let pair_key = login_key.map(|login| not_zero(spread(login ^ network_key.map_or(0, spread))));
        let thinned = limits.thinned();

        let mut source = network_key.and_then(|key| sources.touch(key, now));
        if let Some(source) = source.as_deref_mut().filter(|source| source.tally.incident != 0) {
            source.count(now, failure, login_key, thinned);
            let (accounts, severity) = (source.partners(thinned), limits.of_network(source, now));
            return go_on(incidents, limits, &source.tally, accounts, severity);
        }
        let mut account = login_key.and_then(|key| accounts.touch(key, now));
        if let Some(account) = account.as_deref_mut().filter(|account| account.tally.incident != 0) {
            account.count(now, failure, network_key, 0);
            let (networks, severity) = (account.partners(0), Limits::of_account(account, now));
            return go_on(incidents, limits, &account.tally, networks, severity);
        }
        let mut pair = pair_key.and_then(|key| pairs.touch(key, now));
        if let Some(pair) = pair.as_deref_mut().filter(|pair| pair.incident != 0) {
            pair.count(now, failure);
            let severity = Limits::of_pair(pair, now);
            return go_on(incidents, limits, pair, 1, severity);
        }

        // Nothing explains it yet.
        if let Some(source) = source.as_deref_mut() {
            source.count(now, failure, login_key, thinned);
        }
        if let Some(account) = account.as_deref_mut() {
            account.count(now, failure, network_key, 0);
        }
        if let Some(pair) = pair.as_deref_mut() {
            pair.count(now, failure);
        }
        let severity = [
            source.as_deref().map_or(Severity::Harmless, |source| limits.of_network(source, now)),
            account.as_deref().map_or(Severity::Harmless, |account| Limits::of_account(account, now)),
            pair.as_deref().map_or(Severity::Harmless, |pair| Limits::of_pair(pair, now)),
        ];
        let pattern = pattern(severity, sample, incidents)?;
        let subject = |key: Option<u64>| Subject {
            pattern,
            key: key.unwrap_or_default(),
            login: login.filter(|_| pattern != Pattern::ManyAccounts),
            network: network.filter(|_| pattern != Pattern::ManyNetworks),
        };
        let (subject, tally, partners, (since, failures)) = match (pattern, source, account, pair) {
            (Pattern::ManyAccounts, Some(source), ..) => {
                let by_the_hour = limits.of_network_by_the_hour(source, now) > Severity::Harmless;
                let (partners, evidence) = (source.partners(thinned), source.evidence(by_the_hour));
                (subject(network_key), &mut source.tally, partners, evidence)
            }
            (Pattern::ManyNetworks, _, Some(account), _) => {
                let by_the_hour = Limits::of_account_by_the_hour(account, now) > Severity::Harmless;
                let (partners, evidence) = (account.partners(0), account.evidence(by_the_hour));
                (subject(login_key), &mut account.tally, partners, evidence)
            }
            (Pattern::OneNetwork, _, _, Some(pair)) => {
                let evidence = (pair.turns.first, pair.turns.failures());
                (subject(pair_key), pair, 1, evidence)
            }
            // Its table is full of incidents.
            _ => return None,
        };
        let incident = Incident {
            subject,
            state: State::Probing,
            since,
            last: now,
            failures: u64::from(failures),
            kinds: tally.kinds,
            partners,
        };
        match incidents.begin(incident) {
            Some(number) => {
                tally.incident = number;
                Some(Change(incident))
            }
            None => {
                *untold = untold.saturating_add(1);
                tally.clear(now);
                None
            }
        }
    }

    /// What is over by now is to be told; one at a time.
    pub(super) fn over(&mut self, now: u32) -> Option<Change> {
        let incident = self.incidents.take_over(now)?;
        let key = incident.subject.key;
        match incident.subject.pattern {
            Pattern::OneNetwork => self.pairs.find(key).into_iter().for_each(|pair| pair.clear(now)),
            Pattern::ManyNetworks => {
                self.accounts.find(key).into_iter().for_each(|account| account.clear(now));
            }
            Pattern::ManyAccounts => self.sources.find(key).into_iter().for_each(|source| source.clear(now)),
        }
        Some(Change(incident))
    }

    /// When something may be over.
    pub(super) fn next_end(&self) -> Option<u32> {
        self.incidents.next_end()
    }
}

/// What a failure is a sign of, that is not yet known: with how bad it is for its network, its account, and both.
fn pattern(severity: [Severity; 3], sample: &Sample, incidents: &Incidents) -> Option<Pattern> {
    let [of_network, of_account, of_pair] = severity.map(|severity| severity > Severity::Harmless);
    if of_network {
        return Some(Pattern::ManyAccounts);
    }
    if of_account {
        return Some(Pattern::ManyNetworks);
    }
    if !of_pair {
        return None;
    }
    let is_pair = |subject: &Subject| subject.pattern == Pattern::OneNetwork;
    let pairs = || incidents.iter().map(|incident| incident.subject).filter(is_pair);
    let from_here = |subject: &Subject| sample.network.is_some() && subject.network == sample.network;
    if pairs().filter(from_here).count() >= OF_ONE_NETWORK {
        return Some(Pattern::ManyAccounts);
    }
    let is_known = pairs().any(|subject| subject.login == sample.login);
    Some(if is_known { Pattern::ManyNetworks } else { Pattern::OneNetwork })
}

/// One more failure of an incident that goes on.
fn go_on(
    incidents: &mut Incidents,
    limits: &Limits,
    tally: &Tally,
    partners: u32,
    severity: Severity,
) -> Option<Change> {
    let is_attack = |incident: &Incident| {
        let persistent = u64::from(limits.persistent(incident.subject.pattern));
        severity == Severity::Attack || incident.failures >= persistent
    };
    incidents.go_on(tally.incident, tally.last, tally.kinds, partners, is_attack).map(Change)
}

/// No entry is nobody's.
fn not_zero(key: u64) -> u64 {
    key.max(1)
}
