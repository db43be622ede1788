//! The page, written.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

use faultwire::Config;
use faultwire::config::{Bodies, ClientIp, StackTraces};
use serde_json::{Value, json};

use super::fields::{self, Fields};
use super::reasons;
use crate::fake::RequestSeen;

use super::scenes::{BODY, HEAD, Left, SECRETS, Scene, TARGET};

/// So that the page is the same each time it is written.
const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A switch: its heading, what it is for, what happens, and what it changes.
struct Switch {
    name: &'static str,
    why: &'static str,
    scene: Scene,
    change: fn(Config) -> Config,
    /// Whether it shows what is a secret otherwise.
    shows: bool,
}

const SWITCHES: [Switch; 13] = [
    Switch {
        name: "`FAULTWIRE_BODIES=off`, `Config::bodies(Bodies::Off)`",
        why: "No body is kept, not even in memory.",
        scene: Scene::Failure,
        change: |config| config.bodies(Bodies::Off),
        shows: false,
    },
    Switch {
        name: "`FAULTWIRE_BODIES=all`, `Config::bodies(Bodies::All)`",
        why: "Bodies of every text type are shown, scrubbed: here the same body, sent as `text/plain`. Files of \
              multipart bodies become their name, type and size.",
        scene: Scene::PlainText,
        change: |config| config.bodies(Bodies::All),
        shows: false,
    },
    Switch {
        name: "`FAULTWIRE_BODY_LIMIT=40`, `Config::body_limit(40)`",
        why: "Less of each body is kept. What may be half of a secret at the end is masked.",
        scene: Scene::Failure,
        change: |config| config.body_limit(40),
        shows: false,
    },
    Switch {
        name: "`Config::scrub_personal_data(false)`",
        why: "E-mail addresses, names, places and phone numbers are shown where they are found. Secrets are not.",
        scene: Scene::Failure,
        change: |config| config.scrub_personal_data(false),
        shows: false,
    },
    Switch {
        name: "`Config::secret_key(\"article\")`, `Config::secret_pattern(\"PEAR[0-9]+\")`",
        why: "More is masked.",
        scene: Scene::Failure,
        change: |config| config.secret_key("article").secret_pattern("PEAR[0-9]+"),
        shows: false,
    },
    Switch {
        name: "`Config::danger_allow(\"boarding_pin\")`",
        why: "Values of this name are shown, whatever they are: a secret among them leaves.",
        scene: Scene::Failure,
        change: |config| config.danger_allow("boarding_pin"),
        shows: true,
    },
    Switch {
        name: "`User::id(\"42\").username(\"ada\").email(\"ada@example.org\")`",
        why: "No setting, but a decision of the application: what it gives as the user's is sent as it is.",
        scene: Scene::NamedUser,
        change: |config| config,
        shows: false,
    },
    Switch {
        name: "`FAULTWIRE_HASH_USERS=true`, `Config::hash_users(true)`",
        why: "Of the same user a hash is sent, under `FAULTWIRE_HASH_KEY`, and nothing else.",
        scene: Scene::NamedUser,
        change: |config| config.hash_users(true).hash_key(KEY),
        shows: false,
    },
    Switch {
        name: "`FAULTWIRE_CLIENT_IP=truncated`, `Config::client_ip(ClientIp::Truncated)`",
        why: "The network of the client is sent; `full` sends all of its address.",
        scene: Scene::Failure,
        change: |config| config.client_ip(ClientIp::Truncated),
        shows: false,
    },
    Switch {
        name: "`FAULTWIRE_CLIENT_IP=hmac`, `Config::client_ip(ClientIp::Hmac)`",
        why: "A hash of the address is sent, under `FAULTWIRE_HASH_KEY`.",
        scene: Scene::Failure,
        change: |config| config.client_ip(ClientIp::Hmac).hash_key(KEY),
        shows: false,
    },
    Switch {
        name: "`Config::stack_traces(StackTraces::Off)`",
        why: "Errors show their place only, and not who called it. Panics bring their stack all the same.",
        scene: Scene::Failure,
        change: |config| config.stack_traces(StackTraces::Off),
        shows: false,
    },
    Switch {
        name: "`Config::server_name(\"web-1\")`",
        why: "Another name is sent for the machine.",
        scene: Scene::Failure,
        change: |config| config.server_name("web-1"),
        shows: false,
    },
    Switch {
        name: "`SENTRY_RELEASE`, `SENTRY_ENVIRONMENT`",
        why: "Both are texts of the application's choice.",
        scene: Scene::Failure,
        change: |config| config.release("shop@2.0.0").environment("staging"),
        shows: false,
    },
];

