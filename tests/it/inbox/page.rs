//! The page in a real browser.
#![expect(clippy::print_stdout, reason = "a measurement is worth reading")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use faultwire::Report;

use super::chromium::Chromium;
use super::{flush, start};
use crate::demo::ask_every_failing_route;
use crate::support::turn;

const LIVE: &str = "document.documentElement.dataset.link === 'live'";
const ROWS: &str = "document.querySelectorAll('#rows .row').length";
const DETAILS: &str = "document.querySelector('#detail').innerText";

/// A row by words in it; `false` if there is none.
fn row(words: &str) -> String {
    format!("[...document.querySelectorAll('#rows .row')].find(row => row.innerText.includes({words:?}))")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium: run tests/run.sh"]
async fn a_failure_appears_without_a_reload_and_opens_with_everything_that_is_known() {
    let _turn = turn();
    let (guard, addr) = start("127.0.0.1:0");
    let mut browser = Chromium::start("details");
    browser.size(1280, 800, "light");
    browser.go(&format!("http://{addr}/"));
    browser.wait(LIVE);
    assert!(browser.text("document.querySelector('.blank').innerText").contains("faultwire::init()"));
    browser.screenshot("empty");
    browser.eval("window.loaded = 'once'");

    Report::new("<img src=x onerror='window.fooled = true'>").send();
    browser.wait(&format!("{ROWS} === 1"));
    assert!(browser.text(&format!("{}.innerText", row("<img"))).contains("onerror"));

    for _ in 0..3 {
        ask_every_failing_route().await;
    }
    flush(&guard);
    browser.wait("document.querySelector('#sum').innerText.includes('43 events')");

    // The chain, the place, the request, tags, breadcrumbs.
    browser.eval(&format!("{}.click()", row("GET /orders/{id}")));
    let details = browser.text(DETAILS);
    for part in [
        "OrderError",
        "order 42 could not be loaded",
        "caused by",
        "the store does not answer",
        "connection refused",
        "examples/demo/shop.rs:",
        "/orders/42",
        "currency",
        "user-agent",
        "500",
        "order.size",
        "looking for the order",
        "3 of 3",
        "[Filtered]",
    ] {
        assert!(details.contains(part), "{part}: {details}");
    }
    let position = |part: &str| details.rfind(part).unwrap();
    assert!(position("order 42 could") < position("connection refused"), "outermost first: {details}");
    browser.eval(&format!("{}.click()", row("GET /whoami")));
    assert!(browser.text(DETAILS).contains("User\n7"), "{}", browser.text(DETAILS));

    // The raw JSON is the event, to the last character.
    browser.click("#detail .json h3 button");
    let raw = browser.text("document.querySelector('#detail .json pre').textContent");
    let raw: serde_json::Value = serde_json::from_str(&raw).unwrap();
    assert_eq!(raw["transaction"], "GET /whoami");
    assert_eq!(super::kept(addr).iter().filter(|event| **event == raw).count(), 1);

    // By hand.
    browser.press(&["/", "p", "a", "n", "i", "c"]);
    browser.wait(&format!("{ROWS} === 1"));
    browser.press(&["Escape"]);
    browser.wait(&format!("{ROWS} > 9"));
    browser.press(&["Escape", "j", "k", "k", "k", "k", "k"]);
    browser.eval("document.querySelector('#rows .row').focus()");
    let current = "document.activeElement.innerText";
    let first = browser.text(current);
    browser.press(&["j"]);
    assert_ne!(browser.text(current), first);
    browser.press(&["k", "Enter"]);
    assert_eq!(browser.text("document.activeElement.id"), "detail");
    browser.press(&["Escape"]);
    assert_eq!(browser.text(current), first);

    browser.eval(&format!("{}.click()", row("GET /orders/{id}")));
    browser.eval("Promise.all(document.getAnimations().filter(one => !one.animationName).map(one => one.finished)).then(() => true)");
    browser.screenshot("light");
    browser.size(1280, 800, "dark");
    browser.screenshot("dark");
    browser.size(1920, 1080, "light");
    browser.screenshot("wide");
    browser.size(380, 800, "light");
    browser.screenshot("phone-details");
    assert_eq!(browser.eval("document.documentElement.scrollWidth"), 380, "nothing sticks out");
    browser.click("#detail .back");
    browser.wait("document.documentElement.dataset.view === 'list'");
    browser.eval("document.querySelector('#list').scrollTop = 0");
    browser.screenshot("phone");
    assert_eq!(browser.eval("document.documentElement.scrollWidth"), 380, "nothing sticks out");

    // A link to an event.
    let id = raw["event_id"].as_str().unwrap();
    browser.size(1280, 800, "light");
    assert_eq!(browser.text("window.loaded"), "once", "nothing was loaded again");
    browser.go("about:blank");
    browser.go(&format!("http://{addr}/#{id}"));
    browser.wait(&format!("{DETAILS}.includes({id:?})"));

    assert!(browser.eval("window.fooled === undefined").as_bool().unwrap());
    assert_eq!(browser.complaints(), [""; 0]);

    drop(guard);
    browser.wait("document.querySelector('#link').innerText === 'Disconnected'");
    assert!(browser.text(DETAILS).contains(id), "what is shown stays");
}

#[test]
#[ignore = "needs chromium: run tests/run.sh"]
fn a_foreign_name_and_a_foreign_page_get_nothing() {
    let _turn = turn();
    let (guard, addr) = start("127.0.0.1:0");
    Report::new("the till is jammed").send();
    flush(&guard);
    let mut browser = Chromium::start("foreign");

    // DNS rebinding: a foreign name that leads here.
    let rebound = format!("http://evil.example:{}/", addr.port());
    browser.go(&rebound);
    assert_eq!(browser.statuses(&rebound), [403]);
    assert!(browser.text("document.body.innerText").contains("answers to localhost"));

    let foreign = foreign_page();
    for page in [format!("http://{foreign}/"), format!("http://evil.example:{}/", foreign.port())] {
        browser.go(&page);
        assert_eq!(browser.text("document.title"), "foreign");
        let events = format!("http://{addr}/events");
        for mode in ["cors", "no-cors"] {
            let read = browser.text(&format!(
                "fetch('{events}', {{ mode: '{mode}' }}).then(answer => 'read ' + answer.type, () => 'refused')"
            ));
            assert_eq!(read, "refused", "{mode} from {page}");
        }
        let heard = browser.text(&format!(
            "new Promise(done => {{ const source = new EventSource('{events}');
            source.onmessage = () => done('heard'); source.onopen = () => done('open'); source.onerror = () => done('refused') }})"
        ));
        assert_eq!(heard, "refused", "{page}");
        let framed = browser.text(&format!(
            "new Promise(done => {{ const frame = document.createElement('iframe'); frame.src = 'http://{addr}/';
            frame.onload = () => {{ try {{ done(frame.contentDocument ? 'read' : 'refused') }} catch {{ done('refused') }} }};
            document.body.append(frame) }})"
        ));
        assert_eq!(framed, "refused", "{page}");
    }
}

