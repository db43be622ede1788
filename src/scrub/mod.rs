//! What is a secret, and how it is masked. The gate (`deliver`) runs this over everything that leaves.
//!
//! Names of keys (`keys`) decide for values in JSON, forms, queries, cookies, XML and `name=value` in texts; the
//! shape of a value (`text` and the modules it asks) decides everywhere else. `json` reads bytes and needs no valid
//! document, so the same pass serves bodies that were cut and the items that leave (`event`).
//!
//! ```text
//! body ─ by content type ─┬─ json ─┬─ text ─┬─ pairs · named ─ keys ─ secrets
//!                         ├─ form ─┤        ├─ numbers · tokens · urls · rows
//! item ─ event ─ json ────┤        │        ├─ quoted · told (known secrets, patterns)
//! text ───────────────────┴─ xml ──┘        └─ encoded ─ any of them again
//! ```

mod body;
mod encoded;
mod ends;
mod escapes;
mod event;
mod fold;
mod form;
mod found;
mod json;
mod keys;
mod multipart;
mod named;
mod numbers;
mod pairs;
mod places;
mod quoted;
mod rows;
mod secrets;
mod seen;
mod sensitive;
mod spans;
mod structure;
mod text;
mod tokens;
mod told;
mod urls;
mod values;
mod versions;
mod xml;

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

pub(crate) use self::event::Removed;
pub(crate) use self::found::Found;
use self::keys::{Keys, Meaning};
pub use self::sensitive::{Sensitive, redacted};
use self::told::Told;

/// What stands for a secret. Servers know exactly this text; another one is scrubbed again by Sentry.
pub(crate) const MASK: &str = "[Filtered]";

/// What the application says about secrets.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// Whether personal data is masked where it is found.
    pub(crate) personal: bool,
    pub(crate) keys: Vec<String>,
    pub(crate) allowed: Vec<String>,
    pub(crate) patterns: Vec<String>,
    /// Values that never leave.
    pub(crate) secrets: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            personal: true,
            keys: Vec::new(),
            allowed: Vec::new(),
            patterns: Vec::new(),
            secrets: Vec::new(),
        }
    }
}

/// Masks secrets: what everything that leaves has passed. See [`scrubber`].
///
/// A secret is the value of a key that is called like one (`password`, `api_key`, `sessionId`), and what shows that
/// it is one wherever it stands: card numbers, bank accounts, tokens of services, private keys, credentials in URLs,
/// e-mail addresses. It becomes exactly `[Filtered]`, and what stands next to it stays.
#[derive(Clone)]
pub struct Scrubber {
    keys: Keys,
    told: Told,
    personal: bool,
    /// No other one has this, but its clones.
    id: u64,
}

impl Scrubber {
    pub(crate) fn new(rules: &Rules) -> Result<Self, regex::Error> {
        let mut scrubber = Self::with(rules.personal);
        rules.keys.iter().for_each(|key| scrubber.keys.add(key));
        rules.allowed.iter().for_each(|key| scrubber.keys.allow(key));
        scrubber.told = Told::new(&rules.secrets, &rules.patterns)?;
        Ok(scrubber)
    }

    fn with(personal: bool) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let id = LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        Self { keys: Keys::new(personal), told: Told::default(), personal, id }
    }

    /// A text without its secrets: a message, a line of a log, JSON. It takes time in proportion to its length.
    ///
    /// # Example
    /// ```
    /// let text = faultwire::scrubber().text("login failed: password=hunter2, user=ada").into_owned();
    /// assert_eq!(text, "login failed: password=[Filtered], user=ada");
    /// ```
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.any(text.as_bytes(), &mut Found::default()) {
            None => Cow::Borrowed(text),
            Some(scrubbed) => Cow::Owned(into_text(scrubbed)),
        }
    }

    /// The body of a request or response as it may be shown: JSON, forms, multipart, XML and texts without their
    /// secrets, by the content type; anything else as its length and type.
    ///
    /// # Example
    /// ```
    /// let scrubber = faultwire::scrubber();
    /// let json = scrubber.body(Some("application/json"), br#"{"token":"abc","page":2}"#);
    /// assert_eq!(json, r#"{"token":"[Filtered]","page":2}"#);
    /// assert_eq!(scrubber.body(Some("image/png"), b"..."), "<3 bytes, image/png>");
    /// ```
    #[must_use]
    pub fn body(&self, content_type: Option<&str>, body: &[u8]) -> String {
        self.show_body(content_type, body, false, &mut Found::default())
    }
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrubber").field("personal", &self.personal).finish_non_exhaustive()
    }
}

fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The lists alone: what is used before anybody initialises.
static DEFAULT: LazyLock<Arc<Scrubber>> = LazyLock::new(|| Arc::new(Scrubber::with(true)));
static CURRENT: RwLock<Option<Arc<Scrubber>>> = RwLock::new(None);

/// The scrubber of the last [`init`](crate::init), with the keys, patterns and secrets of its
/// [`Config`](crate::Config), which everything passes that it sends. Before, the lists alone. For an application's own
/// log.
///
/// # Example
/// ```
/// # let request_line = "GET /reset?token=abc HTTP/1.1";
/// println!("{}", faultwire::scrubber().text(request_line)); // GET /reset?token=[Filtered] HTTP/1.1
/// ```
#[must_use]
pub fn scrubber() -> Arc<Scrubber> {
    let current = CURRENT.read().unwrap_or_else(PoisonError::into_inner).clone();
    current.unwrap_or_else(|| Arc::clone(&DEFAULT))
}

/// Makes it the current one, and returns the one before.
pub(crate) fn install(scrubber: Option<Arc<Scrubber>>) -> Option<Arc<Scrubber>> {
    std::mem::replace(&mut *CURRENT.write().unwrap_or_else(PoisonError::into_inner), scrubber)
}

/// The text without its secrets, or `None` when it has none.
pub(crate) fn scrub_text(text: &str) -> Option<String> {
    scrubber().any(text.as_bytes(), &mut Found::default()).map(into_text)
}

/// What may be shown of a captured body. `cut` says that bytes are missing at its end.
pub(crate) fn scrub_body(content_type: Option<&str>, body: &[u8], cut: bool) -> String {
    scrubber().show_body(content_type, body, cut, &mut Found::default())
}

/// Whether the value of `key` is a secret.
pub(crate) fn is_secret(key: &str) -> bool {
    scrubber().keys.meaning(key.as_bytes()) == Meaning::Secret
}

#[cfg(test)]
mod tests;
