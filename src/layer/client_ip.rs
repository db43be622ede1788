//! Whom a request comes from, as far as that can be trusted.
//!
//! The peer of the connection is known for sure, and may be a proxy. What proxies say of others is believed from the
//! nearest one on, as long as each is trusted: what stands before that was written by the client.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, Request};
use ipnet::IpNet;

use crate::record::ClientAddress;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// No request comes through more proxies.
const MAX_HOPS: usize = 32;

/// The address that a request comes from. `None` where that is unknown: the peer may be a proxy that nobody named.
#[inline(never)]
pub(super) fn address_of<B>(request: &Request<B>, proxies: [&[IpNet]; 2]) -> Option<ClientAddress> {
    let peer = peer(request)?.to_canonical();
    let client = if proxies.iter().all(|proxies| proxies.is_empty()) {
        Some(peer).filter(is_public)
    } else {
        client_ip(peer, request.headers(), proxies)
    };
    client.map(ClientAddress)
}

/// The address of the client: the peer, or whom trusted proxies name.
pub(super) fn client_ip(peer: IpAddr, headers: &HeaderMap, proxies: [&[IpNet]; 2]) -> Option<IpAddr> {
    let is_trusted =
        |address: &IpAddr| proxies.iter().copied().flatten().any(|proxy| proxy.contains(address));
    if !is_trusted(&peer) {
        return Some(peer);
    }
    let mut last = None;
    for hop in hops(headers).take(MAX_HOPS) {
        // Whatever it is, a trusted proxy wrote it, and nobody knows what stands before it.
        let address = hop?;
        if !is_trusted(&address) {
            return Some(address);
        }
        last = Some(address);
    }
    last
}

/// The addresses that the headers name, the nearest first. `None` for what is none: `unknown`, `_hidden`.
fn hops(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let is_plain = headers.contains_key(X_FORWARDED_FOR);
    let name = if is_plain { X_FORWARDED_FOR } else { FORWARDED };
    let lines: Vec<_> = headers.get_all(name).iter().collect();
    lines.into_iter().rev().flat_map(move |line| {
        let hops = line.as_bytes().rsplit(|byte| *byte == b',');
        hops.map(move |hop| {
            let hop = std::str::from_utf8(hop).ok()?;
            address(if is_plain { hop } else { forwarded_for(hop)? })
        })
    })
}

/// The value of `for` in `for="[2001:db8::1]:4711";proto=https`.
fn forwarded_for(hop: &str) -> Option<&str> {
    hop.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value.trim().trim_matches('"'))
    })
}

/// With or without a port, with or without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

/// Whether it is one client's on the internet, and not a proxy's or a neighbour's (the registries of RFC 6890; nobody
/// has an address that is for documents).
fn is_public(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(*address),
        IpAddr::V6(address) => is_public_v6(*address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let protocol = a == 192 && b == 0 && c == 0;
    let benchmark = a == 198 && (18..20).contains(&b);
    let special = a == 0 || a >= 224 || shared || protocol || benchmark;
    !(special || address.is_private() || address.is_loopback() || address.is_link_local())
}

/// Global unicast.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, ..] = address.segments();
    first & 0xe000 == 0x2000
}

#[cfg(feature = "axum")]
fn peer<B>(request: &Request<B>) -> Option<IpAddr> {
    request.extensions().get::<axum::extract::ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
}

#[cfg(not(feature = "axum"))]
fn peer<B>(_: &Request<B>) -> Option<IpAddr> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, headers: &[(&'static str, &str)]) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let proxies: [IpNet; 2] = ["10.0.0.0/8".parse().unwrap(), "2001:db8:ffff::/48".parse().unwrap()];
        client_ip(peer.parse().unwrap(), &map, [&proxies[..1], &proxies[1..]])
            .map(|address| address.to_string())
    }

    #[test]
    fn a_peer_that_is_no_trusted_proxy_is_the_client_whatever_it_says() {
        let says = [("x-forwarded-for", "198.51.100.7"), ("forwarded", "for=198.51.100.7")];
        assert_eq!(client("203.0.113.9", &says).as_deref(), Some("203.0.113.9"));
        assert_eq!(client("192.168.0.9", &says).as_deref(), Some("192.168.0.9"));
    }

    #[test]
    fn the_last_address_that_is_no_proxy_is_the_client() {
        for (headers, expected) in [
            (&[("x-forwarded-for", "198.51.100.7")][..], Some("198.51.100.7")),
            (&[("x-forwarded-for", "1.2.3.4, 198.51.100.7 ,10.1.2.3")], Some("198.51.100.7")),
            (
                &[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-for", "198.51.100.7, 10.1.2.3")],
                Some("198.51.100.7"),
            ),
            (&[("x-forwarded-for", "198.51.100.7:4711")], Some("198.51.100.7")),
            (&[("x-forwarded-for", "[2001:db8::7]:4711")], Some("2001:db8::7")),
            (&[("x-forwarded-for", "2001:db8::7, 2001:db8:ffff::1")], Some("2001:db8::7")),
            (&[("x-forwarded-for", "::ffff:198.51.100.7")], Some("198.51.100.7")),
            (&[("x-forwarded-for", "10.9.9.9, 10.1.2.3")], Some("10.9.9.9")),
            (&[("x-forwarded-for", "198.51.100.7"), ("forwarded", "for=1.2.3.4")], Some("198.51.100.7")),
            (&[("forwarded", "for=1.2.3.4, for=198.51.100.7;proto=https;by=10.0.0.1")], Some("198.51.100.7")),
            (&[("forwarded", "proto=https;For=\"[2001:db8::7]:4711\"")], Some("2001:db8::7")),
            (&[("forwarded", "for=198.51.100.7, for=_hidden")], None),
            (&[("x-forwarded-for", "198.51.100.7, unknown")], None),
            (&[("x-forwarded-for", "198.51.100.7, , 10.1.2.3")], None),
            (&[("x-forwarded-for", "")], None),
            (&[], None),
        ] {
            assert_eq!(client("10.0.0.1", headers).as_deref(), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_header_without_end_is_read_to_some_point() {
        let hops = ["10.0.0.1"; 1_000].join(",");
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", &hops)]).as_deref(), Some("10.0.0.1"));
        let hops = format!("198.51.100.7,{hops}");
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", &hops)]).as_deref(), Some("10.0.0.1"));
    }

    #[test]
    fn what_everybody_may_have_is_not_public() {
        for (address, expected) in [
            ("8.8.8.8", true),
            ("172.32.0.1", true),
            ("100.128.0.1", true),
            ("10.0.0.1", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("127.0.0.1", false),
            ("169.254.1.1", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("255.255.255.255", false),
            ("2606:4700::1", true),
            ("::1", false),
            ("fc00::1", false),
            ("fe80::1", false),
        ] {
            assert_eq!(is_public(&address.parse().unwrap()), expected, "{address}");
        }
    }
}
