//! A failed call that is logged, too: however often it is told, it is one event.

use std::error::Error;

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use faultwire::{Report, ReportLayer, UpstreamLayer, job};
use http::StatusCode;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use serde_json::Value;
use tower::ServiceExt as _;

use super::{SECRET, assert_no_secret_left, provider};
use crate::logs::listening;
use crate::support::{Reporting, exception, get as request};

fn client() -> ClientWithMiddleware {
    ClientBuilder::new(provider::client().build().unwrap()).with(UpstreamLayer::new()).build()
}

async fn call(client: &ClientWithMiddleware, url: &str) -> Result<(), reqwest_middleware::Error> {
    client.get(url).send().await?.error_for_status()?;
    Ok(())
}

async fn situation(name: &str, client: &ClientWithMiddleware, url: &str) -> Response {
    let error = call(client, url).await.unwrap_err();
    match name {
        "logged with the error, then returned" => {
            tracing::error!(error = &error as &dyn Error, "the payment failed");
            Report::from(error).into_response()
        }
        "logged as a text, then returned" => {
            tracing::error!("the payment failed: {error}");
            Report::from(error).into_response()
        }
        "returned, then logged" => {
            let text = error.to_string();
            let response = Report::from(error).into_response();
            tracing::error!("the payment failed: {text}");
            response
        }
        "logged after every try, then returned" => {
            tracing::error!(error = &error as &dyn Error, "once more");
            let error = call(client, url).await.unwrap_err();
            tracing::error!(error = &error as &dyn Error, "the payment failed");
            Report::from(error).into_response()
        }
        "logged, and the request goes on" => {
            tracing::error!(error = &error as &dyn Error, "the payment failed");
            StatusCode::OK.into_response()
        }
        "logged, and a bare 502" => {
            tracing::error!(error = &error as &dyn Error, "the payment failed");
            StatusCode::BAD_GATEWAY.into_response()
        }
        _ => panic!("{name}: no such situation"),
    }
}

#[tokio::test]
async fn a_call_that_failed_and_was_logged_is_one_event_that_knows_what_all_know() {
    let at = provider::start().await;
    let (nobody, _held) = provider::nobody();
    let broken = format!("http://{at}/broken/42?api_key={SECRET}");
    let refused = format!("http://{nobody}/charges/42?api_key={SECRET}");
    for (name, mechanism) in [
        ("logged with the error, then returned", "report"),
        ("logged as a text, then returned", "report"),
        ("returned, then logged", "report"),
        ("logged after every try, then returned", "report"),
        ("logged, and the request goes on", "log"),
        ("logged, and a bare 502", "log"),
    ] {
        for (url, class) in [(&broken, "server_error"), (&refused, "connection")] {
            let reporting = Reporting::start();
            let _listening = listening();
            let (client, url) = (client(), url.clone());
            let handler = async move || situation(name, &client, &url).await;
            let app = Router::new().route("/pay", get(handler)).layer(ReportLayer::new());
            app.oneshot(request("/pay")).await.unwrap();
            let event = reporting.event();
            assert_no_secret_left(&reporting);
            assert_eq!(exception(&event)["mechanism"]["type"], mechanism, "{name}, {class}");
            assert_eq!(event["tags"]["error.category"], "third_party", "{name}, {class}");
            assert_eq!(event["tags"]["error.type"], class, "{name}");
            let context = &event["contexts"]["third_party"];
            assert_eq!(context["http.request.method"], "GET", "{name}, {class}: the layer saw it");
        }
    }
}

#[tokio::test]
async fn so_it_is_in_a_job() {
    let at = provider::start().await;
    let url = format!("http://{at}/broken/42?api_key={SECRET}");
    for fails in [true, false] {
        let reporting = Reporting::start();
        let _listening = listening();
        let (client, url) = (client(), &url);
        let run = job("charge").id("7").attempt(2).of(2).run(async move {
            let called = call(&client, url).await;
            if let Err(error) = &called {
                tracing::error!("charging failed: {error}");
                tracing::error!(error = error as &dyn Error, "charging failed");
            }
            if fails { called } else { Ok(()) }
        });
        drop(run.await);
        let event = reporting.event();
        assert_no_secret_left(&reporting);
        assert_eq!(exception(&event)["mechanism"]["type"], if fails { "job" } else { "log" });
        assert_eq!(
            (&event["tags"]["job.name"], &event["tags"]["error.type"]),
            (&"charge".into(), &"server_error".into())
        );
        assert_eq!(event["contexts"]["third_party"]["http.request.method"], "GET", "the layer saw it");
    }
}

#[tokio::test]
async fn a_call_that_a_job_got_over_is_an_event_and_one_that_it_will_try_again_is_none() {
    let reporting = Reporting::start();
    let at = provider::start().await;
    let client = &client();
    let url = &format!("http://{at}/broken/42");
    let got_over = job("charge").run(async move {
        assert!(call(client, url).await.is_err());
        Ok::<_, Report>(())
    });
    got_over.await.unwrap();
    let event = reporting.event();
    assert_eq!(exception(&event)["mechanism"]["type"], "upstream");
    assert_eq!((&event["tags"]["job.name"], &event["transaction"]), (&"charge".into(), &"charge".into()));

    let fails = async move || call(client, url).await;
    drop(job("charge").id("8").attempt(1).of(2).run(fails()).await);
    drop(job("charge").id("8").attempt(2).of(2).run(fails()).await);
    let events = reporting.events(2);
    let mechanisms: Vec<&Value> = events.iter().map(|event| &exception(event)["mechanism"]["type"]).collect();
    assert_eq!(mechanisms, ["upstream", "job"]);
    assert_eq!(events[1]["tags"]["job.attempt"], "2 of 2");
}
