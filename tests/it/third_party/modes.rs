//! Every way in which a call fails, against a real server: how far it came, what kind it is, and nothing secret.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use faultwire::Report;
use faultwire::report::{ThirdPartyClass as Class, ThirdPartyFailure, ThirdPartyPhase as Phase};
use http_body_util::Empty;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use reqwest::Response;
use tower::{ServiceBuilder, ServiceExt as _, service_fn};

use super::{SECRET, assert_no_secret_left, provider};
use crate::support::{Reporting, exception};

/// How long a call waits that is to wait in vain.
const SOON: Duration = Duration::from_millis(500);

/// A failure of the kind that is expected, reported in two ways.
struct Modes {
    reporting: Reporting,
    seen: Vec<(&'static str, Phase, Class, Option<&'static str>, ThirdPartyFailure)>,
}

impl Modes {
    /// A plain `?`, and behind an error of the application that prints it.
    #[track_caller]
    fn is<E: Error + Send + Sync + 'static>(
        &mut self,
        what: &'static str,
        error: E,
        (phase, class): (Phase, Class),
        template: Option<&'static str>,
    ) {
        let copy = Report::from_ref(&error);
        assert!(copy.third_party_failure().is_some(), "{what}: {error:?}");
        copy.send();
        let report = Report::from(Around(error));
        let failure = report.third_party_failure().unwrap_or_else(|| panic!("{what}: {report:?}")).clone();
        assert_eq!((failure.phase(), failure.class()), (phase, class), "{what}: {failure} {report:?}");
        assert_eq!(failure.template(), template, "{what}");
        report.send();
        self.seen.push((what, phase, class, template, failure));
    }

    #[track_caller]
    fn check(self) {
        let events = self.reporting.events(self.seen.len().saturating_mul(2));
        assert_no_secret_left(&self.reporting);
        for ((what, phase, class, template, failure), events) in self.seen.iter().zip(events.chunks(2)) {
            for event in events {
                let tags = &event["tags"];
                assert_eq!(tags["error.category"], "third_party", "{what}");
                assert_eq!(tags["error.type"], class.as_str(), "{what}");
                assert_eq!(tags["upstream.phase"], phase.as_str(), "{what}");
                assert_eq!(tags["url.template"].as_str(), *template, "{what}");
                assert_eq!(tags["server.address"].as_str(), failure.host(), "{what}");
                assert_eq!(event["contexts"]["third_party"]["error.fault"], class.fault().as_str(), "{what}");
                assert_eq!(event["fingerprint"][0], "third_party");
                let said = event["exception"].to_string();
                assert!(!said.contains("cus_4f3a2b1c9d"), "{what}: the id is in {said}");
            }
            assert!(exception(&events[1])["value"].as_str().unwrap().starts_with("cannot pay"), "{what}");
        }
    }
}

/// An application's error that prints what it wraps.
#[derive(Debug)]
struct Around<E>(E);

impl<E: Error> std::fmt::Display for Around<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot pay: {} {:?}", self.0, self.0)
    }
}

