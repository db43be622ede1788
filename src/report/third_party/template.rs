//! From a URL to what may be told of it: its host, and its path with ids replaced. What stands in the query is nobody's
//! business but for the names in it, and not even those where they belong to a signature.

use std::borrow::Cow;

use http::{Uri, uri::Scheme};
use url::Url;

use crate::record::{Target, normalise_path, truncated};
use crate::scrub::is_secret;

/// So many bytes of a template, parts of a path and names of a query are shown.
const MAX_TEMPLATE: usize = 200;
const MAX_SEGMENTS: usize = 16;
const MAX_NAMES: usize = 8;
/// A part of a path, or a name, that is longer is none that people gave.
const MAX_WORD: usize = 40;
/// Parts of a signature, as S3, Google Cloud Storage, CloudFront and Azure sign URLs.
const SIGNATURES: [&str; 9] = [
    "x-amz-",
    "x-goog-",
    "googleaccessid",
    "awsaccesskeyid",
    "signature",
    "expires",
    "policy",
    "key-pair-id",
    "sig",
];
/// Azure's shared access signatures; as short names they are others' too, so they go only together with `sig`.
const AZURE: [&str; 10] = ["sv", "ss", "srt", "sp", "se", "st", "spr", "sr", "sip", "skoid"];

/// The target of a text that may be a URL.
pub(crate) fn of_text(url: &str) -> Option<Target> {
    Url::parse(url).ok().as_ref().and_then(of_url)
}

pub(crate) fn of_url(url: &Url) -> Option<Target> {
    let scheme = known_scheme(url.scheme());
    Some(Target {
        host: host(url.host_str()?),
        port: url.port(),
        template: template(url.path(), url.query()),
        scheme,
    })
}

pub(crate) fn of_uri(uri: &Uri) -> Target {
    let scheme = uri.scheme().map_or("http", Scheme::as_str);
    let own = if scheme == "https" { 443 } else { 80 };
    Target {
        scheme: known_scheme(scheme),
        host: host(uri.host().unwrap_or_default()),
        port: uri.port_u16().filter(|port| *port != own),
        template: template(uri.path(), uri.query()),
    }
}

fn known_scheme(scheme: &str) -> Cow<'static, str> {
    match scheme {
        "https" => Cow::Borrowed("https"),
        "http" => Cow::Borrowed("http"),
        other => Cow::Owned(truncated(other, MAX_WORD).to_owned()),
    }
}

fn host(host: &str) -> String {
    truncated(host, 253).to_ascii_lowercase()
}

/// The path with ids replaced, and the names of the query: `/v1/charges/{id}{?expand,limit}` (RFC 6570).
fn template(path: &str, query: Option<&str>) -> String {
    let mut template = String::new();
    for (number, segment) in path.split('/').enumerate() {
        if number > MAX_SEGMENTS || template.len() > MAX_TEMPLATE {
            template.push_str("/…");
            break;
        }
        if number > 0 {
            template.push('/');
        }
        if is_word(segment) {
            normalise_path(segment, |piece| template.push_str(piece));
        } else {
            template.push_str("{id}");
        }
    }
    let names = query.map(names).unwrap_or_default();
    if !names.is_empty() {
        template.push_str("{?");
        template.push_str(&names.join(","));
        template.push('}');
    }
    template
}

/// Whether it may be a word that people chose. What decides about digits is the law for all paths.
fn is_word(segment: &str) -> bool {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:+,!*()$".contains(&byte);
    segment.len() <= MAX_WORD && segment.bytes().all(harmless) && !is_random(segment)
}

/// Whether a word in it changes between small letters, capitals and digits as often as chance has it. Names in camel
/// case do so seldom.
fn is_random(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        let bytes = word.as_bytes();
        let count = |changes: fn(u8, u8) -> bool| {
            bytes.iter().zip(bytes.iter().skip(1)).filter(|(one, next)| changes(**one, **next)).count()
        };
        let cases = count(|one, next| {
            one.is_ascii_alphabetic()
                && next.is_ascii_alphabetic()
                && one.is_ascii_lowercase() != next.is_ascii_lowercase()
        });
        let starts = count(|one, next| {
            one.is_ascii_digit() != next.is_ascii_digit()
                || (one.is_ascii_lowercase() && next.is_ascii_uppercase())
        });
        let has = |is: fn(&u8) -> bool| bytes.iter().any(is);
        let mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
        (bytes.len() >= 12 && cases.saturating_mul(5) > bytes.len().saturating_mul(2))
            || (bytes.len() >= 8 && mixed && starts.saturating_mul(3) >= bytes.len())
    })
}

