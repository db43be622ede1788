//! The user: by what a request brings, late from anywhere, and as a hash.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::routing::{get as on_get, post as on_post};
use faultwire::sentry::{self, Level};
use faultwire::{Report, ReportLayer, User};
use http::StatusCode;
use http::request::Parts;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::KEY;
use crate::config::start;
use crate::delivery::PATIENCE;
use crate::init::Log;
use crate::support::{Reporting, exception, get};

#[derive(Clone)]
struct Session {
    user_id: u64,
}

fn by_session(parts: &Parts) -> Option<User> {
    Some(User::id(parts.extensions.get::<Session>()?.user_id))
}

fn by_header(parts: &Parts) -> Option<User> {
    Some(User::id(parts.headers.get("x-user")?.to_str().ok()?))
}

fn failing(layer: ReportLayer) -> Router {
    Router::new()
        .route("/", on_get(async || StatusCode::BAD_GATEWAY))
        .route("/echo", on_post(async |body: String| Report::new(body)))
        .layer(layer)
}

fn by(name: &str) -> Request {
    let mut request = get("/");
    request.headers_mut().insert("x-user", name.parse().unwrap());
    request
}

#[tokio::test]
async fn a_user_is_what_the_request_brings() {
    let reporting = Reporting::start();
    let sign_in = async |mut request: Request, next: Next| {
        request.extensions_mut().insert(Session { user_id: 7 });
        next.run(request).await
    };
    let app = failing(ReportLayer::new().user(by_session)).layer(from_fn(sign_in));
    app.oneshot(get("/")).await.unwrap();
    let app = failing(ReportLayer::new().user(by_header));
    app.clone().oneshot(by("ada")).await.unwrap();
    app.oneshot(get("/")).await.unwrap();
    let users: Vec<_> = reporting.events(3).into_iter().map(|event| event["user"].clone()).collect();
    assert_eq!(users, [json!({"id": "7"}), json!({"id": "ada"}), Value::Null]);
}

#[tokio::test]
async fn what_is_said_later_wins_and_the_request_goes_on_as_it_was() {
    let reporting = Reporting::start();
    let late = async |request: Request, next: Next| {
        faultwire::current().user(User::id("late"));
        next.run(request).await
    };
    let app: Router = Router::new().route("/", on_get(async || StatusCode::BAD_GATEWAY)).layer(from_fn(late));
    app.layer(ReportLayer::new().user(by_header)).oneshot(by("early")).await.unwrap();
    let mut request = Request::post("/echo").body(Body::from("no stock")).unwrap();
    request.headers_mut().insert("x-user", "ada".parse().unwrap());
    failing(ReportLayer::new().user(by_header)).oneshot(request).await.unwrap();
    let events = reporting.events(2);
    assert_eq!((&events[0]["user"]["id"], &events[1]["user"]["id"]), (&json!("late"), &json!("ada")));
    assert_eq!(events[1]["exception"]["values"][0]["value"], "no stock");
}

#[test]
fn a_panic_in_it_costs_the_user_and_nothing_else() {
    let reporting = Reporting::start();
    let log = Log::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let app = failing(ReportLayer::new().user(|_| panic!("a bug, token=hunter2")));
    tracing::subscriber::with_default(log.subscriber(), || runtime.block_on(app.oneshot(get("/"))).unwrap());
    let event = reporting.event();
    assert_eq!((event.get("user"), &event["transaction"]), (None, &json!("GET /")));
    assert!(log.text().contains("`user` panicked: a bug, token=[Filtered]"), "{}", log.text());
}

#[tokio::test]
async fn a_panic_that_it_deals_with_is_not_the_cause_of_what_fails() {
    let reporting = Reporting::start();
    let user = |_: &Parts| std::panic::catch_unwind(|| -> User { panic!("no session in the cookie") }).ok();
    failing(ReportLayer::new().user(user)).oneshot(get("/")).await.unwrap();
    assert_eq!(exception(&reporting.event())["type"], "502 Bad Gateway");
}

#[tokio::test]
async fn whoever_names_a_user_only_a_hash_leaves() {
    // `printf 'user:42' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef`
    const HASH: &str = "7d17066ef1888f6cf99a90aa3bde0f5a";
    let variables = [("FAULTWIRE_HASH_USERS", "true"), ("FAULTWIRE_HASH_KEY", KEY)];
    let (_turn, server, guard) = start(&variables, |config| {
        config.client_options(|options| {
            options.traces_sample_rate(1.0).before_send(|mut event| {
                event.user.get_or_insert_default().username = Some("krellaz-by-hook".to_owned());
                Some(event)
            })
        })
    });
    let handler = async || {
        let scoped = sentry::User {
            id: Some("42".to_owned()),
            email: Some("krellaz@example.org".to_owned()),
            other: [("name".to_owned(), "Ada Krellaz".into()), ("plan".to_owned(), "pro".into())].into(),
            ..sentry::User::default()
        };
        sentry::configure_scope(|scope| scope.set_user(Some(scoped)));
        sentry::capture_message("by the SDK", Level::Error);
        sentry::start_transaction(sentry::TransactionContext::new("charge", "job")).finish();
        faultwire::current().user(User::id("42").username("krellaz").email("krellaz@example.org"));
        Report::new("no stock").with_event(|event| {
            event.user.get_or_insert_default().email = Some("krellaz@example.org".to_owned());
        })
    };
    let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    app.oneshot(get("/")).await.unwrap();
    assert!(guard.flush(PATIENCE));
    let events = server.events();
    assert_eq!(events.len(), 2);
    for event in &events {
        assert_eq!(event["user"], json!({"id": HASH, "data": {"plan": "pro"}}));
    }
    let requests = server.requests();
    let transaction = requests.iter().find(|request| request.text().contains("start_timestamp")).unwrap();
    assert!(transaction.text().contains(HASH), "{}", transaction.text());
    for request in &requests {
        assert!(!request.text().to_lowercase().contains("krellaz"), "{}", request.text());
    }
}

#[tokio::test]
async fn who_has_no_id_is_known_by_the_hash_of_what_there_is() {
    let reporting = Reporting::with(|config| config.hash_users(true).hash_key(KEY));
    let with = |user: sentry::User| {
        sentry::with_scope(
            |scope| scope.set_user(Some(user)),
            || sentry::capture_message("by the SDK", Level::Error),
        );
    };
    let named = |name: &str| Some(name.to_owned());
    with(sentry::User { email: named("42"), username: named("ada"), ..sentry::User::default() });
    with(sentry::User { id: named(" "), username: named("42"), ..sentry::User::default() });
    with(sentry::User { other: [("plan".to_owned(), "pro".into())].into(), ..sentry::User::default() });
    let users: Vec<_> = reporting.events(3).into_iter().map(|event| event["user"].clone()).collect();
    assert_eq!(users[0], users[1]);
    assert_eq!(users[0]["id"].as_str().map(str::len), Some(32));
    assert_eq!(users[2], json!({"data": {"plan": "pro"}}));
}
