//! Brute force on the real path: through the layer, to a server.

use std::net::IpAddr;

use axum::Router;
use axum::extract::Path;
use axum::routing::get as on_get;
use faultwire::ReportLayer;
use faultwire::config::Storm;
use faultwire::layer::IpNet;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::logs::{Attempt, attacks, innocents};
use super::{from, gate, wrong_password};
use crate::support::{Reporting, exception};

/// The first failure says that somebody is to look where requests come from.
async fn begin_to_watch() {
    gate().oneshot(from([127, 0, 0, 1], "/other/3")).await.unwrap();
}

/// Sends these failed logins through the layer, one after the other.
async fn try_all(attempts: &[Attempt]) {
    for attempt in attempts {
        gate().oneshot(from(attempt.address, &format!("/login/{}", attempt.login))).await.unwrap();
    }
}

/// The state, the pattern, and the number that context has for this name.
fn signal(event: &Value) -> (&str, &str) {
    let tag = |name: &str| event["tags"][name].as_str().unwrap();
    (tag("brute_force.state"), tag("brute_force.pattern"))
}

#[tokio::test]
async fn an_attack_is_one_event_for_each_state() {
    // Neither sampling nor a storm leaves a signal out.
    let reporting = Reporting::with(|config| config.sample_rate(0.0).storm(Storm::default()));
    begin_to_watch().await;
    let attack = &attacks(1)[0];
    try_all(&attack.attempts[..250]).await;
    let events = reporting.events(2);
    let states: Vec<_> = events.iter().map(signal).collect();
    assert_eq!(states, [("probing", "one_account"), ("attack", "one_account")]);
    assert_eq!(events[0]["fingerprint"], events[1]["fingerprint"]);
    let hash = |name: &str| events[0]["tags"][name].as_str().unwrap();
    let target = [hash("user.hash"), hash("network.hash")];
    assert_eq!(events[0]["fingerprint"], json!(["auth", "brute_force", "one_account", target[0], target[1]]));
    // An event without a level is an error.
    for (event, level, text, failures) in [
        (&events[0], Some("warning"), "probing: one account from one network", 100),
        (&events[1], None, "attack: one account from one network", 200),
    ] {
        assert_eq!((&event["level"], &event["tags"]["error.category"]), (&json!(level), &json!("auth")));
        assert_eq!(
            (&exception(event)["type"], &exception(event)["value"]),
            (&json!("BruteForce"), &json!(text))
        );
        let context = &event["contexts"]["brute_force"];
        assert_eq!(
            (&context["failures"], &context["kinds"]),
            (&json!(failures), &json!(["bad_credentials"]))
        );
        assert!(context["since"].as_str().unwrap() <= context["until"].as_str().unwrap(), "{context}");
        assert!(
            event["request"].is_null() && event["user"].is_null(),
            "it is about nobody's request: {event}"
        );
    }
    let stats = reporting.guard.stats();
    assert_eq!((stats.auth.signals, stats.captured, stats.sent), (2, 2, 2));
    assert_eq!((stats.auth.bad_credentials, stats.auth.unwatched), (250, 0));
}

