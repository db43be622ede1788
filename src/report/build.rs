//! From a [`Record`] to the SDK's event, on our own thread.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sentry::protocol::{ClientSdkInfo, Event, Exception, Mechanism, ResponseContext};
use sentry::{Client, ClientOptions};

use crate::context::{Context, Facts, hub};
use crate::record::{Additions, Cause, EditEvent, Kind, Level, Link, PanicInfo, Place, RequestSnapshot};
use crate::report::stack::{self, Symbols};
use crate::report::{auth, chain, database, decorate, fingerprint, job, submit, third_party};
use crate::reporter::{Bodies, Settings};
use crate::sink::Record;

/// The name and version under which our events and envelopes go out.
pub(crate) const SDK_NAME: &str = "sentry.rust.faultwire";
pub(crate) const SDK_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Builds the event and runs it through the SDK: scope, integrations, the application's `before_send`.
/// `None` when one of those drops it.
pub(crate) fn event(
    record: Record,
    settings: &Settings,
    client: &Client,
    symbols: &mut Symbols,
) -> Option<Event<'static>> {
    let hub = record.hub.clone();
    let (event, said) = assemble(record, settings, client.options(), symbols);
    // The SDK shows a scope to its writers only, so the copy of the hub is written to: the request's own may
    // still be in use by a task that outlives it.
    let copy = hub.as_ref().and_then(hub::copy);
    let scope = copy.map(|hub| hub.configure_scope(|scope| scope.clone())).unwrap_or_default();

    // Hooks are the application's code. A panic in one costs what the hooks would have added, not the event.
    let without_hooks = event.clone();
    let hooked = catch_unwind(AssertUnwindSafe(|| {
        let mut event = scope.apply_to_event(event)?;
        said.apply(&mut event);
        client.prepare_event(event, None)
    }));
    let mut event = hooked.unwrap_or_else(|_| {
        tracing::warn!(target: "faultwire", "a hook panicked: the event goes out without it");
        let mut event = without_hooks;
        said.apply(&mut event);
        let options = client.options();
        event.release = options.release.clone();
        event.environment = options.environment.clone();
        event.server_name = options.server_name.clone();
        Some(event)
    })?;
    if let Some(edit) = said.edit {
        let unedited = event.clone();
        if catch_unwind(AssertUnwindSafe(|| edit(&mut event))).is_err() {
            tracing::warn!(target: "faultwire", "with_event panicked: the event goes out without it");
            event = unedited;
        }
    }
    Some(event)
}

/// What the application said of this failure; it wins over what the SDK's scope says.
struct Said {
    context: Context,
    facts: Facts,
    level: sentry::Level,
    level_is_set: bool,
    fingerprint: Option<Vec<String>>,
    /// For an event that nobody gave a fingerprint.
    default_fingerprint: Vec<String>,
    edit: Option<EditEvent>,
}

impl Said {
    fn apply(&self, event: &mut Event<'static>) {
        decorate::facts(event, &self.facts);
        decorate::client(event, &self.context);
        if self.level_is_set {
            event.level = self.level;
        }
        let by_scope = *event.fingerprint != *Event::default().fingerprint;
        let fingerprint = self.fingerprint.as_ref().or((!by_scope).then_some(&self.default_fingerprint));
        if let Some(parts) = fingerprint {
            event.fingerprint = parts.iter().cloned().map(Into::into).collect();
        }
    }
}

