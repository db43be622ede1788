//! TLS: a certificate that the platform does not know is refused, and trusted when a file says so.

use std::path::PathBuf;
use std::sync::Arc;

use faultwire::{Config, Report};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::delivery::{PATIENCE, eventually};
use crate::fake::FakeServer;
use crate::support::turn;

/// A server behind TLS whose certificate is signed by an authority that nobody knows.
struct Behind {
    dsn: String,
    authority: String,
}

async fn behind_tls(server: &FakeServer) -> Behind {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let server_key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&server_key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(server_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("localhost:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let plain = url::Url::parse(&server.dsn()).unwrap();
    let inside = format!("127.0.0.1:{}", plain.port().unwrap());
    tokio::spawn(async move {
        while let Ok((outside, _)) = listener.accept().await {
            let (acceptor, inside) = (acceptor.clone(), inside.clone());
            tokio::spawn(async move {
                let mut outside = acceptor.accept(outside).await?;
                let mut inside = TcpStream::connect(inside).await?;
                tokio::io::copy_bidirectional(&mut outside, &mut inside).await
            });
        }
    });
    Behind { dsn: format!("https://{}@localhost:{port}/1", plain.username()), authority: authority.pem() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_authority_is_refused_and_one_in_the_ca_file_is_trusted() {
    let _turn = turn();
    let server = FakeServer::start();
    let Behind { dsn, authority } = behind_tls(&server).await;

    let guard = Config::new().dsn(&dsn).init().unwrap();
    Report::new("to a stranger").send();
    eventually("the first try failed", || guard.stats().last_error.is_some());
    let error = guard.stats().last_error.unwrap_or_default();
    assert!(error.contains("certificate"), "{error}");
    drop(guard);
    assert!(server.requests().is_empty());

    let file =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("authority-{}.pem", std::process::id()));
    std::fs::write(&file, authority).unwrap();
    let guard = Config::new().dsn(&dsn).ca_file(&file).init().unwrap();
    Report::new("to a friend").send();
    assert!(guard.flush(PATIENCE), "{:?}", guard.stats());
    server.expect_only(1);
    std::fs::remove_file(file).unwrap();
}
