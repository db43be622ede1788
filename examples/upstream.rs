//! What is told of the calls of another service: one that fails in several ways, and a shop that depends on it.
//!
//! Run with `cargo run --example upstream`. Both are in this process, on loopback. No server is needed: the inbox, at
//! the address that is printed, shows what is sent, and goes on until Ctrl-C. `UPSTREAM_INBOX` moves it (default
//! 127.0.0.1:8970; port 0 takes a free one); `UPSTREAM_WAIT=0` ends the program at once.
#![expect(clippy::print_stdout, reason = "a program speaks to its user")]

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use faultwire::{Config, Report, ReportLayer, UpstreamLayer};
use reqwest_middleware::ClientWithMiddleware;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt;

/// The bank: each account fails in a way of its own.
async fn charge(Path((account, _)): Path<(String, u64)>) -> Response {
    match account.as_str() {
        "slow" => tokio::time::sleep(Duration::from_secs(60)).await,
        "busy" => return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "30")]).into_response(),
        "broken" => return (StatusCode::INTERNAL_SERVER_ERROR, [("request-id", "req_7Kx")]).into_response(),
        "poor" => {
            let problem = json!({"error": {"code": "card_declined", "message": "no money left"}});
            return (StatusCode::PAYMENT_REQUIRED, Json(problem)).into_response();
        }
        "prose" => return "paid, thank you".into_response(),
        _ => {}
    }
    Json(json!({"paid": true})).into_response()
}

#[derive(Clone)]
struct Bank {
    client: ClientWithMiddleware,
    url: String,
}

/// The shop: one report for each call that fails, with what its reader needs.
async fn pay(
    State(bank): State<Bank>,
    Path((account, order)): Path<(String, u64)>,
) -> Result<String, Report> {
    let url = format!("{}/{account}/charges/{order}?api_key=c2VjcmV0&expand=card", bank.url);
    // A timeout, a connection that ends: 504 or 502.
    let answer = bank.client.get(url).send().await.map_err(|error| Report::third_party("bank", error))?;
    let (status, headers): (StatusCode, HeaderMap) = (answer.status(), answer.headers().clone());
    if !status.is_success() {
        let body = answer.bytes().await?;
        let report = Report::third_party("bank", format!("order {order} was not paid"));
        return Err(report.upstream_response(status, &headers).upstream_body(body));
    }
    // A plain `?` knows the host, and that this is no JSON.
    let paid: Value = answer.json().await?;
    Ok(paid.to_string())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let inbox = std::env::var("UPSTREAM_INBOX").unwrap_or_else(|_| "127.0.0.1:8970".to_owned());
    let guard = Config::from_env()?.inbox(inbox).init()?;

    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let bank = Router::new().route("/{account}/charges/{id}", get(charge));
    tokio::spawn(axum::serve(listener, bank).into_future());

    // Nothing here speaks TLS, but the client wants to know how.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().timeout(Duration::from_millis(300)).build()?;
    let client =
        reqwest_middleware::ClientBuilder::new(client).with(UpstreamLayer::new().service("bank")).build();
    let shop = Router::new()
        .route("/{account}/orders/{id}/pay", get(pay))
        .with_state(Bank { client, url })
        .layer(ReportLayer::new());

    for account in ["ada", "slow", "busy", "broken", "poor", "prose"] {
        let request = Request::get(format!("/{account}/orders/42/pay")).body(Body::empty())?;
        let answer = shop.clone().oneshot(request).await?;
        let again =
            answer.headers().get(header::RETRY_AFTER).map(|value| format!(", again after {value:?} s"));
        println!("{account:7}{}{}", answer.status(), again.unwrap_or_default());
    }

    let _ = guard.flush(Duration::from_secs(5));
    println!("{} events", guard.stats().captured);
    if let Some(addr) = guard.inbox().filter(|_| std::env::var("UPSTREAM_WAIT").as_deref() != Ok("0")) {
        println!("inbox at http://{addr}    (Ctrl-C ends)");
        tokio::signal::ctrl_c().await?;
    }
    Ok(())
}
