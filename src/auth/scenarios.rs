//! The detector beside logs of attacks and of innocents, in simulated time.
#![expect(clippy::arithmetic_side_effects, reason = "the numbers of tests are small")]

use std::collections::HashMap;

use proptest::prelude::*;

use super::detector::Detector;
use super::incident::{Change, MAX_INCIDENTS, Pattern, Sample, State};
use super::key::{HashKey, Pseudonym};
use super::limits::Limits;
use super::window::HOUR;
use super::{MAX_WAITING, Network};
use crate::record::{AuthFailure, spread};

#[path = "../../tests/it/auth/logs.rs"]
mod logs;

use logs::{Attack, Attempt, attacks, innocents};

/// Runs logs through a detector and keeps what it tells.
struct Run {
    detector: Detector,
    key: HashKey,
    /// What was told, and when.
    told: Vec<(u32, Change)>,
    logins: HashMap<String, Pseudonym>,
}

impl Run {
    fn new() -> Self {
        let key = HashKey::new(Some("0123456789abcdef0123456789abcdef"));
        Self { detector: Detector::new(Limits::default()), key, told: Vec::new(), logins: HashMap::new() }
    }

    fn login(&mut self, login: &str) -> Pseudonym {
        *self.logins.entry(login.to_owned()).or_insert_with(|| self.key.of_login(login))
    }

    fn attempts(&mut self, attempts: &[Attempt]) {
        for attempt in attempts {
            let login = self.login(&attempt.login);
            self.sample(attempt.at, Some(login), Some(Network::of(attempt.address)));
        }
    }

    fn sample(&mut self, at: u32, login: Option<Pseudonym>, network: Option<Network>) {
        self.until(at);
        let sample = Sample { at, failure: AuthFailure::BadCredentials, login, network };
        self.told.extend(self.detector.observe(&sample).map(|change| (at, change)));
    }

    /// Time goes by; our thread looks when it is asked to.
    fn until(&mut self, now: u32) {
        while let Some(end) = self.detector.next_end().filter(|end| *end <= now) {
            self.told.extend(self.detector.over(end).map(|change| (end, change)));
        }
    }

    /// A long time after everything.
    fn end(&mut self) {
        self.until(u32::MAX);
    }

    fn states(&self) -> Vec<State> {
        self.told.iter().map(|(_, Change(incident))| incident.state).collect()
    }
}

fn merged(logs: &[&[Attempt]]) -> Vec<Attempt> {
    let mut merged = logs.concat();
    merged.sort_by_key(|attempt| attempt.at);
    merged
}

/// The attack was told as what it is, once, and early.
#[track_caller]
fn told_once(run: &mut Run, attack: &Attack) {
    let login = attack.login.as_ref().map(|login| run.login(login));
    let network = attack.address.map(Network::of);
    let is_it = |Change(incident): &Change| {
        incident.subject.login == login
            && incident.subject.network == network
            && incident.subject.pattern.as_str() == attack.pattern
    };
    let told: Vec<_> = run.told.iter().filter(|(_, change)| is_it(change)).collect();
    let states: Vec<_> = told.iter().map(|(_, Change(incident))| incident.state).collect();
    let grave = states == [State::Probing, State::Attack, State::Over];
    let light = states == [State::Probing, State::Over];
    assert!(grave || (light && !attack.is_grave), "{}: {states:?}", attack.name);
    let (begin, last) = (attack.attempts[0].at, attack.attempts.last().unwrap().at);
    let [(first, _), .., (end, Change(over))] = told[..] else { panic!("{told:?}") };
    assert!(*first <= begin + (last - begin) * 2 / 3, "{}: told after {} s", attack.name, first - begin);
    assert!((begin.saturating_sub(2 * HOUR)..=begin + 2 * HOUR).contains(&over.since), "{}", attack.name);
    assert_eq!(over.last, last, "{}", attack.name);
    assert!(*end >= last + 1_800 && *end <= last + 12 * HOUR, "{}", attack.name);
    assert!(over.failures as usize <= attack.attempts.len(), "{}: never more than there were", attack.name);
    assert!(over.failures as usize * 10 >= attack.attempts.len() * 4, "{}: {}", attack.name, over.failures);
}

#[test]
fn innocents_are_left_alone() {
    for seed in 0..2 {
        let mut run = Run::new();
        run.attempts(&innocents(seed));
        run.end();
        assert_eq!(run.told.len(), 0, "seed {seed}: {:?}", run.told.first());
    }
}

#[test]
fn every_attack_among_innocents_is_told_once_and_nobody_else_is() {
    let innocents = innocents(4);
    for attack in attacks(4) {
        let mut run = Run::new();
        run.attempts(&merged(&[&innocents, &attack.attempts]));
        run.end();
        told_once(&mut run, &attack);
        assert!(run.told.len() <= 3, "{}: {:?}", attack.name, run.states());
    }
}

#[test]
fn attacks_at_the_same_time_are_told_apart() {
    let (innocents, attacks) = (innocents(9), attacks(9));
    let mut run = Run::new();
    let logs: Vec<&[Attempt]> =
        attacks.iter().map(|attack| &attack.attempts[..]).chain([&innocents[..]]).collect();
    run.attempts(&merged(&logs));
    run.end();
    let expected: usize = run.told.len();
    for attack in &attacks {
        told_once(&mut run, attack);
    }
    assert!(expected <= 3 * attacks.len(), "{:?}", run.states());
}

#[test]
fn the_same_log_comes_from_the_same_seed() {
    assert_eq!(innocents(1), innocents(1));
    assert_eq!(attacks(1), attacks(1));
    assert_ne!(attacks(1), attacks(2));
}

