//! Somebody else's service on the loopback interface, which fails in every way there is.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// What it answers, by the first part of the path.
const ANSWERS: &[(&str, &str)] = &[
    ("fine", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
    ("broken", "HTTP/1.1 500 Internal Server Error\r\nrequest-id: req_500\r\ncontent-length: 0\r\n\r\n"),
    (
        "busy",
        "HTTP/1.1 429 Too Many Requests\r\nretry-after: 17\r\nx-request-id: 0af7-429\r\ncontent-length: 0\r\n\r\n",
    ),
    (
        "away",
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: 120\r\ncf-ray: 8a1b2c-FRA\r\ncontent-length: 0\r\n\r\n",
    ),
    ("closed", "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"),
    ("missing", "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
    ("denied", "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n"),
    ("slow", "HTTP/1.1 504 Gateway Timeout\r\ncontent-length: 0\r\n\r\n"),
    ("prose", "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 6\r\n\r\nsoon!!"),
    ("cut", "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nthe begin"),
    ("stalls", "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nthe begin"),
    ("round", "HTTP/1.1 302 Found\r\nlocation: /round/cus_4f3a2b1c9d\r\ncontent-length: 0\r\n\r\n"),
    ("noise", "HALLO\r\n\r\n"),
    ("hangs", ""),
    ("ends", ""),
];

/// Serves until the runtime ends.
pub(super) async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(serve(connection));
        }
    });
    address
}

async fn serve(mut connection: TcpStream) -> std::io::Result<()> {
    let mut head = vec![connection.read_u8().await?];
    if !head.iter().all(u8::is_ascii_uppercase) {
        // Somebody speaks TLS.
        connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await?;
        return connection.shutdown().await;
    }
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mode = head.split('/').nth(1).unwrap_or_default();
    // Another protocol is hung up on.
    let (mode, answer) =
        ANSWERS.iter().find(|(known, _)| mode.starts_with(known)).copied().unwrap_or_default();
    // No client is to take the connection for one that can be used again.
    let answer = answer.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    connection.write_all(answer.as_bytes()).await?;
    if ["hangs", "stalls"].contains(&mode) {
        forever().await;
    }
    connection.shutdown().await
}

async fn forever() -> Infallible {
    loop {
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
}

/// A port where nobody listens, for as long as the result lives.
pub(super) fn nobody() -> (SocketAddr, std::net::TcpListener) {
    // Another socket holds the address and listens to nothing on this one.
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    (SocketAddr::from(([127, 0, 0, 77], address.port())), held)
}

/// Accepts connections and says nothing on them.
pub(super) async fn silence() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            held.push(connection);
        }
    });
    address
}

/// TLS with a certificate that nobody knows.
pub(super) async fn stranger() -> SocketAddr {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(acceptor.accept(connection));
        }
    });
    address
}

/// A client of it, with the TLS that is here.
pub(super) fn client() -> reqwest::ClientBuilder {
    let _ = ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy()
}
