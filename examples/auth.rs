//! Failed logins: one that is answered and counted, and somebody who tries and tries, which is one issue.
//!
//! Run with `cargo run --example auth`. No server is needed: the inbox, at the address that is printed, shows what is
//! sent, and goes on until Ctrl-C. `AUTH_INBOX` moves it (default 127.0.0.1:8970; port 0 takes a free one).
//!
//! `FAULTWIRE_HASH_KEY=$(openssl rand -hex 32)` gives the same user the same hash the next time.
#![expect(clippy::print_stdout, reason = "a program speaks to its user")]

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, Form};
use axum::http::{Request, StatusCode, header};
use axum::routing::post;
use axum::{Router, body::Body};
use faultwire::layer::IpNet;
use faultwire::report::AuthFailure;
use faultwire::{Config, Report, ReportLayer};
use tower::ServiceExt;

#[derive(serde::Deserialize)]
struct Credentials {
    login: String,
    password: String,
}

/// Says the same whether there is such an account or not, and takes as long.
async fn log_in(Form(given): Form<Credentials>) -> Result<&'static str, Report> {
    if given.login == "ada@example.org" && given.password == "correct horse" {
        return Ok("welcome");
    }
    Err(Report::auth(AuthFailure::BadCredentials).identifier(&given.login).public("This is not right."))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::WARN);
    log.init();
    let inbox = std::env::var("AUTH_INBOX").unwrap_or_else(|_| "127.0.0.1:8970".to_owned());
    let guard = Config::from_env()?.inbox(inbox).init()?;

    // Requests come through a load balancer, which says whom they are from.
    let balancers: IpNet = "10.0.0.0/8".parse()?;
    let app =
        Router::new().route("/login", post(log_in)).layer(ReportLayer::new().trusted_proxies([balancers]));

    // Ada mistypes her password.
    let answer = app.clone().oneshot(request("ada@example.org", "correct hrose", "192.0.2.7")?).await?;
    println!("one wrong password: {}", answer.status());

    // Somebody goes through a list of passwords.
    for n in 0..250 {
        let request = request("root@example.org", &format!("password{n}"), "198.51.100.66")?;
        let answer = app.clone().oneshot(request).await?;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
    let _ = guard.flush(Duration::from_secs(5));
    let auth = guard.stats().auth;
    println!("{} wrong passwords, {} events of brute force", auth.bad_credentials, auth.signals);
    if let Some(addr) = guard.inbox() {
        println!("inbox at http://{addr}    (Ctrl-C ends)");
    }
    tokio::signal::ctrl_c().await?;
    guard.shutdown_async(Duration::from_secs(5)).await;
    Ok(())
}

/// What the load balancer passes on.
fn request(login: &str, password: &str, client: &str) -> Result<Request<Body>, Box<dyn Error>> {
    let request = Request::post("/login")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("x-forwarded-for", client)
        // `into_make_service_with_connect_info` puts it there.
        .extension(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 50_000))))
        .body(Body::from(format!("login={login}&password={password}")))?;
    Ok(request)
}
