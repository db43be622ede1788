//! Incidents: attacks that are going on, from the first suspicion to the silence after them.

use super::{Network, Pseudonym};
use crate::record::AuthFailure;

/// So many go on at the same time. More are counted, not told.
pub(super) const MAX_INCIDENTS: usize = 64;
/// An incident is over after a silence of so many times its mean pause: chance makes one that long once in 160 000.
const PAUSES: u64 = 12;
const SHORTEST_SILENCE: u64 = 30 * 60;
const LONGEST_SILENCE: u64 = 12 * 60 * 60;

/// Who tries what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pattern {
    /// One account from one network, or from one that nobody knows.
    OneNetwork,
    /// One account from many networks.
    ManyNetworks,
    /// One network, many accounts: stuffing, spraying.
    ManyAccounts,
}

/// How far an incident is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// More failures than innocents have.
    Probing,
    /// Twice as many, or for a long time.
    Attack,
    /// Silence.
    Over,
}

/// Whom an incident is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject {
    pub(super) pattern: Pattern,
    /// The key of its entry, in the table of its pattern.
    pub(super) key: u64,
    pub(super) login: Option<Pseudonym>,
    pub(super) network: Option<Network>,
}

/// One incident.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incident {
    pub(super) subject: Subject,
    pub(super) state: State,
    pub(super) since: u32,
    pub(super) last: u32,
    pub(super) failures: u64,
    pub(super) kinds: u16,
    /// How many networks, or accounts: an estimate. The most there were at any time.
    pub(super) partners: u32,
}

impl Incident {
    /// One more failure of it. True if it is an attack from now on.
    pub(super) fn go_on(&mut self, now: u32, kinds: u16, partners: u32, is_attack: bool) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.last = self.last.max(now);
        self.kinds |= kinds;
        self.partners = self.partners.max(partners);
        let turns = is_attack && self.state == State::Probing;
        if turns {
            self.state = State::Attack;
        }
        turns
    }

    /// When it is over, if nothing more happens.
    pub(super) fn ends(&self) -> u32 {
        let lasted = u64::from(self.last.saturating_sub(self.since));
        let pause = lasted.checked_div(self.failures).unwrap_or_default();
        let silence = pause.saturating_mul(PAUSES).clamp(SHORTEST_SILENCE, LONGEST_SILENCE);
        self.last.saturating_add(u32::try_from(silence).unwrap_or(u32::MAX))
    }
}

/// A change of an incident's state: what an event tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change(pub(super) Incident);

/// The incidents that go on. Each has a number, from 1 on.
#[derive(Debug)]
pub(super) struct Incidents {
    all: [Option<Incident>; MAX_INCIDENTS],
    /// Not after the first of them is over.
    next_end: u32,
}

impl Incidents {
    pub(super) fn new() -> Self {
        Self { all: [None; MAX_INCIDENTS], next_end: u32::MAX }
    }

    /// Begins one. `None` if there are too many.
    pub(super) fn begin(&mut self, incident: Incident) -> Option<u8> {
        let at = self.all.iter().position(Option::is_none)?;
        *self.all.get_mut(at)? = Some(incident);
        self.next_end = self.next_end.min(incident.ends());
        u8::try_from(at.saturating_add(1)).ok()
    }

    /// One more failure of an incident. `is_attack` is told how many there were before. The incident comes back if it
    /// is an attack from now on.
    pub(super) fn go_on(
        &mut self,
        number: u8,
        now: u32,
        kinds: u16,
        partners: u32,
        is_attack: impl FnOnce(&Incident) -> bool,
    ) -> Option<Incident> {
        let incident = self.all.get_mut(usize::from(number).checked_sub(1)?)?.as_mut()?;
        let is_attack = is_attack(incident);
        let turns = incident.go_on(now, kinds, partners, is_attack);
        self.next_end = self.next_end.min(incident.ends());
        turns.then_some(*incident)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Incident> {
        self.all.iter().flatten()
    }

    /// When the first of them is over.
    pub(super) fn next_end(&self) -> Option<u32> {
        self.iter().map(Incident::ends).min()
    }

    /// Takes one that is over.
    pub(super) fn take_over(&mut self, now: u32) -> Option<Incident> {
        if now < self.next_end {
            return None;
        }
        let over = |incident: &mut Incident| incident.ends() <= now;
        let Some(mut incident) = self.all.iter_mut().find_map(|slot| slot.take_if(over)) else {
            self.next_end = self.next_end().unwrap_or(u32::MAX);
            return None;
        };
        incident.state = State::Over;
        Some(incident)
    }
}

/// One failure that somebody may have tried on purpose.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) at: u32,
    pub(super) failure: AuthFailure,
    pub(super) login: Option<Pseudonym>,
    pub(super) network: Option<Network>,
}
