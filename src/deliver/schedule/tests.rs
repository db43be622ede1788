//! What a destination gets, and when: servers in trouble, with wrong keys, with limits.
#![expect(clippy::arithmetic_side_effects, reason = "times and counts of a test are small")]

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::super::lanes::Lane;
use super::super::limits::Category;
use super::super::retry::Verdict;
use super::Order;
use super::simulation::{Answer, Attempt, MILLISECOND, OK, Simulation};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn a_wrong_key_costs_one_request_after_35_s_5_min_1_h_and_every_6_h() {
    let mut world = Simulation::new();
    world.errors(500);
    world.run(2 * DAY, |_| Answer::refused());
    let (first, hours) = ([35, 300, 3_600], [21_600; 6]);
    let seconds: Vec<_> = world.pauses().into_iter().map(|pause| pause / 1_000).collect();
    assert_eq!(seconds[..9], [&first[..], &hours].concat());
    assert_eq!(world.lost.len(), 0, "all is kept");

    world.run(6 * HOUR + MINUTE, |_| OK);
    assert_eq!(world.accepted.len(), 500, "and arrives when the key is good");
}

#[test]
fn four_requests_that_are_refused_at_once_count_once() {
    let mut world = Simulation::new();
    world.errors(1);
    world.run(SECOND, |_| OK);
    world.attempts();
    world.errors(100);
    world.run(MINUTE, |_| Answer::refused());
    let at: Vec<_> = world.attempts().iter().map(|attempt| attempt.at.as_secs()).collect();
    assert_eq!(at, [1, 1, 1, 1, 36], "the four that were under way, and one probe");
}

#[test]
fn a_server_that_fails_is_tried_by_one_request_at_growing_pauses() {
    let mut world = Simulation::new();
    world.errors(100);
    world.run(HOUR, |_| Answer::failed());
    let pauses = world.pauses();
    assert_eq!(pauses[..10], [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000]);
    assert!(pauses[10..].iter().all(|pause| *pause == 300_000), "{pauses:?}");
    assert!(pauses.len() > 15);
}

#[test]
fn a_server_may_ask_for_other_pauses() {
    for (wait, pause) in [(7 * SECOND, 7_000), (Duration::ZERO, 500)] {
        let mut world = Simulation::new();
        world.errors(10);
        world.run(MINUTE, |_| Answer { verdict: Verdict::Failed { wait: Some(wait) }, ..OK });
        assert!(world.pauses().iter().all(|found| *found == pause), "{wait:?}");
    }
}

#[test]
fn a_short_failure_slows_nothing_down() {
    let mut world = Simulation::new();
    let first = world.errors(100)[0];
    let mut failures = 2;
    world.run(3 * SECOND, |_| {
        failures -= 1;
        if failures >= 0 { Answer::failed() } else { OK }
    });
    assert_eq!(world.accepted.len(), 100);
    assert_eq!(world.accepted[0], first, "in the order in which they came");
}

#[test]
fn after_an_outage_new_events_go_first_and_the_backlog_follows_gently() {
    let mut world = Simulation::new();
    world.errors(500);
    world.run(MINUTE, |_| Answer::failed());
    // Until the probe.
    while world.accepted.is_empty() {
        world.run(MILLISECOND, |_| OK);
    }
    let mut new = Vec::new();
    for _ in 0..40 {
        new.extend(world.errors(1));
        world.run(100 * MILLISECOND, |_| OK);
        assert!(new.iter().all(|event| world.accepted.contains(event)), "new events do not wait");
    }
    let of_backlog = world.accepted.len() - new.len();
    assert!((195..=205).contains(&of_backlog), "50 a second for 4 s: {of_backlog}");
    world.run(10 * SECOND, |_| OK);
    assert_eq!(world.accepted.len(), 540);
}

#[test]
fn whoever_waits_for_the_end_gets_the_backlog_without_pauses() {
    let mut world = Simulation::new();
    world.errors(500);
    world.run(MINUTE, |_| Answer::failed());
    world.schedule.hurry(world.now + MINUTE);
    world.run(MINUTE, |_| OK);
    let times: Vec<_> =
        world.attempts().into_iter().filter(|attempt| attempt.verdict == Verdict::Accepted).collect();
    assert_eq!(times.len(), 500);
    assert!(times[499].at - times[0].at < SECOND);
}

