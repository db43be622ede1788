//! WebSockets: what happens after the upgrade happens in a task that axum spawns.

use axum::Router;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::routing::get as on_get;
use faultwire::{Report, ReportLayer, User, current};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Reporting, exception};

async fn reports(_: WebSocket) {
    current().breadcrumb("connected");
    Report::new("no such room").send();
}

async fn panics(_: WebSocket) {
    panic!("the room is on fire");
}

#[tokio::test]
async fn a_socket_is_in_the_context_of_its_request() {
    let reporting = Reporting::start();
    let chat = async |upgrade: WebSocketUpgrade| {
        let request = current().user(User::id("7")).clone();
        upgrade.on_upgrade(move |socket| request.scope(reports(socket)))
    };
    let fire = async |upgrade: WebSocketUpgrade| {
        let request = current().user(User::id("7")).clone();
        upgrade.on_upgrade(move |socket| request.scope(panics(socket)))
    };
    let app: Router = Router::new()
        .route("/chat/{room}", on_get(chat))
        .route("/fire/{room}", on_get(fire))
        .layer(ReportLayer::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    for (route, says) in [("chat", "no such room"), ("fire", "the room is on fire")] {
        let mut client = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET /{route}/1 HTTP/1.1\r\nhost: shop.example.com\r\nx-request-id: {route}-1\r\nconnection: upgrade\r\n\
             upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        client.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        client.read_exact(&mut status).await.unwrap();
        assert_eq!(status, *b"HTTP/1.1 101");
        // Until the socket is closed, which the end of its task does.
        client.read_to_end(&mut Vec::new()).await.unwrap();
        let event = reporting.all_events().pop().unwrap();
        assert_eq!(exception(&event)["value"], says);
        assert_eq!(event["transaction"], format!("GET /{route}/{{room}}"));
        assert_eq!(
            (&event["user"]["id"], &event["tags"]["request_id"]),
            (&json!("7"), &json!(format!("{route}-1")))
        );
    }
    server.abort();
    reporting.events(2);
}
