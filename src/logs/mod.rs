//! [`tracing_layer`]: what the application logs, in the same events.
//!
//! # What becomes of a line
//!
//! | level | in a request or task | elsewhere |
//! |---|---|---|
//! | `ERROR` | a failure and a breadcrumb | a failure |
//! | `WARN`, `INFO` | a breadcrumb | nothing |
//! | `DEBUG`, `TRACE` | nothing | nothing |
//!
//! [`Logs`] changes the levels. Whatever the layer sees is scrubbed like all that leaves.
//!
//! A failure has the error's whole chain where the line has the error itself, `error = &e as &dyn Error`; of
//! `%e`, `?e` and a message only the text is known, and the event is named after the line's target. Fields are the
//! event's data; those called `tags.<name>` are its tags. The fields of the spans around it go along, the innermost
//! first, also with a [`Report`](crate::Report) that is made in them (not with a panic).
//!
//! # One failure, one event
//!
//! An error that is logged and then returned, or the other way round, is one failure. So in a request or a
//! [`job`](crate::job()) a failure that was logged is held back until the request is answered, or the job ends:
//! - a failure that is reported meanwhile and says the same (its text, or that of one of its causes, is or stands in
//!   the line) takes its place; the line is one of its breadcrumbs. If [`ReportLayer::ignore`](crate::ReportLayer::ignore)
//!   leaves that failure out, so is the line;
//! - a request that answers 500 or above without a word has failed of what was logged last;
//! - what is left is sent then, with what was known when it was logged; also if the answer is 200.
//!
//! Equal failures of one request are one; at most 8 are held back, then the oldest is sent. While the body of a response
//! goes out, and elsewhere, a failure is sent at once. What `tower_http` logs of a failed response is a breadcrumb at most: [`ReportLayer`](crate::ReportLayer)
//! has seen it.
//!
//! # What is never seen
//!
//! The lines of this crate (target `faultwire`), whatever is logged on its threads (by an error's `Display`, by
//! `before_send`, by the HTTP client), and what is logged while a line is being read: by the `Debug` of a field, for
//! instance. So nothing reports itself without end.
//!
//! # Other layers
//!
//! The order of layers makes no difference, and it stands beside `fmt`, OpenTelemetry's and the SDK's own; a second one
//! of ours does nothing. What [`current()`](crate::current) was told stays with its request also where the SDK's
//! `SpanLayer` puts another hub in place for every poll. The SDK's `ErrorLayer` makes a second event of every line: leave it out.

mod fields;
mod line;

use std::fmt;

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::{Filtered, Targets};
use tracing_subscriber::layer::{Context, Filter, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::context::{listen, spans::Fields};
use crate::reporter;

/// The target of our own lines.
const OURS: &str = "faultwire";

/// A layer for a `tracing` subscriber: errors that are logged become events, other lines breadcrumbs; see
/// [`logs`](self). The same as `Logs::new().layer()`.
///
/// # Example
/// ```
/// use tracing_subscriber::prelude::*;
///
/// tracing_subscriber::registry()
///     .with(tracing_subscriber::fmt::layer())
///     .with(faultwire::tracing_layer())
///     .init();
/// ```
#[must_use = "nothing is seen before it is part of a subscriber"]
pub fn tracing_layer<S>() -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    Logs::new().layer()
}

/// Which lines of the log are seen, and what becomes of them.
///
/// # Example
/// ```
/// use faultwire::logs::Logs;
/// use tracing::level_filters::LevelFilter;
/// use tracing_subscriber::prelude::*;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let logs = Logs::new()
///     .breadcrumbs(LevelFilter::DEBUG)
///     .filter("info,shop=debug,hyper=off".parse()?)
///     .layer();
/// tracing_subscriber::registry().with(logs).init();
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is seen before its layer is part of a subscriber"]
pub struct Logs {
    events: LevelFilter,
    breadcrumbs: LevelFilter,
    spans: LevelFilter,
    targets: Option<Targets>,
}

