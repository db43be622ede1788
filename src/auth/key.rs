//! Names of those who must not be named: HMAC-SHA-256 under one key.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::Network;
use crate::record::truncated;
use crate::reporter;

/// The block of SHA-256, to which RFC 2104 brings every key.
const BLOCK: usize = 64;
/// No login is longer; an e-mail address has at most 320 bytes.
const MAX_IDENTIFIER: usize = 512;

/// Stands for an identifier or a network: the same for the same key, and nothing without it. Printed as the first
/// 32 hexadecimal digits of the HMAC.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Pseudonym([u8; 16]);

impl Pseudonym {
    #[cfg(test)]
    pub(super) fn of_number(number: u64) -> Self {
        Self((u128::from(number) | u128::from(number) << 64).to_le_bytes())
    }

    /// As a key of tables: nobody who does not know the key can choose it.
    pub(super) fn number(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The key of the pseudonyms.
pub(super) struct HashKey {
    /// It has taken the key in already.
    mac: Hmac<Sha256>,
    /// Whether to say that nobody gave a key.
    warns: AtomicBool,
}

impl HashKey {
    /// `None` takes a random key.
    pub(super) fn new(key: Option<&str>) -> Self {
        let random =
            || (0..3).map(|_| sentry::types::random_uuid().into_bytes()).collect::<Vec<_>>().concat();
        let bytes = key.map_or_else(random, |key| key.as_bytes().to_vec());
        Self { mac: Hmac::new(&block(&bytes).into()), warns: AtomicBool::new(key.is_none()) }
    }

    /// The pseudonym of who tried to log in. Spaces around it and capital letters make no difference. The work
    /// depends on the text, never on whether there is such an account.
    pub(super) fn of_login(&self, identifier: &str) -> Pseudonym {
        self.warn();
        let identifier = truncated(identifier.trim(), MAX_IDENTIFIER).to_lowercase();
        self.pseudonym(b"login:", identifier.as_bytes())
    }

    /// The pseudonym of who is known by this id.
    pub(super) fn of_user(&self, id: &str) -> Pseudonym {
        self.pseudonym(b"user:", id.as_bytes())
    }

    /// Says once that nobody gave a key.
    pub(super) fn warn(&self) {
        if self.warns.load(Ordering::Relaxed) && self.warns.swap(false, Ordering::Relaxed) {
            // What listens to the log is the application's code.
            reporter::shielded(|| {
                tracing::warn!(
                    target: "faultwire",
                    "FAULTWIRE_HASH_KEY is not set: the hashes of users are comparable until this process ends"
                );
            });
        }
    }

    pub(super) fn of_network(&self, network: &Network) -> Pseudonym {
        self.pseudonym(b"ip:", network.bytes())
    }

    /// Longer or shorter than what is written for a network, so that no two are one.
    pub(super) fn of_address(&self, address: IpAddr) -> Pseudonym {
        match address.to_canonical() {
            IpAddr::V4(address) => self.pseudonym(b"ip:", &address.octets()),
            IpAddr::V6(address) => self.pseudonym(b"ip:", &address.octets()),
        }
    }

    fn pseudonym(&self, domain: &[u8], name: &[u8]) -> Pseudonym {
        let mut mac = self.mac.clone();
        mac.update(domain);
        mac.update(name);
        let mut pseudonym = [0; 16];
        for (to, from) in pseudonym.iter_mut().zip(mac.finalize().into_bytes()) {
            *to = from;
        }
        Pseudonym(pseudonym)
    }
}

/// The key as RFC 2104 wants it: what is longer than a block is hashed, what is shorter is filled up.
fn block(key: &[u8]) -> [u8; BLOCK] {
    let hashed = (key.len() > BLOCK).then(|| Sha256::digest(key));
    let mut block = [0; BLOCK];
    for (to, from) in block.iter_mut().zip(hashed.as_deref().unwrap_or(key)) {
        *to = *from;
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    /// `printf 'login:ada@example.org' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef`
    #[test]
    fn a_pseudonym_is_what_openssl_says() {
        let key = HashKey::new(Some(KEY));
        assert_eq!(key.of_login("ada@example.org").to_string(), "c3664bf2761539f99ad77ce6a543de31");
        assert_eq!(key.of_user("42").to_string(), "7d17066ef1888f6cf99a90aa3bde0f5a");
        let long = HashKey::new(Some(&KEY.repeat(3)));
        assert_eq!(long.of_login("ada@example.org").to_string(), "accedcd7b8c3ee22660d6fa12ebbbd35");
    }

    #[test]
    fn spelling_makes_no_difference_and_the_key_and_the_domain_do() {
        let key = HashKey::new(Some(KEY));
        assert_eq!(key.of_login(" Ada@Example.ORG\n"), key.of_login("ada@example.org"));
        assert_ne!(key.of_login("ada@example.org"), key.of_login("eve@example.org"));
        let other = HashKey::new(Some(&KEY.to_uppercase()));
        assert_ne!(key.of_login("ada@example.org"), other.of_login("ada@example.org"));
        let network = Network::V4(*b"ada");
        assert_ne!(key.of_network(&network), key.of_login("ada"));
        let address = [198, 51, 100, 7].into();
        assert_ne!(key.of_address(address), key.of_network(&Network::of(address)));
        assert_eq!(key.of_address("::ffff:198.51.100.7".parse().unwrap()), key.of_address(address));
    }

    #[test]
    fn without_a_key_every_process_has_its_own() {
        let (one, other) = (HashKey::new(None), HashKey::new(None));
        assert_ne!(one.of_login("ada"), other.of_login("ada"));
        assert_eq!(one.of_login("ada"), one.of_login("ada"));
    }

    #[test]
    fn a_text_of_any_length_has_one() {
        let key = HashKey::new(Some(KEY));
        assert_eq!(key.of_login(&"é".repeat(1_000_000)), key.of_login(&"é".repeat(256)));
        assert_eq!(key.of_login("").to_string().len(), 32);
    }
}
