//! Values that print as the mask.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::MASK;

/// A value that never shows in a log: `Debug` and `Display` print `[Filtered]`.
///
/// Serialization stays what it is, because requests and rows need the value; where it may not, say
/// [`serialize_with = "faultwire::redacted"`](redacted).
///
/// # Example
/// ```
/// use faultwire::Sensitive;
///
/// #[derive(Debug)]
/// struct Login {
///     name: String,
///     password: Sensitive<String>,
/// }
///
/// let login = Login { name: "ada".into(), password: Sensitive::new("hunter2".into()) };
/// assert_eq!(format!("{login:?}"), r#"Login { name: "ada", password: [Filtered] }"#);
/// assert_eq!(login.password.expose(), "hunter2");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sensitive<T>(T);

impl<T> Sensitive<T> {
    /// Hides the value from `Debug` and `Display`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// The value, to keep.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<T> for Sensitive<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl<T> fmt::Display for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl<T: Serialize> Serialize for Sensitive<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Sensitive<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}

/// Serializes `[Filtered]` in place of a value: `#[serde(serialize_with = "faultwire::redacted")]`.
///
/// # Errors
/// Those of the serializer.
///
/// # Example
/// ```
/// #[derive(serde::Serialize)]
/// struct Charge {
///     amount: u32,
///     #[serde(serialize_with = "faultwire::redacted")]
///     card: String,
/// }
///
/// let charge = Charge { amount: 7, card: "4111 1111 1111 1111".into() };
/// assert_eq!(serde_json::to_string(&charge)?, r#"{"amount":7,"card":"[Filtered]"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn redacted<T: ?Sized, S: Serializer>(_: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(MASK)
}
