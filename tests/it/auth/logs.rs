//! Logs of failed logins: attacks, and innocents who look like them. The same seed makes the same log.
//!
//! Used on the real path by `tests/it/auth`, and with simulated time by the detector's own tests.
#![expect(clippy::arithmetic_side_effects, reason = "the numbers of tests are small")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One failed login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// In seconds since midnight of a Monday.
    pub(crate) at: u32,
    pub(crate) login: String,
    pub(crate) address: IpAddr,
}

/// What an attack is to be told as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) pattern: &'static str,
    /// Whom it is about: a login, an address of the network, or both.
    pub(crate) login: Option<String>,
    pub(crate) address: Option<IpAddr>,
    /// Whether it is bad enough, or long enough, to be more than a suspicion.
    pub(crate) is_grave: bool,
    pub(crate) attempts: Vec<Attempt>,
}

/// SplitMix64: the same numbers everywhere.
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `low` to `high` - 1.
    fn within(&mut self, low: u32, high: u32) -> u32 {
        low + (self.next() % u64::from(high - low)) as u32
    }

    /// A pause of chance, as independent people make: its mean is `mean` seconds.
    fn pause(&mut self, mean: f64) -> f64 {
        let chance = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        -mean * (1.0 - chance).ln()
    }

    /// The address of a home: each has a network of its own.
    fn home(&mut self) -> IpAddr {
        Ipv4Addr::new(80 + (self.next() % 16) as u8, self.next() as u8, self.next() as u8, 1).into()
    }
}

const HOUR: u32 = 3_600;
const DAY: u32 = 24 * HOUR;

/// Two days of people who are nobody's enemy, sorted by time.
pub(crate) fn innocents(seed: u64) -> Vec<Attempt> {
    let mut random = Random(seed);
    let mut log = nat_of_500_users(&mut random);
    log.append(&mut forgetful_crowd(&mut random));
    log.append(&mut old_passwords(&mut random));
    log.append(&mut roaming_phone(&mut random));
    log.sort_by_key(|attempt| attempt.at);
    log
}

/// A company behind one address, on the day after everybody had to change the password: all of them fail, mostly
/// between eight and ten, up to four times each; some mistype their name, and five phones retry the old password.
fn nat_of_500_users(random: &mut Random) -> Vec<Attempt> {
    let address = IpAddr::from([92, 10, 20, 30]);
    let mut log = Vec::new();
    for user in 0..500 {
        let mut at = 8 * HOUR + random.within(0, 2 * HOUR);
        for n in 0..random.within(1, 5) {
            let typo = if n == 0 && random.within(0, 20) == 0 { "x" } else { "" };
            log.push(Attempt { at, login: format!("staff{user}{typo}@example.com"), address });
            at += random.within(5, 120);
        }
    }
    for phone in 0..5 {
        log.append(&mut retries(random, &format!("staff{phone}@example.com"), address, 7 * HOUR, 18 * HOUR));
    }
    log
}

/// Monday morning: ten thousand people at home, up to six failures each, and one in a hundred up to thirty.
fn forgetful_crowd(random: &mut Random) -> Vec<Attempt> {
    let mut log = Vec::new();
    for user in 0..10_000 {
        let (mut at, address) = (7 * HOUR + random.within(0, 4 * HOUR), random.home());
        let failures = if user % 100 == 0 { random.within(10, 31) } else { random.within(1, 7) };
        for _ in 0..failures {
            log.push(Attempt { at, login: format!("user{user}@example.org"), address });
            at += random.within(3, 60);
        }
    }
    log
}

/// Ten devices that retry an old password every minute, for two days; and one person with three such devices, at
/// home, at work and on the way.
fn old_passwords(random: &mut Random) -> Vec<Attempt> {
    let mut log = Vec::new();
    for device in 0..10 {
        let (login, home) = (format!("device{device}@example.org"), random.home());
        log.append(&mut retries(random, &login, home, 0, 2 * DAY));
    }
    for _ in 0..3 {
        let place = random.home();
        log.append(&mut retries(random, "many.devices@example.org", place, 0, 2 * DAY));
    }
    log
}

fn retries(random: &mut Random, login: &str, address: IpAddr, from: u32, to: u32) -> Vec<Attempt> {
    let (first, login) = (from + random.within(0, 60), login.to_owned());
    (first..to).step_by(60).map(|at| Attempt { at, login: login.clone(), address }).collect()
}

