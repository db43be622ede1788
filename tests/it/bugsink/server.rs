//! The Bugsink that `tests/run.sh` started, over its REST API: a new project a test, and what is stored in it.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, thread};

use faultwire::sentry::types::random_uuid;
use serde_json::{Value, json};
use ureq::Agent;

use super::PATIENCE;

/// A project that nobody else reports to.
pub(super) struct Project {
    api: Api,
    id: u64,
    pub(super) dsn: String,
}

/// What Bugsink holds to be one problem.
#[derive(Debug)]
pub(super) struct Issue {
    /// `type: value` of the outermost exception of its latest event.
    pub(super) title: String,
    /// That of its first event.
    pub(super) transaction: String,
    /// Exactly what was sent, the oldest first.
    pub(super) events: Vec<Value>,
}

impl Project {
    pub(super) fn create() -> Project {
        let api = Api::of_the_environment();
        let name = random_uuid().to_string();
        let team = api.post("teams/", &json!({"name": name}));
        let settings = json!({"team": team["id"], "name": name, "alert_on_new_issue": false});
        let project = api.post("projects/", &settings);
        let project = api.get(&format!("projects/{}/", project["id"].as_str().unwrap()));
        Project { api, id: project["id"].as_u64().unwrap(), dsn: project["dsn"].as_str().unwrap().to_owned() }
    }

    /// All issues with all their events.
    pub(super) fn issues(&self) -> Vec<Issue> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let issues = self.api.list(&format!("issues/?project={}", self.id));
        let issue = |issue: &Value| {
            let events = self.api.list(&format!("events/?order=asc&issue={}", text(&issue["id"])));
            assert_eq!(issue["stored_event_count"], events.len(), "Bugsink counts what it stores");
            Issue {
                title: format!("{}: {}", text(&issue["calculated_type"]), text(&issue["calculated_value"])),
                transaction: text(&issue["transaction"]),
                events: events.iter().map(|event| self.event(&text(&event["id"]))).collect(),
            }
        };
        issues.iter().map(issue).collect()
    }

    /// How many events each issue has, for tests that look at nothing else.
    pub(super) fn stored_events_by_issue(&self) -> Vec<u64> {
        let issues = self.api.list(&format!("issues/?project={}", self.id));
        issues.iter().map(|issue| issue["stored_event_count"].as_u64().unwrap()).collect()
    }

    fn event(&self, id: &str) -> Value {
        self.api.get(&format!("events/{id}/"))["data"].take()
    }

    /// Posts an event past our own delivery; the status of the answer.
    pub(super) fn post_raw(&self, event: &Value) -> u16 {
        let (scheme, rest) = self.dsn.split_once("://").unwrap();
        let (key, rest) = rest.split_once('@').unwrap();
        let (host, id) = rest.rsplit_once('/').unwrap();
        let envelope =
            format!("{}\n{}\n{event}\n", json!({"event_id": event["event_id"]}), json!({"type": "event"}));
        let post = || {
            let request = self.api.agent.post(format!("{scheme}://{host}/api/{id}/envelope/"));
            let request =
                request.header("X-Sentry-Auth", format!("Sentry sentry_key={key}, sentry_version=7"));
            request.send(&envelope)
        };
        answer(post).status().as_u16()
    }
}

/// The server is stopped until this is dropped; nobody else may use it meanwhile.
pub(super) struct Away {
    file: PathBuf,
}

impl Away {
    /// Ends the server, as an update does: it answers what it has begun.
    pub(super) fn stop() -> Away {
        let home = PathBuf::from(variable("FAULTWIRE_TEST_BUGSINK_HOME"));
        let away = Away { file: home.join("away") };
        fs::write(&away.file, "").unwrap();
        let pid = fs::read_to_string(home.join("pid")).unwrap();
        assert!(Command::new("kill").arg(pid.trim()).status().unwrap().success());
        within_patience("it has ended", || !home.join("pid").exists());
        away
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        fs::remove_file(&self.file).unwrap();
        let health = format!("{}/health/ready", variable("FAULTWIRE_TEST_BUGSINK"));
        let agent: Agent = Agent::config_builder().proxy(None).build().into();
        within_patience("it answers again", || agent.get(&health).call().is_ok());
    }
}

#[track_caller]
fn within_patience(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

struct Api {
    agent: Agent,
    url: String,
    token: String,
}

impl Api {
    fn of_the_environment() -> Api {
        let agent = Agent::config_builder().proxy(None).http_status_as_error(false).build().new_agent();
        let url = format!("{}/api/canonical/0/", variable("FAULTWIRE_TEST_BUGSINK"));
        Api { agent, url, token: format!("Bearer {}", variable("FAULTWIRE_TEST_BUGSINK_TOKEN")) }
    }

    fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.url);
        read(path, answer(|| self.agent.get(&url).header("Authorization", &self.token).call()))
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.url);
        let post = || {
            let request = self.agent.post(&url).header("Authorization", &self.token);
            request.header("Content-Type", "application/json").send(body.to_string())
        };
        read(path, answer(post))
    }

    /// The one page that a test's results fit on.
    fn list(&self, path: &str) -> Vec<Value> {
        let mut page = self.get(path);
        assert_eq!(page["next"], Value::Null, "{path} has a second page");
        std::mem::take(page["results"].as_array_mut().unwrap())
    }
}

/// What `tests/run.sh` says about the server that it started.
#[track_caller]
pub(super) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run tests/run.sh"))
}

/// Asks until there is an answer: another test may have stopped the server.
#[track_caller]
fn answer(ask: impl Fn() -> Result<http::Response<ureq::Body>, ureq::Error>) -> http::Response<ureq::Body> {
    let mut answer = None;
    within_patience("the server answers", || {
        answer = ask().ok();
        answer.is_some()
    });
    answer.unwrap()
}

fn read(path: &str, mut answer: http::Response<ureq::Body>) -> Value {
    let body = answer.body_mut().read_to_string().unwrap();
    assert!(answer.status().is_success(), "{path}: {} {body}", answer.status());
    serde_json::from_str(&body).unwrap()
}
