//! What delivery says about itself: to health handlers, to the log, and never as an event.

use std::time::{Duration, SystemTime};

use faultwire::Config;
use faultwire::config::Destination;
use faultwire::sentry::protocol::Event;
use serde_json::{Value, json};

use crate::delivery::{PATIENCE, eventually, fail};
use crate::fake::{Answer, FakeServer};
use crate::init::{Log, alone};
use crate::support::{Reporting, turn};

#[test]
fn the_stats_are_a_body_for_a_health_handler() {
    let reporting = Reporting::start();
    reporting.server.answer_next([Answer::Status(400)]);
    fail("refused");
    assert!(reporting.guard.flush(PATIENCE));
    let before = serde_json::to_value(reporting.guard.stats()).unwrap();
    assert_eq!(
        (&before["last_success"], &before["destinations"][0]["last_success"]),
        (&json!(null), &json!(null))
    );
    fail("accepted");
    reporting.event();

    let body = serde_json::to_value(reporting.guard.stats()).unwrap();
    assert_eq!(
        (&body["captured"], &body["sent"], &body["dropped"]["rejected"]),
        (&json!(2), &json!(1), &json!(1))
    );
    assert_eq!(body["last_error"], "the server answered 400");
    let [destination] = &body["destinations"].as_array().unwrap()[..] else { panic!("{body}") };
    assert_eq!((&destination["name"], &destination["reachable"]), (&json!("default"), &json!(true)));
    assert_eq!(
        (&destination["sent"], &destination["queued"], &destination["queued_bytes"]),
        (&json!(1), &json!(0), &json!(0))
    );
    for at in [&body["last_success"], &destination["last_success"]] {
        let at = at.as_str().unwrap();
        assert!(at.starts_with("20") && at.ends_with('Z') && at.contains('T'), "RFC 3339: {at}");
    }
}

#[test]
fn a_clock_that_is_off_is_noticed_by_the_servers_date_and_said_once() {
    alone("delivery::health::a_clock_that_is_off_is_noticed_by_the_servers_date_and_said_once", || {
        let log = Log::default();
        tracing::subscriber::set_global_default(log.subscriber()).unwrap();
        let reporting = Reporting::start();
        let hour = Duration::from_secs(60 * 60);
        let date = |time| Answer::OkWithDate(httpdate::fmt_http_date(time));
        let ahead = |n| {
            reporting.events(n);
            reporting.guard.stats().destinations[0].clock_ahead_seconds
        };
        for (n, (now, expected)) in [
            (SystemTime::now(), None),
            (SystemTime::now() - hour, Some(3_590..=3_600)),
            (SystemTime::now() - hour, Some(3_590..=3_600)),
            (SystemTime::now(), None),
            (SystemTime::now() + hour, Some(-3_600..=-3_590)),
        ]
        .into_iter()
        .enumerate()
        {
            reporting.server.answer(date(now));
            fail(format!("event {n}"));
            match (ahead(n + 1), expected) {
                (Some(found), Some(expected)) => assert!(expected.contains(&found), "{n}: {found}"),
                (found, expected) => assert!(found.is_none() && expected.is_none(), "{n}: {found:?}"),
            }
        }
        assert_eq!(log.text().matches("the clock of this machine is").count(), 2, "{}", log.text());
        assert_eq!(reporting.guard.stats().captured, 5, "it is no event");
    });
}

#[test]
fn a_dsn_that_is_refused_is_said_aloud_and_an_outage_once() {
    alone("delivery::health::a_dsn_that_is_refused_is_said_aloud_and_an_outage_once", || {
        let log = Log::default();
        tracing::subscriber::set_global_default(log.subscriber()).unwrap();
        let reporting = Reporting::start();
        reporting.server.answer_next([Answer::Status(503), Answer::Status(503), Answer::Status(403)]);
        fail("not delivered");
        eventually("the DSN is refused", || {
            reporting.guard.stats().last_error.is_some_and(|why| why.contains("403"))
        });
        eventually("it is said", || log.text().contains("the DSN is refused, next try in 3"));
        let text = log.text();
        let warnings: Vec<_> = text.lines().filter(|line| line.contains("WARN")).collect();
        assert_eq!(warnings.len(), 2, "{text}");
        assert!(warnings[0].contains("not delivered, next try in") && warnings[0].contains("503"), "{text}");
        assert_eq!(reporting.guard.stats().captured, 1, "it is no event");
    });
}

#[test]
fn a_server_that_understands_reports_is_told_what_never_came_and_no_other_is() {
    let (_turn, server, other) = (turn(), FakeServer::start(), FakeServer::start());
    let drops =
        |event: &Event<'_>| event.exception.values.iter().any(|e| e.value.as_deref() == Some("drop me"));
    let guard = Config::new()
        .destination(Destination::new("sentry", server.dsn()).client_reports(true))
        .destination(Destination::new("other", other.dsn()))
        .client_options(move |options| options.before_send(move |event| (!drops(&event)).then_some(event)))
        .init()
        .unwrap();
    fail("drop me");
    fail("drop me");
    server.answer_next([Answer::Status(400)]);
    fail("refused here");
    assert!(guard.flush(PATIENCE));
    let reports = || -> Vec<Value> {
        let envelopes = server.requests().into_iter().map(|request| request.text());
        let reports = envelopes.filter(|envelope| envelope.contains(r#""type":"client_report""#));
        reports.map(|envelope| serde_json::from_str(envelope.lines().nth(2).unwrap()).unwrap()).collect()
    };
    eventually("it is told", || !reports().is_empty());
    let expected = json!([
        {"reason": "before_send", "category": "error", "quantity": 2},
        {"reason": "send_error", "category": "error", "quantity": 1},
    ]);
    assert_eq!(reports()[0]["discarded_events"], expected);

    fail("drop me");
    fail("accepted");
    assert!(guard.flush(PATIENCE));
    assert_eq!((server.requests().len(), reports().len()), (3, 1), "nobody is told more than once a minute");
    assert_eq!(other.requests().len(), 2);
    let stats = guard.stats();
    assert_eq!((stats.captured, stats.sent), (5, 2), "a report is no event");
}