/// A phone with an old password that finds itself in another network every hour.
fn roaming_phone(random: &mut Random) -> Vec<Attempt> {
    let mut log = Vec::new();
    for hour in 0..30 {
        let here = random.home();
        log.append(&mut retries(random, "roaming@example.org", here, hour * HOUR, (hour + 1) * HOUR));
    }
    log
}

/// One of each kind, each with logins and networks of its own.
pub(crate) fn attacks(seed: u64) -> Vec<Attack> {
    let mut random = Random(seed ^ 0x00a7_7ac4);
    let random = &mut random;
    let start = 6 * HOUR + random.within(0, 6 * HOUR);
    let lone = |octet: u8| IpAddr::from([203, 0, octet, 66]);
    let one = |login: &str| {
        let login = login.to_owned();
        move |_: u32| login.clone()
    };
    let many = |name: &'static str| move |n: u32| format!("{name}{n}@example.net");
    let v6 = |random: &mut Random| {
        let [high, low] = [random.next(), random.next()];
        let [a, b, c, d, e] = [high, high >> 16, high >> 32, low, low >> 16].map(|part| part as u16);
        IpAddr::from(Ipv6Addr::new(0x2a00, 0x1450, 0x4001, a, b, c, d, e))
    };
    vec![
        Attack {
            name: "fast: 20 a second on one account",
            pattern: "one_account",
            login: Some("fast@example.org".to_owned()),
            address: Some(lone(1)),
            is_grave: true,
            attempts: attempts(random, start, 0.05, 12_000, one("fast@example.org"), |_, _| lone(1)),
        },
        Attack {
            name: "slow: 150 an hour on one account",
            pattern: "one_account",
            login: Some("slow@example.org".to_owned()),
            address: Some(lone(2)),
            is_grave: true,
            attempts: attempts(random, start, 24.0, 1_500, one("slow@example.org"), |_, _| lone(2)),
        },
        Attack {
            name: "distributed: one account from 300 networks, twice each, in six hours",
            pattern: "one_account_many_networks",
            login: Some("distributed@example.org".to_owned()),
            address: None,
            is_grave: true,
            attempts: attempts(random, start, 36.0, 600, one("distributed@example.org"), |_, n| {
                let network = n % 300;
                IpAddr::from([45, (network / 100) as u8, (network % 100) as u8, 7])
            }),
        },
        Attack {
            name: "patient: one account from 140 networks in 20 hours",
            pattern: "one_account_many_networks",
            login: Some("patient@example.org".to_owned()),
            address: None,
            is_grave: false,
            attempts: attempts(random, start, 514.0, 140, one("patient@example.org"), |_, n| {
                IpAddr::from([46, 1, n as u8, 7])
            }),
        },
        Attack {
            name: "spraying: one password for 2 000 accounts, every eight seconds",
            pattern: "many_accounts",
            login: None,
            address: Some(lone(3)),
            is_grave: true,
            attempts: attempts(random, start, 8.0, 2_000, many("sprayed"), |_, _| lone(3)),
        },
        Attack {
            name: "stuffing: 10 000 accounts from one /24, 50 a second",
            pattern: "many_accounts",
            login: None,
            address: Some(lone(4)),
            is_grave: true,
            attempts: attempts(random, start, 0.02, 10_000, many("stuffed"), |random, _| {
                IpAddr::from([203, 0, 4, random.within(1, 255) as u8])
            }),
        },
        Attack {
            name: "stuffing: 5 000 accounts from one /48 of IPv6",
            pattern: "many_accounts",
            login: None,
            address: Some(v6(random)),
            is_grave: true,
            attempts: attempts(random, start, 1.0, 5_000, many("six"), |random, _| v6(random)),
        },
    ]
}

fn attempts(
    random: &mut Random,
    start: u32,
    pause: f64,
    count: u32,
    login: impl Fn(u32) -> String,
    address: impl Fn(&mut Random, u32) -> IpAddr,
) -> Vec<Attempt> {
    let mut at = f64::from(start);
    let attempt = |n| {
        at += random.pause(pause);
        Attempt { at: at as u32, login: login(n), address: address(random, n) }
    };
    (0..count).map(attempt).collect()
}
