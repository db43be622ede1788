//! What the context knows, put on an event: ours on our thread, and the SDK's own where it is captured.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use sentry::protocol::{self, Breadcrumb, Event, IpAddress, Request, User};
use sentry::{ClientOptions, Integration};
use serde_json::Map;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::context::{Context, Facts, Trace, current, spans};
use crate::record::{ClientIp, Crumb, EventId, KeptBody, Level, RequestSnapshot, Route};
use crate::report::third_party::crumb;
use crate::report::{body, job, request_id, trace};
use crate::scrub::MASK;
#[cfg(feature = "axum")]
use crate::scrub::is_secret;
use crate::storm::Counts;

/// Gives events that the application captures through the SDK the context of the request they happen in.
///
/// An integration sees every event of its client, whatever hub is in place; a processor on a scope does not.
/// It runs while the SDK may hold the hub's lock, so it never touches a hub.
#[derive(Debug)]
pub(crate) struct ContextForSdkEvents;

impl Integration for ContextForSdkEvents {
    fn name(&self) -> &'static str {
        "faultwire"
    }

    fn process_event(&self, mut event: Event<'static>, _: &ClientOptions) -> Option<Event<'static>> {
        let context = current();
        if let Some(known) = context.facts() {
            facts(&mut event, &known);
        }
        if let Some(origin) = context.origin() {
            event.tags.entry("error.origin".to_owned()).or_insert_with(|| origin.as_str().to_owned());
        }
        if let Some(snapshot) = context.request() {
            request(&mut event, snapshot, context.body().as_deref());
        }
        request_id(&mut event, &context);
        client(&mut event, &context);
        if let Some(running) = context.job() {
            job::show(&mut event, running, SystemTime::now());
        }
        // Without a span of its own the event carries a trace id that the whole process shares.
        let has_span = event.contexts.get("trace").is_some_and(|trace| match trace {
            protocol::Context::Trace(trace) => trace.op.is_some() || trace.parent_span_id.is_some(),
            _ => false,
        });
        if !has_span {
            trace(&mut event, &context, spans::kept_trace(|| context.clone()));
        }
        channel(&mut event);
        Some(event)
    }
}

/// Says the compiler's channel in a field that GlitchTip keeps; else hygiene would have to move it.
fn channel(event: &mut Event<'static>) {
    if let Some(protocol::Context::Runtime(runtime)) = event.contexts.get_mut("rust")
        && let Some(channel) = runtime.other.remove("channel")
        && let (Some(name), Some(version), Some(channel)) =
            (&runtime.name, &runtime.version, channel.as_str())
    {
        let described = format!("{name} {version} ({channel})");
        runtime.other.insert("raw_description".to_owned(), described.into());
    }
}

/// Adds user, tags, data and breadcrumbs. They win over what is there.
pub(crate) fn facts(event: &mut Event<'static>, facts: &Facts) {
    if let Some(user) = &facts.user {
        let existing = event.user.get_or_insert_with(User::default);
        existing.id = user.id.clone().or(existing.id.take());
        existing.username = user.username.clone().or(existing.username.take());
        existing.email = user.email.clone().or(existing.email.take());
    }
    event.tags.extend(facts.tags.iter().map(|(key, value)| (key.to_string(), value.clone())));
    event.extra.extend(facts.data.iter().map(|(name, value)| (name.to_string(), value.clone())));
    if facts.left_out > 0 {
        event.tags.insert("faultwire.no_room".to_owned(), facts.left_out.to_string());
    }
    if !facts.breadcrumbs.is_empty() {
        event.breadcrumbs.values.extend(facts.breadcrumbs.iter().map(breadcrumb));
        // The SDK's and ours, in the order in which they happened.
        event.breadcrumbs.values.sort_by_key(|crumb| crumb.timestamp);
    }
}

fn breadcrumb(crumb: &Crumb) -> Breadcrumb {
    match crumb {
        Crumb::Said(crumb) => Breadcrumb {
            timestamp: crumb.timestamp,
            level: level(crumb.level),
            category: crumb.category.as_deref().map(str::to_owned),
            message: Some(crumb.message.clone()),
            data: crumb.data.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
            ..Breadcrumb::default()
        },
        Crumb::Called(call) => crumb::breadcrumb(call),
    }
}

/// Adds the request with its body and the transaction's name, where the event has none.
pub(crate) fn request(event: &mut Event<'static>, snapshot: &RequestSnapshot, body: Option<&KeptBody>) {
    event.transaction.get_or_insert_with(|| snapshot.name());
    if matches!(snapshot.line.route, Route::Path { .. }) {
        event.tags.insert("route.source".to_owned(), "path".to_owned());
    }
    match &mut event.request {
        None => {
            event.request = Some(shown(snapshot));
            if let Some(body) = body {
                body::add(event, &snapshot.headers, body);
            }
        }
        // Another layer showed it, secrets of the path included.
        Some(Request { url: Some(url), .. }) if url.path() == snapshot.line.target.path() => {
            url.set_path(&shown_path(snapshot));
        }
        Some(_) => {}
    }
}

/// Says by which id the request is known, unless the application did.
pub(crate) fn request_id(event: &mut Event<'static>, context: &Context) {
    request_id::lend(context, |id| {
        if let Some(id) = id {
            event.tags.entry("request_id".to_owned()).or_insert_with(|| id.to_owned());
        }
    });
}

