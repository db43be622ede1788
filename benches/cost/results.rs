//! The tables and the bars.

use std::fmt;

use super::setup::Around::{
    Disabled, DisabledPeer, EmptyLayer, Listening, Nothing, Peer, PeerListening, PeerStacks, Reporting,
    ReportingStacks, Traced, Watching, WithoutBodies,
};
use super::setup::Handler::{
    Answers, Answers500, AnswersAlike, Calls, CallsThroughEmpty, CallsThroughOurs, CallsThroughPeer,
    Captures, Debugs, Informs, ReadsAndAnswers, Refuses, Repeats, Reports, RunsJob, RunsMonitoredJob, Spans,
    Starts, YieldsAndAnswers,
};
use super::setup::{Around, Handler, SetUp};

/// What one request takes from its thread, or `init` from its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) instructions: Option<f64>,
    pub(crate) allocations: f64,
    pub(crate) bytes: f64,
    /// How many were active where the failure happened.
    pub(crate) frames: f64,
    /// What `init` took without valgrind.
    pub(crate) micros: f64,
}

impl Cost {
    fn over(self, base: Self) -> Self {
        Self {
            instructions: self.instructions.zip(base.instructions).map(|(cost, base)| cost - base),
            allocations: self.allocations - base.allocations,
            bytes: self.bytes - base.bytes,
            ..self
        }
    }
}

/// What each set-up costs.
#[derive(Debug, Default)]
pub(crate) struct Results(Vec<(SetUp, Cost)>);

/// The most that a set-up may cost over another one.
///
/// Everything is turned on: a report is looked through for the errors of every driver and client that is known (some 300
/// instructions), its answer names the request (some 500), and OpenTelemetry is asked for a span (34).
struct Bar {
    what: &'static str,
    set_up: SetUp,
    over: SetUp,
    instructions: f64,
    per_frame: f64,
    allocations: Option<f64>,
    /// What of a peer does the same, and what that is over.
    peer: Option<(SetUp, SetUp)>,
}

const fn of(around: Around, handler: Handler) -> SetUp {
    SetUp { around, handler }
}

const BARS: [Bar; 12] = [
    Bar {
        what: "a request that succeeds",
        set_up: of(Reporting, Answers),
        over: of(Nothing, Answers),
        instructions: 3_200.0,
        per_frame: 0.0,
        allocations: Some(4.0),
        peer: Some((of(Peer, Answers), of(Nothing, Answers))),
    },
    Bar {
        what: "the same with reporting disabled",
        set_up: of(Disabled, Answers),
        over: of(Nothing, Answers),
        instructions: 1_250.0,
        per_frame: 0.0,
        allocations: Some(3.0),
        peer: Some((of(DisabledPeer, Answers), of(Nothing, Answers))),
    },
    Bar {
        what: "a request that fails with a report, no stack",
        set_up: of(Reporting, Reports),
        over: of(Nothing, Answers500),
        instructions: 9_000.0,
        per_frame: 0.0,
        allocations: None,
        peer: Some((of(Peer, Captures), of(Nothing, Answers500))),
    },
    Bar {
        what: "a request that fails without a report",
        set_up: of(Reporting, Answers500),
        over: of(Nothing, Answers500),
        instructions: 8_000.0,
        per_frame: 0.0,
        allocations: None,
        peer: None,
    },
    Bar {
        what: "a report with its stack",
        set_up: of(ReportingStacks, Reports),
        over: of(Nothing, Answers500),
        // 71 600 for 28 frames. One that the compiler makes a part of another takes 1 500 to 1 900 along, as measured.
        instructions: 26_800.0,
        per_frame: 1_600.0,
        allocations: None,
        peer: Some((of(PeerStacks, Captures), of(Nothing, Answers500))),
    },
    Bar {
        what: "a report that repeats, over the same response without one",
        set_up: of(Reporting, Repeats),
        over: of(Reporting, AnswersAlike),
        instructions: 3_500.0,
        per_frame: 0.0,
        allocations: None,
        peer: Some((of(Peer, Captures), of(Peer, AnswersAlike))),
    },
    Bar {
        what: "a job that succeeds, over the future alone (nothing in Rust is a peer)",
        set_up: of(Reporting, RunsJob),
        over: of(Nothing, RunsJob),
        instructions: 2_500.0,
        per_frame: 0.0,
        allocations: Some(6.0),
        peer: None,
    },
    Bar {
        what: "keeping a body of 8 KiB that is read",
        set_up: of(Reporting, ReadsAndAnswers),
        over: of(WithoutBodies, ReadsAndAnswers),
        instructions: 2_000.0,
        per_frame: 0.0,
        allocations: Some(2.0),
        peer: None,
    },
    Bar {
        what: "a call of another service that succeeds",
        set_up: of(Reporting, CallsThroughOurs),
        over: of(Reporting, CallsThroughEmpty),
        instructions: 3_000.0,
        per_frame: 0.0,
        allocations: Some(2.0),
        peer: Some((of(Traced, CallsThroughPeer), of(Traced, Calls))),
    },
    Bar {
        what: "the first line of the log that is a breadcrumb",
        set_up: of(Listening, Informs),
        over: of(Listening, Answers),
        instructions: 2_700.0,
        per_frame: 0.0,
        allocations: Some(6.0),
        peer: Some((of(PeerListening, Informs), of(PeerListening, Answers))),
    },
    Bar {
        what: "a line that nobody listens to",
        set_up: of(Listening, Debugs),
        over: of(Listening, Answers),
        instructions: 50.0,
        per_frame: 0.0,
        allocations: Some(0.0),
        peer: Some((of(PeerListening, Debugs), of(PeerListening, Answers))),
    },
    Bar {
        what: "a request in a span with a field",
        set_up: of(Listening, Spans),
        over: of(Listening, Answers),
        instructions: 3_100.0,
        per_frame: 0.0,
        allocations: Some(3.0),
        peer: Some((of(PeerListening, Spans), of(PeerListening, Answers))),
    },
];