pub(super) fn written() -> String {
    let mut page = include_str!("introduction.md").to_owned();
    let default = left(Scene::Failure, |config| config, false);
    let event = fields::of(&default.events[0]);

    page.push_str("\n## A failing request, with default settings\n\nA client sends\n\n```http\n");
    _ = writeln!(page, "POST {TARGET} HTTP/1.1");
    HEAD.iter().for_each(|(name, value)| _ = writeln!(page, "{name}: {value}"));
    _ = writeln!(page, "\n{BODY}\n```\n");
    page.push_str(
        "The route is `/orders/{id}/pay/{token}`. The handler calls `user(User::id(\"42\"))`, `tag(..)`, `data(..)` \
         and `breadcrumb(..)`, and returns an error with a cause. The server receives these fields, and no other:\n\n",
    );
    table(&mut page, &event);

    let scenes = [
        ("A panic", "The handler panics. These fields differ:", Scene::Panic),
        (
            "A response of 500 without a reason",
            "The handler answers 500 and returns no error:",
            Scene::Silence,
        ),
        (
            "Many equal failures",
            "Forty of the same in a minute: the first thirty are sent as above, and one event counts the others. \
             `FAULTWIRE_STORM=off` sends each. In the summary these fields differ:",
            Scene::Storm,
        ),
        (
            "The SDK's own events",
            "What the application captures through `sentry` itself passes the same gate. It gets the context of the \
             request:",
            Scene::Sdk,
        ),
        (
            "A background job",
            "A job fails with that error for the last time. It was given an order, a key and a card. These fields differ:",
            Scene::Job,
        ),
        (
            "What is logged",
            "With `tracing_layer()`: the handler logs an error with a field inside of a span, and answers 500 without \
             a word. Lines are breadcrumbs, fields are data. `Logs` chooses levels and targets:",
            Scene::Log,
        ),
        (
            "A database's failure",
            "The handler inserts a row that is there already, and says which statement that was and how the pool is. \
             The server's own text, which may quote rows, is replaced by what is known of it. These fields differ:",
            Scene::Database,
        ),
        (
            "A call of another service",
            "A service refuses a charge, and the handler hands in its response. These fields differ:",
            Scene::Service,
        ),
        (
            "A failed login, brute force",
            "A failed login is counted and not sent, unless the application calls `always()` on it, as here. These fields \
             differ:",
            Scene::Logins,
        ),
    ];
    for (title, text, scene) in scenes {
        let left = left(scene, with_a_key, false);
        let event = match scene {
            Scene::Storm => left.events.iter().find(|event| event["tags"].get("suppressed").is_some()),
            Scene::Sdk => left.events.iter().find(|event| event.get("logentry").is_some()),
            _ => left.events.first(),
        };
        _ = write!(page, "\n## {title}\n\n{text}\n\n");
        difference(&mut page, &event_fields(event), &fields::of(&default.events[0]));
        if matches!(scene, Scene::Job) {
            page.push_str("\nIt is monitored, so a check-in says how it ended (one without a duration said that it began):\n\n");
            table(&mut page, &fields::of(&last_check_in(&left)));
        }
        if matches!(scene, Scene::Logins) {
            let signal = left.events.iter().find(|event| event["tags"].get("brute_force.state").is_some());
            page.push_str(
                "\nAfter a hundred of them for one account from one network there is an event of its own. It is about \
                 no request, and names neither the account nor the address:\n\n",
            );
            table(&mut page, &event_fields(signal));
        }
    }

    page.push_str("\n## Each switch\n\nThe same failing request, and what another setting changes.\n");
    for Switch { name, why, scene, change, shows } in SWITCHES {
        let plain = matches!(scene, Scene::PlainText).then(|| left(scene, |config| config, false));
        let before = plain.map_or_else(|| event.clone(), |left| fields::of(&left.events[0]));
        let after = left(scene, change, shows);
        _ = write!(page, "\n### {name}\n\n{why}\n\n");
        difference(&mut page, &event_fields(after.events.first()), &before);
    }
    transaction(&mut page);
    around(&mut page, &default);
    page.push_str(include_str!("end.md"));
    page
}

fn last_check_in(left: &Left) -> Value {
    let mut payloads = left.requests.iter().filter_map(|request| {
        let text = request.text();
        let (item, payload) = text.split_once('\n')?.1.split_once('\n')?;
        item.contains("check_in").then(|| serde_json::from_str(payload).unwrap())
    });
    payloads.next_back().expect("a check-in")
}

fn event_fields(event: Option<&Value>) -> Fields {
    fields::of(event.expect("an event"))
}

/// What arrives, after a look at every byte of it.
fn left(scene: Scene, change: fn(Config) -> Config, shows: bool) -> Left {
    let left = Left::of(scene, change, false);
    for request in &left.requests {
        let text = request.text();
        let shown: Vec<_> = SECRETS.into_iter().filter(|secret| text.contains(secret)).collect();
        assert_eq!(!shown.is_empty(), shows, "{shown:?} in {text}");
    }
    left
}

