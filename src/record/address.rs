//! Where a request comes from, and what may be said of that.

use std::fmt;
use std::net::IpAddr;

use crate::auth::Network;

/// What an event says of the address of the client: [`Config::client_ip`](crate::Config::client_ip).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientIp {
    /// Nothing.
    #[default]
    Off,
    /// Its network, as `user.ip_address`: `198.51.100.0` (/24), `2001:db8:7::` (/48 of IPv6).
    Truncated,
    /// What stands for it, as the tag `client.hash`: 32 hexadecimal digits of HMAC-SHA-256 under
    /// [`Config::hash_key`](crate::Config::hash_key).
    Hmac,
    /// All of it, as `user.ip_address`.
    Full,
}

/// The address of a client. It stays in memory: only [`ClientIp`] lets something of it out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl ClientAddress {
    pub(crate) fn network(self) -> Network {
        Network::of(self.0)
    }
}

impl fmt::Debug for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientAddress(..)")
    }
}
