//! One failing request, one event: which failures the layer sees, and what the event says.

use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::IntoResponse;
use axum::routing::get as on_get;
use axum::{Json, Router};
use bytes::Bytes;
use faultwire::{Report, ReportLayer};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::{Reporting, event_id, exception, get, text};

#[derive(Debug, thiserror::Error)]
#[error("order {id} could not be loaded")]
struct OrderError<T: std::fmt::Debug> {
    id: u64,
    kind: T,
    source: std::io::Error,
}

fn order_error() -> OrderError<u8> {
    OrderError { id: 42, kind: 1, source: std::io::ErrorKind::ConnectionRefused.into() }
}

fn shop() -> Router {
    Router::new()
        .route("/ok", on_get(async || "ok"))
        .route("/orders/{id}", on_get(async || Err::<(), Report>(order_error().into())))
        .route(
            "/status/{code}",
            on_get(async |path: axum::extract::Path<u16>| StatusCode::from_u16(path.0).unwrap()),
        )
        .route("/panic", on_get(async || -> () { panic!("the till is jammed") }))
        .route("/stream", on_get(stream))
        .layer(ReportLayer::new())
}

async fn stream() -> Body {
    faultwire::current().tag("half", "sent");
    Body::from_stream(tokio_stream::iter([Ok("first"), Err(std::io::Error::other("the disk went away"))]))
}

