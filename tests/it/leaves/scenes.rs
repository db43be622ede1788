//! What happens in an application, and what a server receives of it.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::routing::post as on_post;
use faultwire::config::Destination;
use faultwire::job::Schedule;
use faultwire::report::Breadcrumb;
use faultwire::sentry::{self, Level};
use faultwire::{Config, Report, ReportLayer, User};
use http::Request;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tracing_subscriber::prelude::*;

use super::refused;
use crate::delivery::{PATIENCE, eventually};
use crate::fake::{FakeServer, RequestSeen};
use crate::support::turn;

/// No letter of these may leave, unless a switch says so.
pub(super) const SECRETS: [&str; 4] = ["krellaz", "4111 1111", "dark; session", "198.51.100.7"];

/// What a client sends: secrets and personal data in every place that has any.
pub(super) const HEAD: [(&str, &str); 11] = [
    ("host", "shop.example.com"),
    ("user-agent", "curl/8.5.0"),
    ("accept", "application/json"),
    ("content-type", "application/json"),
    ("authorization", "Bearer krellaz.umbrith.7"),
    ("cookie", "theme=dark; session=krellaz"),
    ("x-api-key", "krellaz"),
    ("x-forwarded-for", "192.0.2.17"),
    ("x-request-id", "req-17"),
    ("referer", "https://shop.example.com/cart?token=krellaz"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
];
/// Whom it comes from.
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)), 50_000);
pub(super) const TARGET: &str = "/orders/7/pay/krellaz?page=2&code=krellaz";
pub(super) const BODY: &str = r#"{"article":"PEAR-500G","quantity":2,"email":"ada@example.org","password":"krellaz","boarding_pin":"krellaz","card":{"brand":"visa","number":"4111 1111 1111 1111"}}"#;

/// What the application does.
#[derive(Clone, Copy)]
pub(super) enum Scene {
    /// A handler says who is affected and what happened before, and returns an error with a cause.
    Failure,
    /// The same, and the user has a name and an address.
    NamedUser,
    /// A handler panics.
    Panic,
    /// A handler answers 500 without a word.
    Silence,
    /// The same failure, forty times.
    Storm,
    /// The application uses the SDK itself.
    Sdk,
    /// A handler logs an error inside of a span, and answers 500 without a word.
    Log,
    /// A request whose body is plain text.
    PlainText,
    /// A job that is monitored dies.
    Job,
    /// A database refuses a row.
    Database,
    /// Another service refuses a call.
    Service,
    /// Somebody guesses passwords.
    Logins,
}

/// Everything that arrived.
pub(super) struct Left {
    pub(super) requests: Vec<RequestSeen>,
    pub(super) events: Vec<Value>,
}

impl Left {
    /// With these settings, which are otherwise the defaults.
    pub(super) fn of(scene: Scene, change: impl FnOnce(Config) -> Config, reports: bool) -> Self {
        let _turn = turn();
        let server = FakeServer::start();
        let config = Config::new().environment("production").release("shop@1.2.3");
        let destination = Destination::new("server", server.dsn()).client_reports(reports);
        let guard = change(config.destination(destination)).init().unwrap();
        let layer = matches!(scene, Scene::Log).then(faultwire::tracing_layer);
        let _listening = tracing_subscriber::registry().with(layer).set_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(scene));
        assert!(guard.flush(PATIENCE), "{:?}", guard.stats());
        if reports {
            // It follows an event, and no flush waits for it.
            let told = || server.requests().iter().any(|request| request.text().contains("discarded_events"));
            eventually("the server is told", told);
        }
        drop(guard);
        Self { requests: server.requests(), events: server.events() }
    }
}

async fn play(scene: Scene) {
    if matches!(scene, Scene::Job) {
        return run_job().await;
    }
    if matches!(scene, Scene::Logins) {
        return refused::by_the_application().await;
    }
    let times = if matches!(scene, Scene::Storm) { 40 } else { 1 };
    for _ in 0..times {
        let app: Router = Router::new()
            .route("/orders/{id}/pay/{token}", on_post(move |_: Bytes| pay(scene)))
            .layer(ReportLayer::new());
        let mut request = Request::post(TARGET);
        for (name, value) in HEAD {
            let plain = matches!(scene, Scene::PlainText) && name == "content-type";
            request = request.header(name, if plain { "text/plain" } else { value });
        }
        let mut request = request.body(Body::from(BODY)).unwrap();
        request.extensions_mut().insert(ConnectInfo(PEER));
        let response = app.oneshot(request).await.unwrap();
        let expected = if matches!(scene, Scene::Service) { 502 } else { 500 };
        assert_eq!(response.status(), expected);
    }
}

async fn run_job() {
    let charge = json!({"order": 7, "apiKey": "krellaz", "card": "4111 1111 1111 1111"});
    let trace = HEAD.into_iter().filter(|(name, _)| *name == "traceparent");
    let job = faultwire::job("charge").id("7-1").queue("payments").attempt(2).of(2);
    let job = job.args(&charge).latency(Duration::from_secs(3)).trace(trace);
    let job = job.monitor("charge", Schedule::every(Duration::from_secs(3600)));
    drop(job.run(pay(Scene::Failure)).await);
}

#[derive(Debug, thiserror::Error)]
#[error("order {0} of ada@example.org was not paid")]
struct NotPaid(u64, #[source] Declined);

#[derive(Debug, thiserror::Error)]
#[error("card 4111 1111 1111 1111 was declined")]
struct Declined;

async fn pay(scene: Scene) -> Result<http::StatusCode, Report> {
    let user = match scene {
        Scene::NamedUser => User::id("42").username("ada").email("ada@example.org"),
        _ => User::id("42"),
    };
    let crumb = Breadcrumb::new("gateway asked, token=krellaz").category("payment").data("cents", &1999);
    faultwire::current().user(user).tag("shop", "berlin").breadcrumb(crumb);
    match scene {
        Scene::Database => Err(refused::by_a_database().await),
        Scene::Service => Err(refused::by_a_service()),
        Scene::Panic => panic!("order 7 has no price"),
        Scene::Silence => Ok(http::StatusCode::INTERNAL_SERVER_ERROR),
        Scene::Sdk => {
            sentry::capture_message("gateway is slow, password=krellaz", Level::Warning);
            Ok(http::StatusCode::INTERNAL_SERVER_ERROR)
        }
        Scene::Log => {
            let _span = tracing::info_span!("payment", gateway = "pear", token = "krellaz").entered();
            tracing::info!(attempt = 2, api_key = "krellaz", "gateway asked again");
            let error = NotPaid(7, Declined);
            tracing::error!(error = &error as &dyn Error, tags.bank = "pear", "the payment failed");
            Ok(http::StatusCode::INTERNAL_SERVER_ERROR)
        }
        _ => {
            let cart = json!({"lines": 2, "voucher": "PEAR10", "apiKey": "krellaz"});
            Err(Report::new(NotPaid(7, Declined)).data("cart", &cart))
        }
    }
}
