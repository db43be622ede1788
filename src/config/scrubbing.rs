//! What the scrubber is told: by code, and by the environment's secrets.

use std::ffi::OsString;

use super::{Config, ConfigError};
use crate::scrub::{Rules, Scrubber, is_secret};

/// A shorter value would be found in texts that have nothing to do with it.
const SHORTEST_SECRET: usize = 8;
/// The same for what is found in the environment, where nobody vouches that it is a secret.
const SHORTEST_VARIABLE: usize = 12;
/// Longer values are files.
const LONGEST_VARIABLE: usize = 4096;

impl Config {
    /// Masks this value wherever it would leave: as it is, url-encoded, in JSON, in base64. At least 8 bytes.
    ///
    /// What is in the environment need not be said: the values of variables that are called like secrets
    /// (`*_PASSWORD`, `*_TOKEN`, `*_API_KEY`, ..) and the passwords in `*_URL`, `*_URI` and `*_DSN` are known, from
    /// 12 bytes on, unless they are a path, a URL without a password, a number or a word.
    ///
    /// # Example
    /// ```
    /// # fn main() -> Result<(), faultwire::ConfigError> {
    /// # let from_vault = "correct horse battery staple";
    /// let _guard = faultwire::Config::new().secret(from_vault).init()?;
    /// assert_eq!(faultwire::scrubber().text("sent correct%20horse%20battery%20staple"), "sent [Filtered]");
    /// # Ok(()) }
    /// ```
    pub fn secret(mut self, value: impl Into<String>) -> Self {
        let value = value.into();
        if value.len() < SHORTEST_SECRET {
            let why =
                format!("a secret has at least {SHORTEST_SECRET} bytes: this one would be found by chance");
            self.keep(ConfigError::new("Config::secret", why));
        } else {
            self.scrubbing.secrets.push(value);
        }
        self
    }

    /// Masks the value of this key too, in any spelling: `favourite_colour` is `favouriteColour`. One word, or up to
    /// three that stand together. What is masked anyway is in `src/scrub/secrets.rs`.
    ///
    /// # Example
    /// ```
    /// # fn main() -> Result<(), faultwire::ConfigError> {
    /// let _guard = faultwire::Config::new().secret_key("favourite_colour").init()?;
    /// let json = faultwire::scrubber().text(r#"{"favouriteColour":"red"}"#).into_owned();
    /// assert_eq!(json, r#"{"favouriteColour":"[Filtered]"}"#);
    /// # Ok(()) }
    /// ```
    pub fn secret_key(mut self, name: impl Into<String>) -> Self {
        self.scrubbing.keys.push(name.into());
        self
    }

    /// Masks what this regular expression (of the `regex` crate) finds in any text.
    ///
    /// # Example
    /// ```
    /// # fn main() -> Result<(), faultwire::ConfigError> {
    /// let _guard = faultwire::Config::new().secret_pattern(r"\bcustomer-\d{6}\b").init()?;
    /// assert_eq!(faultwire::scrubber().text("no order of customer-123456"), "no order of [Filtered]");
    ///
    /// let error = faultwire::Config::new().secret_pattern("(").init().unwrap_err();
    /// assert_eq!(error.variable(), "Config::secret_pattern");
    /// # Ok(()) }
    /// ```
    pub fn secret_pattern(mut self, pattern: impl Into<String>) -> Self {
        self.scrubbing.patterns.push(pattern.into());
        self
    }

    /// Shows the value of a key that is taken for a secret's and is none; the whole key, in any spelling. The name
    /// is a warning: what such a key holds leaves the process.
    ///
    /// # Example
    /// ```
    /// # fn main() -> Result<(), faultwire::ConfigError> {
    /// let _guard = faultwire::Config::new().danger_allow("boarding_pin").init()?;
    /// assert_eq!(faultwire::scrubber().text(r#"{"boardingPin":"red"}"#), r#"{"boardingPin":"red"}"#);
    /// # Ok(()) }
    /// ```
    pub fn danger_allow(mut self, name: impl Into<String>) -> Self {
        self.scrubbing.allowed.push(name.into());
        self
    }

