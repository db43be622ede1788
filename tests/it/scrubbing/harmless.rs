//! The corpus of harmless data, `tests/it/corpus/harmless`: nothing of it is masked, whichever way it takes.
//!
//! `cargo test --test it scrubbing::harmless -- --nocapture` prints how much of what was looked at.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::post as on_post;
use faultwire::config::Bodies;
use faultwire::report::Breadcrumb;
use faultwire::{Report, ReportLayer};
use http::Request;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{DEFAULT, scrubbed};
use crate::support::{Reporting, exception};

/// A file of the corpus.
pub(super) struct Sample {
    /// Its path below the corpus.
    pub(super) name: String,
    pub(super) content_type: &'static str,
    pub(super) text: String,
}

impl Sample {
    pub(super) fn read(path: &Path, below: &Path) -> io::Result<Self> {
        let name = path.strip_prefix(below).unwrap_or(path).to_string_lossy().replace('\\', "/");
        let content_type = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => "application/json",
            Some("ndjson") => "application/x-ndjson",
            Some("form") => "application/x-www-form-urlencoded",
            Some("xml") => "application/xml",
            Some("svg") => "image/svg+xml",
            Some("html") => "text/html; charset=utf-8",
            _ => "text/plain; charset=utf-8",
        };
        let mut text = fs::read_to_string(path)?;
        if content_type.ends_with("urlencoded") {
            // The line ends for the reader's sake.
            text.truncate(text.trim_end().len());
        }
        Ok(Self { name, content_type, text })
    }

    fn is_json(&self) -> bool {
        self.content_type == "application/json"
    }

    /// Whether each of its lines stands for itself.
    fn has_lines(&self) -> bool {
        self.content_type.starts_with("text/plain") || self.content_type.ends_with("ndjson")
    }

    /// The ways that it may take through the scrubber, and what was changed on each.
    fn changes(&self) -> Vec<String> {
        let Self { name, content_type, text } = self;
        let mut seen = vec![
            ("as a body", text.clone(), scrubbed(content_type, text)),
            ("as a body of no type", text.clone(), DEFAULT.body(None, text.as_bytes())),
            ("as a text", text.clone(), scrubbed("text", text)),
        ];
        if self.has_lines() {
            let lines = text.lines().map(|line| ("as a line", line.to_owned(), scrubbed("text", line)));
            seen.extend(lines);
        }
        if self.is_json() {
            let value: Value = serde_json::from_str(text).unwrap();
            let written = [
                ("without its white space", value.to_string()),
                ("with another white space", format!("{value:#}")),
                ("inside of a JSON string", json!({"payload": value.to_string()}).to_string()),
                ("inside of two JSON strings", json!([json!({"a": text}).to_string()]).to_string()),
                ("in a message", format!("upstream answered {value} in 4 ms")),
            ];
            for (way, written) in written {
                let shown = scrubbed(if way == "in a message" { "text" } else { content_type }, &written);
                seen.push((way, written, shown));
            }
        }
        let changed = seen.into_iter().filter(|(_, before, after)| before != after);
        changed.map(|(way, before, after)| difference(name, way, &before, &after)).collect()
    }
}

/// The lines that were changed, of long ones the part around it.
pub(super) fn difference(name: &str, way: &str, before: &str, after: &str) -> String {
    let mut said = format!("{name}, {way}:");
    let pairs = before.lines().zip(after.lines()).enumerate();
    for (number, (old, new)) in pairs.filter(|(_, (old, new))| old != new) {
        let same = old.chars().zip(new.chars()).take_while(|(old, new)| old == new).count();
        let part = |line: &str| line.chars().skip(same.saturating_sub(60)).take(160).collect::<String>();
        said.push_str(&format!(
            "\n  line {}\n  - {}\n  + {}",
            number.saturating_add(1),
            part(old),
            part(new)
        ));
    }
    if before.lines().count() != after.lines().count() {
        said.push_str(&format!("\n  {} lines became {}", before.lines().count(), after.lines().count()));
    }
    said
}

pub(super) fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/corpus")
}

fn samples() -> Vec<Sample> {
    let root = corpus().join("harmless");
    let (mut samples, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => samples.push(Sample::read(&path, &root).unwrap()),
            }
        }
    }
    samples.retain(|sample| sample.name != SOURCES);
    samples.sort_by(|a, b| a.name.cmp(&b.name));
    samples
}

const SOURCES: &str = "SOURCES.md";

