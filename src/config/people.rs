//! What events say of people: who they are, and where a request comes from.

use std::net::IpAddr;

use super::{Config, values};
use crate::layer::IpNet;
pub use crate::record::ClientIp;

impl Config {
    /// `FAULTWIRE_HASH_USERS`: events name users by a hash, the SDK's own events and its transactions too: 32
    /// hexadecimal digits of HMAC-SHA-256 under [`hash_key`](Self::hash_key) as `user.id`; name and e-mail address are
    /// left out. It is the id's hash, or else that of the address, or of the name. Default: false, and what the
    /// application says of a user is sent as it is.
    ///
    /// `printf 'user:42' | openssl dgst -sha256 -hmac "$FAULTWIRE_HASH_KEY"` prints it first.
    ///
    /// # Example
    /// ```
    /// # let from_vault = "0123456789abcdef0123456789abcdef";
    /// let config = faultwire::Config::new().hash_users(true).hash_key(from_vault);
    /// # drop(config);
    /// ```
    pub fn hash_users(mut self, hash: bool) -> Self {
        self.hash_users = Some(hash);
        self
    }

    /// `FAULTWIRE_CLIENT_IP`: what an event says of the address that its request came from, `off`, `truncated`, `hmac`
    /// or `full`; see [`ClientIp`]. An address is personal data. Default: `off`.
    ///
    /// It is the peer's (known in axum, with `into_make_service_with_connect_info::<SocketAddr>()`), or the one that
    /// [trusted proxies](Self::trusted_proxies) name. Where neither is sure nothing is said: without trusted proxies a
    /// peer in a private network is taken for a proxy that nobody named. An address that the application gives the
    /// SDK's user itself stays; a server is never left to guess one.
    ///
    /// # Example
    /// ```
    /// use faultwire::Config;
    /// use faultwire::config::ClientIp;
    ///
    /// let config = Config::new().client_ip(ClientIp::Truncated);
    /// # drop(config);
    /// ```
    pub fn client_ip(mut self, what: ClientIp) -> Self {
        self.client_ip = Some(what);
        self
    }

    /// `FAULTWIRE_TRUSTED_PROXIES`: the networks of your reverse proxies and load balancers, as CIDRs or addresses with
    /// commas between them, for every [`ReportLayer`](crate::ReportLayer); one may
    /// [add its own](crate::ReportLayer::trusted_proxies), and says how they are believed. Default: none.
    ///
    /// # Example
    /// ```
    /// use faultwire::Config;
    /// use faultwire::layer::IpNet;
    ///
    /// let balancers: IpNet = "10.0.0.0/16".parse()?;
    /// let config = Config::new().trusted_proxies([balancers]);
    /// # drop(config);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn trusted_proxies(mut self, proxies: impl IntoIterator<Item = impl Into<IpNet>>) -> Self {
        self.proxies = Some(proxies.into_iter().map(Into::into).collect());
        self
    }
}

pub(super) fn client_ip(text: &str) -> Result<ClientIp, String> {
    match text.to_ascii_lowercase().as_str() {
        "off" => Ok(ClientIp::Off),
        "truncated" => Ok(ClientIp::Truncated),
        "hmac" => Ok(ClientIp::Hmac),
        "full" => Ok(ClientIp::Full),
        _ => Err(format!("{} is not one of off, truncated, hmac, full", values::shown(text))),
    }
}

pub(super) fn proxies(text: &str) -> Result<Vec<IpNet>, String> {
    let each = text.split(',').map(str::trim).filter(|proxy| !proxy.is_empty());
    let parse = |proxy: &str| {
        let network = proxy.parse().ok().or_else(|| Some(proxy.parse::<IpAddr>().ok()?.into()));
        network.ok_or_else(|| format!("{} is no network such as 10.0.0.0/16", values::shown(proxy)))
    };
    each.map(parse).collect()
}
