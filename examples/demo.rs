//! The main job: a shop on axum whose failures reach GlitchTip, Sentry or Bugsink.
//!
//! Run with `cargo run --example demo`. No server is needed: without `SENTRY_DSN` each failure is a line in
//! the log. The demo first asks every failing route itself, then serves until Ctrl-C.
//!
//! The inbox, at the address that is printed first, shows each failure as it happens.
//!
//! `DEMO_ADDR` moves the shop (default 127.0.0.1:3000), `DEMO_INBOX` the inbox (default 127.0.0.1:8970); port 0
//! takes a free one. `DEMO_DRIVE=0` leaves out the first requests.
#![expect(clippy::print_stdout, reason = "a program speaks to its user")]

use std::net::SocketAddr;

use faultwire::{Config, ReportLayer};
use tokio::net::TcpListener;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;

#[path = "demo/drive.rs"]
mod drive;
#[path = "demo/shop.rs"]
mod shop;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(log.with_filter(LevelFilter::INFO)).init();
    let config = Config::from_env()?.fallback_release(concat!("demo@", env!("CARGO_PKG_VERSION")));
    let inbox = env_or("DEMO_INBOX", &env_or("FAULTWIRE_INBOX", "127.0.0.1:8970"));
    let guard = config.bodies(faultwire::config::Bodies::All).inbox(inbox).init()?;
    if let Some(addr) = guard.inbox() {
        println!("inbox at http://{addr}");
    }

    let app = shop::routes().layer(ReportLayer::new());

    let addr: SocketAddr = env_or("DEMO_ADDR", "127.0.0.1:3000").parse()?;
    let listener = TcpListener::bind(addr).await?;
    let addr = listener.local_addr()?;
    println!("listening on http://{addr}");
    let server = tokio::spawn(
        axum::serve(listener, app)
            .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
            .into_future(),
    );
    if env_or("DEMO_DRIVE", "1") != "0" {
        drive::every_failing_route(addr).await?;
    }
    println!("try:  curl -i http://{addr}/orders/42    (Ctrl-C ends)");
    server.await??;

    let summary =
        tokio::task::spawn_blocking(move || guard.shutdown(std::time::Duration::from_secs(5))).await?;
    println!("sent {}, lost {}", summary.sent, summary.lost);
    Ok(())
}

fn env_or(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}