    /// Whether personal data that is found (e-mail addresses, and keys such as `phone` or `street`) is masked like
    /// a secret. What the application says with [`User`](crate::User) is not touched. Default: true.
    ///
    /// # Example
    /// ```
    /// # fn main() -> Result<(), faultwire::ConfigError> {
    /// let _guard = faultwire::Config::new().scrub_personal_data(false).init()?;
    /// assert_eq!(faultwire::scrubber().text("no mail for ada@example.org"), "no mail for ada@example.org");
    /// # Ok(()) }
    /// ```
    pub fn scrub_personal_data(mut self, scrub: bool) -> Self {
        self.scrubbing.personal = scrub;
        self
    }
}

/// The scrubber for these rules and the secrets of the environment.
pub(super) fn scrubber(
    mut rules: Rules,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Scrubber, ConfigError> {
    for (name, value) in environment {
        if let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) {
            rules.secrets.extend(secret_of(&name, value));
        }
    }
    Scrubber::new(&rules).map_err(|error| ConfigError::new("Config::secret_pattern", error.to_string()))
}

/// What must not leave of this variable.
fn secret_of(name: &str, value: String) -> Option<String> {
    // Our own: servers are told the key with every event.
    if name.starts_with("SENTRY_") || value.len() > LONGEST_VARIABLE {
        return None;
    }
    let holds_url = ["_URL", "_URI", "_DSN"].iter().any(|end| name.ends_with(end)) || name == "DSN";
    let secret = if holds_url || value.contains("://") {
        password(&value)?
    } else if is_secret(name) {
        value
    } else {
        return None;
    };
    let secret = secret.trim();
    let tells = |byte: u8| !byte.is_ascii_alphabetic();
    let is_path =
        secret.starts_with(['/', '.', '~']) || [":/", "=/", ":\\"].iter().any(|root| secret.contains(root));
    let is_word = !secret.bytes().any(tells);
    let is_number = secret.bytes().all(|byte| byte.is_ascii_digit());
    let known = secret.len() >= SHORTEST_VARIABLE && !is_path && !is_word && !is_number;
    known.then(|| secret.to_owned())
}

fn password(url: &str) -> Option<String> {
    let url = url::Url::parse(url.trim()).ok()?;
    let password = url.password()?;
    Some(percent_encoding::percent_decode_str(password).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_tells_its_secrets() {
        let secret = |name: &str, value: &str| secret_of(name, value.to_owned());
        let known = Some("correct-horse-9".to_owned());
        assert_eq!(secret("DB_PASSWORD", "correct-horse-9"), known);
        assert_eq!(secret("STRIPE_API_KEY", "correct-horse-9\n"), known);
        assert_eq!(secret("DATABASE_URL", "postgres://app:correct%2Dhorse-9@db/x"), known);
        assert_eq!(secret("REDIS_DSN", "redis://:correct-horse-9@db/0"), known);
    }

    #[test]
    fn what_is_no_secret_is_not_taken_for_one() {
        for (name, value) in [
            ("DB_PASSWORD", "short-9"),
            ("SSH_AUTH_SOCK", "/run/user/1000/ssh-agent"),
            ("SECRETS_DIR", "./config/secrets-9"),
            ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/user/1000/bus"),
            ("AUTH_URL", "https://auth.example.org/login/9"),
            ("TOKEN_ISSUER", "developmentmode"),
            ("SESSION_ID", "123456789012"),
            ("SENTRY_DSN", "https://0123456789abcdef@example.org/1"),
            ("HOME", "some-value-that-is-9"),
        ] {
            assert_eq!(secret_of(name, value.to_owned()), None, "{name}");
        }
    }
}
