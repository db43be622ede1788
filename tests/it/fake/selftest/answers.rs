//! One test for each answer: what a client notices on its socket.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::super::{Answer, FakeServer};
use super::{Client, EVENT_ID, envelope, good_event, post};

fn answering(answer: Answer) -> FakeServer {
    let server = FakeServer::start();
    server.answer(answer);
    server
}

/// Sends a good event and returns the open connection.
fn client_after_post(server: &FakeServer) -> Client {
    let client = Client::of(server);
    client.post(&envelope(&good_event()));
    client
}

/// What the next read of the connection gives: bytes, or the kind of its error; silence is `WouldBlock`.
fn next_read(client: &mut Client) -> Result<usize, ErrorKind> {
    client.stream().set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
    client.reader.read(&mut [0; 4096]).map_err(|error| error.kind())
}

#[test]
fn ok_keeps_the_event_and_the_connection() {
    let server = FakeServer::start();
    let mut client = Client::of(&server);
    for _ in 0..2 {
        client.post(&envelope(&good_event()));
        let response = client.response().expect("an answer");
        assert_eq!(response.status, 200);
        assert_eq!(response.body, format!(r#"{{"id":"{EVENT_ID}"}}"#));
    }
    assert_eq!(server.expect_only(2).len(), 2);
    assert_eq!(server.violations(), Vec::<String>::new());
    assert_eq!(server.events()[0]["release"], "shop@1.2.3+abc");
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].event_id.as_deref(), Some(EVENT_ID));
    assert_eq!((requests[0].path.as_str(), requests[0].connection), ("/api/1/envelope/", 1));
    assert_eq!(requests[0].header("Host"), Some("localhost"));
    assert!(requests[0].text().contains("PaymentError") && requests[0].arrived <= requests[1].arrived);
    assert_eq!((requests[1].connection, server.connections()), (1, 1));
}

#[test]
fn ok_with_rate_limits() {
    let server = answering(Answer::OkWithRateLimits("60:error:organization".to_owned()));
    let response = post(&server, &envelope(&good_event()));
    assert_eq!(response.status, 200);
    assert!(response.head.contains("X-Sentry-Rate-Limits: 60:error:organization\r\n"), "{}", response.head);
    assert_eq!(server.wait_events(1).len(), 1);
}

#[test]
fn ok_with_a_date_and_ok_after_a_while() {
    let server = answering(Answer::OkWithDate("Fri, 13 Feb 2009 23:31:30 GMT".to_owned()));
    let response = post(&server, &envelope(&good_event()));
    assert!(response.head.contains("Date: Fri, 13 Feb 2009 23:31:30 GMT\r\n"), "{}", response.head);
    server.answer(Answer::OkAfter(Duration::from_millis(50)));
    let asked = Instant::now();
    assert_eq!(post(&server, &envelope(&good_event())).status, 200);
    assert!(asked.elapsed() >= Duration::from_millis(50));
    assert_eq!(server.wait_events(2).len(), 2);
}

#[test]
fn queued_answers_come_first_and_only_a_200_keeps_the_event() {
    let server = FakeServer::start();
    server.answer_next([Answer::Status(500), Answer::StatusWithBody(413, "too large".to_owned())]);
    let answers = [(); 3].map(|()| post(&server, &envelope(&good_event())));
    assert_eq!(answers.map(|answer| (answer.status, answer.body.len())), [(500, 0), (413, 9), (200, 41)]);
    assert_eq!(server.wait_requests(3).len(), 3);
    assert_eq!(server.events().len(), 1);
}

#[test]
fn too_many() {
    let retry_after = Some("162".to_owned());
    let server = answering(Answer::TooMany { retry_after, rate_limits: Some("60::key".to_owned()) });
    let response = post(&server, &envelope(&good_event()));
    assert_eq!(response.status, 429);
    assert!(
        response.head.contains("Retry-After: 162\r\nX-Sentry-Rate-Limits: 60::key\r\n"),
        "{}",
        response.head
    );
    server.answer(Answer::TooMany { retry_after: None, rate_limits: None });
    assert!(!post(&server, &envelope(&good_event())).head.contains("Retry-After"));
    assert!(server.events().is_empty());
}

#[test]
fn hang_reads_the_request_and_holds_the_socket() {
    let server = answering(Answer::Hang);
    let mut client = client_after_post(&server);
    assert_eq!(server.wait_requests(1)[0].event_id.as_deref(), Some(EVENT_ID));
    assert_eq!(next_read(&mut client), Err(ErrorKind::WouldBlock));
    assert!(server.events().is_empty());
    drop(server);
    assert_eq!(next_read(&mut client), Ok(0));
}

