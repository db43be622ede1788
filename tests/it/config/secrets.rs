//! No key is ever shown, whatever is wrong with the setting that holds it.

use faultwire::Config;
use proptest::prelude::*;
use proptest::sample::select;

use crate::config::{from, started};

const KEY: &str = "canary0key0canary";

#[track_caller]
fn hidden(text: &str) {
    assert!(!text.to_ascii_lowercase().contains(KEY), "{text}");
}

/// Sets the DSN in every way there is, and looks at everything that is shown of it.
#[track_caller]
fn never_shown(dsn: &str) {
    let by_variable = from(&[("SENTRY_DSN", dsn)]);
    hidden(&format!("{by_variable:?}"));
    if let Err(error) = &by_variable {
        hidden(&error.to_string());
        assert_eq!(error.variable(), "SENTRY_DSN");
    }
    let by_code = Config::new().dsn(dsn);
    hidden(&format!("{by_code:?} {by_code:#?}"));
    // Switched off: a mistake is returned, and nothing starts.
    if let Err(error) = by_code.enabled(false).init() {
        hidden(&format!("{error} {error:?} {error:#?} {:?}", anyhow::Error::from(error.clone())));
    }
}

/// One of these, or a few characters of any kind.
fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![4 => select(texts).prop_map(str::to_owned), 1 => "\\PC{0,8}"]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn the_key_of_a_mangled_dsn_is_never_shown(
        scheme in one_of(&["https://", "http://", "ftp://", "https:", "//", ""]),
        before in one_of(&["", "", ":", "user:", "\0"]),
        after in one_of(&["@", "@", ":secret@", "", "/", "@@", "%40"]),
        host in one_of(&["errors.example.com", "", "[::1]:8000", "a b", "h:99999"]),
        path in one_of(&["/1", "", "/", "/a/b/2", "/%00", "?x=1"]),
    ) {
        never_shown(&format!("{scheme}{before}{KEY}{after}{host}{path}"));
    }
}

#[test]
fn the_key_of_a_good_dsn_is_in_no_log_line() {
    for dsn in [format!("https://{KEY}@127.0.0.1:9/1"), format!("https://{KEY}:{KEY}@127.0.0.1:9/1")] {
        hidden(&format!("{:?}", from(&[("SENTRY_DSN", &dsn)]).unwrap()));
        hidden(&started(Config::new().dsn(&dsn).debug(true)));
    }
}

#[test]
fn a_secret_in_the_place_of_a_path_is_not_shown() {
    let dsn = format!("https://{KEY}@errors.example.com/1");
    let error = from(&[("SENTRY_DSN_FILE", &dsn)]).unwrap_err();
    assert_eq!(error.variable(), "SENTRY_DSN_FILE");
    hidden(&format!("{error} {error:?}"));

    let pem = format!("-----BEGIN PRIVATE KEY-----\n{KEY}\n-----END PRIVATE KEY-----\n");
    let error = from(&[("FAULTWIRE_CA_FILE", &pem)]).unwrap().init().unwrap_err();
    assert_eq!(error.variable(), "FAULTWIRE_CA_FILE");
    hidden(&format!("{error} {error:?}"));
}

#[test]
fn a_dsn_in_the_place_of_another_setting_is_not_shown() {
    let dsn = format!("https://{KEY}@errors.example.com/1");
    for variable in [
        "FAULTWIRE_ENABLED",
        "SENTRY_DEBUG",
        "SENTRY_SAMPLE_RATE",
        "FAULTWIRE_BODIES",
        "FAULTWIRE_BODY_LIMIT",
        "FAULTWIRE_SHUTDOWN_TIMEOUT",
        "FAULTWIRE_INBOX",
    ] {
        let error = from(&[(variable, &dsn)]).unwrap_err();
        assert_eq!(error.variable(), variable);
        hidden(&format!("{error} {error:?}"));
    }
}
