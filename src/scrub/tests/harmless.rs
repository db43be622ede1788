//! What looks like a secret and is none, and what differs from it by little.

use super::{MASK, becomes, stays};

#[test]
fn versions_of_packages_that_are_called_like_secrets() {
    for version in [
        "^11.0.2",
        "~2.2",
        ">=1.2, <2.0",
        "^3.0.0 || ^4.0.0",
        "7.3.*",
        "9.0.2",
        "1.0.219",
        "9.3",
        "0.22",
        "=5.0.0-rc.2",
    ] {
        stays(&format!(r#"{{"dependencies":{{"passport":"{version}","js-tokens":"{version}"}}}}"#));
        stays(&format!("[dependencies]\njsonwebtoken = \"{version}\"\nsecret-service = \"{version}\"\n"));
    }
    for secret in [
        "12.05.1990",
        "1.2.90",
        "12.345.678",
        "123.456.789",
        "10.0.0.1",
        "4711",
        "47.11",
        "1.2.3-x7",
        "^",
        "^1",
        "1.2.3 4.5.6",
        "1.2.3x",
        "^1.2 hunter",
        "v1.2.3",
    ] {
        becomes(&format!(r#"{{"passport":"{secret}","a":1}}"#), r#"{"passport":"[Filtered]","a":1}"#);
        becomes(&format!("passport = \"{secret}\" a"), "passport = \"[Filtered]\" a");
    }
    // Cut off: nobody knows how it goes on.
    becomes(r#"{"password":"1.2.3"#, r#"{"password":"[Filtered]"#);
    becomes("a password=1.2.3", "a password=[Filtered]");
}

#[test]
fn hosts_behind_credentials() {
    becomes(
        "GET https://ada:pw@stock.example.com/items",
        "GET https://ada:[Filtered]@stock.example.com/items",
    );
    becomes("postgres://app:pw@db.example.com:5432/x", "postgres://app:[Filtered]@db.example.com:5432/x");
    becomes("mail ada@example.org, pw@example.org", "mail [Filtered], [Filtered]");
}

#[test]
fn uuids_and_paths_in_which_something_looks_like_a_secret() {
    for text in [
        "40128888-8888-1881-4012-888888881881",
        "order 6d1f4b0e-8f0b-4c42-4012-888888881881 was lost",
        "41111111-1111-1111-a111-111111111111",
        "be681539-0075-4703-8a12-0c2d4e6f8a1b",
        "<core::pin::Pin<P> as core::future::future::Future>::poll",
        "at orders::session::h4f53cda18c2baa0c",
        "tower_http::auth::Token::new(17)",
        "WHERE kind = 'session'::text",
        "use faultwire::token::*;",
        "[\"pin_project::*\"]",
        "{\"cookies\":[],\"session\":{}}",
        "session-tickets = []\ncookies = {}\n",
        "\"Mobile\"\n::1 - - 200",
    ] {
        stays(text);
    }
    becomes("4012-8888-8888-1881", MASK);
    becomes("id-4012-8888-8888-1881-x", "id-[Filtered]-x");
    becomes("card-4012888888881881", "card-[Filtered]");
    becomes("app::session::ab12cd34 x", "app::session::[Filtered] x");
    becomes("password::hunter2", "password::[Filtered]");
    becomes(
        "6d1f4b0e-8f0b-4c42-4012-8888888818812 4012888888881881",
        "6d1f4b0e-8f0b-4c42-4012-8888888818812 [Filtered]",
    );
}