/// The generator's attacks, as much of each as it takes, among its innocents of a quarter of an hour on Monday morning;
/// and all that leaves is looked at.
#[tokio::test]
async fn attacks_among_innocents_are_told_and_neither_a_login_nor_an_address_leaves() {
    let reporting = Reporting::start();
    begin_to_watch().await;
    let attacks = attacks(2);
    let pick = |name: &str, count: usize| {
        &attacks.iter().find(|attack| attack.name.starts_with(name)).unwrap().attempts[..count]
    };
    let mut morning = innocents(2);
    morning.retain(|attempt| (8 * 3_600..8 * 3_600 + 900).contains(&attempt.at));
    assert!(morning.len() > 2_000, "{}", morning.len());
    let parts = [pick("fast", 210), pick("distributed", 220), pick("stuffing: 10", 1_900), &morning[..]];
    let longest = parts.iter().map(|part| part.len()).max().unwrap();
    let mixed: Vec<Attempt> =
        (0..longest).flat_map(|n| parts.iter().filter_map(move |part| part.get(n)).cloned()).collect();
    try_all(&mixed).await;
    let events = reporting.events(6);
    let mut told: Vec<_> = events.iter().map(signal).map(|(state, pattern)| (pattern, state)).collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            ("many_accounts", "attack"),
            ("many_accounts", "probing"),
            ("one_account", "attack"),
            ("one_account", "probing"),
            ("one_account_many_networks", "attack"),
            ("one_account_many_networks", "probing"),
        ]
    );
    let stuffing = events.iter().find(|event| signal(event) == ("attack", "many_accounts")).unwrap();
    let accounts = stuffing["contexts"]["brute_force"]["accounts_estimate"].as_u64().unwrap();
    assert!((1_500..1_900).contains(&accounts), "{accounts}");
    assert!(stuffing["tags"]["user.hash"].is_null() && stuffing["tags"]["network.hash"].is_string());

    assert_eq!(reporting.guard.stats().auth.unwatched, 0);
    let mut sent = String::new();
    for request in reporting.server.requests() {
        sent.push_str(&format!("{} {:?} {}\n", request.path, request.headers, request.text()));
    }
    let sent = sent.replace(&reporting.server.dsn(), "").to_lowercase();
    for Attempt { login, address, .. } in &mixed {
        let name = login.split('@').next().unwrap();
        assert!(!sent.contains(login) && !sent.contains(&format!("{name}@")), "{login}");
        assert!(!sent.contains(&address.to_string()), "{address}");
        let address = address.to_string();
        let (network, _) = address.rsplit_once('.').unwrap();
        assert!(!sent.contains(&format!("{network}.")), "{network}");
    }
}

#[tokio::test]
async fn behind_a_proxy_the_network_is_that_of_whom_it_names() {
    let reporting = Reporting::start();
    begin_to_watch().await;
    let balancers: IpNet = "10.0.0.0/8".parse().unwrap();
    let app = Router::new()
        .route("/login/{login}", on_get(async |login: Path<String>| wrong_password(&login)))
        .layer(ReportLayer::new().trusted_proxies([balancers]));
    let attempt = async |peer: [u8; 4], forwarded_for: String| {
        let mut request = from(peer, "/login/ada");
        request.headers_mut().insert("x-forwarded-for", forwarded_for.parse().unwrap());
        app.clone().oneshot(request).await.unwrap();
    };
    // The client may write in front of it what it likes.
    for n in 0..120 {
        attempt([10, 0, 0, 1], format!("1.2.{n}.4, 198.51.100.{n}, 10.0.0.2")).await;
    }
    // Who is no proxy is not believed.
    for n in 0..120 {
        attempt([203, 0, 113, 9], format!("1.3.{n}.4")).await;
    }
    let events = reporting.events(2);
    let patterns: Vec<_> = events.iter().map(signal).collect();
    // The second is the same account from another network.
    assert_eq!(patterns, [("probing", "one_account"), ("probing", "one_account_many_networks")]);
    assert_eq!(events[0]["tags"]["user.hash"], events[1]["tags"]["user.hash"]);
}

#[tokio::test]
async fn an_address_that_may_be_a_proxys_says_nothing() {
    let reporting = Reporting::start();
    begin_to_watch().await;
    // A thousand accounts from a private address: a load balancer that nobody named.
    for n in 0..1_000 {
        gate().oneshot(from(IpAddr::from([10, 0, 0, 1]), &format!("/login/user{n}"))).await.unwrap();
    }
    for _ in 0..120 {
        gate().oneshot(from(IpAddr::from([10, 0, 0, 1]), "/login/ada")).await.unwrap();
    }
    let event = reporting.event();
    assert_eq!(signal(&event), ("probing", "one_account"));
    assert_eq!(exception(&event)["value"], "probing: one account");
    assert!(event["tags"]["network.hash"].is_null());
}

#[tokio::test]
async fn what_is_no_guess_is_no_attack() {
    let reporting = Reporting::start();
    for n in [1, 3, 6] {
        for _ in 0..300 {
            gate().oneshot(from([198, 51, 100, 7], &format!("/fail/{n}"))).await.unwrap();
        }
    }
    reporting.events(0);
    assert_eq!(reporting.guard.stats().auth.total(), 900);
}
