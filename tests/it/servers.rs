//! The layer under real servers that are not axum's: hyper, and tonic with its own client.

use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use faultwire::{Report, ReportLayer};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tower::{Layer, Service, service_fn};

use crate::support::{Reporting, exception};

#[tokio::test]
async fn hyper_without_axum_answers_reports_and_survives_panics_on_one_connection() {
    let reporting = Reporting::start();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let shop = service_fn(
        async |request: Request<hyper::body::Incoming>| -> Result<Response<Full<Bytes>>, Infallible> {
            match request.uri().path() {
                "/panic/1" => panic!("the till is jammed"),
                "/ok" => Ok(Response::new(Full::from("ok"))),
                _ => Ok(Report::new("the order could not be loaded").into_http()),
            }
        },
    );
    let service = TowerToHyperService::new(ReportLayer::new().layer(shop));
    let server = tokio::spawn(async move {
        let (connection, _) = listener.accept().await.unwrap();
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), service).await
    });

    let io = TokioIo::new(TcpStream::connect(addr).await.unwrap());
    let (mut client, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    for (path, status) in [("/orders/17", 500), ("/panic/1", 500), ("/ok", 200)] {
        let request = Request::get(path).header("host", "shop").body(Full::<Bytes>::default()).unwrap();
        let response = client.send_request(request).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        response.into_body().collect().await.unwrap();
    }
    drop(client);
    server.await.unwrap().unwrap();
    let events = reporting.events(2);
    assert_eq!(events[0]["transaction"], "GET /orders/{id}");
    assert_eq!(exception(&events[0])["value"], "the order could not be loaded");
    assert_eq!(
        (&events[1]["transaction"], &events[1]["tags"]["route.source"]),
        (&json!("GET /panic/{id}"), &json!("path"))
    );
}

#[tokio::test]
async fn a_panic_in_a_tonic_service_is_status_internal_for_its_client() {
    let reporting = Reporting::start();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let server = tonic::transport::Server::builder().layer(ReportLayer::new()).add_service(Orders);
    let server = tokio::spawn(server.serve_with_incoming(incoming));

    let channel = tonic::transport::Endpoint::new(format!("http://{addr}")).unwrap().connect().await.unwrap();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let path = "/shop.Orders/Get".parse().unwrap();
    let status = client.unary(tonic::Request::new(Bytes::from("17")), path, Raw).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Internal);
    server.abort();
    let event = reporting.event();
    assert_eq!(event["transaction"], "/shop.Orders/Get");
    assert_eq!(exception(&event)["value"], "no such order");
    assert_eq!(event["tags"]["error.category"], "panic");
}

/// A service whose only method panics.
#[derive(Clone)]
struct Orders;

impl tonic::server::NamedService for Orders {
    const NAME: &'static str = "shop.Orders";
}

impl Service<Request<tonic::body::Body>> for Orders {
    type Response = Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<tonic::body::Body>) -> Self::Future {
        Box::pin(async { panic!("no such order") })
    }
}

/// Messages as they are, without protobuf.
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = tonic::Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), tonic::Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = tonic::Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, tonic::Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
