//! The tee changes nothing: every frame, size and error passes as it is, at every step.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use axum::body::Bytes;
use http::{HeaderMap, HeaderName};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{Full, Limited};
use proptest::prelude::*;
use tower::{Layer as _, service_fn};

use super::*;
use crate::support::Reporting;

#[derive(Clone, Debug)]
enum Step {
    Pending,
    Data(Bytes),
    Trailers(HeaderMap),
    Fails,
}

/// A body that does as it is told: before each step it says another size, and whether it has ended, true or not.
#[derive(Clone, Debug)]
struct Scripted(VecDeque<(Step, SizeHint, bool)>);

/// The error of such a body.
#[derive(Debug)]
struct ClientWent;

impl fmt::Display for ClientWent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client went away")
    }
}

impl std::error::Error for ClientWent {}

impl HttpBody for Scripted {
    type Data = Bytes;
    type Error = ClientWent;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientWent>>> {
        Poll::Ready(match self.0.pop_front() {
            Some((Step::Pending, ..)) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some((Step::Data(data), ..)) => Some(Ok(Frame::data(data))),
            Some((Step::Trailers(trailers), ..)) => Some(Ok(Frame::trailers(trailers))),
            Some((Step::Fails, ..)) => Some(Err(ClientWent)),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.0.front().is_none_or(|(_, _, ended)| *ended)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.front().map_or(SizeHint::with_exact(0), |(_, size, _)| *size)
    }
}

/// What a reader sees of a body at one step.
#[derive(Debug, PartialEq)]
struct Seen {
    is_end_stream: bool,
    size: (u64, Option<u64>),
    polled: Polled,
}

#[derive(Debug, PartialEq)]
enum Polled {
    Pending,
    /// The bytes, and where they are: they are not copied on the way.
    Data(Bytes, *const u8),
    Trailers(HeaderMap),
    /// Its text, and whether it is still found by its type.
    Fails(String, bool),
    End,
}

/// Reads until the end and twice beyond it.
fn read(mut body: Body) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut ends = 0;
    while ends < 3 {
        let size = body.size_hint();
        let is_end_stream = body.is_end_stream();
        let polled = match Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => Polled::Pending,
            Poll::Ready(None) => {
                ends += 1;
                Polled::End
            }
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => Polled::Data(data.clone(), data.as_ptr()),
                Err(frame) => Polled::Trailers(frame.into_trailers().unwrap()),
            },
            Poll::Ready(Some(Err(error))) => {
                Polled::Fails(error.to_string(), error.into_inner().is::<ClientWent>())
            }
        };
        seen.push(Seen { is_end_stream, size: (size.lower(), size.upper()), polled });
    }
    seen
}

/// The same under the layer.
fn read_under_the_layer(content_type: &str, body: Body) -> Vec<Seen> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let reading = Rc::clone(&seen);
    let reader = service_fn(move |request: Request<Body>| {
        *reading.borrow_mut() = read(request.into_body());
        std::future::ready(Ok::<_, Infallible>(Response::new(Body::empty())))
    });
    let answered = ReportLayer::new().layer(reader).oneshot(post(content_type, body));
    let mut answered = std::pin::pin!(answered);
    let Poll::Ready(Ok(_)) = answered.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("the service answers at once");
    };
    seen.take()
}

fn steps() -> impl Strategy<Value = Scripted> {
    let bytes = prop_oneof![
        Just(0..=0_usize),
        Just(1..=1),
        Just(2..=100),
        Just(7_000..=9_000),
        Just(60_000..=70_000),
    ];
    let data = bytes.prop_flat_map(|range| {
        prop::collection::vec(any::<u8>(), 1).prop_flat_map(move |fill| {
            range.clone().prop_map(move |length| Step::Data(fill.repeat(length).into()))
        })
    });
    let trailers = prop::collection::vec("[a-z]{1,9}", 0..4).prop_map(|names| {
        let pair = |name: String| (name.parse::<HeaderName>().unwrap(), "x".parse().unwrap());
        Step::Trailers(names.into_iter().map(pair).collect())
    });
    let step = prop_oneof![6 => data, 2 => Just(Step::Pending), 1 => trailers, 1 => Just(Step::Fails)];
    let size = (0..20_000_u64, prop::option::of(0..20_000_u64)).prop_map(|(lower, more)| {
        let mut size = SizeHint::new();
        size.set_lower(lower);
        more.into_iter().for_each(|more| size.set_upper(lower + more));
        size
    });
    prop::collection::vec((step, size, prop::bool::weighted(0.2)), 0..12)
        .prop_map(|steps| Scripted(steps.into()))
}

#[test]
fn a_reader_sees_the_same_with_and_without_the_layer() {
    let reporting = Reporting::start();
    proptest!(|(script in steps(), limited in any::<bool>())| {
        // The second is not teed; neither makes a difference.
        for content_type in [FORM, "image/png"] {
            let body = || match limited {
                true => Body::new(Body::new(script.clone())),
                false => Body::new(script.clone()),
            };
            prop_assert_eq!(read_under_the_layer(content_type, body()), read(body()));
        }
    });
    reporting.events(0);
}

#[tokio::test]
async fn a_limit_further_out_is_still_a_413() {
    let reporting = Reporting::start();
    let router =
        Router::new().route("/orders", on_post(async |_: Json<Value>| "ok")).layer(ReportLayer::new());
    let limited = Body::new(Limited::new(Full::from(r#"{"article":"tea"}"#), 5));
    let response = send(router, post(JSON, limited)).await;
    assert_eq!(response.status(), 413);
    reporting.events(0);
}
