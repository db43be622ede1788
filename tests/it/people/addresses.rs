//! The address of the client: off, in parts, as a hash, or whole; from the peer, or from whom proxies name.

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::routing::get as on_get;
use faultwire::config::ClientIp;
use faultwire::layer::IpNet;
use faultwire::sentry::protocol::IpAddress;
use faultwire::sentry::{self, Level};
use faultwire::{Config, Report, ReportLayer, User};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::KEY;
use crate::config::{from as config_of, start};
use crate::delivery::PATIENCE;
use crate::init::Log;
use crate::support::{Reporting, get};

const CLIENT: &str = "198.51.100.7";

/// A request that fails in every way in which one can.
fn shop(layer: ReportLayer) -> Router {
    Router::new()
        .route("/report", on_get(async || Report::new("no stock")))
        .route("/bare", on_get(async || StatusCode::BAD_GATEWAY))
        .route("/panic", on_get(async || -> () { panic!("the till is jammed") }))
        .route("/sdk", on_get(async || drop(sentry::capture_message("by the SDK", Level::Error).to_string())))
        .route("/sent", on_get(async || Report::new("no mail").send().to_string()))
        .layer(layer)
}

const PATHS: [&str; 5] = ["/report", "/bare", "/panic", "/sdk", "/sent"];

fn from(peer: &str, path: &str) -> Request<Body> {
    let mut request = get(path);
    let peer: IpAddr = peer.parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer, 50_000)));
    request
}

fn through(proxies: &str, mut request: Request<Body>) -> Request<Body> {
    request.headers_mut().insert("x-forwarded-for", proxies.parse().unwrap());
    request
}

/// What is said of where the request came from.
fn said(event: &Value) -> (&Value, &Value) {
    (&event["user"]["ip_address"], &event["tags"]["client.hash"])
}

#[tokio::test]
async fn by_default_no_address_leaves() {
    let reporting = Reporting::start();
    for path in PATHS {
        shop(ReportLayer::new()).oneshot(through(CLIENT, from("203.0.113.9", path))).await.unwrap();
    }
    reporting.events(PATHS.len());
    for request in reporting.server.requests() {
        let text = request.text();
        assert!(!text.contains("198.51.100") && !text.contains("203.0.113"), "{text}");
    }
}

#[tokio::test]
async fn an_event_says_as_much_as_was_chosen() {
    // `printf 'ip:\xc6\x33\x64\x07' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef`
    let hash = json!("13a5f2836ba597be21c5d9e1f48fe395");
    for (mode, address, hash) in [
        (ClientIp::Truncated, json!("198.51.100.0"), Value::Null),
        (ClientIp::Hmac, Value::Null, hash),
        (ClientIp::Full, json!(CLIENT), Value::Null),
    ] {
        let reporting = Reporting::with(|config| config.client_ip(mode).hash_key(KEY));
        for path in PATHS {
            shop(ReportLayer::new()).oneshot(from(CLIENT, path)).await.unwrap();
        }
        for event in reporting.events(PATHS.len()) {
            assert_eq!(said(&event), (&address, &hash), "{mode:?}: {event}");
        }
        if mode != ClientIp::Full {
            assert!(reporting.server.requests().iter().all(|request| !request.text().contains(CLIENT)));
        }
    }
}

#[tokio::test]
async fn a_network_of_ipv6_is_a_site() {
    let reporting = Reporting::with(|config| config.client_ip(ClientIp::Truncated));
    shop(ReportLayer::new()).oneshot(from("2a00:1450:4001:82a::200e", "/report")).await.unwrap();
    assert_eq!(reporting.event()["user"], json!({"ip_address": "2a00:1450:4001::"}));
}

#[tokio::test]
async fn who_is_behind_a_proxy_is_known_where_the_proxy_is_trusted() {
    let nets = |texts: &[&str]| texts.iter().map(|text| text.parse::<IpNet>().unwrap()).collect::<Vec<_>>();
    // For all layers, for this one, who connects, and whose request it is.
    let cases: [(&[&str], &[&str], &str, Value); 5] = [
        (&[], &[], "10.0.0.1", Value::Null),
        (&[], &["10.0.0.0/8"], "10.0.0.1", json!(CLIENT)),
        (&["10.0.0.0/8"], &[], "10.0.0.1", json!(CLIENT)),
        // Together they know both.
        (&["192.168.0.0/16"], &["10.0.0.0/8"], "192.168.0.4", json!(CLIENT)),
        // Everybody can send the header.
        (&["10.0.0.0/8"], &[], "203.0.113.9", json!("203.0.113.9")),
    ];
    for (of_all, own, peer, expected) in cases {
        let reporting =
            Reporting::with(|config| config.client_ip(ClientIp::Full).trusted_proxies(nets(of_all)));
        let request = through("1.2.3.4, 198.51.100.7, 10.9.9.9", from(peer, "/report"));
        shop(ReportLayer::new().trusted_proxies(nets(own))).oneshot(request).await.unwrap();
        assert_eq!(said(&reporting.event()).0, &expected, "{of_all:?} {own:?} {peer}");
    }
}

