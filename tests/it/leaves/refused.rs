//! What others refuse: a database a row, another service a charge, the application a login.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::routing::post;
use faultwire::report::AuthFailure;
use faultwire::{Report, ReportLayer};
use http::{HeaderMap, Method, Request, StatusCode};
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use tower::ServiceExt as _;

use super::scenes::HEAD;

/// A row whose key is there already: its values are in the statement.
pub(super) async fn by_a_database() -> Report {
    let insert = "INSERT INTO tokens (owner, token) VALUES ('ada@example.org', 'krellaz')";
    let mut db = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    db.execute("CREATE TABLE tokens (owner text, token text UNIQUE)").await.unwrap();
    db.execute(insert).await.unwrap();
    let error = db.execute(insert).await.unwrap_err();
    Report::database(error).statement(insert).pool(10, 0, 57)
}

/// A service that says why.
pub(super) fn by_a_service() -> Report {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    headers.insert("request-id", "req_8jx2".parse().unwrap());
    let body = r#"{"error":{"code":"card_declined","message":"declined","token":"krellaz"}}"#;
    Report::third_party("stripe", "no charge")
        .upstream_request(Method::POST, "https://api.stripe.com/v1/charges/8213?api_key=krellaz&expand=card")
        .upstream_response(StatusCode::PAYMENT_REQUIRED, &headers)
        .upstream_body(body)
        .attempt(2)
}

/// The first failed login is sent, for the application says so; then somebody tries and tries.
pub(super) async fn by_the_application() {
    for number in 0..101 {
        let handler = async move || {
            let report = Report::auth(AuthFailure::BadCredentials).identifier("ada@example.org");
            if number == 0 { report.always() } else { report }
        };
        let app: Router = Router::new().route("/login", post(handler)).layer(ReportLayer::new());
        let mut request = Request::post("/login");
        for (name, value) in HEAD {
            request = request.header(name, value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        let peer = SocketAddr::new(Ipv4Addr::new(93, 184, 216, 34).into(), 50_000);
        request.extensions_mut().insert(ConnectInfo(peer));
        assert_eq!(app.oneshot(request).await.unwrap().status(), 401);
    }
}
