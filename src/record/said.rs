//! What the application says beside the failure: users, breadcrumbs, values.

use std::borrow::Cow;
use std::fmt;
use std::time::SystemTime;

use serde_json::Value;

use super::{Level, truncated};

/// At most this many bytes of one value are kept.
const MAX_VALUE: usize = 16 * 1024;
/// At most this many bytes of a message.
const MAX_MESSAGE: usize = 16 * 1024;
/// At most this many bytes of a tag or a user's field.
pub(crate) const MAX_SHORT: usize = 1024;

/// Who was affected. Fields set here are sent as they are: setting one is the application's decision. With
/// [`Config::hash_users`](crate::Config::hash_users) a hash stands for them.
///
/// # Example
/// ```
/// use faultwire::User;
/// faultwire::current().user(User::id("42").username("ada"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    pub(crate) id: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) email: Option<String>,
}

impl User {
    /// A user known by the application's own id (sent up to 128 characters, Sentry's limit).
    #[must_use]
    pub fn id(id: impl fmt::Display) -> Self {
        Self { id: Some(short_text(id, MAX_SHORT)), ..Self::default() }
    }

    /// Adds the name shown to people (up to 128 characters). Default: none.
    #[must_use]
    pub fn username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(short_text(username.into(), MAX_SHORT));
        self
    }

    /// Adds the e-mail address (up to 75 characters). Default: none. This is personal data: it is sent
    /// because it was set here.
    #[must_use]
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(short_text(email.into(), MAX_SHORT));
        self
    }
}

/// Something that happened on the way to a failure.
///
/// # Example
/// ```
/// use faultwire::report::Breadcrumb;
/// faultwire::current().breadcrumb("cart loaded");
/// faultwire::current().breadcrumb(Breadcrumb::new("charged").category("payment").data("cents", &1999));
/// ```
#[derive(Clone, Debug)]
pub struct Breadcrumb {
    pub(crate) timestamp: SystemTime,
    pub(crate) level: Level,
    pub(crate) category: Option<Cow<'static, str>>,
    pub(crate) message: String,
    pub(crate) data: Vec<(Cow<'static, str>, Value)>,
}

impl Breadcrumb {
    /// A breadcrumb of level [`Level::Info`], now.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            timestamp: SystemTime::now(),
            level: Level::Info,
            category: None,
            message: short_text(message.into(), MAX_MESSAGE),
            data: Vec::new(),
        }
    }

    /// Groups breadcrumbs: `http`, `query`, `payment`. Default: none.
    #[must_use]
    pub fn category(mut self, category: impl Into<Cow<'static, str>>) -> Self {
        self.category = Some(category.into());
        self
    }

    /// Default: [`Level::Info`].
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Adds a value (up to 16 KiB). One that cannot be serialized is replaced by the reason. If all of them are more than
    /// 32 KiB together, their size is shown instead.
    #[must_use]
    pub fn data<T: serde::Serialize + ?Sized>(mut self, name: impl Into<String>, value: &T) -> Self {
        self.data.push((Cow::Owned(name.into()), to_value(value)));
        self
    }

    /// Roughly what it occupies.
    pub(crate) fn weight(&self) -> usize {
        let data: usize =
            self.data.iter().map(|(key, value)| key.len().saturating_add(value_weight(value))).sum();
        self.message.len().saturating_add(data).saturating_add(64)
    }
}

impl<T: Into<String>> From<T> for Breadcrumb {
    fn from(message: T) -> Self {
        Self::new(message)
    }
}

/// `value` as JSON. One that cannot be serialized, or is larger than 16 KiB, is replaced by the reason.
pub(crate) fn to_value<T: serde::Serialize + ?Sized>(value: &T) -> Value {
    match serde_json::to_value(value) {
        Ok(value) => match value_weight(&value) {
            weight if weight > MAX_VALUE => Value::String(format!("<left out: about {weight} bytes>")),
            _ => value,
        },
        Err(error) => Value::String(format!("<not serializable: {error}>")),
    }
}

/// The text, cut to more than servers keep of it.
pub(crate) fn short_text(text: impl fmt::Display, max: usize) -> String {
    let mut text = text.to_string();
    text.truncate(truncated(&text, max).len());
    text
}

/// Roughly what a value occupies. Counts without recursion, so that depth cannot hurt.
pub(crate) fn value_weight(value: &Value) -> usize {
    let mut pending = vec![value];
    let mut weight = 0_usize;
    while let Some(value) = pending.pop() {
        weight = weight.saturating_add(match value {
            Value::String(text) => text.len().saturating_add(8),
            Value::Array(items) => {
                pending.extend(items);
                8
            }
            Value::Object(fields) => {
                pending.extend(fields.values());
                fields.keys().map(|key| key.len().saturating_add(8)).sum()
            }
            _ => 8,
        });
    }
    weight
}
