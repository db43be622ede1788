//! What is kept is bounded, whatever a client sends.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use allocation_counter::{AllocationInfo, measure};
use axum::body::Bytes;
use http_body::{Frame, SizeHint};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::support::Reporting;

const MIB: u64 = 1024 * 1024;

/// What serving the request takes from the allocator; the request itself is made by its body while it is read.
fn taken_by(request: Request<Body>) -> AllocationInfo {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let router = shop();
    measure(|| {
        runtime.block_on(send(router, request));
    })
}

/// A body of frames of this size that are made when they are read.
fn generated(frames: usize, size: usize) -> Body {
    Body::from_stream(tokio_stream::iter((0..frames).map(move |number| {
        let mut frame = vec![b'x'; size];
        if number == 0 {
            frame[..5].copy_from_slice(b"note=");
        }
        Ok::<_, std::io::Error>(frame)
    })))
}

#[test]
fn a_gibibyte_takes_no_more_memory_than_a_frame_and_shows_its_beginning() {
    let reporting = Reporting::start();
    let taken = taken_by(post(FORM, generated(16 * 1024, 64 * 1024)));
    assert!(taken.bytes_total > 1024 * MIB, "it was read: {taken:?}");
    assert!(taken.bytes_max < 2 * 64 * 1024 + 32 * 1024, "one frame, and what is kept: {taken:?}");

    let event = reporting.event();
    assert!(shown(&event).starts_with(&format!("note={}", "x".repeat(8_000))));
    assert_eq!(note(&event), (Some("cut"), [Some(8_192), Some(1024 * MIB), None]));
}

#[test]
fn a_gibibyte_over_a_connection_takes_no_more_memory_than_its_buffers() {
    let reporting = Reporting::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    // Client and server are on this thread.
    let upload = async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, shop()).into_future());
        let io = TokioIo::new(TcpStream::connect(addr).await.unwrap());
        let (mut client, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        client.send_request(post(FORM, generated(16 * 1024, 64 * 1024))).await.unwrap()
    };
    let taken = measure(|| assert_eq!(runtime.block_on(upload).status(), 500));
    assert!(taken.bytes_max < 4 * MIB, "{taken:?}");
    let event = reporting.event();
    assert!(shown(&event).starts_with(&format!("note={}", "x".repeat(8_000))));
    assert_eq!(note(&event), (Some("cut"), [Some(8_192), Some(1024 * MIB), None]));
}

#[tokio::test]
async fn a_frame_is_freed_as_soon_as_the_handler_lets_go_of_it() {
    /// A connection's read buffer, and how often it is held.
    struct Buffer(Vec<u8>, #[expect(dead_code, reason = "held")] Arc<()>);
    impl AsRef<[u8]> for Buffer {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    let reporting = Reporting::start();
    let held = Arc::new(());
    let buffer = Bytes::from_owner(Buffer(b"note=1".repeat(100_000), Arc::clone(&held)));
    let body = Body::from_stream(tokio_stream::iter([Ok::<_, Infallible>(buffer.slice(..6))]));
    drop(buffer);
    let reading = async move |body: Body| {
        assert_eq!(Arc::strong_count(&held), 2);
        body.collect().await.unwrap();
        assert_eq!(Arc::strong_count(&held), 1);
        Report::new("no stock").send();
    };
    send(Router::new().route("/orders", on_post(reading)).layer(ReportLayer::new()), post(FORM, body)).await;
    assert_eq!(shown(&reporting.event()), "note=1");
}

#[test]
fn frames_of_one_byte_are_kept_in_one_piece() {
    let reporting = Reporting::with(|config| config.body_limit(100_000));
    let taken = taken_by(post(FORM, generated(1, 8_000)));
    let frames = std::iter::once("note=".to_owned()).chain((0..8_000).map(|_| "x".to_owned()));
    let in_ones = taken_by(post(FORM, in_frames(frames)));
    let more = in_ones.count_total.saturating_sub(taken.count_total);
    // The stream makes an allocation of its own for each frame.
    assert!(more < 8_000 + 100, "{taken:?}, {in_ones:?}");
    assert!(in_ones.bytes_max < 64 * 1024, "{in_ones:?}");
    let events = reporting.events(2);
    assert_eq!(shown(&events[1]), format!("note={}", "x".repeat(8_000)));
}

#[test]
fn what_a_client_only_announces_takes_no_memory() {
    let reporting = Reporting::with(|config| config.body_limit(1024 * 1024));
    /// One frame, and a length that is never sent.
    struct Announced(Option<Bytes>);
    impl http_body::Body for Announced {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.take().map(|data| Ok(Frame::data(data))))
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(1 << 40)
        }
    }
    let taken = taken_by(post(FORM, Body::new(Announced(Some("note=1".into())))));
    assert!(taken.bytes_max < 32 * 1024, "{taken:?}");
    let event = reporting.event();
    assert_eq!((shown(&event), note(&event)), ("note=1", COMPLETE), "it ended there");
}

#[test]
fn success_leaves_nothing_behind() {
    let reporting = Reporting::start();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let router: Router =
        Router::new().route("/orders", on_post(async |_: String| "ok")).layer(ReportLayer::new());
    let succeed = || {
        runtime.block_on(send(router.clone(), post(FORM, generated(3, 1_000))));
    };
    // Contexts and their buffer are made once.
    succeed();
    for _ in 0..10 {
        let taken = measure(succeed);
        assert_eq!((taken.count_current, taken.bytes_current), (0, 0));
    }
    reporting.events(0);
}
