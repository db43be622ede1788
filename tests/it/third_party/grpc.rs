//! Calls of gRPC with tonic's client, against a real server.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::Uri;
use faultwire::report::{ThirdPartyClass as Class, ThirdPartyPhase as Phase};
use faultwire::{Report, ReportLayer, UpstreamLayer};
use http::uri::PathAndQuery;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Status};
use tower::{Layer as _, ServiceExt as _};

use super::{SECRET, assert_no_secret_left, provider};
use crate::support::{Reporting, exception, get};

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

/// Answers each call by the code that its path ends with; 99 never.
async fn serve() -> SocketAddr {
    let answer = async |uri: Uri| {
        let code = uri.path().rsplit('_').next().and_then(|code| code.parse().ok()).unwrap_or(0);
        if code == 99 {
            std::future::pending::<()>().await;
        }
        let mut status = Status::new(Code::from_i32(code), "the warehouse is closed");
        status.metadata_mut().insert("x-token", SECRET.parse().unwrap());
        status.into_http::<axum::body::Body>()
    };
    let incoming = TcpIncoming::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = incoming.local_addr().unwrap();
    let routes = Routes::from(Router::new().fallback(answer));
    tokio::spawn(Server::builder().add_routes(routes).serve_with_incoming(incoming));
    address
}

async fn call(channel: Channel, path: &'static str) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.map_err(|error| Status::from_error(error.into()))?;
    let mut request = tonic::Request::new(());
    request.metadata_mut().insert("authorization", SECRET.parse().unwrap());
    client.unary(request, PathAndQuery::from_static(path), Empty).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_of_grpc_is_told_by_its_phase_class_and_code_and_without_a_secret() {
    let reporting = Reporting::start();
    let endpoint = Endpoint::from_shared(format!("http://{}", serve().await)).unwrap();
    let channel = endpoint.connect_lazy();
    let hasty = endpoint.timeout(Duration::from_millis(150)).connect_lazy();
    let (nobody, _held) = provider::nobody();
    let nobody = Endpoint::from_shared(format!("http://{nobody}")).unwrap().connect_lazy();
    let silent = Endpoint::from_shared(format!("http://{}", provider::start().await)).unwrap().connect_lazy();

    let cases = [
        ("refused", nobody, "/shop.Stock/Get", Phase::Connect, Class::Connection, "UNAVAILABLE"),
        ("hung up", silent, "/shop.Stock/Get", Phase::Request, Class::Connection, ""),
        ("too slow", hasty, "/shop.Stock/Get_99", Phase::Request, Class::Timeout, ""),
        (
            "unavailable",
            channel.clone(),
            "/shop.Stock/Get_14",
            Phase::Status,
            Class::Unavailable,
            "UNAVAILABLE",
        ),
        (
            "deadline",
            channel.clone(),
            "/shop.Stock/Get_4",
            Phase::Status,
            Class::Timeout,
            "DEADLINE_EXCEEDED",
        ),
        (
            "exhausted",
            channel.clone(),
            "/shop.Stock/Get_8",
            Phase::Status,
            Class::RateLimited,
            "RESOURCE_EXHAUSTED",
        ),
        (
            "denied",
            channel.clone(),
            "/shop.Stock/Get_16",
            Phase::Status,
            Class::Unauthorized,
            "UNAUTHENTICATED",
        ),
        ("not found", channel, "/shop.Stock/Get_5", Phase::Status, Class::Rejected, "NOT_FOUND"),
    ];
    let number = cases.len();
    for (what, channel, path, phase, class, code) in cases {
        let error =
            tokio::time::timeout(Duration::from_secs(20), call(channel, path)).await.unwrap().unwrap_err();
        let text = format!("{error:?}");
        let report = Report::from(error);
        let failure = report.third_party_failure().unwrap().clone();
        assert_eq!((failure.phase(), failure.class()), (phase, class), "{what}: {text}");
        report.tag("code", code).send();
    }
    let events = reporting.events(number);
    assert_no_secret_left(&reporting);
    for event in events {
        let tags = &event["tags"];
        if let Some(code) = tags["code"].as_str() {
            assert_eq!(tags["rpc.response.status_code"], code, "{tags}");
        }
        assert_eq!(tags["error.category"], "third_party");
        assert_eq!(event["contexts"]["third_party"]["rpc.system"], "grpc");
        assert_eq!(exception(&event)["type"], "Status");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_through_the_layer_that_the_request_fails_by_is_one_event() {
    let endpoint = Endpoint::from_shared(format!("http://{}", serve().await)).unwrap();
    let hasty = endpoint.timeout(Duration::from_millis(150)).connect_lazy();
    let (nobody, _held) = provider::nobody();
    let nobody = Endpoint::from_shared(format!("http://{nobody}")).unwrap().connect_lazy();
    for (channel, class) in [(nobody, "connection"), (hasty, "timeout")] {
        let reporting = Reporting::start();
        let handler = async move || -> Result<(), Report> {
            let channel = UpstreamLayer::new().service("stock").layer(channel);
            let mut client = tonic::client::Grpc::new(channel);
            client.ready().await?;
            let path = PathAndQuery::from_static("/shop.Stock/Get_99");
            client.unary::<(), (), _>(tonic::Request::new(()), path, Empty).await?;
            Ok(())
        };
        let app = Router::new().route("/pay", axum::routing::get(handler)).layer(ReportLayer::new());
        app.oneshot(get("/pay")).await.unwrap();
        let event = reporting.event();
        assert_eq!(
            (&event["tags"]["error.type"], &event["tags"]["peer.service"]),
            (&class.into(), &"stock".into())
        );
        assert_eq!(event["tags"]["url.template"], "/shop.Stock/Get_99");
    }
}
