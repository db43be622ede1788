//! Everything else of a request, through the layer.

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use faultwire::{Report, ReportLayer};
use http::{HeaderValue, Request};
use tower::ServiceExt;

use super::{Cell, Row};
use crate::scrubbing::canary::{ALL, Canary, DIGITS, PLAIN, TOKEN, WORD};
use crate::scrubbing::plant::KEPT;

const HEADERS: [&str; 15] = [
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "x-auth-token",
    "x-access-token",
    "x-csrf-token",
    "x-amz-security-token",
    "x-goog-iap-jwt-assertion",
    "x-forwarded-access-token",
    "x-vault-token",
    "x-gitlab-token",
    "x-hub-signature-256",
    "stripe-signature",
    "cf-access-jwt-assertion",
    "x-rollbar-access-token",
];
const COOKIES: [&str; 4] = ["session", "csrftoken", "sid", "remember_me"];
const QUERY: [&str; 14] = [
    "token",
    "access_token",
    "api_key",
    "apikey",
    "key",
    "signature",
    "X-Amz-Signature",
    "sig",
    "code",
    "password",
    "reset_token",
    "session_id",
    "jwt",
    "secret",
];

pub(super) fn rows() -> Vec<Row> {
    let plain = |number: usize| ALL[number % PLAIN];
    let headers = HEADERS.iter().enumerate().map(|(number, name)| {
        let canary = if number == 3 { WORD } else { plain(number) };
        let value = if number == 0 { format!("Bearer {}", canary.value) } else { canary.value.to_owned() };
        Cell::new(*name, canary, move || send(get("/orders/7").header(*name, header(&value))))
    });
    let cookies = COOKIES.iter().enumerate().map(|(number, name)| {
        let canary = plain(number);
        let cookie = format!("{name}={}; theme={}", canary.value, canary.value);
        Cell::new(*name, canary, move || send(get("/orders/7").header("cookie", header(&cookie))))
    });
    let query = QUERY.iter().enumerate().map(|(number, name)| {
        let canary = ALL[number % ALL.len()];
        let pair =
            url::form_urlencoded::Serializer::new(String::new()).append_pair(name, canary.value).finish();
        Cell::new(*name, canary, move || send(get(&format!("/orders/7?page=2&{pair}"))))
    });
    vec![
        Row::new("headers", headers.collect()),
        Row::new("cookies", cookies.collect()),
        Row::new("query strings", query.collect()),
        Row::new("headers that are shown, and paths", shown()),
    ]
}

/// Where the value itself is shown, unless it is a secret.
fn shown() -> Vec<Cell> {
    let referer = |canary: Canary, url: &str| {
        let url = url.replace("{}", canary.value);
        Cell::new("referer", canary, move || send(get("/orders/7").header("referer", header(&url))))
    };
    let path = |canary: Canary, path: &str| {
        let path = path.replace("{}", canary.value);
        Cell::new("path", canary, move || send(get(&path)))
    };
    vec![
        referer(TOKEN, "https://shop.example.com/cart?token={}"),
        referer(DIGITS, "https://shop.example.com/cart#access_token={}"),
        referer(WORD, "https://ada:{}@shop.example.com/cart"),
        referer(TOKEN, "https://shop.example.com/token={}/cart"),
        path(WORD, "/reset/{}"),
        path(TOKEN, "/reset/{}?page=2"),
        path(WORD, "/orders/7;jsessionid={}"),
        path(TOKEN, "/nowhere/token={}/x"),
        Cell::new("marked as sensitive", WORD, || {
            let mut value = header(WORD.value);
            value.set_sensitive(true);
            send(get("/orders/7").header("accept-language", value));
        }),
        Cell::new("shown header with a pair", WORD, || {
            send(get("/orders/7").header("x-request-id", header(&format!("token={}", WORD.value))));
        }),
    ]
}

fn get(path: &str) -> http::request::Builder {
    Request::get(path).header("host", "shop.example.com").header("user-agent", KEPT)
}

fn header(value: &str) -> HeaderValue {
    HeaderValue::from_bytes(value.as_bytes()).unwrap()
}

fn send(request: http::request::Builder) {
    let fail = async || Err::<(), Report>(Report::new("no stock"));
    let app: Router = Router::new()
        .route("/orders/{id}", any(fail))
        .route("/reset/{token}", any(fail))
        .fallback(fail)
        .layer(ReportLayer::new());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let response = runtime.block_on(app.oneshot(request.body(Body::empty()).unwrap())).unwrap();
    assert_eq!(response.status(), 500);
}
