//! The network of a client.

use std::fmt;
use std::net::IpAddr;

/// What the addresses that one customer of a provider can choose from have in common: /24 of IPv4, /48 of IPv6
/// (RFC 6177: the most that a site is given). It stays in memory: nothing shows it, and events have its pseudonym.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Network {
    V4([u8; 3]),
    V6([u8; 6]),
}

impl Network {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, ..] = address.octets();
                Self::V6([a, b, c, d, e, f])
            }
        }
    }

    /// Its first address.
    pub(crate) fn address(&self) -> IpAddr {
        match *self {
            Self::V4([a, b, c]) => [a, b, c, 0].into(),
            Self::V6([a, b, c, d, e, f]) => [a, b, c, d, e, f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].into(),
        }
    }

    /// How it is written in front of its pseudonym: no two networks are written alike.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> Network {
        Network::of(address.parse().unwrap())
    }

    #[test]
    fn neighbours_are_one_network_and_nothing_shows_it() {
        assert_eq!(network("198.51.100.7"), network("198.51.100.250"));
        assert_ne!(network("198.51.100.7"), network("198.51.101.7"));
        assert_eq!(network("::ffff:198.51.100.7"), network("198.51.100.8"));
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:ffff::1"));
        assert_ne!(network("2001:db8:1::1"), network("2001:db8:2::1"));
        assert_eq!(network("198.51.100.7").address().to_string(), "198.51.100.0");
        assert_eq!(network("2001:db8:1:2::1").address().to_string(), "2001:db8:1::");
        assert_eq!(format!("{:?}", network("198.51.100.7")), "Network(..)");
    }
}
