//! Who must not be named: the key of the hashes, and what becomes of it.

use faultwire::{Config, Report};

use super::wrong_password;
use crate::config::{from, start, started};
use crate::delivery::PATIENCE;

const KEY: &str = "correct horse battery staple 0123456789";

/// The hash of a user in a process with this key.
fn hash(key: Option<&str>, login: &str) -> String {
    let with_key = |config: Config| match key {
        Some(key) => config.hash_key(key),
        None => config,
    };
    let event = event(with_key, || wrong_password(login).always());
    event["tags"]["user.hash"].as_str().unwrap().to_owned()
}

fn event(change: impl FnOnce(Config) -> Config, report: impl FnOnce() -> Report) -> serde_json::Value {
    let (_turn, server, guard) = start(&[], change);
    report().send();
    assert!(guard.flush(PATIENCE));
    server.expect_only(1).remove(0)
}

#[test]
fn with_a_key_a_user_is_the_same_in_every_process_and_without_one_in_none() {
    assert_eq!(hash(Some(KEY), "ada@example.org"), hash(Some(KEY), " ADA@example.org"));
    assert_ne!(hash(Some(KEY), "ada"), hash(Some(KEY), "eve"));
    assert_ne!(hash(None, "ada"), hash(None, "ada"));
}

#[test]
fn every_report_may_say_who_it_was_about() {
    let event =
        event(|config| config.hash_key(KEY), || Report::new("no stock").identifier("ada@example.org"));
    assert_eq!(event["tags"]["user.hash"].as_str(), Some(&*hash(Some(KEY), "ada@example.org")));
    for part in ["ada@", "example.org"] {
        assert!(!event.to_string().contains(part), "{part}: {event}");
    }
}

#[test]
fn the_key_is_a_secret() {
    let config = from(&[("FAULTWIRE_HASH_KEY", KEY)]).unwrap();
    assert!(!format!("{config:?}").contains(KEY));
    let event = event(|config| config.hash_key(KEY), || Report::new(format!("the key is {KEY}!")));
    assert_eq!(crate::support::exception(&event)["value"], "the key is [Filtered]!");
}

#[test]
fn a_key_that_can_be_guessed_is_an_error_that_does_not_show_it() {
    let short = "0123456789abcdef0123456789abcde";
    for error in [
        from(&[("FAULTWIRE_HASH_KEY", short)]).unwrap_err(),
        Config::new().hash_key(short).init().unwrap_err(),
    ] {
        assert_eq!(error.variable(), "FAULTWIRE_HASH_KEY");
        assert_eq!(error.to_string(), "FAULTWIRE_HASH_KEY: 31 bytes are no key: 32 are the least");
    }
    assert!(from(&[("FAULTWIRE_HASH_KEY", &format!("{short}f\n"))]).is_ok());
    for users in [0, 100_001] {
        let error = Config::new().users_per_network(users).init().unwrap_err();
        assert_eq!(error.variable(), "Config::users_per_network");
    }
}

#[test]
fn a_missing_key_is_said_once_when_it_is_missed() {
    const MISSING: &str = "FAULTWIRE_HASH_KEY is not set";
    let said = |config: Config, reports: usize| {
        let _turn = crate::support::turn();
        let log = crate::init::Log::default();
        tracing::subscriber::with_default(log.subscriber(), || {
            let guard = config.init().unwrap();
            for _ in 0..reports {
                drop(wrong_password("ada"));
            }
            drop(guard);
        });
        log.text().matches(MISSING).count()
    };
    assert!(!started(Config::new()).contains(MISSING));
    assert_eq!(said(Config::new(), 0), 0);
    assert_eq!(said(Config::new(), 5), 1);
    assert_eq!(said(Config::new().hash_key(KEY), 5), 0);
}