/// Says where the request came from, as far as the settings allow. An address that the application said stays.
pub(crate) fn client(event: &mut Event<'static>, context: &Context) {
    let (Some(reporter), Some(request)) = (context.reporter(), context.request()) else { return };
    let Some(address) = request.line.client else { return };
    let shown = match reporter.settings.client_ip {
        ClientIp::Off => return,
        ClientIp::Hmac => {
            let hash = reporter.sink.admission.auth.pseudonym_of_address(address.0);
            event.tags.entry("client.hash".to_owned()).or_insert_with(|| hash.to_string());
            return;
        }
        ClientIp::Truncated => address.network().address(),
        ClientIp::Full => address.0,
    };
    let said = &mut event.user.get_or_insert_with(User::default).ip_address;
    if !matches!(said, Some(IpAddress::Exact(_))) {
        *said = Some(IpAddress::Exact(shown));
    }
}

/// Gives the event the trace that somebody else keeps of what failed, or else that of its context.
pub(crate) fn trace(event: &mut Event<'static>, context: &Context, kept: Option<Trace>) {
    if let Some(trace) = kept.map(trace::shown).or_else(|| trace::context_of(context)) {
        event.contexts.insert("trace".to_owned(), trace.into());
    }
}

/// Makes the event stand for the failures that were counted with it.
pub(crate) fn counts(event: &mut Event<'static>, counts: &Counts) {
    let time = |at| OffsetDateTime::from(at).format(&Rfc3339).unwrap_or_default();
    let routes: Map<_, _> = counts.routes.iter().map(|(route, n)| (route.clone(), (*n).into())).collect();
    let ids: Vec<_> = counts.ids.iter().map(EventId::to_string).collect();
    let storm = [
        ("suppressed", counts.failures.into()),
        ("first", time(counts.first).into()),
        ("last", time(counts.last).into()),
        ("routes", routes.into()),
        ("ids", ids.into()),
    ];
    let storm = storm.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    event.contexts.insert("storm".to_owned(), protocol::Context::Other(storm));
    event.tags.insert("suppressed".to_owned(), counts.failures.to_string());
    event.timestamp = counts.last;
}

pub(crate) fn level(level: Level) -> sentry::Level {
    match level {
        Level::Debug => sentry::Level::Debug,
        Level::Info => sentry::Level::Info,
        Level::Warning => sentry::Level::Warning,
        Level::Error => sentry::Level::Error,
        Level::Fatal => sentry::Level::Fatal,
    }
}

/// What an event shows of its request, without the body.
pub(super) fn shown(snapshot: &RequestSnapshot) -> Request {
    let mut request = Request {
        method: Some(snapshot.line.method.to_string()),
        query_string: snapshot.line.target.query().map(str::to_owned),
        ..Request::default()
    };
    for (name, value) in snapshot.headers.iter() {
        let value = value.map_or_else(|| MASK.to_owned(), |value| header_text(&name, &value));
        request
            .headers
            .entry(name.to_string())
            .and_modify(|existing| {
                existing.push_str(", ");
                existing.push_str(&value);
            })
            .or_insert(value);
    }
    let host = request.headers.get("host").map(String::as_str);
    let authority = snapshot.line.target.authority().and_then(|authority| authority.rsplit('@').next());
    let host = authority.or(host).unwrap_or("localhost");
    let scheme = snapshot.line.target.scheme().unwrap_or("http");
    request.url = format!("{scheme}://{host}{}", shown_path(snapshot)).parse().ok();
    request
}

/// The path, without the segments that the route's pattern calls a secret: `/reset/{token}`.
fn shown_path(snapshot: &RequestSnapshot) -> Cow<'_, str> {
    let path = snapshot.line.target.path();
    #[cfg(feature = "axum")]
    if let Route::Matched(pattern) = &snapshot.line.route
        && pattern.as_str().contains('{')
    {
        return Cow::Owned(without_secrets(pattern.as_str(), path));
    }
    Cow::Borrowed(path)
}

#[cfg(feature = "axum")]
fn without_secrets(pattern: &str, path: &str) -> String {
    let mut names = pattern.split('/');
    let mut rest_is_secret = false;
    let shown = path.split('/').map(|segment| {
        let name = names.next().unwrap_or_default();
        rest_is_secret |= name.starts_with("{*") && is_secret(name);
        if rest_is_secret || (name.contains('{') && is_secret(name)) { MASK } else { segment }
    });
    shown.collect::<Vec<_>>().join("/")
}

/// A header's value as it is shown: where a request comes from, without what it carried.
fn header_text(name: &str, value: &str) -> String {
    let whole = || value.to_owned();
    match name {
        "referer" => value.split(['?', '#']).next().map_or_else(whole, str::to_owned),
        "origin" => value.split("://").nth(1).map_or_else(whole, str::to_owned),
        _ => whole(),
    }
}

/// A place for the integration in the client's options.
pub(crate) fn integration() -> Arc<dyn Integration> {
    Arc::new(ContextForSdkEvents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "axum")]
    fn segments_that_the_pattern_calls_secret_are_not_shown() {
        assert_eq!(without_secrets("/reset/{token}/{id}", "/reset/abc/7"), "/reset/[Filtered]/7");
        assert_eq!(without_secrets("/token/{id}", "/token/7"), "/token/7");
        assert_eq!(without_secrets("/s/{*secret}", "/s/a/b"), "/s/[Filtered]/[Filtered]");
    }
}
