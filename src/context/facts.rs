//! What the application said: kept in a context, and shared with the failures that happen in it.

use std::borrow::Cow;
use std::collections::VecDeque;

use serde_json::Value;

use crate::record::{Crumb, Details, User, value_weight};

/// At most this many tags, and this many values, are kept in one context.
pub(super) const MAX_ENTRIES: usize = 64;
/// At most this many breadcrumbs, and this many bytes of them, are kept; the oldest go first.
const MAX_BREADCRUMBS: usize = 100;
const MAX_BREADCRUMB_BYTES: usize = 64 * 1024;
/// One that is larger than this loses its values, so that it does not drive out all others.
const MAX_BREADCRUMB: usize = MAX_BREADCRUMB_BYTES / 2;

/// What the application said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) user: Option<User>,
    pub(crate) tags: Vec<(Cow<'static, str>, String)>,
    pub(crate) data: Vec<(Cow<'static, str>, Value)>,
    pub(crate) breadcrumbs: VecDeque<Crumb>,
    breadcrumb_bytes: usize,
    /// Tags and values that there was no room for; the event says how many.
    pub(crate) left_out: usize,
}

impl Facts {
    pub(super) fn count(&mut self, kept: bool) {
        self.left_out = self.left_out.saturating_add(usize::from(!kept));
    }

    pub(super) fn push(&mut self, mut breadcrumb: Crumb) {
        breadcrumb.fit(MAX_BREADCRUMB);
        self.breadcrumb_bytes = self.breadcrumb_bytes.saturating_add(breadcrumb.weight());
        self.breadcrumbs.push_back(breadcrumb);
        while self.breadcrumbs.len() > MAX_BREADCRUMBS || self.breadcrumb_bytes > MAX_BREADCRUMB_BYTES {
            let Some(oldest) = self.breadcrumbs.pop_front() else { break };
            self.breadcrumb_bytes = self.breadcrumb_bytes.saturating_sub(oldest.weight());
        }
    }

    /// Roughly what they occupy.
    pub(crate) fn weight(&self) -> usize {
        let data: usize = self.data.iter().map(|(_, value)| value_weight(value)).sum();
        data.saturating_add(self.breadcrumb_bytes)
    }

    /// Adds what a report says; it wins over what was said before.
    pub(crate) fn overlay(&mut self, details: &mut Details) {
        if let Some(added) = &mut details.additions {
            if let Some(user) = added.user.take() {
                self.user = Some(user);
            }
            self.left_out = self.left_out.saturating_add(added.left_out);
            for (key, value) in added.tags.drain(..) {
                let kept = put(&mut self.tags, key, value);
                self.count(kept);
            }
            for (name, value) in added.data.drain(..) {
                let kept = put(&mut self.data, name, value);
                self.count(kept);
            }
        }
        if let Some(around) = details.around.take() {
            self.left_out = self.left_out.saturating_add(around.fields.add_to(self));
        }
    }
}

/// Replaces the entry of that name or adds one; false when there is no room. It never logs: it runs under a
/// context's lock, and what listens to the log may use that context.
#[must_use]
pub(crate) fn put<V>(entries: &mut Vec<(Cow<'static, str>, V)>, name: Cow<'static, str>, value: V) -> bool {
    if let Some((_, existing)) = entries.iter_mut().find(|(existing, _)| *existing == name) {
        *existing = value;
        return true;
    }
    let has_room = entries.len() < MAX_ENTRIES;
    if has_room {
        entries.push((name, value));
    }
    has_room
}
