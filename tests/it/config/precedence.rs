//! Which of several settings counts, and what is mended so that servers take it.

use faultwire::Config;
use serde_json::Value;

use crate::config::{from, one_event, start};
use crate::delivery::PATIENCE;

#[test]
fn code_beats_the_environment() {
    let variables = [
        ("SENTRY_ENVIRONMENT", "by-variable"),
        ("SENTRY_RELEASE", "by-variable@1"),
        ("SENTRY_SAMPLE_RATE", "0"),
        ("FAULTWIRE_ENABLED", "false"),
    ];
    let event = one_event(&variables, |config| {
        config
            .enabled(true)
            .environment("by-code")
            .release("by-code@2")
            .sample_rate(1.0)
            .server_name("shop-1")
    });
    assert_eq!((&event["environment"], &event["release"]), (&"by-code".into(), &"by-code@2".into()));
    assert_eq!(event["server_name"], "shop-1");
}

#[test]
fn without_settings_the_defaults_count() {
    let event = one_event(&[], |config| config);
    let by_build = if cfg!(debug_assertions) { "development" } else { "production" };
    assert_eq!(event["environment"], by_build);
    assert_eq!(event.get("release"), None);
}

#[test]
fn the_release_is_the_first_that_is_known() {
    let known = [
        ("SENTRY_RELEASE", "sentry@1"),
        ("KAMAL_VERSION", "kamal@1"),
        ("HEROKU_SLUG_COMMIT", "heroku@1"),
        ("RENDER_GIT_COMMIT", "render@1"),
        ("K_REVISION", "cloud-run@1"),
        ("FLY_MACHINE_VERSION", "fly@1"),
    ];
    for first in 0..known.len() {
        // Earlier ones that are empty count as not set.
        let mut variables = known;
        variables[..first].iter_mut().for_each(|(_, value)| *value = " ");
        let event = one_event(&variables, |config| config.fallback_release("fallback@1"));
        assert_eq!(event["release"], known[first].1);
    }
    let event = one_event(&[], |config| config.fallback_release("fallback@1").fallback_release("fallback@2"));
    assert_eq!(event["release"], "fallback@1", "the first fallback counts");
    let event = one_event(&[], |config| config.fallback_release("fallback@1").release("by-code@1"));
    assert_eq!(event["release"], "by-code@1");
}

#[test]
fn an_empty_release_in_code_does_not_hide_the_fallback() {
    let event = one_event(&[], |config| config.release("").fallback_release("fallback@1"));
    assert_eq!(event["release"], "fallback@1");
    let event = one_event(&[("KAMAL_VERSION", "kamal@1")], |config| config.release(" "));
    assert_eq!(event["release"], "kamal@1");
}

#[test]
fn the_first_mistake_in_code_is_the_one_that_is_returned() {
    let (bad_dsn, bad_rate, bad_limit) = ("no DSN", 1.5, usize::MAX);
    let configs = [
        ("SENTRY_DSN", Config::new().dsn(bad_dsn).sample_rate(bad_rate).body_limit(bad_limit)),
        ("SENTRY_SAMPLE_RATE", Config::new().sample_rate(bad_rate).body_limit(bad_limit).dsn(bad_dsn)),
        ("FAULTWIRE_BODY_LIMIT", Config::new().body_limit(bad_limit).sample_rate(f32::NAN)),
        ("FAULTWIRE_SPOOL_DIR", Config::new().spool_dir("").spool_max_bytes(1)),
        ("FAULTWIRE_SPOOL_MAX_BYTES", Config::new().spool_max_bytes(1).spool_dir("relative")),
        // A good value afterwards does not heal it, and neither does switching off.
        ("SENTRY_DSN", Config::new().dsn(bad_dsn).dsn("https://key@errors.example.com/1").enabled(false)),
        ("SENTRY_DSN", from(&[]).unwrap().dsn("")),
    ];
    for (variable, config) in configs {
        assert_eq!(config.init().unwrap_err().variable(), variable);
    }
}

#[test]
fn releases_and_environments_that_servers_refuse_are_mended_and_said() {
    let long = "é".repeat(300);
    for (given, release, environment) in [
        ("shop/1.2\\3", "shop-1.2-3", "shop-1.2-3"),
        (" shop\n1\t2 ", "shop-1-2", "shop-1-2"),
        ("latest", "latest_", "latest"),
        ("None", "None", "None_"),
        ("..", ".._", ".._"),
        (&long, &"é".repeat(100), &"é".repeat(32)),
    ] {
        let variables = [("SENTRY_RELEASE", given), ("SENTRY_ENVIRONMENT", given)];
        let (_turn, server, guard) = start(&variables, |config| config);
        faultwire::Report::new("no stock").send();
        assert!(guard.flush(PATIENCE));
        let event: Value = server.expect_only(1).remove(0);
        assert_eq!(
            (&event["release"], &event["environment"]),
            (&release.into(), &environment.into()),
            "{given:?}"
        );
        let mended = guard.stats().mended;
        let said = |what: &str, better: &str| {
            mended.iter().filter(|line| **line == format!("{what} {given:?} is sent as {better:?}")).count()
        };
        assert_eq!(said("release", release), usize::from(given != release), "{mended:?}");
        assert_eq!(said("environment", environment), usize::from(given != environment), "{mended:?}");
        assert_eq!(faultwire::stats().mended, mended);
    }
}