/// What one more poll of a handler takes, over a layer that does nothing.
const FURTHER_POLL: f64 = 200.0;

/// Two milliseconds, of a slow machine.
const INIT: f64 = 4_000_000.0;

#[expect(clippy::print_stdout, reason = "the tables are what this program is for")]
impl Results {
    pub(crate) fn add(&mut self, set_up: SetUp, cost: Cost) {
        self.0.push((set_up, cost));
    }

    /// Prints everything; true if no bar is missed.
    pub(crate) fn print(&self) -> bool {
        println!("What one request takes from its thread, and how much of that the bare router does not.");
        self.print_table(
            "A request that succeeds, and the log",
            &[Answers, Informs, Debugs, Spans],
            |set_up| self.of(set_up),
        );
        self.print_table("One with 8 KiB of JSON that is read", &[ReadsAndAnswers], |set_up| self.of(set_up));
        self.print_table(
            "A request that fails",
            &[Answers500, Reports, Repeats, Refuses, Captures, AnswersAlike],
            |set_up| self.of(set_up),
        );
        self.print_table("A job that succeeds", &[RunsJob, RunsMonitoredJob], |set_up| self.of(set_up));
        self.print_table(
            "A request that calls another service",
            &[Calls, CallsThroughEmpty, CallsThroughOurs, CallsThroughPeer],
            |set_up| self.of(set_up),
        );
        self.print_table("One more poll of the handler", &[YieldsAndAnswers], |set_up| {
            self.further_poll(set_up)
        });
        self.print_init();
        self.print_bars()
    }

    fn further_poll(&self, set_up: SetUp) -> Cost {
        self.of(set_up).over(self.of(SetUp { handler: Answers, ..set_up }))
    }

    fn print_init(&self) {
        println!("\n{:<52}{:>12}{:>13}{:>11}{:>11}", "init", "instructions", "allocations", "bytes", "µs");
        for (set_up, cost) in self.0.iter().filter(|(set_up, _)| set_up.handler == Starts) {
            println!(
                "{:<52}{:>12}{:>13}{:>11}{:>11}",
                set_up.to_string(),
                Number(cost.instructions),
                Number(Some(cost.allocations)),
                Number(Some(cost.bytes)),
                Number(Some(cost.micros)),
            );
        }
    }

    fn print_table(&self, title: &str, handlers: &[Handler], cost: impl Fn(SetUp) -> Cost) {
        println!(
            "\n{title:<52}{:>12}{:>11}{:>13}{:>11}{:>9}{:>11}{:>16}",
            "instructions", "over bare", "allocations", "over bare", "bytes", "over bare", "peer : ours"
        );
        let over_bare = |set_up: SetUp| cost(set_up).over(cost(bare(set_up.handler)));
        for (set_up, _) in self.0.iter().filter(|(set_up, _)| handlers.contains(&set_up.handler)) {
            let (cost, over) = (cost(*set_up), over_bare(*set_up));
            println!(
                "{:<52}{:>12}{:>11}{:>13}{:>11}{:>9}{:>11}{:>16}",
                set_up.to_string(),
                Number(cost.instructions),
                Number(over.instructions),
                Number(Some(cost.allocations)),
                Number(Some(over.allocations)),
                Number(Some(cost.bytes)),
                Number(Some(over.bytes)),
                ours(*set_up).map(|ours| ratios(over, over_bare(ours))).unwrap_or_default(),
            );
        }
    }

