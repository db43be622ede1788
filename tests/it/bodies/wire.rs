//! The tee under real servers: chunks, lengths, trailers, bodies of other types, gRPC.

use std::convert::Infallible;

use axum::body::Bytes;
use http_body_util::{Full, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer as _, service_fn};

use super::*;
use crate::support::{Reporting, event_id};

type Frames = StreamBody<tokio_stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

/// Sends one request to this address, on a connection of its own.
async fn send_over<B>(addr: std::net::SocketAddr, request: Request<B>) -> Response<Body>
where
    B: http_body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let io = TokioIo::new(TcpStream::connect(addr).await.unwrap());
    let (mut client, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    client.send_request(request).await.unwrap().map(Body::new)
}

/// Listens with axum's own server.
async fn serve(router: Router) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, router).into_future());
    addr
}

fn chunked(frames: impl IntoIterator<Item = Frame<Bytes>>) -> Frames {
    StreamBody::new(tokio_stream::iter(frames.into_iter().map(Ok).collect::<Vec<_>>()))
}

fn request<B>(body: B) -> Request<B> {
    let request = Request::post("/orders").header("host", "shop").header("content-type", FORM);
    request.body(body).unwrap()
}

#[tokio::test]
async fn a_body_with_a_length_and_one_in_chunks_are_shown() {
    let reporting = Reporting::start();
    let addr = serve(shop()).await;
    let response = send_over(addr, request(Full::<Bytes>::from("article=tea&password=s3cret"))).await;
    let frames = ["article=te", "a&password=s3", "cret"].map(|part| Frame::data(part.into()));
    send_over(addr, request(chunked(frames))).await;
    let events = reporting.events(2);
    assert_eq!(events[0]["event_id"].as_str(), Some(&*event_id(&response)));
    for event in events {
        assert_eq!(shown(&event), "article=tea&password=[Filtered]");
        assert_eq!(note(&event), COMPLETE);
    }
}

#[tokio::test]
async fn trailers_arrive() {
    let reporting = Reporting::start();
    let echo = async |mut body: Body| {
        let mut trailers = None;
        while let Some(frame) = body.frame().await {
            trailers = frame?.into_trailers().ok();
        }
        let trailers = trailers.map(|trailers| trailers["x-checksum"].to_str().unwrap().to_owned());
        Ok::<_, Report>(trailers.unwrap_or_default())
    };
    let addr = serve(Router::new().route("/orders", on_post(echo)).layer(ReportLayer::new())).await;
    let trailers = [("x-checksum".parse().unwrap(), "17".parse().unwrap())].into_iter().collect();
    let frames = chunked([Frame::data("a=1".into()), Frame::trailers(trailers)]);
    let mut request = request(frames);
    request.headers_mut().insert("trailer", "x-checksum".parse().unwrap());
    let response = send_over(addr, request).await;
    assert_eq!(crate::support::text(response).await.unwrap(), "17");
    reporting.events(0);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_for_the_handler_as_before() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let reporting = Reporting::start();
    let addr = serve(shop()).await;
    let mut client = TcpStream::connect(addr).await.unwrap();
    let head = "POST /orders HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n";
    let frames = "d\r\narticle=tea&n\r\nthis is no chunk";
    client.write_all(format!("{head}content-type: {FORM}\r\n\r\n{frames}").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 500"), "{}", String::from_utf8_lossy(&answer));
    let event = reporting.event();
    assert!(shown(&event).starts_with("article=tea"), "{}", shown(&event));
    assert_eq!(note(&event), (Some("partly_read"), [Some(13), Some(13), None]));
}

#[tokio::test]
async fn an_upload_of_many_reads_over_a_connection_is_whole_and_shows_its_beginning() {
    const FRAME: usize = 64 * 1024;
    let reporting = Reporting::start();
    let count = async |mut body: Body| {
        let mut read = 0;
        while let Some(frame) = body.frame().await {
            let data = frame?.into_data().unwrap();
            assert!(data.iter().all(|byte| *byte == b'x'));
            read += data.len();
        }
        Err::<(), _>(Report::new("no stock").tag("read", read))
    };
    let addr = serve(Router::new().route("/orders", on_post(count)).layer(ReportLayer::new())).await;
    let frame = Bytes::from(vec![b'x'; FRAME]);
    send_over(addr, request(chunked((0..256).map(|_| Frame::data(frame.clone()))))).await;
    let event = reporting.event();
    assert_eq!(event["tags"]["read"], (256 * FRAME).to_string());
    assert!(shown(&event).starts_with(&"x".repeat(8_000)));
    assert_eq!(note(&event), (Some("cut"), [Some(8_192), Some(256 * 64 * 1024), None]));
}

#[tokio::test]
async fn a_body_of_another_type_passes_and_is_not_shown() {
    let reporting = Reporting::start();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let failing = service_fn(async |request: Request<hyper::body::Incoming>| {
        let read = request.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(read, "a=1");
        Ok::<_, Infallible>(Report::new("no stock").into_http::<Full<Bytes>>())
    });
    let service = TowerToHyperService::new(ReportLayer::new().layer(failing));
    tokio::spawn(async move {
        let (connection, _) = listener.accept().await.unwrap();
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), service).await
    });
    send_over(addr, request(Full::<Bytes>::from("a=1"))).await;
    assert_no_body(&reporting.event());
}

#[tokio::test]
async fn tonics_body_is_shown_where_it_is_not_grpc() {
    let reporting = Reporting::with(|config| config.bodies(faultwire::config::Bodies::All));
    let failing = service_fn(async |request: Request<tonic::body::Body>| {
        let read = request.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(read, "a=1");
        Err::<Response<tonic::body::Body>, _>(tonic::Status::internal("no stock"))
    });
    let failing = ReportLayer::new().layer(failing);
    for content_type in [FORM, "application/grpc", "application/grpc+json"] {
        let mut request = request(tonic::body::Body::new(Full::<Bytes>::from("a=1")));
        request.headers_mut().insert("content-type", content_type.parse().unwrap());
        failing.clone().oneshot(request).await.unwrap_err();
    }
    let events = reporting.events(3);
    assert_eq!(shown(&events[0]), "a=1");
    events[1..].iter().for_each(assert_no_body);
}

#[tokio::test]
async fn an_error_of_tonics_body_stays_the_status_that_it_is() {
    let reporting = Reporting::start();
    let reading = service_fn(async |request: Request<tonic::body::Body>| {
        let status = request.into_body().collect().await.unwrap_err();
        assert_eq!((status.code(), status.message()), (tonic::Code::DataLoss, "half of it"));
        Ok::<_, Infallible>(Response::new(tonic::body::Body::empty()))
    });
    let frames: [Result<Frame<Bytes>, _>; 1] = [Err(tonic::Status::data_loss("half of it"))];
    let body = tonic::body::Body::new(StreamBody::new(tokio_stream::iter(frames)));
    ReportLayer::new().layer(reading).oneshot(request(body)).await.unwrap();
    reporting.events(0);
}
