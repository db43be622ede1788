//! A destination's schedule, four senders and a server, in a world of their own: days pass in no time.
#![expect(clippy::arithmetic_side_effects, reason = "times and counts of a test are small")]

use std::time::{Duration, Instant};

use super::super::lanes::Lane;
use super::super::limits::Category;
use super::super::retry::Verdict;
use super::{Next, Order, Schedule, Sending, Settled};

const SENDERS: usize = 4;
const PACE: Duration = Duration::from_millis(20);
pub(super) const MILLISECOND: Duration = Duration::from_millis(1);
pub(super) const OK: Answer = Answer { verdict: Verdict::Accepted, limits: &[], after: MILLISECOND };

/// What a simulated server says, and how long it takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) verdict: Verdict,
    pub(super) limits: &'static [(Category, Duration)],
    pub(super) after: Duration,
}

impl Answer {
    pub(super) fn failed() -> Self {
        Self { verdict: Verdict::Failed { wait: None }, ..OK }
    }

    pub(super) fn refused() -> Self {
        Self { verdict: Verdict::Refused { wait: None }, ..OK }
    }
}

/// One attempt: what was sent, when, and what was answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) event: usize,
    pub(super) at: Duration,
    pub(super) until: Duration,
    pub(super) verdict: Verdict,
}

pub(super) struct Simulation {
    pub(super) schedule: Schedule<usize>,
    begin: Instant,
    pub(super) now: Instant,
    under_way: Vec<(Instant, Sending<usize>, Answer)>,
    attempts: Vec<Attempt>,
    pub(super) pushed: usize,
    pub(super) accepted: Vec<usize>,
    /// Shed, turned away, rejected or given up.
    pub(super) lost: Vec<usize>,
}

impl Simulation {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            schedule: Schedule::new(1_000, 1_000_000, PACE, || 0.0),
            begin: now,
            now,
            under_way: Vec::new(),
            attempts: Vec::new(),
            pushed: 0,
            accepted: Vec::new(),
            lost: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, lane: Lane, category: Category, order: Order) -> usize {
        let event = self.pushed;
        self.pushed += 1;
        match self.schedule.push(lane, 1, category, order, event) {
            Ok(shed) => self.lost.extend(shed),
            Err(event) => self.lost.push(event),
        }
        event
    }

    pub(super) fn errors(&mut self, n: usize) -> Vec<usize> {
        (0..n).map(|_| self.push(Lane::Errors, Category::Error, Order::Any)).collect()
    }

    /// Lets time pass; `server` answers what is sent.
    pub(super) fn run(&mut self, time: Duration, mut server: impl FnMut(usize) -> Answer) {
        let end = self.now + time;
        loop {
            let next = self.send_what_may_go(&mut server);
            let answered = self.under_way.iter().map(|(at, ..)| *at).min();
            let step = [next, answered].into_iter().flatten().min();
            let Some(step) = step.filter(|step| *step <= end) else { break };
            assert!(step > self.now || answered == Some(step), "time passes");
            self.now = step;
            self.take_answers();
        }
        self.now = end;
    }

    /// Returns when more may go.
    fn send_what_may_go(&mut self, server: &mut impl FnMut(usize) -> Answer) -> Option<Instant> {
        while self.under_way.len() < SENDERS {
            match self.schedule.next(self.now) {
                Next::Send(sending) => {
                    let answer = server(*sending.item());
                    self.under_way.push((self.now + answer.after, sending, answer));
                }
                Next::Wait(until) => return until,
                Next::Closed => return None,
            }
        }
        None
    }

    fn take_answers(&mut self) {
        while let Some(at) = self.under_way.iter().position(|(at, ..)| *at <= self.now) {
            let (_, sending, answer) = self.under_way.remove(at);
            let event = *sending.item();
            let until = self.now - self.begin;
            let attempt = Attempt { event, at: until - answer.after, until, verdict: answer.verdict };
            self.attempts.push(attempt);
            self.schedule.limit(self.now, answer.limits);
            match self.schedule.settle(self.now, sending, answer.verdict).0 {
                Settled::Over(event) if answer.verdict == Verdict::Accepted => self.accepted.push(event),
                Settled::Over(event) | Settled::GivenUp(event) => self.lost.push(event),
                Settled::Again | Settled::Closed => {}
            }
        }
    }

    /// When attempts were made, since the last call.
    pub(super) fn attempts(&mut self) -> Vec<Attempt> {
        let mut attempts = std::mem::take(&mut self.attempts);
        attempts.sort_by_key(|attempt| attempt.at);
        attempts
    }

    /// The time between the end of an attempt and the next attempt, in milliseconds.
    pub(super) fn pauses(&mut self) -> Vec<u128> {
        self.attempts().windows(2).map(|pair| (pair[1].at - pair[0].until).as_millis()).collect()
    }
}
