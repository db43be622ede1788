//! Failed logins: single ones are answered and counted; who tries and tries is one event for each state.

mod logs;
mod names;
mod signals;

use std::net::{IpAddr, SocketAddr};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get as on_get;
use axum::{Json, Router};
use faultwire::config::Storm;
use faultwire::report::{AuthError, AuthFailure};
use faultwire::{Report, ReportLayer};
use http::{Request, StatusCode};
use jsonwebtoken::errors::ErrorKind;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{Reporting, event_id, exception, get, text};

const ALL: [AuthFailure; 9] = [
    AuthFailure::BadCredentials,
    AuthFailure::ExpiredToken,
    AuthFailure::BadSignature,
    AuthFailure::Csrf,
    AuthFailure::Mfa,
    AuthFailure::Locked,
    AuthFailure::Forbidden,
    AuthFailure::ProviderDown,
    AuthFailure::Misconfigured,
];

fn failure(n: usize) -> AuthFailure {
    ALL[n]
}

/// Nobody gets in.
fn gate() -> Router {
    Router::new()
        .route("/login/{login}", on_get(async |login: Path<String>| wrong_password(&login)))
        .route("/fail/{n}", on_get(async |n: Path<usize>| Report::auth(failure(n.0)).identifier("ada")))
        .route("/other/{n}", on_get(async |n: Path<usize>| Report::auth(failure(n.0))))
        .route(
            "/loud/{n}",
            on_get(async |n: Path<usize>| Report::auth(failure(n.0)).identifier("ada").always()),
        )
        .route("/stream", on_get(stream))
        .layer(ReportLayer::new())
}

fn wrong_password(login: &str) -> Report {
    Report::auth(AuthFailure::BadCredentials).identifier(login)
}

/// Answers with a page that breaks off.
async fn stream() -> Response {
    let page = tokio_stream::iter([Ok("first"), Err(std::io::Error::other("the disk went away"))]);
    Report::auth(AuthFailure::BadCredentials).attach((StatusCode::UNAUTHORIZED, Body::from_stream(page)))
}

/// A request from this address.
fn from(address: impl Into<IpAddr>, path: &str) -> Request<Body> {
    let mut request = get(path);
    request.extensions_mut().insert(ConnectInfo(SocketAddr::new(address.into(), 50_000)));
    request
}

#[tokio::test]
async fn single_failures_are_answered_as_documented_counted_and_not_sent() {
    let reporting = Reporting::start();
    for (n, status) in [(0, 401), (1, 401), (2, 401), (3, 403), (4, 401), (5, 403), (6, 403)] {
        assert_eq!(failure(n).status(), status);
        let response = gate().oneshot(get(&format!("/fail/{n}"))).await.unwrap();
        assert_eq!(response.status(), status, "{:?}", failure(n));
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let id = event_id(&response);
        let problem: Value = serde_json::from_str(&text(response).await.unwrap()).unwrap();
        let title = StatusCode::from_u16(status).unwrap().canonical_reason();
        let request_id = &problem["request_id"];
        let expected = json!({
            "type": "about:blank", "title": title, "status": status, "event_id": id, "request_id": request_id,
        });
        assert_eq!(problem, expected);
    }
    reporting.events(0);
    let stats = reporting.guard.stats();
    assert_eq!((stats.captured, stats.discarded, stats.auth.total(), stats.auth.mfa), (0, 7, 7, 1));
    assert_eq!((stats.auth.signals, stats.auth.unwatched, stats.auth.untold), (0, 0, 0));
}

#[test]
fn sent_by_hand_it_is_counted_too_and_a_breadcrumb_of_what_follows() {
    let reporting = Reporting::start();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let handler = async || {
        Report::auth(AuthFailure::Csrf).send();
        wrong_password("ada").send();
        StatusCode::INTERNAL_SERVER_ERROR
    };
    let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    runtime.block_on(app.oneshot(get("/"))).unwrap();
    wrong_password("eve").send(); // outside of any request
    let event = reporting.event();
    let crumbs: Vec<_> =
        event["breadcrumbs"]["values"].as_array().unwrap().iter().map(|crumb| &crumb["message"]).collect();
    assert_eq!(crumbs, ["the anti-forgery check failed", "bad credentials"]);
    let stats = reporting.guard.stats();
    assert_eq!((stats.captured, stats.discarded), (1, 3));
    assert_eq!((stats.auth.csrf, stats.auth.bad_credentials), (1, 2));
}

#[tokio::test]
async fn one_that_is_logged_too_is_no_event_as_a_line_of_the_log_either() {
    let reporting = Reporting::start();
    let _listening = crate::logs::listening();
    let handler = async || {
        let error = jsonwebtoken::errors::Error::from(ErrorKind::ExpiredSignature);
        tracing::error!("the session was refused: {error}");
        Report::auth(error)
    };
    let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    let response = app.oneshot(get("/")).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    reporting.events(0);
    assert_eq!(reporting.guard.stats().auth.total(), 1);
}