fn stranger(n: u64) -> (Pseudonym, Network) {
    let [a, b, c, ..] = spread(n ^ 0x5eed).to_le_bytes();
    (Pseudonym::of_number(spread(n)), Network::V4([a, b, c]))
}

/// A million accounts from a million networks fail once, in an hour, and somebody tries one account among them.
#[test]
fn among_a_million_identifiers_an_attack_is_told_and_a_megabyte_is_enough() {
    let mut run = Run::new();
    let (target, network) = stranger(u64::MAX);
    for n in 0..1_000_000_u64 {
        let at = (n / 280) as u32;
        let (login, from) = stranger(n);
        run.sample(at, Some(login), Some(from));
        if n % 140 == 0 {
            run.sample(at, Some(target), Some(network));
        }
    }
    run.end();
    assert_eq!(run.states(), [State::Probing, State::Attack, State::Over]);
    assert!(run.told.iter().all(|(_, Change(incident))| incident.subject.login == Some(target)));
    let waiting = 2 * MAX_WAITING * size_of::<Sample>();
    assert!(run.detector.bytes() + waiting <= 1024 * 1024, "{} + {waiting}", run.detector.bytes());
}

/// Of an attacker who tries a thousand accounts a thousand times each, three accounts are told, and then the network.
#[test]
fn who_tries_many_accounts_often_is_told_few_times() {
    let mut run = Run::new();
    let (_, network) = stranger(0);
    for n in 0..100_000 {
        run.sample(n / 100, Some(stranger(u64::from(n / 1_000)).0), Some(network));
    }
    run.end();
    let begun: Vec<_> = run.told.iter().filter(|(_, Change(it))| it.state == State::Probing).collect();
    let patterns: Vec<_> = begun.iter().map(|(_, Change(incident))| incident.subject.pattern).collect();
    use Pattern::{ManyAccounts, OneNetwork};
    assert_eq!(patterns, [OneNetwork, OneNetwork, OneNetwork, ManyAccounts]);
}

/// Without known networks each account is an incident of its own, and there are only so many.
#[test]
fn there_are_only_so_many_incidents_and_the_rest_is_counted() {
    let mut run = Run::new();
    for n in 0..100 * 150 {
        run.sample(n / 100, Some(stranger(u64::from(n % 100)).0), None);
    }
    assert_eq!(run.told.len(), MAX_INCIDENTS);
    assert_eq!(run.detector.untold, 100 - MAX_INCIDENTS as u64);
    run.end();
    assert_eq!(run.told.len(), 2 * MAX_INCIDENTS);
}

/// Where nobody says who it was, the network still tells.
#[test]
fn a_network_without_identifiers_is_told_by_its_failures() {
    let mut run = Run::new();
    for n in 0..10_000 {
        run.sample(n / 10, None, Some(stranger(1).1));
    }
    run.end();
    assert_eq!(run.states(), [State::Probing, State::Attack, State::Over]);
    run.sample(5 * HOUR, None, None);
    assert_eq!(run.told.len(), 3, "nobody from nowhere is counted only");
}

/// An attack that comes back after its end is another incident of the same target.
#[test]
fn after_the_end_it_begins_anew() {
    let mut run = Run::new();
    let (login, network) = stranger(1);
    for day in 0..3 {
        for n in 0..300 {
            run.sample(day * 24 * HOUR + n, Some(login), Some(network));
        }
        run.until((day + 1) * 24 * HOUR);
    }
    let once = [State::Probing, State::Attack, State::Over];
    assert_eq!(run.states(), [once, once, once].concat());
}

#[derive(Clone, Debug)]
struct Burst {
    pause: u32,
    failures: u32,
    login: Option<u64>,
    network: Option<u64>,
}

fn burst() -> impl Strategy<Value = Burst> {
    let who = || prop::option::weighted(0.8, 0..4_u64);
    (prop_oneof![0..60_u32, 0..20_000_u32], 1..400_u32, who(), who())
        .prop_map(|(pause, failures, login, network)| Burst { pause, failures, login, network })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Whatever happens, an incident begins once, may become an attack once, ends once, and counts no more than
    /// there was.
    #[test]
    fn states_follow_each_other_and_no_count_is_above_the_truth(bursts in prop::collection::vec(burst(), 1..30)) {
        let (mut run, mut now, mut total) = (Run::new(), 0, 0);
        for Burst { pause, failures, login, network } in bursts {
            now += pause;
            for n in 0..failures {
                let (login, network) = (login.map(|n| stranger(n).0), network.map(|n| stranger(n).1));
                run.sample(now + n / 50, login, network);
                total += 1;
            }
            now += failures / 50;
        }
        run.end();
        let mut open = HashMap::new();
        for (at, Change(incident)) in &run.told {
            let subject = &incident.subject;
            let before = open.insert((subject.pattern, subject.key), incident.state);
            let follows = match incident.state {
                State::Probing => matches!(before, None | Some(State::Over)),
                State::Attack => before == Some(State::Probing),
                State::Over => matches!(before, Some(State::Probing | State::Attack)),
            };
            prop_assert!(follows, "{before:?}, then {incident:?}");
            prop_assert!(incident.since <= incident.last && incident.last <= *at);
            prop_assert!(incident.failures <= total);
        }
        prop_assert!(open.values().all(|state| *state == State::Over));
        let by_incidents: u64 =
            run.told.iter().filter(|(_, Change(it))| it.state == State::Over).map(|(_, Change(it))| it.failures).sum();
        // Before an incident a failure counts for its network, its account and their pair.
        prop_assert!(by_incidents <= 3 * total);
    }
}
