//! What the tracing spans and the OpenTelemetry span say that a failure happens in.

use std::borrow::Cow;

use serde_json::Value;

use super::facts::MAX_ENTRIES;
use super::{Context, Facts, Trace, current};
use crate::record::Details;
#[cfg(any(feature = "logs", feature = "opentelemetry"))]
use crate::reporter;

/// What others say of where a failure happened.
#[derive(Clone, Debug)]
pub(crate) struct Around {
    /// Of the spans of the log.
    pub(crate) fields: Fields,
    /// The trace that somebody else keeps, as OpenTelemetry does.
    pub(crate) trace: Option<Trace>,
}

impl Around {
    /// `None` if they say nothing.
    #[cfg_attr(not(feature = "logs"), expect(dead_code, reason = "nobody listens to the log"))]
    pub(crate) fn boxed(self) -> Option<Box<Self>> {
        let says_nothing = self.trace.is_none() && self.fields.tags.is_empty() && self.fields.data.is_empty();
        (!says_nothing).then(|| Box::new(self))
    }
}

/// The fields of a span, or of a line of the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    pub(crate) tags: Vec<(Cow<'static, str>, String)>,
    pub(crate) data: Vec<(Cow<'static, str>, Value)>,
}

impl Fields {
    /// Adds what nobody said further in.
    #[cfg_attr(not(feature = "logs"), expect(dead_code, reason = "nobody listens to spans"))]
    pub(crate) fn add(&mut self, outer: &Self) {
        let _ = add(&mut self.tags, &outer.tags);
        let _ = add(&mut self.data, &outer.data);
    }

    /// Adds them to what was said of a failure, which wins. The number of those that there was no room for.
    pub(super) fn add_to(&self, facts: &mut Facts) -> usize {
        add(&mut facts.tags, &self.tags).saturating_add(add(&mut facts.data, &self.data))
    }
}

fn add<V: Clone>(known: &mut Vec<(Cow<'static, str>, V)>, more: &[(Cow<'static, str>, V)]) -> usize {
    let mut left_out = 0_usize;
    for entry in more {
        if known.iter().any(|(name, _)| *name == entry.0) {
            continue;
        }
        if known.len() < MAX_ENTRIES {
            known.push(entry.clone());
        } else {
            left_out = left_out.saturating_add(1);
        }
    }
    left_out
}

/// Adds what is known of where a report is made. Not for a panic's hook: it may run while a layer of the log holds
/// the lock of a span.
#[inline]
pub(crate) fn add_current(details: &mut Details) {
    #[cfg(feature = "logs")]
    if super::is_listening() {
        // The lock of a span may be poisoned.
        let fields = reporter::shielded(fields).flatten().unwrap_or_default();
        details.around = Around { fields, trace: kept_trace(current) }.boxed();
        return;
    }
    details.around = trace_only(current);
}

/// What is known where nobody reads the spans of the log, of a failure in `context`.
#[inline]
pub(crate) fn trace_only(context: impl FnOnce() -> Context) -> Option<Box<Around>> {
    let trace = Some(kept_trace(context)?);
    Some(Box::new(Around { fields: Fields::default(), trace }))
}

/// The trace that OpenTelemetry keeps of a failure in `context`. What is asked for later there agrees with it.
#[inline]
pub(crate) fn kept_trace(context: impl FnOnce() -> Context) -> Option<Trace> {
    let active = open_telemetry()?;
    context().agree_on(active);
    Some(active)
}

#[cfg(feature = "logs")]
#[cold]
fn fields() -> Option<Fields> {
    use tracing::Subscriber as _;
    use tracing_subscriber::Registry;
    use tracing_subscriber::registry::LookupSpan as _;

    tracing::dispatcher::get_default(|dispatch| {
        let registry = dispatch.downcast_ref::<Registry>()?;
        let current = registry.current_span();
        let innermost = registry.span(current.id()?)?;
        let mut all = Fields::default();
        for span in innermost.scope() {
            if let Some(fields) = span.extensions().get::<Fields>() {
                all.add(fields);
            }
        }
        Some(all)
    })
}

/// The ids of the OpenTelemetry span that is active here. Not for a panic's hook: while OpenTelemetry changes what is
/// active it panics, and a panic in a hook ends the process.
#[cfg(feature = "opentelemetry")]
pub(super) fn open_telemetry() -> Option<Trace> {
    use opentelemetry::trace::TraceContextExt as _;

    let active = || {
        opentelemetry::Context::map_current(|context| {
            if !context.has_active_span() {
                return None;
            }
            let span = context.span();
            let ids = span.span_context();
            ids.is_valid().then(|| (ids.trace_id().to_bytes(), ids.span_id().to_bytes()))
        })
    };
    // It panics on a thread that is ending. Where a request is running, none is.
    let is_running = super::with_current(|inner| inner.is_some()).unwrap_or_default();
    let active = if is_running { active() } else { reporter::shielded(active).flatten() };
    let (trace_id, span_id) = active?;
    Some(Trace { trace_id: trace_id.into(), span_id: span_id.into(), ..Trace::default() })
}

#[cfg(not(feature = "opentelemetry"))]
pub(super) const fn open_telemetry() -> Option<Trace> {
    None
}