impl<E: Error + 'static> Error for Around<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// With a secret wherever a request has place for one.
async fn call(client: &reqwest::Client, at: &str, mode: &str) -> Result<Response, reqwest::Error> {
    let url = format!("{at}/{mode}/cus_4f3a2b1c9d?api_key={SECRET}&page=2").replacen(
        "://",
        &format!("://ada:{SECRET}@"),
        1,
    );
    client.post(url).header("x-api-key", SECRET).body(format!("card={SECRET}")).send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_of_reqwest_is_told_by_its_phase_and_class_and_without_a_secret() {
    let mut modes = Modes { reporting: Reporting::start(), seen: Vec::new() };
    let provider = format!("http://{}", provider::start().await);
    let client = provider::client().build().unwrap();
    let hasty = provider::client().timeout(SOON).build().unwrap();

    let (nobody, _held) = provider::nobody();
    let error = call(&client, &format!("http://{nobody}"), "charges").await.unwrap_err();
    modes.is("refused", error, (Phase::Connect, Class::Connection), Some("/charges/{id}{?page}"));
    let error = call(&client, "http://nobody.invalid", "charges").await.unwrap_err();
    modes.is("name", error, (Phase::Dns, Class::Dns), Some("/charges/{id}{?page}"));
    let stranger = provider::stranger().await;
    let error = call(&client, &format!("https://{stranger}"), "charges").await.unwrap_err();
    modes.is("unknown authority", error, (Phase::Tls, Class::Tls), Some("/charges/{id}{?page}"));
    let error = call(&client, &provider.replace("http", "https"), "fine").await.unwrap_err();
    modes.is("no TLS at all", error, (Phase::Tls, Class::Tls), Some("/fine/{id}{?page}"));
    let silence = provider::silence().await;
    let impatient = provider::client().connect_timeout(SOON).build().unwrap();
    let error = call(&impatient, &format!("https://{silence}"), "charges").await.unwrap_err();
    modes.is("connected too slowly", error, (Phase::Connect, Class::Timeout), Some("/charges/{id}{?page}"));
    let error = call(&hasty, &provider, "hangs").await.unwrap_err();
    modes.is("no answer in time", error, (Phase::Request, Class::Timeout), Some("/hangs/{id}{?page}"));
    let error = call(&client, &provider, "ends").await.unwrap_err();
    modes.is("no answer", error, (Phase::Request, Class::Connection), Some("/ends/{id}{?page}"));
    let error = call(&client, &provider, "noise").await.unwrap_err();
    modes.is("no HTTP", error, (Phase::Request, Class::Connection), Some("/noise/{id}{?page}"));
    let error = call(&client, &provider, "round").await.unwrap_err();
    modes.is("redirected for ever", error, (Phase::Redirect, Class::Redirect), Some("/round/{id}"));
    let error = client.get(format!("{SECRET}/not/a/url")).send().await.unwrap_err();
    modes.is("no URL", error, (Phase::Build, Class::InvalidRequest), None);

    for (mode, class, template) in [
        ("broken", Class::ServerError, "/broken/{id}{?page}"),
        ("busy", Class::RateLimited, "/busy/{id}{?page}"),
        ("away", Class::Unavailable, "/away/{id}{?page}"),
        ("missing", Class::Rejected, "/missing/{id}{?page}"),
        ("denied", Class::Unauthorized, "/denied/{id}{?page}"),
        ("slow", Class::Timeout, "/slow/{id}{?page}"),
    ] {
        let error = call(&client, &provider, mode).await.unwrap().error_for_status().unwrap_err();
        modes.is(mode, error, (Phase::Status, class), Some(template));
    }

    let error =
        call(&client, &provider, "prose").await.unwrap().json::<serde_json::Value>().await.unwrap_err();
    modes.is("no JSON", error, (Phase::Decode, Class::Decode), Some("/prose/{id}{?page}"));
    let error = call(&client, &provider, "cut").await.unwrap().bytes().await.unwrap_err();
    modes.is("cut", error, (Phase::Body, Class::Connection), Some("/cut/{id}{?page}"));
    let error = call(&hasty, &provider, "stalls").await.unwrap().bytes().await.unwrap_err();
    modes.is("stalls", error, (Phase::Body, Class::Timeout), Some("/stalls/{id}{?page}"));

    // reqwest-middleware leaves reqwest's error out of its chain.
    let middleware = reqwest_middleware::ClientBuilder::new(client).build();
    let url = format!("http://{nobody}/charges/7?api_key={SECRET}");
    let error = middleware.get(url).send().await.unwrap_err();
    modes.is("through a middleware", error, (Phase::Connect, Class::Connection), Some("/charges/{id}"));
    modes.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_of_hyper_and_each_timeout_is_told_by_its_phase_and_class() {
    let mut modes = Modes { reporting: Reporting::start(), seen: Vec::new() };
    let provider = provider::start().await;
    let client: legacy::Client<_, Empty<Bytes>> = legacy::Client::builder(TokioExecutor::new()).build_http();
    let get = async |url: String| client.get(url.parse().unwrap()).await;

    let (nobody, _held) = provider::nobody();
    let error = get(format!("http://{nobody}/charges/7")).await.unwrap_err();
    modes.is("refused", error, (Phase::Connect, Class::Connection), None);
    let error = get("http://nobody.invalid/charges/7".to_owned()).await.unwrap_err();
    modes.is("name", error, (Phase::Dns, Class::Dns), None);
    let error = get(format!("http://{provider}/ends/7")).await.unwrap_err();
    modes.is("no answer", error, (Phase::Request, Class::Connection), None);
    let error = get("/relative".to_owned()).await.unwrap_err();
    modes.is("no URL", error, (Phase::Build, Class::InvalidRequest), None);
    modes.check();

    // What may be of anything is of a call where somebody says so.
    let elapsed = tokio::time::timeout(SOON, std::future::pending::<()>()).await.unwrap_err();
    let tower = ServiceBuilder::new().timeout(SOON).service(service_fn(async |()| {
        std::future::pending::<()>().await;
        Ok::<_, std::convert::Infallible>(())
    }));
    let tower = tower.oneshot(()).await.unwrap_err();
    let refused = tokio::net::TcpStream::connect(nobody).await.unwrap_err();
    let unknown = tokio::net::TcpStream::connect("nobody.invalid:80").await.unwrap_err();
    let body = get(format!("http://{provider}/cut/7")).await.unwrap().into_body();
    let cut = http_body_util::BodyExt::collect(body).await.unwrap_err();
    let boxed = |error: Box<dyn Error + Send + Sync>| error;
    for (error, expected) in [
        (boxed(elapsed.into()), (Phase::Request, Class::Timeout)),
        (tower, (Phase::Request, Class::Timeout)),
        (boxed(refused.into()), (Phase::Connect, Class::Connection)),
        (boxed(unknown.into()), (Phase::Dns, Class::Dns)),
        (boxed(cut.into()), (Phase::Body, Class::Connection)),
    ] {
        let text = format!("{error:?}");
        assert!(Report::new(std::io::Error::other(text.clone())).third_party_failure().is_none());
        let report = Report::third_party("billing", error);
        let failure = report.third_party_failure().unwrap();
        assert_eq!((failure.phase(), failure.class()), expected, "{text}");
        assert_eq!(failure.service(), Some("billing"));
        drop(report);
    }
    let file = std::fs::read_to_string("/nowhere").unwrap_err();
    assert!(Report::from(file).third_party_failure().is_none(), "a file is nobody else's service");
}
