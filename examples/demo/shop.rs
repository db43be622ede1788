//! The shop: one route for each kind of failure.
#![expect(clippy::panic, clippy::indexing_slicing, reason = "failing is its work")]

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Form, Multipart, Path, Query};
use axum::http::{Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use faultwire::report::AuthFailure;
use faultwire::{Kind, Report, UpstreamLayer, User, WithContext};
use http_body_util::Empty;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;
use tower::{Layer, ServiceExt};

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/ok", get(async || "ok"))
        .route("/orders/{id}", get(order))
        .route("/status/{code}", get(status))
        .route("/panic", get(panic))
        .route("/checkout", post(checkout))
        .route("/login", post(login))
        .route("/token", post(token))
        .route("/upload", post(upload))
        .route("/graphql", post(graphql))
        .route("/text", post(text))
        .route("/proxy", get(proxy))
        .route("/stream", get(stream))
        .route("/slow/{ms}", get(slow))
        .route("/spawn", get(spawn))
        .route("/log", get(log))
        .route("/whoami", get(whoami))
        .route("/jobs/{name}", post(job))
}

#[derive(Debug, thiserror::Error)]
enum OrderError {
    #[error("order {id} could not be loaded")]
    Load { id: u64, source: StoreError },
    #[error("the cart could not be saved")]
    Save(#[source] StoreError),
}

#[derive(Debug, thiserror::Error)]
#[error("the store does not answer")]
struct StoreError(#[source] std::io::Error);

fn store_is_down() -> StoreError {
    StoreError(std::io::ErrorKind::ConnectionRefused.into())
}

/// A chain of three errors; `?` turns it into a report.
async fn order(Path(id): Path<u64>) -> Result<String, Report> {
    faultwire::current().tag("order.size", "large").breadcrumb("looking for the order");
    let source = store_is_down();
    Err(OrderError::Load { id, source })?
}

/// A status and nothing else: the event names the route and says how to attach the error.
async fn status(Path(code): Path<u16>) -> Result<Response, StatusCode> {
    let code = StatusCode::from_u16(code).map_err(|_| StatusCode::BAD_REQUEST)?;
    Ok(code.into_response())
}

async fn panic() -> &'static str {
    panic!("the till is jammed")
}

async fn checkout(Json(cart): Json<Value>) -> Result<(), Report> {
    let error = OrderError::Save(store_is_down());
    Err(Report::new(error).kind(Kind::Database).data("items", &cart["items"]))
}

#[derive(serde::Deserialize)]
struct Credentials {
    user: String,
}

async fn login(Form(credentials): Form<Credentials>) -> Result<(), Report> {
    faultwire::current().tag("login.known", !credentials.user.is_empty());
    let failure = AuthFailure::ProviderDown.because(store_is_down());
    Err(Report::auth(failure).identifier(&credentials.user).public("Please try again in a minute."))
}

/// Answered with 401, counted, not sent.
async fn token(Form(credentials): Form<Credentials>) -> Result<(), Report> {
    Err(Report::auth(AuthFailure::BadCredentials).identifier(&credentials.user))
}

async fn upload(mut parts: Multipart) -> Result<(), Report> {
    while let Some(part) = parts.next_field().await? {
        faultwire::current().breadcrumb(format!("part {:?}", part.name()));
    }
    Err(Report::new("the archive is full"))
}

async fn graphql(Json(query): Json<Value>) -> Result<(), Report> {
    Err(Report::new("the resolver of `cart` failed").data("operation", &query["operationName"]))
}

async fn text(body: Bytes) -> Result<(), Report> {
    Err(Report::new("the text was not understood").data("bytes", &body.len()))
}

/// Calls a port that nobody listens on.
async fn proxy() -> Result<String, Report> {
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let client = UpstreamLayer::new().layer(client);
    let url = "http://127.0.0.1:9/v1/charges/42?expand=card&api_key=c2VjcmV0";
    let request = Request::get(url).body(Empty::new())?;
    match client.oneshot(request).await {
        Ok(answer) => Ok(answer.status().to_string()),
        Err(error) => Err(Report::third_party("bank", error).upstream_request(Method::GET, url)),
    }
}

/// The body fails after its first chunk, when the headers are long out.
async fn stream() -> Body {
    let chunks = [Ok("the first line\n"), Err(std::io::Error::other("the disk went away"))];
    Body::from_stream(tokio_stream::iter(chunks))
}

async fn slow(Path(ms): Path<u64>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(ms.min(60_000))).await;
    "at last"
}

/// A task fails after the response is out; its event has the request.
async fn spawn() -> Result<StatusCode, Infallible> {
    let mail = async {
        tokio::task::yield_now().await;
        Report::new("the mail could not be sent").send();
    };
    tokio::spawn(mail.with_context());
    Ok(StatusCode::ACCEPTED)
}

/// Logs the error and returns it.
async fn log() -> Result<(), Report> {
    let error = store_is_down();
    tracing::error!(error = &error as &dyn std::error::Error, "cannot list the orders");
    Err(error.into())
}

#[derive(serde::Deserialize)]
struct Who {
    user: String,
}

async fn whoami(Query(who): Query<Who>) -> Result<(), Report> {
    faultwire::current().user(User::id(who.user));
    tokio::task::yield_now().await;
    Err(store_is_down().into())
}

#[derive(serde::Deserialize)]
struct Attempt {
    #[serde(default = "one")]
    attempt: u32,
    #[serde(default = "one")]
    of: u32,
}

fn one() -> u32 {
    1
}

/// Starts a background job that fails.
async fn job(Path(name): Path<String>, Query(Attempt { attempt, of }): Query<Attempt>) -> StatusCode {
    let run = async move {
        tokio::task::yield_now().await;
        Report::new(store_is_down())
            .kind(Kind::Job)
            .tag("job.name", name)
            .tag("job.attempt", format!("{attempt} of {of}"))
            .send();
    };
    tokio::spawn(run.with_context());
    StatusCode::ACCEPTED
}
