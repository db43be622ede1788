//! What looks like a secret and is none, and what differs from it by little.

use super::{becomes, stays};

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