/// What a request leaves that does not fail, where somebody asks for it.
fn transaction(page: &mut String) {
    let left = left(Scene::Failure, |config| config.traces_sample_rate(1.0), false);
    let texts = left.requests.iter().map(RequestSeen::text);
    let item = texts.filter_map(|text| text.lines().nth(2).map(str::to_owned));
    let mut items = item.map(|item| serde_json::from_str::<Value>(&item).unwrap());
    let transaction = items.find(|item| item.get("start_timestamp").is_some()).expect("a transaction");
    page.push_str(
        "\n## Transactions\n\n`SENTRY_TRACES_SAMPLE_RATE`, which is 0, is the share of requests that leave this, \
         failing or not. There is no body, no user and no breadcrumb in it:\n\n",
    );
    table(page, &fields::of(&transaction));
}

/// Every field, with why it leaves.
fn table(page: &mut String, fields: &Fields) {
    page.push_str("| field | example | why | what keeps it |\n|---|---|---|---|\n");
    let mut last = "";
    for (path, example) in ordered(fields) {
        let (_, (pattern, why, keep)) = reasons::of(path).unwrap();
        let (why, keep) = if *pattern == last { ("", "") } else { (*why, *keep) };
        last = pattern;
        _ = writeln!(page, "| `{path}` | {} | {why} | {keep} |", code(example));
    }
}

/// The fields in the order of the reasons. Panics if one has none.
fn ordered(fields: &Fields) -> Vec<(&String, &String)> {
    let place = |path: &str| reasons::of(path).map(|(place, _)| place);
    let unsaid: Vec<_> = fields.iter().filter(|(path, _)| place(path).is_none()).collect();
    assert!(unsaid.is_empty(), "these leave, and `reasons.rs` does not say why: {unsaid:#?}");
    let mut ordered: Vec<_> = fields.iter().collect();
    ordered.sort_by_key(|(path, _)| place(path));
    ordered
}

fn difference(page: &mut String, after: &Fields, before: &Fields) {
    let all: Fields = before.iter().chain(after).map(|(path, text)| (path.clone(), text.clone())).collect();
    let changed: Vec<_> =
        ordered(&all).into_iter().filter(|(path, _)| before.get(*path) != after.get(*path)).collect();
    assert!(!changed.is_empty(), "it changes nothing");
    page.push_str("| field | otherwise | here |\n|---|---|---|\n");
    for (path, _) in changed {
        let shown =
            |fields: &Fields| fields.get(path).map_or_else(|| "not sent".to_owned(), |text| code(text));
        _ = writeln!(page, "| `{path}` | {} | {} |", shown(before), shown(after));
    }
}

fn code(text: &str) -> String {
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// What is on the wire beside the event.
fn around(page: &mut String, left: &Left) {
    let request = &left.requests[0];
    page.push_str("\n## Around the event\n\nEach event is one request, packed with gzip:\n\n```http\n");
    _ = writeln!(page, "POST {} HTTP/1.1", request.path);
    for (name, value) in &request.headers {
        let value = match name.as_str() {
            "host" => "errors.example.com",
            "content-length" => "1017",
            _ => value,
        };
        _ = writeln!(page, "{name}: {value}");
    }
    let text = request.text();
    for line in text.lines().take(2) {
        _ = writeln!(page, "\n{}", always_the_same(line));
    }
    page.push_str("\n<the event>\n```\n");

    let reports = Left::of(Scene::Storm, without_the_first, true);
    let report = reports.requests.iter().find(|request| request.text().contains("discarded_events"));
    page.push_str(
        "\n`Destination::client_reports(true)`, which is off, tells Sentry how many events were not sent, and why:\n\n\
         ```json\n",
    );
    let report = report.expect("a report").text();
    _ = writeln!(page, "{}", always_the_same(report.lines().nth(2).unwrap()));
    page.push_str("```\n");
}

/// The hashes on the page are always the same. (It masks itself, and is in no event.)
fn with_a_key(config: Config) -> Config {
    config.hash_key("the hashes on the page are always the same")
}

/// The application drops its first event.
fn without_the_first(config: Config) -> Config {
    let dropped = AtomicBool::new(false);
    config.client_options(|options| {
        options.before_send(move |event| dropped.swap(true, Ordering::Relaxed).then_some(event))
    })
}

/// A line of an envelope, with ids and times that do not change.
fn always_the_same(line: &str) -> Value {
    let mut value: Value = serde_json::from_str(line).unwrap();
    let fixed = [
        ("event_id", json!("0af7651916cd43dd8448eb211c80319c")),
        ("sent_at", json!("2026-11-22T10:20:30.123Z")),
        ("timestamp", json!(1_795_342_830.123)),
        ("length", json!(2180)),
    ];
    for (name, fixed) in fixed {
        if let Some(there) = value.get_mut(name) {
            *there = fixed;
        }
    }
    value
}
