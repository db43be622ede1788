//! A line of the log, as a failure or as a breadcrumb.

use std::borrow::Cow;
use std::time::SystemTime;

use sentry::Hub;
use tracing::{Event, Level as TracingLevel, Metadata};

use super::fields::{FromLog, Line, Logged, chain_of, read_line};
use super::is_ours;
use crate::context::spans::{self, Around, Fields};
use crate::context::{Context, Held, Texts, current, is_somewhere};
use crate::record::{Breadcrumb, Cause, Details, Level, Link, Mechanism, Origin, Place};
use crate::report::submit::{Failure, submit};
use crate::reporter;
use crate::sink::Record;

/// Who logs failures that our layer sees where they are.
const SECOND_HAND: &str = "tower_http::trace::on_failure";

/// Whether what fails is told elsewhere.
pub(super) fn is_second_hand(target: &str) -> bool {
    target == SECOND_HAND
}

/// Leaves the line with the request or task that is running here. Nothing is read elsewhere.
pub(super) fn breadcrumb(event: &Event<'_>) {
    if !is_somewhere() {
        return;
    }
    let Some(mut line) = read_line(&[], |visitor| event.record(visitor)) else { return };
    let target = take_target(&mut line, event.metadata());
    if !is_ours(&target) {
        current().breadcrumb(crumb(line, target, *event.metadata().level()));
    }
}

/// Takes the line for a failure; in a request it is held back. `spans` are the fields of the spans around it.
#[cold]
pub(super) fn failure(event: &Event<'_>, is_breadcrumb: bool, spans: impl FnOnce() -> Fields) {
    let mut context = current();
    let Some(reporter) = context.reporter().cloned().or_else(reporter::global) else { return };
    let names = &reporter.settings.error_names;
    let Some(mut line) = read_line(names, |visitor| event.record(visitor)) else { return };
    let metadata = event.metadata();
    let place = place(line.log.as_deref(), metadata);
    let target = take_target(&mut line, metadata);
    if is_ours(&target) {
        return;
    }

    let texts = texts(&line);
    let has_error = line.error.is_some();
    let (facts, is_attached) = (context.facts(), context.is_attached());
    let crumb = (is_attached && is_breadcrumb).then(|| crumb_of(&line, target.clone(), *metadata.level()));
    let mut details = details(line, target, *metadata.level());
    details.location = place;
    // The lock of a span may be poisoned.
    let fields = reporter::shielded(spans).unwrap_or_default();
    details.around = Around { fields, trace: spans::kept_trace(|| context.clone()) }.boxed();
    let held = Held {
        details,
        texts,
        has_error,
        timestamp: SystemTime::now(),
        facts,
        body: context.body(),
        // The SDK may hold the lock of a hub while it logs, so this is not looked into here. Elsewhere the thread may
        // be ending, and the SDK's hub with it.
        hub: if is_attached { Hub::current() } else { reporter.hub.clone() },
        send,
    };
    if let Some(crumb) = crumb {
        context.breadcrumb(crumb);
    }
    if let Some(held) = context.hold(held) {
        if !is_attached {
            context = Context::for_process(reporter, Origin::Log);
        }
        send(context, held);
    }
}

/// Hands in what nobody else told.
fn send(context: Context, held: Held) {
    let Held { mut details, timestamp, facts, body, hub, .. } = held;
    let Some(reporter) = context.reporter() else { return };
    context.absorb_calls(&mut details);
    let failure = Failure { details, status: None, context: &context, has_answer: false };
    submit(reporter, failure, |details| Record {
        details,
        timestamp,
        mechanism: Mechanism { name: "log", handled: true },
        origin: context.origin().unwrap_or(Origin::Log),
        status: None,
        facts,
        body,
        context: context.clone(),
        hub: Some(hub),
        stands_for: None,
    });
}

/// What the line says of the failure: in the words of the error, and in those that it is shown with.
fn texts(line: &Line) -> Texts {
    let texts = [&line.message, &line.error_text].into_iter().flatten();
    let own = line.error.iter().flat_map(|error| &error.texts);
    let shown = line.error.iter().flat_map(|error| match &error.details.cause {
        Cause::Chain(links) => &**links,
        _ => &[],
    });
    Texts::new(texts.chain(own).map(String::as_str).chain(shown.map(|link| &*link.message)))
}

fn details(line: Line, target: Cow<'static, str>, level: TracingLevel) -> Box<Details> {
    let Line { message, error, error_text, fields: Fields { mut tags, mut data }, .. } = line;
    tags.push(("logger".into(), target.to_string()));
    let mut details = match (error, message, error_text) {
        (Some(Logged { details, .. }), message, text) => {
            let texts = [("log.message", message), ("error", text)];
            let texts = texts.into_iter().filter_map(|(name, text)| Some((name.into(), text?.into())));
            data.extend(texts);
            details
        }
        (None, message, text) => {
            let cause = text.as_ref().filter(|_| message.is_some()).cloned();
            let outermost = Link { type_name: target, message: message.or(text).unwrap_or_default() };
            let cause = cause.map(|message| Link { type_name: "Error".into(), message });
            let links = [Some(outermost), cause].into_iter().flatten().collect();
            Box::new(Details::new(Cause::Chain(links)))
        }
    };
    let added = details.added_mut();
    added.tags.append(&mut tags);
    added.data.append(&mut data);
    details.level = Some(level_of(level)).filter(|level| *level != Level::Error);
    details
}

fn crumb(line: Line, target: Cow<'static, str>, level: TracingLevel) -> Breadcrumb {
    let Line { message, error, error_text, fields: Fields { tags, data }, .. } = line;
    let error = error_text.or_else(|| error.map(|error| chain_of(&error.details)));
    let mut data = data;
    data.extend(tags.into_iter().map(|(name, value)| (name, value.into())));
    let message = match (message, error) {
        (Some(message), Some(error)) => {
            data.push(("error".into(), error.into()));
            message
        }
        (message, error) => message.or(error).unwrap_or_default(),
    };
    Breadcrumb { timestamp: SystemTime::now(), level: level_of(level), category: Some(target), message, data }
}

/// The same of a line that is needed again.
fn crumb_of(line: &Line, target: Cow<'static, str>, level: TracingLevel) -> Breadcrumb {
    let line = Line {
        message: line.message.clone(),
        error: None,
        error_text: line.error_text.clone().or_else(|| Some(chain_of(&line.error.as_ref()?.details))),
        fields: line.fields.clone(),
        log: None,
    };
    crumb(line, target, level)
}

/// The target of the line. One of the `log` crate says it in a field.
fn take_target(line: &mut Line, metadata: &'static Metadata<'static>) -> Cow<'static, str> {
    let of_log = line.log.as_deref_mut().and_then(|log| log.target.take());
    of_log.map_or(Cow::Borrowed(metadata.target()), Cow::Owned)
}

fn place(log: Option<&FromLog>, metadata: &'static Metadata<'static>) -> Option<Place> {
    let of_log = log.and_then(|log| Some((Cow::Owned(log.file.clone()?), u32::try_from(log.line?).ok()?)));
    let (file, line) = of_log.or_else(|| Some((metadata.file()?.into(), metadata.line()?)))?;
    Some(Place { file, line, column: 0 })
}

const fn level_of(level: TracingLevel) -> Level {
    match level {
        TracingLevel::ERROR => Level::Error,
        TracingLevel::WARN => Level::Warning,
        TracingLevel::INFO => Level::Info,
        _ => Level::Debug,
    }
}
