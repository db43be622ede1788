//! When to try a server again: the state of the way to it.
//!
//! ```text
//!            an answer        failed, refused, limited
//!   untried ───────────▶ open ────────────────────────▶ held ─── time is over ──▶ one probe
//!                         ▲                              ▲   failed, refused           │
//!                         │                              └─────────────────────────────┤
//!                         └────────────────────────────────────────────────────────────┘
//! ```
//! Only an open way takes several requests at the same time. A server that nobody has heard of yet gets one, and
//! so does one that failed: a fleet with a wrong key, or one whose server comes back, does not hammer it. Time is
//! handed in, so that years of it take a test no time.

use std::time::{Duration, Instant};

const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const MAX_BACKOFF: Duration = Duration::from_secs(5 * 60);
/// GlitchTip answers everybody 403 for 30 s after one request with a wrong key. After a day's worth of refusals
/// nobody is about to mend it within minutes.
const REFUSED: [Duration; 4] = [
    Duration::from_secs(35),
    Duration::from_secs(5 * 60),
    Duration::from_secs(60 * 60),
    Duration::from_secs(6 * 60 * 60),
];

/// What an answer, or none, means for the event that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The server has it.
    Accepted,
    /// Not this event, ever.
    Rejected,
    /// Not now: too many.
    Limited,
    /// The server, or the way to it, is in trouble.
    Failed { wait: Option<Duration> },
    /// A wrong key, a wrong project, a wrong address: somebody will mend it.
    Refused { wait: Option<Duration> },
}

/// The way to one server.
#[derive(Debug)]
pub(super) struct Line {
    open: bool,
    held_until: Option<Instant>,
    in_flight: usize,
    /// Grows with everything that closes the way: what was sent before says nothing about it any more.
    epoch: u64,
    failures: u32,
    refusals: u32,
    down_since: Option<Instant>,
    accepted: u64,
    /// Spread evenly over `0.0..1.0`.
    random: fn() -> f64,
}

/// Whether a request may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Go {
    Now,
    At(Instant),
    /// After the answer to the request that is under way.
    WhenAnswered,
}

/// A request that is under way.
#[derive(Debug)]
pub(super) struct Flight {
    epoch: u64,
}

/// What an answer changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Nothing,
    /// The server was there before, or unknown. The next request goes after that time.
    WentDown {
        hold: Duration,
    },
    /// It is still away.
    StaysDown {
        hold: Duration,
    },
    /// It was away for that long.
    CameBack {
        after: Duration,
    },
}

impl Line {
    pub(super) fn new(random: fn() -> f64) -> Self {
        Self {
            open: false,
            held_until: None,
            in_flight: 0,
            epoch: 0,
            failures: 0,
            refusals: 0,
            down_since: None,
            accepted: 0,
            random,
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How many events the server has accepted.
    pub(super) fn accepted(&self) -> u64 {
        self.accepted
    }

    pub(super) fn may_go(&self, now: Instant) -> Go {
        match self.held_until {
            Some(until) if until > now => Go::At(until),
            _ if self.open || self.in_flight == 0 => Go::Now,
            _ => Go::WhenAnswered,
        }
    }

    /// Whether the last that was heard of the server was no good.
    pub(super) fn is_down(&self) -> bool {
        self.down_since.is_some()
    }

    pub(super) fn is_open(&self, now: Instant) -> bool {
        self.open && self.may_go(now) == Go::Now
    }

    pub(super) fn depart(&mut self) -> Flight {
        self.in_flight = self.in_flight.saturating_add(1);
        Flight { epoch: self.epoch }
    }

    pub(super) fn arrive(&mut self, now: Instant, flight: &Flight, verdict: Verdict) -> Change {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.accepted = self.accepted.saturating_add(u64::from(verdict == Verdict::Accepted));
        let is_news = flight.epoch == self.epoch;
        match verdict {
            Verdict::Accepted | Verdict::Rejected if is_news => self.came_back(now),
            Verdict::Limited if is_news => {
                // The limit itself is kept by category; whatever goes after it goes alone.
                self.close();
                Change::Nothing
            }
            Verdict::Failed { wait } => {
                let hold = match wait {
                    Some(wait) => self.longer(wait.max(FIRST_BACKOFF)),
                    None => self.backoff(self.failures.saturating_sub(u32::from(!is_news))),
                };
                self.failures = self.failures.saturating_add(u32::from(is_news));
                self.went_down(now, hold, is_news)
            }
            Verdict::Refused { wait } => {
                let pause = refused(self.refusals.saturating_sub(u32::from(!is_news)));
                let hold = self.longer(pause.max(wait.unwrap_or_default()));
                self.refusals = self.refusals.saturating_add(u32::from(is_news));
                self.went_down(now, hold, is_news)
            }
            _ => Change::Nothing,
        }
    }

    fn came_back(&mut self, now: Instant) -> Change {
        self.open = true;
        (self.failures, self.refusals) = (0, 0);
        match self.down_since.take() {
            Some(since) => Change::CameBack { after: now.saturating_duration_since(since) },
            None => Change::Nothing,
        }
    }

    /// What was sent before the server was known to be away holds the next request back, too, and counts no more.
    fn went_down(&mut self, now: Instant, hold: Duration, is_news: bool) -> Change {
        self.held_until = self.held_until.max(now.checked_add(hold));
        if !is_news {
            return Change::Nothing;
        }
        self.close();
        match self.down_since.replace(self.down_since.unwrap_or(now)) {
            None => Change::WentDown { hold },
            Some(_) => Change::StaysDown { hold },
        }
    }

    fn close(&mut self) {
        self.open = false;
        self.epoch = self.epoch.wrapping_add(1);
    }

    /// 0.5 s, 1 s, 2 s, .. 5 min, each up to a quarter shorter, so that a fleet does not come back as one.
    fn backoff(&self, failures: u32) -> Duration {
        let doubled = FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(failures.min(16)));
        doubled.min(MAX_BACKOFF).mul_f64(1.0 - (self.random)() / 4.0)
    }

    /// What the server asked for at least, and up to a tenth more.
    pub(super) fn longer(&self, wait: Duration) -> Duration {
        wait.mul_f64(1.0 + (self.random)() / 10.0)
    }
}

/// How long a server that has refused so often before is left alone.
fn refused(before: u32) -> Duration {
    let [.., longest] = REFUSED;
    let at = usize::try_from(before).unwrap_or(usize::MAX);
    REFUSED.get(at).copied().unwrap_or(longest)
}