    fn print_bars(&self) -> bool {
        println!("\n{:<68}{:>12}{:>11}{:>14}", "Over bare", "measured", "at most", "peer : ours");
        let mut all_hold = true;
        let mut check = |what: String, measured: Option<f64>, at_most, peer: Option<f64>| {
            let verdict = match measured {
                None => "not measured",
                Some(measured) if measured <= at_most => "PASS",
                Some(_) => "FAIL",
            };
            all_hold &= verdict != "FAIL";
            let ratio = peer.zip(measured).map(|(peer, ours)| format!("{:.1}", peer / ours));
            let (measured, at_most) = (Number(measured), Number(Some(at_most)));
            println!("{what:<68}{measured:>12}{at_most:>11}{:>8}  {verdict}", ratio.unwrap_or_default());
        };
        for Bar { what, set_up, over, instructions, per_frame, allocations, peer } in BARS {
            let cost = self.of(set_up).over(self.of(over));
            let peer = peer.map(|(peer, over)| self.of(peer).over(self.of(over)));
            let frames = if per_frame > 0.0 { format!(" ({} frames)", cost.frames) } else { String::new() };
            check(
                format!("{what}: instructions{frames}"),
                cost.instructions,
                instructions + per_frame * cost.frames,
                peer.and_then(|peer| peer.instructions),
            );
            if let Some(allocations) = allocations {
                let peer = peer.map(|peer| peer.allocations);
                check(format!("{what}: allocations"), Some(cost.allocations), allocations, peer);
            }
        }
        let [ours, nothing, peer] =
            [Reporting, EmptyLayer, Peer].map(|around| self.further_poll(of(around, YieldsAndAnswers)));
        check(
            "one more poll, over a layer that does nothing: instructions".to_owned(),
            ours.over(nothing).instructions,
            FURTHER_POLL,
            peer.over(nothing).instructions,
        );
        let (ours, peer) = (self.of(of(ReportingStacks, Starts)), self.of(of(PeerStacks, Starts)));
        check("init: instructions".to_owned(), ours.instructions, INIT, peer.instructions);
        all_hold
    }

    #[expect(clippy::expect_used, reason = "every set-up was run")]
    fn of(&self, set_up: SetUp) -> Cost {
        let found = self.0.iter().find(|(other, _)| *other == set_up);
        found.expect("a set-up that was not run").1
    }
}

/// What a set-up with this handler is compared with.
fn bare(handler: Handler) -> SetUp {
    let handler = match handler {
        Answers | YieldsAndAnswers | ReadsAndAnswers | RunsJob => handler,
        RunsMonitoredJob => RunsJob,
        Answers500 | AnswersAlike | Reports | Repeats | Refuses | Captures | Starts => Answers500,
        Informs | Debugs | Spans => Answers,
        // Of these the layer around the client is looked at.
        Calls | CallsThroughEmpty | CallsThroughOurs | CallsThroughPeer => return of(Reporting, Calls),
    };
    SetUp { around: Nothing, handler }
}

/// What of ours a peer is compared with.
fn ours(peer: SetUp) -> Option<SetUp> {
    let around = match peer.around {
        Peer => Reporting,
        PeerListening => Listening,
        PeerStacks => ReportingStacks,
        DisabledPeer => Disabled,
        Traced if peer.handler == CallsThroughPeer => return Some(of(Reporting, CallsThroughOurs)),
        Traced | Nothing | EmptyLayer | Disabled | Listening | Reporting | Watching | ReportingStacks
        | WithoutBodies => {
            return None;
        }
    };
    Some(SetUp { around, handler: if peer.handler == Captures { Reports } else { peer.handler } })
}

/// Instructions and allocations, each as a multiple of ours.
fn ratios(peer: Cost, ours: Cost) -> String {
    let ratio =
        |peer: f64, ours: f64| if ours > 0.0 { format!("{:.1}", peer / ours) } else { "-".to_owned() };
    let instructions = peer.instructions.zip(ours.instructions).map(|(peer, ours)| ratio(peer, ours));
    format!("{} / {}", instructions.unwrap_or("-".to_owned()), ratio(peer.allocations, ours.allocations))
}

/// A whole number in groups of three digits; `-` where nothing was measured.
struct Number(Option<f64>);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(number) = self.0 else { return f.pad("-") };
        let digits = format!("{:.0}", number.abs());
        let mut text = if number < 0.0 { "-".to_owned() } else { String::new() };
        for (left, digit) in (0..digits.len()).rev().zip(digits.chars()) {
            text.push(digit);
            if left > 0 && left % 3 == 0 {
                text.push(' ');
            }
        }
        f.pad(&text)
    }
}