#[tokio::test]
async fn a_report_is_one_event_with_everything_known_about_it() {
    let reporting = Reporting::start();
    let request = Request::get("/orders/42?page=2&token=s3cret")
        .header("host", "shop.example.com")
        .header("user-agent", "curl/8")
        .header("authorization", "Bearer s3cret")
        .header("referer", "https://shop.example.com/cart?token=s3cret")
        .header("origin", "https://shop.example.com")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .body(Body::empty())
        .unwrap();
    let response = shop().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 500);

    let event = reporting.event();
    assert_eq!(event["event_id"].as_str(), Some(&*event_id(&response)));
    assert_eq!(event["transaction"], "GET /orders/{id}");
    assert_eq!(event["platform"], "native");
    assert_eq!((&event["release"], &event["environment"]), (&json!("shop@1.2.3"), &json!("test")));
    assert!(event["server_name"].as_str().is_some_and(|name| !name.is_empty()));
    assert_eq!(
        event["request"],
        json!({
            "method": "GET",
            "url": "http://shop.example.com/orders/42",
            "query_string": "page=2&token=[Filtered]",
            "headers": {
                "host": "shop.example.com",
                "user-agent": "curl/8",
                "authorization": "[Filtered]",
                "referer": "https://shop.example.com/cart",
                "origin": "shop.example.com",
                "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            },
        })
    );
    assert_eq!(event["contexts"]["response"]["status_code"], 500);
    assert_eq!(event["contexts"]["trace"]["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(event["contexts"]["trace"]["parent_span_id"], "b7ad6b7169203331");
    assert_eq!(event["tags"]["error.category"], "route");
    assert_eq!(event["tags"]["error.origin"], "request");
    assert_eq!(event["tags"]["http.response.status_code"], "500");

    let chain = event["exception"]["values"].as_array().unwrap();
    let shown: Vec<_> =
        chain.iter().map(|e| (e["type"].as_str().unwrap(), e["value"].as_str().unwrap())).collect();
    assert_eq!(shown, [("Error", "connection refused"), ("OrderError", "order 42 could not be loaded")]);
    assert_eq!(chain[0]["module"], "std::io::error");
    assert_eq!(chain[1]["module"], "it::layer", "without generics");
    assert_eq!(chain[1]["mechanism"], json!({"type": "report", "handled": true}));
    let frame = &chain[1]["stacktrace"]["frames"][0];
    assert_eq!(
        (frame["filename"].as_str(), frame["in_app"].as_bool()),
        (Some("tests/it/layer.rs"), Some(true))
    );
    assert!(frame["lineno"].as_u64().is_some_and(|line| line > 0));
}

#[tokio::test]
async fn a_bare_5xx_is_one_event_that_names_the_route_and_the_remedy() {
    let reporting = Reporting::start();
    let response = shop().oneshot(get("/status/503")).await.unwrap();
    let event = reporting.event();
    assert_eq!(event["event_id"].as_str(), Some(&*event_id(&response)));
    assert_eq!(exception(&event)["type"], "503 Service Unavailable");
    let value = exception(&event)["value"].as_str().unwrap();
    assert!(value.contains("GET /status/{code}") && value.contains("Report::attach"), "{value}");
    assert_eq!(text(response).await.unwrap(), "", "the body is the application's");
}

#[tokio::test]
async fn responses_below_500_make_no_event() {
    let reporting = Reporting::start();
    for (path, status) in [("/ok", 200), ("/status/302", 302), ("/status/404", 404), ("/nothing", 404)] {
        let response = shop().oneshot(get(path)).await.unwrap();
        assert_eq!(response.status(), status);
        assert!(!response.headers().contains_key("x-event-id"));
    }
    reporting.events(0);
}

#[tokio::test]
async fn a_panic_becomes_a_500_and_one_unhandled_event_with_its_request() {
    let reporting = Reporting::start();
    let response = shop().oneshot(get("/panic")).await.unwrap();
    assert_eq!(response.status(), 500);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let event = reporting.event();
    assert_eq!(event["event_id"].as_str(), Some(&*event_id(&response)));
    assert_eq!(exception(&event)["type"], "panic");
    assert_eq!(exception(&event)["value"], "the till is jammed");
    assert_eq!(exception(&event)["mechanism"], json!({"type": "panic", "handled": false}));
    assert_eq!(exception(&event)["stacktrace"]["frames"][0]["filename"], "tests/it/layer.rs");
    assert_eq!(event["transaction"], "GET /panic");
    assert_eq!(event["request"]["method"], "GET");
    assert_eq!(event["tags"]["error.category"], "panic");
    assert_eq!(event["level"], "fatal");
    assert!(!text(response).await.unwrap().contains("till"), "the client is not told why");
}

#[tokio::test]
async fn a_panic_before_the_first_poll_is_one_event_too() {
    let reporting = Reporting::start();
    let service = ReportLayer::new().layer(service_fn(panic_at_once));
    let response = service.oneshot(get("/orders/42")).await.unwrap();
    assert_eq!(response.status(), 500);
    assert_eq!(exception(&reporting.event())["value"], "at once");
}

fn panic_at_once(_: Request<Body>) -> std::future::Ready<Result<Response<Body>, Infallible>> {
    panic!("at once")
}

#[tokio::test]
async fn the_connection_survives_a_panic() {
    let reporting = Reporting::start();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = tokio::spawn(axum::serve(listener, shop()).into_future());
    let connection = tokio::net::TcpStream::connect(addr).await.unwrap();
    let mut connection = tokio::io::BufReader::new(connection);
    for status in ["500", "500", "200"] {
        use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
        let path = if status == "200" { "/ok" } else { "/panic" };
        let request = format!("GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n");
        connection.get_mut().write_all(request.as_bytes()).await.unwrap();
        let (mut line, mut length) = (String::new(), 0);
        connection.read_line(&mut line).await.unwrap();
        assert!(line.contains(status), "{line}");
        while line != "\r\n" {
            line.clear();
            connection.read_line(&mut line).await.unwrap();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
        }
        connection.read_exact(&mut vec![0; length]).await.unwrap();
    }
    server.abort();
    reporting.events(2);
}

#[tokio::test]
async fn a_body_that_fails_after_the_headers_is_one_event_with_the_context() {
    let reporting = Reporting::start();
    let response = shop().oneshot(get("/stream")).await.unwrap();
    assert_eq!(response.status(), 200);
    let error = text(response).await.unwrap_err();
    assert_eq!(error.to_string(), "the disk went away", "the error is passed on");
    let event = reporting.event();
    assert_eq!(exception(&event)["value"], "the disk went away");
    assert_eq!(exception(&event)["mechanism"], json!({"type": "body", "handled": false}));
    assert_eq!(event["transaction"], "GET /stream");
    assert_eq!(event["contexts"]["response"]["status_code"], 200);
    assert_eq!(event["tags"]["half"], "sent");
}

#[tokio::test]
async fn a_body_that_ends_well_makes_no_event() {
    let reporting = Reporting::start();
    let body = async || Body::from_stream(tokio_stream::iter([Ok::<_, Infallible>("a"), Ok("b")]));
    let app: Router = Router::new().route("/stream", on_get(body)).layer(ReportLayer::new());
    assert_eq!(text(app.oneshot(get("/stream")).await.unwrap()).await.unwrap(), "ab");
    reporting.events(0);
}

#[tokio::test]
async fn a_service_that_fails_is_one_event_and_the_error_is_passed_on() {
    let reporting = Reporting::start();
    let failing =
        service_fn(async |_: Request<Body>| Err::<Response<Body>, faultwire::BoxError>(order_error().into()));
    let error = ReportLayer::new().layer(failing).oneshot(get("/orders/42")).await.unwrap_err();
    assert_eq!(error.to_string(), "order 42 could not be loaded");
    let event = reporting.event();
    assert_eq!(event["exception"]["values"].as_array().unwrap().len(), 2, "the chain is there");
    assert_eq!(exception(&event)["mechanism"], json!({"type": "service", "handled": false}));
    assert_eq!(event["transaction"], "GET /orders/{id}", "with ids replaced");
    assert_eq!(event["tags"]["route.source"], "path");
}

#[tokio::test]
async fn an_error_that_is_only_display_and_a_report_as_a_services_error_are_events() {
    #[derive(Debug)]
    struct Odd;
    impl std::fmt::Display for Odd {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("odd")
        }
    }
    let reporting = Reporting::start();
    let odd = service_fn(async |_: Request<Body>| Err::<Response<Body>, _>(Odd));
    ReportLayer::new().layer(odd).oneshot(get("/a")).await.unwrap_err();
    let report = service_fn(async |_: Request<Body>| {
        Err::<Response<Body>, _>(Report::new(order_error()).tag("stock", "low"))
    });
    let error = ReportLayer::new().layer(report).oneshot(get("/b")).await.unwrap_err();
    let id = error.id();
    drop(error);
    let events = reporting.events(2);
    assert_eq!(
        (&exception(&events[0])["type"], &exception(&events[0])["value"]),
        (&json!("Odd"), &json!("odd"))
    );
    assert_eq!(
        (&events[1]["event_id"], &events[1]["tags"]["stock"]),
        (&json!(id.to_string()), &json!("low"))
    );
    assert_eq!(reporting.guard.stats().discarded, 0);
}

#[tokio::test]
async fn a_cancelled_request_makes_no_event() {
    let reporting = Reporting::start();
    let slow = async || -> Result<(), Report> { std::future::pending().await };
    let app: Router = Router::new().route("/slow", on_get(slow)).layer(ReportLayer::new());
    let gave_up = tokio::time::timeout(Duration::from_millis(5), app.oneshot(get("/slow"))).await;
    assert!(gave_up.is_err());
    reporting.events(0);
}

#[tokio::test]
async fn what_ignore_says_makes_no_event_and_a_panic_in_it_costs_nothing() {
    let reporting = Reporting::start();
    let layer = ReportLayer::new().ignore(|request, status| {
        assert_ne!(request.path(), "/status/501", "a bug of the application");
        request.method() == "GET" && request.route() == Some("/status/{code}") && status == 503
    });
    let code = async |path: axum::extract::Path<u16>| StatusCode::from_u16(path.0).unwrap();
    let app: Router = Router::new().route("/status/{code}", on_get(code)).layer(layer);
    let ignored = app.clone().oneshot(get("/status/503")).await.unwrap();
    assert!(!ignored.headers().contains_key("x-event-id"));
    for path in ["/status/500", "/status/501"] {
        app.clone().oneshot(get(path)).await.unwrap();
    }
    reporting.events(2);
}

#[tokio::test]
async fn nested_routers_name_the_whole_pattern_and_unmatched_paths_have_one_name() {
    let reporting = Reporting::start();
    let fail = || on_get(async || StatusCode::INTERNAL_SERVER_ERROR);
    let inner = Router::new().route("/items/{item}", fail());
    let app: Router = Router::new()
        .nest("/orders/{id}", inner)
        .fallback(async || StatusCode::BAD_GATEWAY)
        .layer(ReportLayer::new());
    let layered_inside: Router =
        Router::new().nest("/api", Router::new().route("/users/{id}", fail()).layer(ReportLayer::new()));
    for path in ["/orders/1/items/2", "/wp-login.php"] {
        app.clone().oneshot(get(path)).await.unwrap();
    }
    layered_inside.oneshot(get("/api/users/3")).await.unwrap();
    let events = reporting.events(3);
    assert_eq!(events[2]["request"]["url"], "http://shop.example.com/api/users/3", "as the client sent it");
    let named: Vec<_> = events.into_iter().map(|event| event["transaction"].clone()).collect();
    assert_eq!(named, ["GET /orders/{id}/items/{item}", "GET <unmatched>", "GET /api/users/{id}"]);
}

#[tokio::test]
async fn around_a_router_the_path_is_the_name_with_ids_replaced() {
    let reporting = Reporting::start();
    let router: Router =
        Router::new().route("/orders/{id}", on_get(async || StatusCode::INTERNAL_SERVER_ERROR));
    let service = ReportLayer::new().layer(router);
    for id in ["17", "5f2b91aa-17d4-4c6e-9f1e-2a3b4c5d6e7f"] {
        service.clone().oneshot(get(&format!("/orders/{id}"))).await.unwrap();
    }
    for event in reporting.events(2) {
        assert_eq!(event["transaction"], "GET /orders/{id}");
        assert_eq!(event["tags"]["route.source"], "path");
    }
}

#[tokio::test]
async fn two_layers_make_one_event() {
    let reporting = Reporting::start();
    let service = ReportLayer::new().layer(shop());
    service.clone().oneshot(get("/orders/1")).await.unwrap();
    service.oneshot(get("/panic")).await.unwrap();
    reporting.events(2);
}

#[tokio::test]
async fn middleware_that_rebuilds_the_response_loses_nothing() {
    let reporting = Reporting::start();
    let rebuild = axum::middleware::map_response(async |response: Response<Body>| {
        (response.status(), Json(json!({"sorry": true}))).into_response()
    });
    let app: Router = Router::new()
        .route("/orders/{id}", on_get(async || Err::<(), Report>(order_error().into())))
        .layer(rebuild)
        .layer(ReportLayer::new());
    let response = app.oneshot(get("/orders/1")).await.unwrap();
    let event = reporting.event();
    assert_eq!(exception(&event)["type"], "OrderError");
    assert_eq!(event["event_id"].as_str(), Some(&*event_id(&response)), "the id is put back");
}

#[tokio::test]
async fn a_report_made_where_no_context_is_in_reach_travels_with_the_response() {
    let reporting = Reporting::start();
    let elsewhere = async || {
        let made = tokio::spawn(async { Report::new(order_error()).into_response() });
        made.await.unwrap()
    };
    let app: Router = Router::new().route("/orders/{id}", on_get(elsewhere)).layer(ReportLayer::new());
    app.oneshot(get("/orders/1")).await.unwrap();
    assert_eq!(exception(&reporting.event())["type"], "OrderError");
}

#[tokio::test]
async fn a_panic_that_other_middleware_caught_is_the_cause_of_its_500() {
    /// Answers 500 for a panic, as `CatchPanicLayer` does.
    #[derive(Clone)]
    struct Catching<S>(S);
    impl<S> Service<Request<Body>> for Catching<S>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
        S::Future: Send + 'static,
    {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            self.0.poll_ready(cx)
        }

        fn call(&mut self, request: Request<Body>) -> Self::Future {
            let mut inner = Box::pin(self.0.call(request));
            Box::pin(std::future::poll_fn(move |cx| {
                let poll = || inner.as_mut().poll(cx);
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(poll))
                    .unwrap_or_else(|_| Poll::Ready(Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response())))
            }))
        }
    }
    let reporting = Reporting::start();
    let app: Router = Router::new()
        .route("/panic", on_get(async || -> () { panic!("caught further in") }))
        .layer(tower::layer::layer_fn(Catching))
        .layer(ReportLayer::new());
    app.oneshot(get("/panic")).await.unwrap();
    let event = reporting.event();
    assert_eq!(exception(&event)["value"], "caught further in");
    assert_eq!(exception(&event)["mechanism"]["handled"], false);
}

