//! Answers below 500: mistakes of clients, which are events only where somebody asks for them.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Form, Json, Path};
use axum::routing::{get as on_get, post as on_post};
use axum::{Router, response::IntoResponse as _};
use faultwire::report::Level;
use faultwire::{Report, ReportLayer};
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::support::{Reporting, event_id, exception, get, text};

fn shop(layer: ReportLayer) -> Router {
    Router::new()
        .route("/orders/{id}", on_get(async |_: Path<u64>| ()))
        .route("/json", on_post(async |_: Json<Vec<u8>>| ()))
        .route("/form", on_post(async |_: Form<Value>| ()))
        .route("/bytes", on_post(async |_: axum::body::Bytes| ()))
        .layer(DefaultBodyLimit::max(16))
        .layer(layer)
}

fn post(path: &str, body: &'static str) -> Request<Body> {
    Request::post(path)
        .header("host", "shop.example.com")
        .header("content-type", "application/json")
        .body(body.into())
        .unwrap()
}

/// What an extractor refuses: the request, the status, and how its text begins.
fn refused() -> [(Request<Body>, u16, &'static str); 5] {
    [
        (get("/orders/x"), 400, "Invalid URL: Cannot parse `x` to a `u64`"),
        (post("/json", "[1,"), 400, "Failed to parse the request body as JSON: EOF"),
        (post("/json", "{}"), 422, "Failed to deserialize the JSON body into the target type"),
        (post("/form", "{}"), 415, "Form requests must have `Content-Type"),
        (post("/bytes", "more than sixteen bytes"), 413, "Failed to buffer the request body: length limit"),
    ]
}

#[tokio::test]
async fn what_an_extractor_refuses_is_an_event_with_its_reason_where_somebody_asks() {
    let reporting = Reporting::start();
    let quiet = shop(ReportLayer::new());
    let asking = shop(ReportLayer::new().report_if(|_, status| status != StatusCode::NOT_FOUND));
    let mut told = Vec::new();
    for ((request, status, reason), (same, ..)) in refused().into_iter().zip(refused()) {
        let expected = quiet.clone().oneshot(request).await.unwrap();
        let answer = asking.clone().oneshot(same).await.unwrap();
        assert_eq!((expected.status(), answer.status().as_u16()), (answer.status(), status));
        assert_eq!(answer.headers()["content-length"], expected.headers()["content-length"]);
        let id = event_id(&answer);
        let said = text(answer).await.unwrap();
        assert_eq!(said, text(expected).await.unwrap(), "the client gets it as it is");
        assert!(said.starts_with(reason), "{said}");
        told.push((id, status.to_string(), said));
    }
    asking.oneshot(get("/nowhere")).await.unwrap();
    for (event, (id, status, said)) in reporting.events(told.len()).iter().zip(told) {
        assert_eq!(event["event_id"].as_str(), Some(&*id));
        assert!(exception(event)["type"].as_str().unwrap().starts_with(&status), "{event}");
        let value = format!("{} refused the request", event["transaction"].as_str().unwrap());
        assert_eq!((&exception(event)["value"], &event["level"]), (&json!(value), &json!("warning")));
        assert_eq!(event["tags"]["http.response.status_code"], status);
        // What stood in the path is shown in the URL, where a secret's parameter is masked.
        let said = said.replace("`x`", "`[Filtered]`");
        let crumb = event["breadcrumbs"]["values"].as_array().unwrap().last().unwrap();
        assert_eq!((&crumb["message"], &crumb["category"]), (&json!(said), &json!("response")));
    }
}

#[tokio::test]
async fn a_report_that_answers_below_500_keeps_its_level() {
    let reporting = Reporting::start();
    let app: Router = Router::new()
        .route("/", on_get(async || Report::new("no such order").status(StatusCode::NOT_FOUND)))
        .route("/info", on_get(async || Report::new("gone").status(StatusCode::GONE).level(Level::Info)))
        .layer(ReportLayer::new().report_if(|_, _| true).ignore(|request, _| request.path() == "/ignored"));
    for path in ["/", "/info", "/ignored"] {
        app.clone().oneshot(get(path)).await.unwrap();
    }
    let seen: Vec<_> =
        reporting.events(2).iter().map(|e| (exception(e)["value"].clone(), e["level"].clone())).collect();
    assert_eq!(seen, [(json!("no such order"), json!("warning")), (json!("gone"), json!("info"))]);
}

#[tokio::test]
async fn a_panic_in_the_rule_costs_the_event_and_nothing_else() {
    let reporting = Reporting::start();
    let app = shop(ReportLayer::new().report_if(|_, _| panic!("a bug")));
    assert_eq!(app.oneshot(get("/orders/x")).await.unwrap().status(), 400);
    reporting.events(0);
}

#[tokio::test]
async fn an_answer_that_is_long_or_goes_on_is_not_read() {
    let reporting = Reporting::start();
    let page = async || (StatusCode::CONFLICT, "x".repeat(2_000));
    let stream = async || {
        let parts = tokio_stream::iter(["one ", "two"].map(Ok::<_, Infallible>));
        (StatusCode::CONFLICT, [("content-type", "text/plain")], Body::from_stream(parts)).into_response()
    };
    let app: Router = Router::new()
        .route("/page", on_get(page))
        .route("/stream", on_get(stream))
        .layer(ReportLayer::new().report_if(|_, _| true));
    for (path, length) in [("/page", 2_000), ("/stream", 7)] {
        let answer = app.clone().oneshot(get(path)).await.unwrap();
        assert_eq!(text(answer).await.unwrap().len(), length);
    }
    for event in reporting.events(2) {
        assert_eq!(event.get("breadcrumbs"), None);
    }
}

#[tokio::test]
async fn codes_of_grpc_are_asked_about_as_what_they_are_in_http() {
    let reporting = Reporting::start();
    let answers = service_fn(async |_: Request<tonic::body::Body>| {
        Ok::<_, Infallible>(
            Response::builder()
                .header("grpc-status", "5")
                .header("grpc-message", "no such order")
                .body(tonic::body::Body::empty())
                .unwrap(),
        )
    });
    let call = || {
        Request::post("/shop.Orders/Get")
            .header("content-type", "application/grpc")
            .body(tonic::body::Body::empty())
            .unwrap()
    };
    ReportLayer::new().layer(answers).oneshot(call()).await.unwrap();
    let asking = ReportLayer::new().report_if(|_, status| status == StatusCode::NOT_FOUND);
    asking.layer(answers).oneshot(call()).await.unwrap();
    let event = reporting.event();
    assert_eq!(
        (&exception(&event)["value"], &event["level"]),
        (&json!("NOT_FOUND: no such order"), &json!("warning"))
    );
    assert_eq!(event["tags"]["rpc.response.status_code"], "NOT_FOUND");
}

#[tokio::test]
async fn the_reason_of_a_refusal_quotes_no_secret_of_the_request() {
    #[derive(serde::Deserialize)]
    #[expect(dead_code, reason = "never read")]
    struct Login {
        password: Option<u32>,
        token: Option<u32>,
        pin: Option<bool>,
    }
    let app: Router = Router::new()
        .route("/login", on_post(async |_: Json<Login>| ()))
        .layer(ReportLayer::new().report_if(|_, _| true));
    let mut shown = Vec::new();
    for (body, secret) in [
        ("{\"password\":\"hunter2-hunter2\"}", "hunter2-hunter2"),
        ("{\"password\":\"correct horse battery\"}", "horse"),
        ("{\"token\":\"kx93ppq\"}", "kx93ppq"),
        ("{\"pin\":48151623}", "48151623"),
        ("{\"pin\":\"opensesame\"}", "opensesame"),
    ] {
        let reporting = Reporting::start();
        assert_eq!(app.clone().oneshot(post("/login", body)).await.unwrap().status(), 422);
        let event = reporting.event();
        if event.to_string().contains(secret) {
            shown.push(event["breadcrumbs"]["values"][0]["message"].clone());
        }
    }
    assert_eq!(shown, [json!(null); 0]);
}

#[tokio::test]
async fn what_was_logged_before_a_refusal_keeps_its_level() {
    let reporting = Reporting::start();
    let _listening = crate::logs::listening();
    let refuses = async || {
        tracing::error!("the ledger does not add up");
        StatusCode::CONFLICT
    };
    let app: Router =
        Router::new().route("/", on_get(refuses)).layer(ReportLayer::new().report_if(|_, _| true));
    app.oneshot(get("/")).await.unwrap();
    let event = reporting.event();
    assert_eq!(exception(&event)["value"], "the ledger does not add up");
    // An error, which the protocol need not say.
    assert_eq!(event["level"], json!(null));
}

#[tokio::test]
async fn a_panic_before_a_refusal_keeps_its_level() {
    let reporting = Reporting::start();
    let refuses = |_: Box<dyn std::any::Any + Send>| StatusCode::CONFLICT.into_response();
    let app: Router = Router::new()
        .route("/", on_get(async || -> () { panic!("the till is jammed") }))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(refuses))
        .layer(ReportLayer::new().report_if(|_, _| true));
    app.oneshot(get("/")).await.unwrap();
    let event = reporting.event();
    assert_eq!(exception(&event)["value"], "the till is jammed");
    assert_eq!(event["level"], "fatal");
}
