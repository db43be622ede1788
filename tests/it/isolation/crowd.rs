//! Many requests at once, on a few threads, with everything that a handler may do: each event is about one of them.

use std::sync::{Arc, Mutex};

use allocation_counter::measure;
use axum::Router;
use axum::extract::Path;
use axum::routing::get as on_get;
use faultwire::sentry::{self, Breadcrumb, Hub, ScopeGuard};
use faultwire::{Report, ReportLayer, User, WithContext as _, current};
use serde_json::Value;
use tokio::task::{JoinSet, yield_now};
use tower::ServiceExt as _;

use crate::support::{Reporting, get};

const REQUESTS: usize = 10_000;
/// One in so many fails, and one in so many has a task that does.
const FAILING: usize = 20;

/// Says its number in every way there is.
fn say(place: &'static str, n: usize) {
    current().tag(place, n).breadcrumb(format!("{place} {n}"));
    sentry::configure_scope(|scope| scope.set_tag(&format!("sdk.{place}"), n));
    let message = Some(format!("sdk.{place} {n}"));
    sentry::add_breadcrumb(Breadcrumb { message, ..Breadcrumb::default() });
}

async fn serve(Path(n): Path<usize>) -> Result<(), Report> {
    current().user(User::id(n)).data("number", &n);
    say("handler", n);
    yield_now().await;
    // What loses is dropped in the middle.
    tokio::select! {
        biased;
        () = async { say("loser", n); std::future::pending().await } => {}
        () = yield_now() => {}
    }
    let mut tasks = JoinSet::new();
    tasks.spawn(
        async move {
            yield_now().await;
            say("task", n);
            if n % FAILING == 1 {
                Report::new("no mail").send();
            }
        }
        .with_context(),
    );
    faultwire::spawn_blocking(move || say("blocking", n)).await.unwrap();
    let (done, pooled) = tokio::sync::oneshot::channel();
    rayon::spawn(faultwire::in_context(move || {
        say("pool", n);
        done.send(()).unwrap();
    }));
    pooled.await.unwrap();
    tasks.join_next().await.unwrap().unwrap();
    say("end", n);
    if n.is_multiple_of(FAILING) { Err(Report::new("none in stock")) } else { Ok(()) }
}

/// Everything that an event says of a number, by the place where it was said.
fn numbers(event: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let places = |name: &str| {
        ["handler", "loser", "task", "blocking", "pool", "end"].contains(&name.trim_start_matches("sdk."))
    };
    let tags = event["tags"].as_object().unwrap().iter();
    let mut all: Vec<_> =
        tags.filter(|(name, _)| places(name)).map(|(name, n)| (name.clone(), text(n))).collect();
    for crumb in event["breadcrumbs"]["values"].as_array().unwrap() {
        let (place, n) = crumb["message"].as_str().unwrap().split_once(' ').unwrap();
        all.push((place.to_owned(), n.to_owned()));
    }
    all.push(("user".to_owned(), text(&event["user"]["id"])));
    all.push(("data".to_owned(), event["extra"]["number"].to_string()));
    all.push(("url".to_owned(), text(&event["request"]["url"]).rsplit('/').next().unwrap().to_owned()));
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_at_once_see_nothing_of_each_other() {
    let reporting = Reporting::start();
    let app: Router = Router::new().route("/orders/{n}", on_get(serve)).layer(ReportLayer::new());
    let mut running = JoinSet::new();
    for n in 0..REQUESTS {
        running.spawn(app.clone().oneshot(get(&format!("/orders/{n}"))));
    }
    let failed =
        running.join_all().await.into_iter().filter(|answer| answer.as_ref().unwrap().status() == 500);
    assert_eq!(failed.count(), REQUESTS / FAILING);
    let events = reporting.events(2 * REQUESTS / FAILING);
    let mut seen = Vec::new();
    for event in &events {
        let numbers = numbers(event);
        let (_, first) = &numbers[0];
        assert!(numbers.iter().all(|(_, n)| n == first), "{numbers:?}");
        let says = |place: &str| numbers.iter().any(|(name, _)| name == place);
        let by_handler = event["tags"]["error.origin"] == "request" && says("end");
        assert!(says("handler") && says("sdk.handler") && says("task"), "{numbers:?}");
        if by_handler {
            assert!(says("loser") && says("blocking") && says("pool") && says("sdk.end"), "{numbers:?}");
            assert!(!says("sdk.pool") && !says("sdk.task"), "what runs elsewhere has a hub of its own");
        }
        seen.push(first.parse::<usize>().unwrap());
    }
    seen.sort_unstable();
    let expected: Vec<_> = (0..REQUESTS).filter(|n| n % FAILING < 2).collect();
    assert_eq!(seen, expected);
}

#[test]
fn requests_one_after_the_other_leave_nothing_on_their_thread() {
    const MANY: usize = 20_000;
    let reporting = Reporting::start();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let handler = async |Path(n): Path<usize>| {
        if n.is_multiple_of(2) {
            current().user(User::id("7")).tag("plan", "pro").breadcrumb("signed in");
        }
        if n.is_multiple_of(4) {
            sentry::configure_scope(|scope| scope.set_tag("sdk", "yes"));
        }
        yield_now().await;
    };
    let app: Router = Router::new().route("/orders/{n}", on_get(handler)).layer(ReportLayer::new());
    let serve = |n: usize| runtime.block_on(app.clone().oneshot(get(&format!("/orders/{n}")))).unwrap();
    (0..10).for_each(|n| drop(serve(n)));
    let taken = measure(|| (0..MANY).for_each(|n| drop(serve(n))));
    assert_eq!((taken.count_current, taken.bytes_current), (0, 0));
    assert!(taken.bytes_max < 32 * 1024, "{taken:?}");
    reporting.events(0);
}

#[tokio::test]
async fn a_scope_that_outlives_its_request_reaches_no_other() {
    static KEPT: Mutex<Vec<(ScopeGuard, Option<Arc<Hub>>)>> = Mutex::new(Vec::new());
    let reporting = Reporting::start();
    let keeps = async || {
        let hub = Hub::current();
        let guard = hub.push_scope();
        sentry::configure_scope(|scope| scope.set_tag("kept", "yes"));
        let mut kept = KEPT.lock().unwrap();
        // With its hub, and without.
        let hub = kept.len().is_multiple_of(2).then_some(hub);
        kept.push((guard, hub));
    };
    let fails = async || {
        sentry::configure_scope(|scope| scope.set_tag("own", "yes"));
        Report::new("no stock")
    };
    let app =
        Router::new().route("/keeps", on_get(keeps)).route("/fails", on_get(fails)).layer(ReportLayer::new());
    for _ in 0..20 {
        app.clone().oneshot(get("/keeps")).await.unwrap();
        app.clone().oneshot(get("/fails")).await.unwrap();
    }
    KEPT.lock().unwrap().clear();
    app.oneshot(get("/fails")).await.unwrap();
    for event in reporting.events(21) {
        assert_eq!((event["tags"].get("kept"), &event["tags"]["own"]), (None, &"yes".into()));
    }
}