#[tokio::test]
async fn a_plain_tower_service_needs_no_axum() {
    let reporting = Reporting::start();
    let service =
        ReportLayer::new().layer(service_fn(async |request: Request<()>| -> Result<_, Infallible> {
            assert_ne!(request.uri().path(), "/panic/7", "asked for");
            Ok(Response::builder().status(500).body(Full::new(Bytes::from("mine"))).unwrap())
        }));
    let request = |path| Request::post(path).body(()).unwrap();
    let answered = service.clone().oneshot(request("/orders/7")).await.unwrap();
    let body = http_body_util::BodyExt::collect(answered.into_body()).await.unwrap().to_bytes();
    assert_eq!(body, "mine", "the body is the application's");
    assert_eq!(service.oneshot(request("/panic/7")).await.unwrap().status(), 500);
    let events = reporting.events(2);
    assert_eq!(
        (&events[0]["transaction"], &events[1]["transaction"]),
        (&json!("POST /orders/{id}"), &json!("POST /panic/{id}"))
    );
}

#[tokio::test]
async fn a_panic_with_an_unknown_body_type_is_recorded_and_goes_on() {
    let reporting = Reporting::start();
    let panicking =
        service_fn(async |_: Request<()>| -> Result<Response<()>, Infallible> { panic!("no body for this") });
    let service = ReportLayer::new().layer(panicking);
    let unwound = tokio::spawn(service.oneshot(Request::new(()))).await.unwrap_err();
    assert!(unwound.is_panic());
    assert_eq!(exception(&reporting.event())["value"], "no body for this");
}