impl Logs {
    /// What [`tracing_layer`] sees.
    pub const fn new() -> Self {
        Self {
            events: LevelFilter::ERROR,
            breadcrumbs: LevelFilter::INFO,
            spans: LevelFilter::INFO,
            targets: None,
        }
    }

    /// Lines of this level and above are failures. Default: `ERROR`. A warning that is a failure keeps its level.
    pub const fn events(mut self, level: LevelFilter) -> Self {
        self.events = level;
        self
    }

    /// Lines of this level and above are breadcrumbs, those that are failures too. Default: `INFO`.
    pub const fn breadcrumbs(mut self, level: LevelFilter) -> Self {
        self.breadcrumbs = level;
        self
    }

    /// The fields of spans of this level and above are shown. Default: `INFO`.
    pub const fn spans(mut self, level: LevelFilter) -> Self {
        self.spans = level;
        self
    }

    /// Sees only what passes these directives too, in the form of `RUST_LOG`: `info,shop=debug,hyper=off`. Default:
    /// everything. For an `EnvFilter` use [`Layer::with_filter`].
    pub fn filter(mut self, targets: Targets) -> Self {
        self.targets = Some(targets);
        self
    }

    /// The layer.
    #[must_use = "nothing is seen before it is part of a subscriber"]
    pub fn layer<S>(self) -> impl Layer<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        listen();
        let listener = Listener { events: self.events, breadcrumbs: self.breadcrumbs, is_idle: false };
        Filtered::new(listener, self)
    }

    fn sees(&self, metadata: &Metadata<'_>) -> bool {
        let least = if metadata.is_span() { self.spans } else { self.events.max(self.breadcrumbs) };
        *metadata.level() <= least
            && !is_ours(metadata.target())
            && self
                .targets
                .as_ref()
                .is_none_or(|targets| targets.would_enable(metadata.target(), metadata.level()))
    }
}

impl Default for Logs {
    fn default() -> Self {
        Self::new()
    }
}

/// What is not seen costs next to nothing: a place that is turned down once is not asked again.
impl<S> Filter<S> for Logs {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.sees(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.sees(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.events.max(self.breadcrumbs).max(self.spans))
    }
}

fn is_ours(target: &str) -> bool {
    target.strip_prefix(OURS).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

struct Listener {
    events: LevelFilter,
    breadcrumbs: LevelFilter,
    /// Another one further in listens already.
    is_idle: bool,
}

impl<S> Layer<S> for Listener
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_layer(&mut self, subscriber: &mut S) {
        let subscriber: &dyn Subscriber = subscriber;
        self.is_idle = subscriber.is::<Self>();
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        if self.is_idle || attributes.values().is_empty() || !reporter::is_enabled() {
            return;
        }
        // Reading runs code of the application, so it comes before the lock.
        if let Some(fields) = fields::read(|visitor| attributes.record(visitor))
            && let Some(span) = ctx.span(id)
        {
            span.extensions_mut().replace(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        if self.is_idle || !reporter::is_enabled() {
            return;
        }
        if let Some(mut fields) = fields::read(|visitor| values.record(visitor))
            && let Some(span) = ctx.span(id)
        {
            let mut extensions = span.extensions_mut();
            if let Some(earlier) = extensions.get_mut::<Fields>() {
                fields.add(earlier);
            }
            extensions.replace(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        if self.is_idle {
            return;
        }
        let level = *event.metadata().level();
        let is_failure = level <= self.events && !line::is_second_hand(event.metadata().target());
        let is_breadcrumb = level <= self.breadcrumbs;
        if is_failure {
            let spans = || {
                let mut all = Fields::default();
                for span in ctx.event_scope(event).into_iter().flatten() {
                    if let Some(fields) = span.extensions().get::<Fields>() {
                        all.add(fields);
                    }
                }
                all
            };
            line::failure(event, is_breadcrumb, spans);
        } else if is_breadcrumb {
            line::breadcrumb(event);
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("events", &self.events).finish_non_exhaustive()
    }
}