#[test]
fn hang_before_read_leaves_the_request_unread() {
    let server = answering(Answer::HangBeforeRead);
    let mut client = client_after_post(&server);
    server.wait_connections(1);
    assert_eq!(next_read(&mut client), Err(ErrorKind::WouldBlock));
    assert!(server.requests().is_empty());
}

#[test]
fn reset_is_a_reset() {
    let server = answering(Answer::Reset);
    let mut client = client_after_post(&server);
    assert_eq!(server.wait_requests(1)[0].path, "/api/1/envelope/");
    assert_eq!(client.response().err().map(|error| error.kind()), Some(ErrorKind::ConnectionReset));
}

#[test]
fn close_without_answer_is_an_orderly_end() {
    let server = answering(Answer::CloseWithoutAnswer);
    let mut client = client_after_post(&server);
    assert_eq!(client.reader.read(&mut [0]).expect("no reset"), 0);
    assert_eq!((server.requests().len(), server.events().len()), (1, 0));
}

#[test]
fn close_after_answer_does_not_say_so() {
    let server = answering(Answer::CloseAfterAnswerSilently);
    let mut client = client_after_post(&server);
    let response = client.response().expect("an answer");
    assert_eq!(response.status, 200);
    assert!(!response.head.to_lowercase().contains("connection"), "{}", response.head);
    assert_eq!(client.reader.read(&mut [0]).expect("no reset"), 0);
    assert_eq!(server.expect_only(1).len(), 1);
}

#[test]
fn hang_mid_body_sends_less_than_it_promises() {
    let server = answering(Answer::HangMidBody);
    let mut client = client_after_post(&server);
    server.wait_events(1);
    assert!(next_read(&mut client).is_ok_and(|length| length > 0));
    assert_eq!(next_read(&mut client), Err(ErrorKind::WouldBlock));
}

#[test]
fn slow_loris_sends_a_byte_and_waits() {
    let server = answering(Answer::SlowLoris);
    let mut client = client_after_post(&server);
    server.wait_requests(1);
    let mut first = [0; 10];
    assert_eq!(client.reader.read(&mut first).expect("a byte"), 1);
    assert_eq!(next_read(&mut client), Err(ErrorKind::WouldBlock));
    assert!(server.events().is_empty());
}

#[test]
fn garbage_is_not_http() {
    let server = answering(Answer::Garbage);
    let mut client = client_after_post(&server);
    let mut answer = Vec::new();
    client.reader.read_to_end(&mut answer).expect("an orderly end");
    assert!(!answer.is_empty() && !answer.starts_with(b"HTTP"));
}

#[test]
fn huge_body_is_as_long_as_asked() {
    let server = answering(Answer::HugeBody(3_000_000));
    assert_eq!(post(&server, &envelope(&good_event())).body.len(), 3_000_000);
}

#[test]
fn a_stopped_server_refuses_and_comes_back_on_its_port() {
    let mut server = FakeServer::start();
    let mut idle = Client::of(&server);
    server.wait_connections(1);
    let dsn = server.dsn();
    server.stop();
    assert_eq!(next_read(&mut idle), Ok(0));
    assert_eq!(refusal(&dsn), Some(ErrorKind::ConnectionRefused));
    server.restart();
    assert_eq!(server.dsn(), dsn);
    assert_eq!(post(&server, &envelope(&good_event())).status, 200);
}

#[test]
fn the_refused_dsn_refuses() {
    assert_eq!(refusal(&FakeServer::refused_dsn()), Some(ErrorKind::ConnectionRefused));
}

fn refusal(dsn: &str) -> Option<ErrorKind> {
    let url = url::Url::parse(dsn).expect("a URL");
    let address = SocketAddr::from(([127, 0, 0, 1], url.port().expect("a port")));
    TcpStream::connect(address).err().map(|error| error.kind())
}

#[test]
#[should_panic(expected = "expected 1 events, but there are 2 events: [\"PaymentError: card refused\"")]
fn one_event_too_many_is_noticed() {
    // It panics, which a test that reports would report.
    let _turn = crate::support::turn();
    let server = FakeServer::start();
    let _answers = [(); 2].map(|()| post(&server, &envelope(&good_event())));
    server.expect_only(1);
}

#[test]
#[should_panic(
    expected = "a real server would not have kept what the fake server got:\n- `release` must be a text"
)]
fn an_untaken_violation_fails_the_test() {
    let _turn = crate::support::turn();
    let server = FakeServer::start();
    let mut event = good_event();
    event["release"] = "feature/x".into();
    post(&server, &envelope(&event));
}
