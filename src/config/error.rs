//! What is wrong with a setting.

use std::fmt;

/// A setting that cannot be used: which one, and why. Never shows the value of a secret.
///
/// # Example
/// ```
/// let error = faultwire::Config::new().dsn("https://key@errors.example.com").init().unwrap_err();
/// assert_eq!(error.variable(), "SENTRY_DSN");
/// assert_eq!(
///     error.to_string(),
///     "SENTRY_DSN: the project is missing after the host (https://<key>@<host>/<project>)"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    variable: String,
    why: String,
}

impl ConfigError {
    pub(crate) fn new(variable: impl Into<String>, why: impl Into<String>) -> Self {
        Self { variable: variable.into(), why: why.into() }
    }

    /// The environment variable of the setting, also where it was set in code; `destination <name>` for a
    /// [`Destination`](crate::config::Destination), which has none.
    #[must_use]
    pub fn variable(&self) -> &str {
        &self.variable
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.variable, self.why)
    }
}

impl std::error::Error for ConfigError {}