fn assemble(
    record: Record,
    settings: &Settings,
    options: &ClientOptions,
    symbols: &mut Symbols,
) -> (Event<'static>, Said) {
    let Record {
        mut details,
        timestamp,
        mechanism,
        origin,
        status,
        context,
        facts,
        body,
        hub: _,
        stands_for,
    } = record;
    let kept_trace = details.around.as_ref().and_then(|around| around.trace);
    let mut facts = facts.as_deref().cloned().unwrap_or_default();
    facts.overlay(&mut details);
    if matches!(details.cause, Cause::Panic(_)) {
        submit::apply_rules(&mut details, &context, status, settings);
    }

    let request = context.request();
    let transaction = request.map(RequestSnapshot::name);
    auth::label(&mut details);
    let login = details.auth_label();
    let kind = details.kind_or_default(context.surface());

    let mut event = Event {
        event_id: details.id.uuid(),
        timestamp,
        platform: "native".into(),
        sdk: Some(std::borrow::Cow::Owned(sdk_info())),
        ..Event::default()
    };
    let mut tag = |key: &str, value: String| event.tags.insert(key.to_owned(), value);
    tag("error.category", kind.as_str().to_owned());
    tag("error.origin", origin.as_str().to_owned());
    if details.critical {
        tag("error.critical", "true".to_owned());
    }
    if let Some(failure) = login {
        tag("auth.failure", failure.as_str().to_owned());
    }
    if let Some(login) = details.login() {
        tag("user.hash", login.to_string());
    }
    if let Some(status) = status {
        tag("http.response.status_code", status.as_u16().to_string());
        let response =
            ResponseContext { status_code: Some(u64::from(status.as_u16())), ..Default::default() };
        event.contexts.insert("response".to_owned(), response.into());
    }
    decorate::trace(&mut event, &context, kept_trace);

    if let Cause::Panic(panic) = &details.cause
        && let Some(thread) = &panic.thread
    {
        event.tags.insert("thread.name".to_owned(), thread.clone());
    }
    let panicked = matches!(details.cause, Cause::Panic(_));
    let place = details.place().cloned();
    let (level_said, critical) = (details.level, details.critical);
    let mut cause = std::mem::replace(&mut details.cause, Cause::Status);
    let mut stack = details.stack.take();
    if let Cause::Panic(panic) = &mut cause {
        stack = panic.stack.take();
    }
    let (values, mut default_fingerprint) = match cause {
        Cause::Error { error, type_name } => {
            if details.database().is_none() {
                database::notice_unknown(type_name);
            }
            let links = chain::read(&*error, Some(type_name), &settings.error_names);
            from_links(links, kind, place.as_ref())
        }
        Cause::Chain(links) => from_links(links, kind, place.as_ref()),
        Cause::Panic(panic) => from_panic(*panic, kind),
        Cause::Status => {
            let transaction = transaction.as_deref().unwrap_or_default();
            from_status(status.unwrap_or_default(), transaction)
        }
    };
    event.exception.values = values;
    if let Some(running) = context.job() {
        job::show(&mut event, running, timestamp);
        if kind == Kind::Job {
            default_fingerprint.push(running.name.clone().into_owned());
        }
    }
    if let Some(database) = details.database() {
        database::show::database(&mut event, database);
    }
    if let Some(failure) = details.third_party() {
        third_party::show::third_party(&mut event, failure, settings.bodies != Bodies::Off);
    }
    default_fingerprint = fingerprint::of_subject(&details, default_fingerprint);
    if let Some(outermost) = event.exception.values.last_mut() {
        outermost.mechanism = Some(Mechanism {
            ty: mechanism.name.to_owned(),
            handled: Some(mechanism.handled),
            ..Default::default()
        });
        let caught = details.backtrace.as_deref().and_then(|text| stack::of_text(text, options));
        let taken = || stack::of_addresses(&stack?, symbols, place.as_ref(), options);
        outermost.stacktrace = caught.or_else(taken).or_else(|| place.as_ref().map(stack::of_place));
    }
    if let Some(request) = request {
        decorate::request(&mut event, request, body.as_deref());
        decorate::request_id(&mut event, &context);
    }

    let level_is_set = level_said.is_some() || critical;
    let level = match level_said {
        _ if critical => sentry::Level::Fatal,
        Some(level) => decorate::level(level),
        None if panicked => sentry::Level::Fatal,
        None => decorate::level(Level::Error),
    };
    event.level = level;
    if let Some(counts) = stands_for {
        decorate::counts(&mut event, &counts);
    }
    let Additions { fingerprint, edit, .. } = details.additions.map(|added| *added).unwrap_or_default();
    (event, Said { context, facts, level, level_is_set, fingerprint, default_fingerprint, edit })
}

/// The chain as exceptions: servers want the outermost last.
fn from_links(links: Vec<Link>, kind: Kind, place: Option<&Place>) -> (Vec<Exception>, Vec<String>) {
    let fingerprint = match links.first() {
        Some(link) => fingerprint::of_error(kind, &link.type_name, &link.message, place),
        None => fingerprint::of_error(kind, "Error", "", place),
    };
    let exception = |link: Link| {
        let (module, name) = chain::split_path(&link.type_name);
        Exception {
            ty: name.to_owned(),
            module: module.map(str::to_owned),
            value: Some(link.message),
            ..Exception::default()
        }
    };
    (links.into_iter().rev().map(exception).collect(), fingerprint)
}

fn from_panic(mut panic: PanicInfo, kind: Kind) -> (Vec<Exception>, Vec<String>) {
    panic.message = database::hide::debugged(panic.message);
    let fingerprint = fingerprint::of_error(kind, "panic", &panic.message, panic.location.as_ref());
    let exception = Exception { ty: "panic".to_owned(), value: Some(panic.message), ..Exception::default() };
    (vec![exception], fingerprint)
}

fn from_status(status: http::StatusCode, transaction: &str) -> (Vec<Exception>, Vec<String>) {
    let said = if status.is_server_error() {
        format!(
            "{transaction} answered without saying why: return a faultwire::Report, or attach one with Report::attach"
        )
    } else {
        // What it told the client is its last breadcrumb.
        format!("{transaction} refused the request")
    };
    let exception = Exception { ty: status.to_string(), value: Some(said), ..Exception::default() };
    (vec![exception], fingerprint::of_status(status.as_u16(), transaction))
}

pub(super) fn sdk_info() -> ClientSdkInfo {
    ClientSdkInfo {
        name: SDK_NAME.to_owned(),
        version: SDK_VERSION.to_owned(),
        integrations: Vec::new(),
        packages: Vec::new(),
    }
}