/// The names in a query that are names, without those of secrets and signatures.
fn names(query: &str) -> Vec<&str> {
    let pairs = || query.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, _)| name);
    let is_azure = pairs().any(|name| name == "sig");
    let mut names = Vec::new();
    for name in pairs() {
        let lower = name.to_ascii_lowercase();
        let signs =
            SIGNATURES.iter().any(|sign| lower.starts_with(sign)) || (is_azure && AZURE.contains(&&*lower));
        if !signs && is_name(name) && !is_secret(name) && !names.contains(&name) {
            names.push(name);
        }
        if names.len() >= MAX_NAMES {
            break;
        }
    }
    names
}

/// Whether it is called as fields are, and is no value that took the place of a name.
fn is_name(name: &str) -> bool {
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || b"_$".contains(&byte));
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-._$[]".contains(&byte);
    let mut varies = false;
    normalise_path(name, |piece| varies |= piece == "{id}");
    begins && name.len() <= MAX_WORD && name.bytes().all(harmless) && !varies && !is_random(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        of_text(url).unwrap().to_string()
    }

    #[test]
    fn ids_are_replaced_names_are_kept_and_values_are_gone() {
        for (url, expected) in [
            (
                "https://api.stripe.com/v1/charges/ch_3MmlLrLkdIwHu7ix0snN0B15?expand[]=customer&limit=10",
                "https://api.stripe.com/v1/charges/{id}{?expand[],limit}",
            ),
            ("http://ada:hunter2@API.example.com:8080/users/42", "http://api.example.com:8080/users/{id}"),
            ("https://a.example/?api_key=sk_live_1&q=shoes", "https://a.example/{?q}"),
            (
                "https://b.s3.amazonaws.com/backups/2024.tar?X-Amz-Signature=abc&X-Amz-Credential=AK&versionId=3",
                "https://b.s3.amazonaws.com/backups/{id}{?versionId}",
            ),
            ("https://a.example/c?sv=2022&se=2026&sig=abc&comp=list", "https://a.example/c{?comp}"),
            (
                "https://api.telegram.org/bot123456:ABC-DEF1234ghIkl/sendMessage",
                "https://api.telegram.org/{id}/sendMessage",
            ),
            (
                "https://hooks.slack.com/services/T00000000/B00000000/XyZaBcDeFgHiJkLmNoPqRsTu",
                "https://hooks.slack.com/services/{id}/{id}/{id}",
            ),
            (
                "https://a.example/shop.Orders/GetOrdersByCustomer",
                "https://a.example/shop.Orders/GetOrdersByCustomer",
            ),
            ("https://a.example/users/ada@example.org/a%20b;s=1", "https://a.example/users/{id}/{id}"),
            ("https://a.example/search?c2VjcmV0&4f3a2b1c9d8e=1&page=2", "https://a.example/search{?page}"),
            ("https://a.example/charges/ch_3MmlLrLk", "https://a.example/charges/{id}"),
            ("https://a.example/OAuth2Token/getV2Orders", "https://a.example/OAuth2Token/getV2Orders"),
            ("https://[::1]:9/x", "https://[::1]:9/x"),
        ] {
            assert_eq!(shown(url), expected);
            let uri: Uri = url.parse().unwrap_or_default();
            if uri.host().is_some() {
                assert_eq!(of_uri(&uri).to_string(), expected, "as a URI");
            }
        }
        for none in ["", "/orders/7", "mailto:ada@example.org", "orders"] {
            assert!(of_text(none).is_none(), "{none}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_id_makes_the_same_template(id in "[0-9]{1,20}|[0-9a-f]{12}[0-9]|[0-9a-f]{8}-[0-9a-f]{4}-4[0-9]{3}-[0-9a-f]{12}|(cus|ch)_[A-Za-z]{4}[0-9]{4}[A-Za-z]{6}") {
            proptest::prop_assert_eq!(shown(&format!("https://a.example/v1/users/{id}/cards")), "https://a.example/v1/users/{id}/cards");
        }

        #[test]
        fn no_value_of_a_query_is_shown(name in "[a-z]{1,8}", value in "[A-Za-z0-9%+/=]{6,60}") {
            let shown = shown(&format!("https://a.example/x?{name}={value}"));
            proptest::prop_assert!(!shown.contains(&value) && shown.len() < 40, "{}", shown);
        }

        #[test]
        fn any_url_has_a_template_of_bounded_length(path in "[ -~é/]{0,600}") {
            let target = of_text(&format!("https://a.example/{path}")).unwrap();
            proptest::prop_assert!(target.template.len() < 700, "{}", target.template.len());
        }
    }
}
