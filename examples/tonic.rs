//! A client of gRPC whose calls fail, and a service of tonic under `ReportLayer` that panics.
//!
//! Run with `cargo run --example tonic`. Client and server are in this process, on loopback, and speak without messages,
//! so that no code has to be generated. Each event is a line in the log; with `FAULTWIRE_INBOX=127.0.0.1:8970` all of
//! it is shown there until Ctrl-C, and with `SENTRY_DSN` it is sent.
#![expect(clippy::print_stdout, reason = "a program speaks to its user")]
#![expect(clippy::panic, reason = "failing is its work")]

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::uri::PathAndQuery;
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use faultwire::{Report, ReportLayer};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Status};

/// The stock: what generated code would make of a service.
async fn stock(uri: Uri) -> axum::response::Response {
    match uri.path() {
        "/shop.Stock/Count" => Status::unavailable("the shelf is being counted").into_http(),
        "/shop.Stock/Move" => panic!("the shelf fell over"),
        "/shop.Stock/Search" => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Status::ok("").into_http()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn call(channel: Channel, method: &'static str) -> Result<(), Report> {
    let failed = |error| Report::third_party("stock", error);
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.map_err(|error| Report::third_party("stock", error))?;
    client
        .unary::<(), (), _>(Request::new(()), PathAndQuery::from_static(method), Empty)
        .await
        .map_err(failed)?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::INFO);
    log.init();
    let guard = faultwire::init()?;

    let incoming = TcpIncoming::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let server = Endpoint::from_shared(format!("http://{}", incoming.local_addr()?))?
        .timeout(Duration::from_millis(300));
    let routes = Routes::from(Router::new().fallback(stock));
    tokio::spawn(
        Server::builder().layer(ReportLayer::new()).add_routes(routes).serve_with_incoming(incoming),
    );

    // A status, a panic of the server (its own event), a timeout of the client, and a server that is not there.
    let nobody = Endpoint::from_static("http://127.0.0.1:9");
    for (endpoint, method) in [
        (&server, "/shop.Stock/Count"),
        (&server, "/shop.Stock/Move"),
        (&server, "/shop.Stock/Search"),
        (&nobody, "/shop.Stock/Count"),
    ] {
        let Err(report) = call(endpoint.connect_lazy(), method).await else { continue };
        if let Some(failure) = report.third_party_failure() {
            println!(
                "{method}: {failure}: {}, in phase {}",
                failure.class().as_str(),
                failure.phase().as_str()
            );
        }
        report.send();
    }
    let _ = guard.flush(Duration::from_secs(5));
    println!("{} events", guard.stats().captured);
    if let Some(addr) = guard.inbox() {
        println!("inbox at http://{addr}    (Ctrl-C ends)");
        tokio::signal::ctrl_c().await?;
    }
    Ok(())
}

/// Messages without a form.
#[derive(Clone, Copy)]
struct Empty;

impl Codec for Empty {
    type Encode = ();
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Empty {
    type Item = ();
    type Error = Status;

    fn encode(&mut self, (): (), _: &mut EncodeBuf<'_>) -> Result<(), Status> {
        Ok(())
    }
}

impl Decoder for Empty {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, _: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        Ok(Some(()))
    }
}
