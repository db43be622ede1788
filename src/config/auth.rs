//! The watch over failed logins.

use std::ops::RangeInclusive;

use super::{Config, ConfigError};

/// What an attacker can guess is no key.
const SHORTEST_KEY: usize = 32;
const USERS: RangeInclusive<u32> = 1..=100_000;

impl Config {
    /// `FAULTWIRE_HASH_KEY`, or a file that `FAULTWIRE_HASH_KEY_FILE` names: the key under which users and networks
    /// are hashed, at least 32 bytes, such as `openssl rand -hex 32` prints. Default: a random one for each process,
    /// so that hashes mean nothing beyond it; the log says so when the first is made.
    ///
    /// It is a secret: it is masked wherever it would leave.
    ///
    /// # Example
    /// ```
    /// use faultwire::Config;
    ///
    /// # let from_vault = "0123456789abcdef0123456789abcdef";
    /// let _guard = Config::new().hash_key(from_vault).init()?;
    ///
    /// let error = Config::new().hash_key("too short").init().unwrap_err();
    /// assert_eq!(error.to_string(), "FAULTWIRE_HASH_KEY: 9 bytes are no key: 32 are the least");
    /// # Ok::<(), faultwire::ConfigError>(())
    /// ```
    pub fn hash_key(mut self, key: impl Into<String>) -> Self {
        match hash_key(key.into()) {
            Ok(key) => self.hash_key = Some(key),
            Err(error) => self.keep(error),
        }
        self
    }

    /// How many of your users may share a network (/24, or /48 of IPv6): a company behind one address, a campus, the
    /// customers of a mobile carrier. 1 to 100 000. Default: 500. Failed logins of half as many accounts more, in a
    /// day and from one network, are taken for an attack on many accounts; see [`Report::auth`](crate::Report::auth).
    ///
    /// # Example
    /// ```
    /// let config = faultwire::Config::new().users_per_network(20_000); // a university
    /// # drop(config);
    /// ```
    pub fn users_per_network(mut self, users: u32) -> Self {
        if USERS.contains(&users) {
            self.users_per_network = Some(users);
        } else {
            let why = format!("{users} are not between {} and {}", USERS.start(), USERS.end());
            self.keep(ConfigError::new("Config::users_per_network", why));
        }
        self
    }
}

pub(super) fn hash_key(key: String) -> Result<String, ConfigError> {
    let key = key.trim().to_owned();
    if key.len() >= SHORTEST_KEY {
        return Ok(key);
    }
    let why = format!("{} bytes are no key: {SHORTEST_KEY} are the least", key.len());
    Err(ConfigError::new("FAULTWIRE_HASH_KEY", why))
}
