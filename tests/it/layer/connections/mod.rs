//! Clients that leave, over real connections: before there is an answer, during their upload, and during the answer.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Bytes, to_bytes};
use axum::routing::post as on_post;
use faultwire::Config;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, yield_now};
use tokio::time::timeout;
use tokio_stream::StreamExt as _;

mod uploads;

use super::*;

const A_WHILE: Duration = Duration::from_secs(10);
/// The half of an upload.
const HALF: &[u8] = b"{\"article\":";
const UPLOAD: &str = "POST /uploads/1 HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\n";

/// How a client leaves.
#[derive(Clone, Copy, Debug)]
enum Way {
    ClosesHttp1,
    ResetsHttp1,
    LeavesHttp1InAChunk,
    ResetsTheStream,
    SaysThatItFailed,
    ClosesHttp2,
}

use Way::{ClosesHttp1, ClosesHttp2, LeavesHttp1InAChunk, ResetsHttp1, ResetsTheStream, SaysThatItFailed};

const WAYS: [Way; 6] =
    [ClosesHttp1, ResetsHttp1, LeavesHttp1InAChunk, ResetsTheStream, SaysThatItFailed, ClosesHttp2];

/// A client with a request under way.
enum Client {
    Http1(TcpStream),
    Http2 { stream: h2::SendStream<Bytes>, answer: h2::client::ResponseFuture, connection: AbortHandle },
}

impl Client {
    /// Sends a request whose body, if it has one, breaks off.
    async fn begin(way: Way, addr: SocketAddr, path: &str) -> Self {
        let mut tcp = TcpStream::connect(addr).await.unwrap();
        let uploads = path.starts_with("/uploads");
        if matches!(way, ClosesHttp1 | ResetsHttp1 | LeavesHttp1InAChunk) {
            let head = match way {
                _ if !uploads => format!("GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n"),
                LeavesHttp1InAChunk => format!("{UPLOAD}transfer-encoding: chunked\r\n\r\n20\r\n"),
                _ => format!("{UPLOAD}content-length: 100\r\n\r\n"),
            };
            tcp.write_all(head.as_bytes()).await.unwrap();
            if uploads {
                tcp.write_all(HALF).await.unwrap();
            }
            return Self::Http1(tcp);
        }
        let (client, connection) = h2::client::handshake(tcp).await.unwrap();
        let connection = tokio::spawn(connection).abort_handle();
        let request = Request::builder().uri(format!("http://shop{path}"));
        let request = match uploads {
            true => request.method("POST").header("content-type", "application/json"),
            false => request,
        };
        let (answer, mut stream) =
            client.ready().await.unwrap().send_request(request.body(()).unwrap(), !uploads).unwrap();
        if uploads {
            stream.send_data(Bytes::from_static(HALF), false).unwrap();
        }
        Self::Http2 { stream, answer, connection }
    }

    /// Waits for the beginning of the answer.
    async fn first_bytes(&mut self) {
        match self {
            Self::Http1(tcp) => {
                let mut read = Vec::new();
                while !read.ends_with(b"and on\r\n") {
                    read.push(tcp.read_u8().await.unwrap());
                }
            }
            Self::Http2 { answer, .. } => {
                let mut answer = answer.await.unwrap();
                assert_eq!(answer.body_mut().data().await.unwrap().unwrap(), "and on");
            }
        }
    }

    fn leave(self, way: Way) {
        match self {
            Self::Http1(tcp) => {
                if matches!(way, ResetsHttp1) {
                    tcp.set_zero_linger().unwrap();
                }
            }
            Self::Http2 { mut stream, answer, connection } => {
                match way {
                    ClosesHttp2 => connection.abort(),
                    SaysThatItFailed => stream.send_reset(h2::Reason::INTERNAL_ERROR),
                    _ => stream.send_reset(h2::Reason::CANCEL),
                }
                drop(answer);
            }
        }
    }
}

/// Listens with a server of both protocols.
async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let service = TowerToHyperService::new(router.clone());
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                // That a client left is how many of these end.
                drop(server.serve_connection(TokioIo::new(tcp), service).await);
            });
        }
    });
    addr
}

