//! Where the layer stands, and what the event is called for it.

use axum::Router;
use axum::routing::get as on_get;
use faultwire::ReportLayer;
use http::StatusCode;
use tower::{Layer, ServiceExt};

use super::shop;
use crate::init::{Log, alone};
use crate::support::{Reporting, get};

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
async fn a_query_without_a_path_is_scrubbed_like_any_other() {
    let reporting = Reporting::start();
    let app: Router = Router::new()
        .route("/", on_get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .layer(ReportLayer::new());
    let mut request = get("/");
    // The `:path` of HTTP/2 may be that.
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = Some("?token=s3cret&page=2".parse().unwrap());
    *request.uri_mut() = http::Uri::from_parts(parts).unwrap();
    app.oneshot(request).await.unwrap();
    let event = reporting.event();
    assert_eq!(event["transaction"], "GET /");
    assert_eq!(event["request"]["url"], "http://shop.example.com/");
    assert_eq!(event["request"]["query_string"], "token=[Filtered]&page=2");
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

#[test]
fn around_a_router_one_warning_names_the_remedy() {
    alone("layer::routes::around_a_router_one_warning_names_the_remedy", || {
        let log = Log::default();
        tracing::subscriber::set_global_default(log.subscriber()).unwrap();
        let reporting = Reporting::start();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for path in ["/orders/1", "/orders/2"] {
                ReportLayer::new().layer(shop()).oneshot(get(path)).await.unwrap();
                shop().oneshot(get(path)).await.unwrap();
            }
        });
        reporting.events(4);
        assert_eq!(log.text().matches("`Router::layer`").count(), 1, "{}", log.text());
    });
}
