//! What the application adds to a report beside the error.

use std::borrow::Cow;

use serde_json::Value;

use super::{Details, EditEvent, User};

/// The one place for it. Boxed as a whole, because most reports have none: a report is moved, filled and dropped on the
/// failing thread.
#[derive(Default)]
pub(crate) struct Additions {
    /// The text of the response that it becomes.
    pub(crate) public: Option<Box<str>>,
    pub(crate) user: Option<User>,
    pub(crate) tags: Vec<(Cow<'static, str>, String)>,
    pub(crate) data: Vec<(Cow<'static, str>, Value)>,
    /// Tags and values that there was no room for.
    pub(crate) left_out: usize,
    pub(crate) fingerprint: Option<Vec<String>>,
    pub(crate) edit: Option<EditEvent>,
}

static NOTHING: Additions = Additions {
    public: None,
    user: None,
    tags: Vec::new(),
    data: Vec::new(),
    left_out: 0,
    fingerprint: None,
    edit: None,
};

impl Details {
    #[inline]
    pub(crate) fn added(&self) -> &Additions {
        self.additions.as_deref().unwrap_or(&NOTHING)
    }

    pub(crate) fn added_mut(&mut self) -> &mut Additions {
        self.additions.get_or_insert_default()
    }
}

impl Additions {
    /// What can be told more than once: everything but the last word on the event, and the response.
    pub(crate) fn copy(&self) -> Self {
        Self {
            public: None,
            user: self.user.clone(),
            tags: self.tags.clone(),
            data: self.data.clone(),
            left_out: self.left_out,
            fingerprint: self.fingerprint.clone(),
            edit: None,
        }
    }

    /// Counts what there was no room for.
    pub(crate) fn count(&mut self, kept: bool) {
        self.left_out = self.left_out.saturating_add(usize::from(!kept));
    }
}