#[tokio::test]
async fn a_panic_under_grpc_is_status_13() {
    let reporting = Reporting::start();
    let panicking = service_fn(
        async |_: Request<tonic::body::Body>| -> Result<Response<tonic::body::Body>, Infallible> {
            panic!("no stock")
        },
    );
    let call = Request::post("/shop.Orders/Get")
        .header("content-type", "application/grpc")
        .body(tonic::body::Body::empty())
        .unwrap();
    let response = ReportLayer::new().layer(panicking).oneshot(call).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["grpc-status"], "13");
    assert_eq!(response.headers()["content-type"], "application/grpc");
    let event = reporting.event();
    assert_eq!(event["transaction"], "/shop.Orders/Get");
    assert_eq!(event["tags"].get("route.source"), None);
}

#[tokio::test]
async fn without_init_the_layer_changes_nothing() {
    let _turn = crate::support::turn();
    let response = shop().oneshot(get("/status/500")).await.unwrap();
    assert!(!response.headers().contains_key("x-event-id"));
    let response = shop().oneshot(get("/orders/1")).await.unwrap();
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json",
        "a report is a response all the same"
    );
    let panicked = tokio::spawn(shop().oneshot(get("/panic"))).await.unwrap_err();
    assert!(panicked.is_panic());
}