#[tokio::test]
async fn an_answered_failure_is_one_breadcrumb() {
    let reporting = Reporting::start();
    let response = gate().oneshot(get("/stream")).await.unwrap();
    text(response).await.unwrap_err();
    let event = reporting.event();
    let crumbs = event["breadcrumbs"]["values"].as_array().unwrap();
    assert_eq!((crumbs.len(), &crumbs[0]["message"]), (1, &json!("bad credentials")));
    assert_eq!(exception(&event)["value"], "the disk went away");
}

#[tokio::test]
async fn an_outage_is_an_error_at_once_and_one_issue_whatever_the_route() {
    let reporting = Reporting::start();
    let app = || {
        let down = async || {
            let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
            Report::auth(AuthFailure::ProviderDown.because(refused))
        };
        let router = Router::new().route("/a", on_get(down)).route("/b/{id}", on_get(down));
        router.layer(ReportLayer::new())
    };
    for path in ["/a", "/b/7"] {
        assert_eq!(app().oneshot(get(path)).await.unwrap().status(), 503);
    }
    assert_eq!(gate().oneshot(get("/fail/8")).await.unwrap().status(), 500);
    let events = reporting.events(3);
    for event in &events[..2] {
        assert_eq!(event["fingerprint"], json!(["auth", "provider_down"]));
        assert_eq!(event["tags"]["error.category"], "auth");
        assert_eq!(event["tags"]["auth.failure"], "provider_down");
        assert!(event["level"].is_null(), "an error: {event}");
        let shown = exception(event);
        assert_eq!(
            (&shown["type"], &shown["value"]),
            (&json!("AuthError"), &json!("the identity provider does not answer"))
        );
        assert_eq!(event["exception"]["values"][0]["value"], "connection refused");
        assert_eq!(shown["stacktrace"]["frames"][0]["filename"], "tests/it/auth/mod.rs");
    }
    assert_eq!(events[2]["tags"]["auth.failure"], "misconfigured");
    assert_eq!(reporting.guard.stats().auth.provider_down, 2);
}

#[tokio::test]
async fn what_is_always_or_critical_or_answered_above_500_is_sent_with_the_users_hash() {
    let reporting = Reporting::start();
    gate().oneshot(get("/loud/6")).await.unwrap();
    let app = |report: fn() -> Report| {
        let handler = async move || report();
        Router::new().route("/", on_get(handler)).layer(ReportLayer::new())
    };
    let reports: [fn() -> Report; 2] =
        [|| wrong_password("ada").critical(), || wrong_password("ada").status(StatusCode::BAD_GATEWAY)];
    for report in reports {
        app(report).oneshot(get("/")).await.unwrap();
    }
    wrong_password("eve").always().send();
    let events = reporting.events(4);
    let hash = |event: &Value| event["tags"]["user.hash"].as_str().unwrap().to_owned();
    assert!(events[..3].iter().all(|event| hash(event) == hash(&events[0])), "one user, one hash");
    assert_ne!(hash(&events[3]), hash(&events[0]));
    assert!(hash(&events[0]).len() == 32 && hash(&events[0]).bytes().all(|byte| byte.is_ascii_hexdigit()));
    let failures: Vec<_> = events.iter().map(|event| &event["tags"]["auth.failure"]).collect();
    assert_eq!(failures, ["forbidden", "bad_credentials", "bad_credentials", "bad_credentials"]);
    assert_eq!((&events[1]["level"], &events[0]["level"]), (&json!("fatal"), &json!(null)));
    assert_eq!(reporting.guard.stats().auth.total(), 4);
}

#[tokio::test]
async fn a_service_that_fails_with_one_is_counted_too() {
    let reporting = Reporting::start();
    let closed = service_fn(async |_: Request<Body>| Err::<http::Response<Body>, _>(wrong_password("ada")));
    let report = ReportLayer::new().layer(closed).oneshot(get("/")).await.unwrap_err();
    drop(report);
    let down = service_fn(async |_: Request<Body>| {
        Err::<http::Response<Body>, _>(Report::auth(AuthFailure::ProviderDown))
    });
    drop(ReportLayer::new().layer(down).oneshot(get("/")).await.unwrap_err());
    let event = reporting.event();
    assert_eq!(event["tags"]["auth.failure"], "provider_down");
    assert_eq!(event["fingerprint"], json!(["auth", "provider_down"]));
    let stats = reporting.guard.stats();
    assert_eq!((stats.auth.total(), stats.discarded), (2, 1));
}

