//! From how many failures on it is an attack, and why not fewer.
//!
//! | innocent | what it looks like | stays below |
//! |---|---|---|
//! | somebody who forgot the password | 30 failures of one account, then help | 100 an hour |
//! | a device that retries an old password every minute | 60 an hour of one account from one network, for days | 100 an hour |
//! | the same at home, at work and on the phone | 180 an hour of one account from three networks | 200 an hour |
//! | a phone that roams with an old password | 30 networks of one account in a day | 50 networks |
//! | 500 users behind one address after a change of passwords | each fails three times in an hour: 500 accounts in a day | 750 accounts, 3 000 an hour |
//!
//! OWASP's ASVS (2.2.1) allows 100 failures an hour of one account; NIST's SP 800-63B (3.2.2) 100 in a row.

use super::table::Target;
use super::window::Tally;

/// An account and the networks that it is tried from: 128 bits.
pub(super) type Account = Target<2>;
/// A network and the accounts that it tries: 512 bits.
pub(super) type Source = Target<8>;

/// One account from one network, or from nobody knows where, in an hour.
const PAIR: u32 = 100;
/// One account from several networks in an hour.
const ACCOUNT: u32 = 200;
const SEVERAL: u32 = 3;
/// One account from so many networks in 12 to 24 hours.
const NETWORKS: u32 = 50;
/// One network in an hour, for each user that it may have.
const FAILURES_PER_USER: u32 = 6;
/// An incident becomes an attack when it is as bad as this many times what made it one.
const ATTACK: u32 = 2;
/// The same for one that is slow, and goes on: so many times the failures of an hour.
const PERSISTENT: u32 = 4;
/// So many partners can be told apart in 512 bits; of more only a share is looked at.
const TOLD_APART: u32 = 1_600;

/// The limits of one initialisation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// So many users may share a network.
    pub(crate) users_per_network: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { users_per_network: 500 }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    Harmless,
    Probing,
    Attack,
}

impl Limits {
    pub(super) fn of_pair(pair: &Tally, now: u32) -> Severity {
        severity(pair.recent(now), PAIR)
    }

    pub(super) fn of_account(account: &Account, now: u32) -> Severity {
        Self::of_account_by_the_hour(account, now).max(by_partners(account, 0, NETWORKS))
    }

    pub(super) fn of_account_by_the_hour(account: &Account, now: u32) -> Severity {
        match severity(account.tally.recent(now), ACCOUNT) {
            by_failures if by_failures > Severity::Harmless && account.partners(0) >= SEVERAL => by_failures,
            _ => Severity::Harmless,
        }
    }

    pub(super) fn of_network(self, network: &Source, now: u32) -> Severity {
        // One more user than there may be is none; typing errors and the estimate's make half as many.
        let accounts = self.users_per_network.saturating_add(self.users_per_network / 2);
        self.of_network_by_the_hour(network, now).max(by_partners(network, self.thinned(), accounts))
    }

    pub(super) fn of_network_by_the_hour(self, network: &Source, now: u32) -> Severity {
        severity(network.tally.recent(now), self.network_failures())
    }

    /// How many failures make an attack of an incident that was none for an hour.
    pub(super) fn persistent(self, pattern: super::Pattern) -> u32 {
        let in_an_hour = match pattern {
            super::Pattern::OneNetwork => PAIR,
            super::Pattern::ManyNetworks => ACCOUNT,
            super::Pattern::ManyAccounts => self.network_failures(),
        };
        in_an_hour.saturating_mul(PERSISTENT)
    }

    /// Of how many accounts one is looked at, as a power of two.
    pub(super) fn thinned(self) -> u32 {
        let most = self.users_per_network.saturating_mul(3);
        let share = most.div_ceil(TOLD_APART).max(1);
        share.checked_next_power_of_two().unwrap_or(u32::MAX).ilog2()
    }

    fn network_failures(self) -> u32 {
        self.users_per_network.saturating_mul(FAILURES_PER_USER)
    }
}

fn by_partners<const WORDS: usize>(target: &Target<WORDS>, thinned: u32, limit: u32) -> Severity {
    if target.most_partners() < limit {
        return Severity::Harmless;
    }
    severity(target.partners(thinned), limit)
}

fn severity(count: u32, limit: u32) -> Severity {
    match count {
        count if count >= limit.saturating_mul(ATTACK) => Severity::Attack,
        count if count >= limit => Severity::Probing,
        _ => Severity::Harmless,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_users_than_bits_are_thinned_until_an_attack_can_be_told() {
        for (users, thinned) in [(1, 0), (500, 0), (533, 0), (534, 1), (5_000, 4), (100_000, 8)] {
            let limits = Limits { users_per_network: users };
            assert_eq!(limits.thinned(), thinned, "{users}");
            assert!((users * 3) >> thinned <= TOLD_APART);
        }
    }
}
