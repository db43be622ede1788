//! One failure, one event, with everything known about it: a table of the ways in which a request can end.
//!
//! A row is a service and a request. All rows run against one server; a request's own id tells its events apart.

mod axum;
mod outside;
mod tonic;
mod tower;

use std::future::Future;
use std::pin::Pin;

use ::axum::body::Body;
use http::{Request, Response};
use serde_json::Value;

use crate::support::Reporting;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

type Ended = Pin<Box<dyn Future<Output = Option<Response<Body>>>>>;

/// One way in which a request ends.
struct Row {
    name: &'static str,
    run: Box<dyn FnOnce(Request<Body>) -> Ended>,
    request: Request<Body>,
    /// What the client sees; `None` for a request that has no answer.
    status: Option<u16>,
    events: Vec<Expected>,
    /// Whether user and breadcrumbs were set where they reach the event.
    has_context: bool,
    /// Whether the answer is somebody's outside of the layer, who knows of no event.
    is_of_others: bool,
}

/// What an event of it says.
struct Expected {
    mechanism: &'static str,
    /// In the text of the outermost error.
    says: &'static str,
    route: &'static str,
    /// Whether it was made before there was an answer, and so cannot say its status.
    is_early: bool,
}

impl Row {
    fn new<F, E>(name: &'static str, path: &str, run: F) -> Self
    where
        F: FnOnce(Request<Body>) -> E + 'static,
        E: Future<Output = Option<Response<Body>>> + 'static,
    {
        let run = Box::new(move |request| -> Ended { Box::pin(run(request)) });
        let request = Request::get(path).body(Body::empty()).unwrap();
        Self {
            name,
            run,
            request,
            status: Some(200),
            events: Vec::new(),
            has_context: true,
            is_of_others: false,
        }
    }

    fn request(mut self, change: impl FnOnce(&mut Request<Body>)) -> Self {
        change(&mut self.request);
        self
    }

    fn answers(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    fn unanswered(mut self) -> Self {
        self.status = None;
        self
    }

    fn without_context(mut self) -> Self {
        self.has_context = false;
        self
    }

    /// By middleware outside of the layer.
    fn answered_by_others(mut self, status: u16) -> Self {
        self.is_of_others = true;
        self.answers(status)
    }

    fn event(mut self, mechanism: &'static str, route: &'static str, says: &'static str) -> Self {
        self.events.push(Expected { mechanism, says, route, is_early: false });
        self
    }

    /// One that was made before there was an answer, which has its id all the same.
    fn event_before(mut self, mechanism: &'static str, route: &'static str, says: &'static str) -> Self {
        self.events.push(Expected { mechanism, says, route, is_early: true });
        self
    }
}

/// Runs the rows one by one, and looks at what arrived for each.
#[expect(clippy::print_stdout, reason = "how many there were")]
async fn check(rows: Vec<Row>) {
    let reporting = Reporting::start();
    let mut all = Vec::new();
    for (number, row) in rows.into_iter().enumerate() {
        let Row { name, run, mut request, status, events, has_context, is_of_others } = row;
        let id = format!("row-{number}");
        let headers = request.headers_mut();
        for (name, value) in [
            ("host", "shop.example.com"),
            ("x-request-id", &id),
            ("traceparent", &format!("00-{TRACE}-b7ad6b7169203331-01")),
        ] {
            headers.insert(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        }
        let response = run(request).await;
        assert_eq!(response.as_ref().map(|response| response.status().as_u16()), status, "{name}");
        let event_id = response
            .and_then(|response| Some(response.headers().get("x-event-id")?.to_str().ok()?.to_owned()));
        assert!(!is_of_others || event_id.is_none(), "{name}: it is the layer's answer");
        let status = status.filter(|_| !is_of_others);
        all.push((name, id, status, event_id, events, has_context));
    }
    let arrived = reporting.all_events();
    let mut wrong = Vec::new();
    for (name, id, status, event_id, expected, has_context) in &all {
        let of_row: Vec<_> =
            arrived.iter().filter(|event| event["request"]["headers"]["x-request-id"] == **id).collect();
        if of_row.len() != expected.len() {
            let said: Vec<_> = of_row.iter().map(|event| title(event)).collect();
            wrong.push(format!("{name}: {} events instead of {}: {said:?}", of_row.len(), expected.len()));
            continue;
        }
        for (event, expected) in of_row.iter().zip(expected) {
            let checks = [
                ("mechanism", last_exception(event)["mechanism"]["type"] == expected.mechanism),
                ("text", title(event).contains(expected.says)),
                ("route", event["transaction"] == expected.route),
                ("user", !has_context || event["user"]["id"] == "7"),
                ("request id", event["tags"]["request_id"] == **id),
                ("trace", event["contexts"]["trace"]["trace_id"] == TRACE),
                ("breadcrumb", !has_context || event["breadcrumbs"]["values"][0]["message"] == "signed in"),
                ("status", says_status(event, expected, *status, event_id.as_deref())),
                ("id", event_id.is_none() || names_one(event_id, &of_row)),
                ("answer without an id", event_id.is_some() || status.is_none_or(|status| status < 500)),
            ];
            for (what, _) in checks.iter().filter(|(_, holds)| !holds) {
                let seen =
                    (&event["transaction"], &event["tags"], &event["user"], &event["event_id"], event_id);
                wrong.push(format!("{name}: wrong {what}: {}: {seen:?}", title(event)));
            }
        }
    }
    assert!(wrong.is_empty(), "of {} rows:\n{}", all.len(), wrong.join("\n"));
    assert_eq!(arrived.len(), all.iter().map(|(.., expected, _)| expected.len()).sum::<usize>());
    println!("{} situations, {} events", all.len(), arrived.len());
}

fn last_exception(event: &Value) -> &Value {
    event["exception"]["values"].as_array().and_then(|values| values.last()).unwrap_or(&Value::Null)
}

fn title(event: &Value) -> String {
    let exception = last_exception(event);
    format!("{}: {}", exception["type"].as_str().unwrap_or("?"), exception["value"].as_str().unwrap_or("?"))
}

/// What failed without an answer, or beside it, has none.
fn says_status(event: &Value, expected: &Expected, status: Option<u16>, event_id: Option<&str>) -> bool {
    let said = &event["tags"]["http.response.status_code"];
    let is_answer = event["event_id"].as_str() == event_id && !expected.is_early;
    (!is_answer && said.is_null()) || said.as_str() == status.map(|status| status.to_string()).as_deref()
}

fn names_one(id: &Option<String>, events: &[&Value]) -> bool {
    events.iter().any(|event| event["event_id"].as_str() == id.as_deref())
}