#[tokio::test]
async fn a_question_mark_says_the_same() {
    let reporting = Reporting::start();
    let failure = async || Err::<Json<()>, Report>(AuthFailure::Forbidden.into());
    let error = async || {
        let error: AuthError = AuthFailure::Mfa.because("the clock is off");
        Ok::<_, Report>(Err::<Json<()>, _>(error)?)
    };
    let app = Router::new().route("/a", on_get(failure)).route("/b", on_get(error)).layer(ReportLayer::new());
    assert_eq!(app.clone().oneshot(get("/a")).await.unwrap().status(), 403);
    assert_eq!(app.oneshot(get("/b")).await.unwrap().status(), 401);
    reporting.events(0);
    assert_eq!(reporting.guard.stats().auth.total(), 2);
}

#[test]
fn the_errors_of_jsonwebtoken_are_what_they_say() {
    use AuthFailure::{BadSignature, ExpiredToken, Misconfigured};
    for (kind, expected) in [
        (ErrorKind::ExpiredSignature, ExpiredToken),
        (ErrorKind::ImmatureSignature, ExpiredToken),
        (ErrorKind::InvalidSignature, BadSignature),
        (ErrorKind::InvalidToken, BadSignature),
        (ErrorKind::InvalidAudience, BadSignature),
        (ErrorKind::InvalidAlgorithm, BadSignature),
        (ErrorKind::MissingRequiredClaim("exp".to_owned()), BadSignature),
        (ErrorKind::InvalidKeyFormat, Misconfigured),
        (ErrorKind::InvalidRsaKey("short".to_owned()), Misconfigured),
    ] {
        let error = jsonwebtoken::errors::new_error(kind);
        assert_eq!(AuthFailure::from(&error), expected, "{error:?}");
        assert_eq!(AuthError::from(error).failure(), expected);
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the session could not be read")]
struct SessionError(#[source] jsonwebtoken::errors::Error);

#[test]
fn an_error_of_jsonwebtoken_is_recognised_in_any_chain_and_kept_in_its_own() {
    let reporting = Reporting::start();
    let expired = || jsonwebtoken::errors::new_error(ErrorKind::ExpiredSignature);
    Report::new(SessionError(expired())).send();
    Report::auth(expired()).always().send();
    let events = reporting.events(2);
    for event in &events {
        assert_eq!(event["tags"]["error.category"], "auth");
        assert_eq!(event["tags"]["auth.failure"], "expired_token");
        assert_eq!(event["exception"]["values"][0]["value"], "ExpiredSignature");
    }
    assert_eq!(reporting.guard.stats().auth.total(), 1, "a chain is only labelled");
}

#[tokio::test]
async fn without_reporting_it_is_a_response_and_nothing_else() {
    let _turn = crate::support::turn();
    let response = gate().oneshot(get("/login/ada")).await.unwrap();
    assert_eq!(response.status(), 401);
    let report = wrong_password("ada").into_response();
    assert_eq!(report.status(), 401);
}

#[tokio::test]
async fn what_is_labelled_is_so_in_a_summary_for_a_rule_and_where_somebody_else_keeps_the_error() {
    let expired = || SessionError(jsonwebtoken::errors::new_error(ErrorKind::ExpiredSignature));
    let limit = Storm::Limit { failures: 1, window: std::time::Duration::from_secs(3600) };
    let reporting = Reporting::with(|config| config.storm(limit));
    for _ in 0..3 {
        Report::new(expired()).send();
    }
    let events = reporting.events(2);
    assert_eq!(events[1]["tags"]["suppressed"], "2");
    assert_eq!(events[0]["fingerprint"], events[1]["fingerprint"]);
    assert_eq!(events[1]["tags"]["auth.failure"], "expired_token");
    drop(reporting);

    let reporting =
        Reporting::with(|config| config.critical(|failure| failure.kind() == faultwire::Kind::Auth));
    Report::new(expired()).send();
    Report::from_ref(&expired()).send();
    let inner = service_fn(async |_: Request<Body>| {
        Err::<http::Response<Body>, faultwire::BoxError>(Box::new(SessionError(
            jsonwebtoken::errors::new_error(ErrorKind::ExpiredSignature),
        )))
    });
    ReportLayer::new().layer(inner).oneshot(get("/")).await.unwrap_err();
    for event in reporting.events(3) {
        assert_eq!(event["tags"]["error.category"], "auth", "{event}");
        assert_eq!(event["tags"]["auth.failure"], "expired_token");
        assert_eq!(event["fingerprint"][0], "auth");
        assert_eq!(event["level"], "fatal");
    }
    assert_eq!(reporting.guard.stats().auth.total(), 0, "neither counted nor watched");
}