#[test]
fn a_server_that_takes_no_transactions_costs_no_request_for_them_and_no_error_waits() {
    // As Bugsink says it with every answer.
    let bugsink = Answer { limits: &[(Category::Transaction, DAY)], ..OK };
    let mut world = Simulation::new();
    world.errors(1);
    world.run(SECOND, |_| bugsink);
    world.attempts();
    for _ in 0..100 {
        world.push(Lane::Rest, Category::Transaction, Order::Any);
        world.errors(1);
        world.run(MINUTE, |_| bugsink);
    }
    assert_eq!((world.attempts().len(), world.accepted.len()), (100, 101));
    assert_eq!(world.schedule.load().0, 100, "they are held");
    assert_eq!(world.schedule.stuck_until(world.now + HOUR), Some(100));
}

#[test]
fn a_429_holds_what_it_names_and_else_everything_for_a_minute() {
    let limited = Answer { verdict: Verdict::Limited, ..OK };
    let named = Answer { limits: &[(Category::Transaction, HOUR)], ..limited };
    let mut world = Simulation::new();
    world.push(Lane::Rest, Category::Transaction, Order::Any);
    world.run(SECOND, |_| named);
    world.errors(3);
    world.run(SECOND, |_| OK);
    assert_eq!(world.accepted.len(), 3);
    world.run(HOUR, |_| OK);
    assert_eq!(world.accepted.len(), 4);

    // One that does not name what it refused: nothing goes round in circles.
    let mut world = Simulation::new();
    world.errors(3);
    world.run(MINUTE - SECOND, |_| limited);
    assert_eq!(world.attempts().len(), 1);
    world.run(MINUTE, |_| OK);
    assert_eq!(world.accepted.len(), 3);
}

#[test]
fn an_event_that_the_server_stumbles_over_stops_no_other_and_is_given_up() {
    let mut world = Simulation::new();
    let poison = world.errors(1)[0];
    let fails_on_it = |event| if event == poison { Answer::failed() } else { OK };
    let mut good = Vec::new();
    for _ in 0..60 {
        good.extend(world.errors(1));
        world.run(30 * SECOND, fails_on_it);
    }
    assert!(good.iter().all(|event| world.accepted.contains(event)));
    assert_eq!(world.lost, [poison]);
    let tries = world.attempts().iter().filter(|attempt| attempt.event == poison).count();
    assert!((10..60).contains(&tries), "{tries} attempts");
}

#[test]
fn the_first_event_of_an_issue_goes_alone_and_the_others_together() {
    let issue = |issue| Order::FirstOfIssue(issue);
    let mut world = Simulation::new();
    world.errors(1);
    world.run(SECOND, |_| OK);
    world.attempts();
    for n in [7, 7, 7, 7, 8, 7] {
        world.push(Lane::Errors, Category::Error, issue(n));
    }
    world.run(SECOND, |_| Answer { after: 50 * MILLISECOND, ..OK });
    let sent: Vec<_> = world.attempts().iter().map(|a| (a.event, a.at.as_millis() - 1_000)).collect();
    assert_eq!(sent, [(1, 0), (5, 0), (2, 50), (3, 50), (4, 50), (6, 50)]);
}

#[test]
fn check_ins_of_a_monitor_arrive_in_order_also_through_an_outage() {
    let mut world = Simulation::new();
    let mut all = Vec::new();
    for minute in 0..20 {
        all.push(world.push(Lane::Rest, Category::Monitor, Order::OneByOne(1)));
        world.push(Lane::Rest, Category::Monitor, Order::OneByOne(2));
        world.errors(3);
        world.run(MINUTE, |event| match (5..15).contains(&minute) {
            true => Answer::failed(),
            false => Answer { after: Duration::from_millis(event as u64 % 7), ..OK },
        });
    }
    world.run(HOUR, |_| OK);
    let arrived: Vec<_> = world.accepted.iter().copied().filter(|event| all.contains(event)).collect();
    assert_eq!(arrived, all);
}