/// A page of somebody else, on a port of its own.
fn foreign_page() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            // Browsers open connections ahead of time and leave some of them silent.
            std::thread::spawn(move || {
                let mut connection = connection.unwrap();
                drop(connection.read(&mut [0; 4096]));
                let page = "<!doctype html><title>foreign</title><body>";
                let head =
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length:";
                drop(write!(connection, "{head} {}\r\n\r\n{page}", page.len()));
            });
        }
    });
    addr
}

#[test]
#[ignore = "needs chromium: run tests/run.sh"]
fn two_thousand_events_stay_usable() {
    let _turn = turn();
    let (guard, addr) = start("127.0.0.1:0");
    let send = |number: u32| {
        Report::new(format!("order {number} could not be loaded"))
            .tag("order", number)
            .data("note", &"what the customer said ".repeat(80))
            .fingerprint([format!("issue {number}")])
            .send()
    };
    for number in 0..2_500 {
        send(number);
        if number % 500 == 499 {
            flush(&guard);
        }
    }
    let mut browser = Chromium::start("many");
    browser.size(1280, 800, "light");

    let began = Instant::now();
    browser.go(&format!("http://{addr}/"));
    browser.wait(&format!("{LIVE} && document.querySelector('#sum').innerText.includes('2,000 events')"));
    let loaded = began.elapsed();
    assert_eq!(browser.eval(ROWS), 100, "the rest on request");

    // From a key to what it changes, as the browser's own clock sees it.
    let until_drawn = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)))))";
    let mut measure = |what: &str| {
        let milliseconds = browser.eval(&format!(
            "(async () => {{ const began = performance.now(); {what}; return await {until_drawn} }})()"
        ));
        milliseconds.as_f64().unwrap()
    };
    let filtered = measure("setFilter('order 2499')");
    let cleared = measure("setFilter('')");
    let opened = measure("document.querySelectorAll('#rows .row')[50].click()");
    let moved = measure("step(1)");
    let more = measure("document.querySelector('#more').click()");
    assert_eq!(browser.eval(ROWS), 200);

    let began = Instant::now();
    send(3_000);
    browser.wait("document.querySelector('#rows .row').innerText.includes('order 3000')");
    let appeared = began.elapsed();
    let began = Instant::now();
    for number in 4_000..6_000 {
        send(number);
    }
    flush(&guard);
    browser.wait("document.querySelector('#rows .row').innerText.includes('order 5999')");
    let storm = began.elapsed();
    assert!(browser.text("document.querySelector('#sum').innerText").starts_with("2,000 issues"));

    println!(
        "2 000 events in 2 000 issues: shown {loaded:.0?} after going there; filter {filtered:.0} ms, cleared \
         {cleared:.0} ms, details {opened:.0} ms, next row {moved:.0} ms, 100 more rows {more:.0} ms; a new event \
         {appeared:.0?}, a storm of 2 000 {storm:.0?}"
    );
    assert!(loaded < Duration::from_secs(10), "{loaded:?}");
    for (what, milliseconds) in
        [("filter", filtered), ("clear", cleared), ("open", opened), ("move", moved), ("more", more)]
    {
        assert!(milliseconds < 1_000.0, "{what}: {milliseconds} ms");
    }
    assert!(appeared < Duration::from_secs(2), "{appeared:?}");
}