#[tokio::test]
async fn the_environment_says_the_same() {
    let variables =
        [("FAULTWIRE_CLIENT_IP", "Truncated"), ("FAULTWIRE_TRUSTED_PROXIES", "10.0.0.0/8, ::1 ,192.0.2.4")];
    let (_turn, server, guard) = start(&variables, |config| config);
    for peer in ["10.0.0.1", "::1", "192.0.2.4"] {
        shop(ReportLayer::new()).oneshot(through(CLIENT, from(peer, "/report"))).await.unwrap();
    }
    assert!(guard.flush(PATIENCE));
    assert!(server.expect_only(3).iter().all(|event| event["user"]["ip_address"] == "198.51.100.0"));
    for (name, value, why) in [
        ("FAULTWIRE_CLIENT_IP", "yes", "\"yes\" is not one of off, truncated, hmac, full"),
        (
            "FAULTWIRE_TRUSTED_PROXIES",
            "10.0.0.0/8,10.0.0.0/33",
            "\"10.0.0.0/33\" is no network such as 10.0.0.0/16",
        ),
    ] {
        assert_eq!(config_of(&[(name, value)]).unwrap_err().to_string(), format!("{name}: {why}"));
    }
}

#[tokio::test]
async fn what_the_application_said_itself_stays_and_nobody_is_left_to_guess() {
    let own = async |given: Option<IpAddress>| {
        let handler = async move || {
            faultwire::current().user(User::id("7"));
            sentry::configure_scope(|scope| {
                scope.set_user(Some(sentry::User { ip_address: given, ..sentry::User::default() }));
            });
            sentry::capture_message("by the SDK", Level::Error);
            Report::new("no stock")
        };
        let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
        app.oneshot(from(CLIENT, "/")).await.unwrap();
    };
    for (mode, given, expected) in [
        (ClientIp::Off, IpAddress::Auto, Value::Null),
        (ClientIp::Hmac, IpAddress::Auto, Value::Null),
        (ClientIp::Full, IpAddress::Auto, json!(CLIENT)),
        (ClientIp::Full, IpAddress::Exact([192, 0, 2, 1].into()), json!("192.0.2.1")),
        (ClientIp::Off, IpAddress::Exact([192, 0, 2, 1].into()), json!("192.0.2.1")),
    ] {
        let reporting = Reporting::with(|config| config.client_ip(mode).hash_key(KEY));
        own(Some(given)).await;
        for event in reporting.events(2) {
            assert_eq!(
                (said(&event).0, &event["user"]["id"]),
                (&expected, &json!("7")),
                "{mode:?} {given:?}"
            );
        }
    }
}

#[tokio::test]
async fn without_a_peer_nothing_is_said() {
    let reporting = Reporting::with(|config| config.client_ip(ClientIp::Full));
    shop(ReportLayer::new()).oneshot(through(CLIENT, get("/report"))).await.unwrap();
    assert_eq!(reporting.event().get("user"), None);
}

#[test]
fn hashes_under_a_random_key_are_warned_of_once_and_at_the_start() {
    let lines = |config: Config| {
        let _turn = crate::support::turn();
        let log = Log::default();
        tracing::subscriber::with_default(log.subscriber(), || drop(config.init().unwrap()));
        log.text().matches("FAULTWIRE_HASH_KEY is not set").count()
    };
    assert_eq!(lines(Config::new().client_ip(ClientIp::Hmac).hash_users(true)), 1);
    assert_eq!(lines(Config::new().hash_users(true)), 1);
    assert_eq!(lines(Config::new().client_ip(ClientIp::Hmac).hash_key(KEY)), 0);
    assert_eq!(lines(Config::new().client_ip(ClientIp::Full)), 0);
}