#[test]
fn a_job_that_ends_after_an_outage_does_not_end_before_it_began() {
    let mut world = Simulation::new();
    let check_in = |world: &mut Simulation| world.push(Lane::Rest, Category::Monitor, Order::OneByOne(1));
    world.errors(500);
    let began = check_in(&mut world);
    world.run(MINUTE, |_| Answer::failed());
    while world.accepted.is_empty() {
        world.run(MILLISECOND, |_| OK);
    }
    let ended = check_in(&mut world);
    world.run(MINUTE, |_| OK);
    let place = |event| world.accepted.iter().position(|accepted| *accepted == event).unwrap();
    assert!(place(began) < place(ended));
}

#[derive(Clone, Debug)]
struct Step {
    pushes: Vec<(Lane, u64)>,
    answers: Vec<(u8, u64)>,
    time: Duration,
}

fn step() -> impl Strategy<Value = Step> {
    let push = (proptest::sample::select(&Lane::ALL[..]), 0_u64..6);
    let pushes = prop::collection::vec(push, 0..12);
    let answers = prop::collection::vec((0_u8..12, 1_u64..3_000), 1..12);
    let time = (0_u64..120_000).prop_map(Duration::from_millis);
    (pushes, answers, time).prop_map(|(pushes, answers, time)| Step { pushes, answers, time })
}

fn answer((what, after): (u8, u64)) -> Answer {
    let verdict = match what {
        0 => Verdict::Rejected,
        1 => Verdict::Limited,
        2 | 3 => Verdict::Failed { wait: None },
        4 => Verdict::Failed { wait: Some(3 * SECOND) },
        5 => Verdict::Refused { wait: None },
        _ => Verdict::Accepted,
    };
    let limits: &[_] =
        if what == 6 { &[(Category::Transaction, MINUTE), (Category::Error, SECOND)] } else { &[] };
    Answer { verdict, limits, after: Duration::from_millis(after) }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the server says and when, no event is in two places or in none, a server in trouble is left alone
    /// and then gets one request, and in the end everything arrives.
    #[test]
    fn nothing_is_lost_and_no_server_is_hammered(steps in prop::collection::vec(step(), 1..20)) {
        let mut world = Simulation::new();
        for step in &steps {
            for (lane, key) in &step.pushes {
                let (category, order) = match lane {
                    Lane::Rest if *key < 3 => (Category::Monitor, Order::OneByOne(*key)),
                    Lane::Rest => (Category::Transaction, Order::Any),
                    _ => (Category::Error, Order::FirstOfIssue(*key)),
                };
                world.push(*lane, category, order);
            }
            let mut answers = step.answers.iter().copied().cycle();
            world.run(step.time, |_| answer(answers.next().unwrap()));
        }
        let waiting = world.schedule.load().0;
        prop_assert_eq!(world.accepted.len() + world.lost.len() + waiting, world.pushed);

        // The longest hold is one of 6 hours, or of a day if the server says so.
        world.run(DAY, |_| OK);
        prop_assert_eq!(world.schedule.load(), (0, 0));
        let mut fates: BTreeMap<usize, usize> = BTreeMap::new();
        for event in world.accepted.iter().chain(&world.lost) {
            *fates.entry(*event).or_default() += 1;
        }
        prop_assert!(fates.len() == world.pushed && fates.values().all(|times| *times == 1));

        let attempts = world.attempts();
        let troubles = |attempt: &&Attempt| {
            matches!(attempt.verdict, Verdict::Failed { .. } | Verdict::Refused { .. })
        };
        for trouble in attempts.iter().filter(troubles) {
            // Until one that was sent afterwards is answered, at most one is under way, and not at once.
            let after: Vec<_> = attempts.iter().filter(|other| other.at >= trouble.until).collect();
            if let [probe, rest @ ..] = &after[..] {
                prop_assert!(probe.at - trouble.until >= 500 * MILLISECOND);
                prop_assert!(rest.iter().all(|other| other.at >= probe.until));
            }
        }
    }
}