/// Waits until this holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            yield_now().await;
        }
    };
    timeout(A_WHILE, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// Has a client begin a request, and leave once the handler is at work on it.
async fn leave_during(way: Way, router: Router, path: &str, at_work: &Notify) {
    let client = Client::begin(way, serve(router).await, path).await;
    timeout(A_WHILE, at_work.notified()).await.unwrap();
    client.leave(way);
}

/// Has a client of each way leave, and waits until all are counted. What happens in the meantime is counted too: none
/// may be answered.
async fn all_leave(layer: ReportLayer, path: &str, change: fn(Config) -> Config) -> Vec<serde_json::Value> {
    let reporting = Reporting::with(change);
    for (before, way) in (0..).zip(WAYS) {
        let at_work = Arc::new(Notify::new());
        leave_during(way, shop_of(layer.clone(), &at_work), path, &at_work).await;
        until(&format!("{way:?}"), || reporting.guard.stats().cancelled > before).await;
    }
    let stats = reporting.guard.stats();
    assert_eq!((stats.requests, stats.cancelled, stats.discarded), (6, 6, 0));
    reporting.all_events()
}

/// A handler that hangs, and one that reads its body, both of which say when they are at work.
fn shop_of(layer: ReportLayer, at_work: &Arc<Notify>) -> Router {
    let (hanging, uploading) = (Arc::clone(at_work), Arc::clone(at_work));
    let hangs = async move || -> Result<(), Report> {
        hanging.notify_one();
        std::future::pending().await
    };
    let reads = async move |body: Body| -> Result<(), Report> {
        uploading.notify_one();
        let bytes = to_bytes(body, usize::MAX).await?;
        panic!("{} bytes are the whole", bytes.len())
    };
    Router::new().route("/hangs/{id}", on_get(hangs)).route("/uploads/{id}", on_post(reads)).layer(layer)
}

#[track_caller]
fn assert_are_cancelled(events: &[serde_json::Value], route: &str) {
    assert_eq!(events.len(), WAYS.len());
    for event in events {
        assert_eq!((&event["transaction"], &event["level"]), (&json!(route), &json!("warning")));
        assert_eq!(exception(event)["type"], "RequestCancelled");
        assert_eq!(exception(event)["mechanism"], json!({"type": "cancelled", "handled": true}));
        assert!(event["contexts"]["response"].is_null(), "nobody was answered");
        assert_eq!(event["fingerprint"], events[0]["fingerprint"]);
    }
}

#[tokio::test]
async fn who_leaves_while_the_handler_works_is_counted_and_told_of_on_demand() {
    assert_eq!(all_leave(ReportLayer::new(), "/hangs/1", |config| config).await, [json!(null); 0]);
    let events = all_leave(ReportLayer::new().report_cancelled(), "/hangs/1", |config| config).await;
    assert_are_cancelled(&events, "GET /hangs/{id}");
}

#[tokio::test]
async fn who_leaves_during_the_answer_is_not_told_of() {
    /// Says that the server is done with the answer.
    struct Gone(Arc<Notify>);
    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let reporting = Reporting::start();
    for way in WAYS {
        let gone = Arc::new(Notify::new());
        let told = Arc::clone(&gone);
        let streams = async move || {
            let gone = Gone(told);
            let frames = tokio_stream::once("and on").chain(tokio_stream::pending());
            let frames = frames.map(move |text| {
                let _until_then = &gone;
                Ok::<_, Infallible>(text)
            });
            Body::from_stream(frames)
        };
        let router: Router =
            Router::new().route("/stream", on_get(streams)).layer(ReportLayer::new().report_cancelled());
        let mut client = Client::begin(way, serve(router).await, "/stream").await;
        timeout(A_WHILE, client.first_bytes()).await.unwrap();
        client.leave(way);
        timeout(A_WHILE, gone.notified()).await.unwrap_or_else(|_| panic!("{way:?} is not noticed"));
    }
    reporting.events(0);
    assert_eq!(reporting.guard.stats().cancelled, 0);
}