/// Fails with the differences; prints the counts if there are none.
#[track_caller]
#[expect(clippy::print_stdout, reason = "the counts are for people")]
fn untouched(what: &str, samples: &[Sample]) {
    let changes: Vec<_> = samples.iter().flat_map(Sample::changes).collect();
    assert!(changes.is_empty(), "{} are not as they were:\n\n{}", changes.len(), changes.join("\n\n"));
    let lines: usize = samples.iter().map(|sample| sample.text.lines().count()).sum();
    let bytes: usize = samples.iter().map(|sample| sample.text.len()).sum();
    assert!(!samples.is_empty(), "there are {what}");
    println!("{what}: {} files, {lines} lines, {bytes} bytes, 100 % untouched", samples.len());
}

#[test]
fn nothing_of_the_corpus_is_masked() {
    untouched("the corpus", &samples());
}

/// Each file as the body of a request that fails, as the error's message, and its lines as breadcrumbs.
#[tokio::test]
async fn nothing_of_the_corpus_is_masked_on_its_way_to_a_server() {
    let samples = samples();
    let reporting = Reporting::with(|config| config.bodies(Bodies::All));
    for Sample { content_type, text, .. } in &samples {
        let message = text.clone();
        let app: Router =
            Router::new().route("/orders", on_post(|_: Bytes| fail(message))).layer(ReportLayer::new());
        let request = Request::post("/orders").header("content-type", *content_type);
        let request = request.header("user-agent", "curl/8.5.0").body(Body::from(text.clone())).unwrap();
        assert_eq!(app.oneshot(request).await.unwrap().status(), 500);
    }
    for (event, sample) in reporting.events(samples.len()).iter().zip(&samples) {
        let Sample { name, text, .. } = sample;
        // In a fingerprint a version is no version any more: `jsonwebtoken = "<text>"`.
        let removed = event["_meta"].as_object().into_iter().flatten();
        let removed: Vec<_> = removed.filter(|(place, _)| *place != "fingerprint").collect();
        assert!(removed.is_empty(), "{name}: {removed:?}");
        let mut shown = vec![
            ("as a body", text.as_str(), &event["request"]["data"]),
            ("as a message", text, &exception(event)["value"]),
        ];
        let crumbs = event["breadcrumbs"]["values"].as_array().unwrap();
        let lines = text.lines().take(MOST_CRUMBS).zip(crumbs);
        shown.extend(lines.map(|(line, crumb)| ("as a breadcrumb", line, &crumb["message"])));
        for (way, before, after) in shown {
            let after = after.as_str().unwrap();
            assert_eq!(before, after, "{}", difference(name, way, before, after));
        }
    }
}

/// A request keeps no more.
const MOST_CRUMBS: usize = 100;

async fn fail(text: String) -> Result<(), Report> {
    for line in text.lines().take(MOST_CRUMBS) {
        faultwire::current().breadcrumb(Breadcrumb::new(line));
    }
    Err(Report::new(text))
}

/// What is masked although it is harmless, and why it has to be.
#[test]
fn what_is_masked_by_mistake_is_known() {
    let known = fs::read_to_string(corpus().join("known.json")).unwrap();
    for case in serde_json::from_str::<Vec<Value>>(&known).unwrap() {
        let field =
            |name: &str| case[name].as_str().unwrap_or_else(|| panic!("no {name} in {case}")).to_owned();
        assert_eq!(scrubbed(&field("form"), &field("input")), field("becomes"), "{}", field("why"));
    }
}

/// Addresses of people are masked, and rightly so; what a feature brings is, if it is called like a secret, and so is what
/// stands behind the name of one package, which `known.json` says.
fn without_features_and_people(manifest: &str) -> String {
    let mut features = false;
    let kept = manifest.lines().filter(|line| {
        if line.starts_with('[') {
            features = *line == "[features]";
        }
        !features && !line.contains('@') && !line.starts_with("jsonwebtoken = {")
    });
    kept.map(|line| format!("{line}\n")).collect()
}

/// What this crate is built from: manifests of hundreds of packages, as their authors wrote them.
#[test]
fn nothing_of_the_manifests_of_this_crates_dependencies_is_masked() {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let metadata = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--all-features", "--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let mut samples = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        let path = Path::new(package["manifest_path"].as_str().unwrap());
        let folder = path.parent().unwrap();
        let mut sample = Sample::read(path, folder.parent().unwrap()).unwrap();
        sample.text = without_features_and_people(&sample.text);
        samples.push(sample);
    }
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
    samples.push(Sample::read(&lock, lock.parent().unwrap()).unwrap());
    untouched("manifests of dependencies", &samples);
}
