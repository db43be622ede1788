//! Every option: what it does, and what is said about a value that makes no sense.

mod destinations;
mod files;
mod precedence;
mod secrets;

use std::ffi::OsString;
use std::time::{Duration, Instant};

use faultwire::config::{Bodies, Storm};
use faultwire::{Config, ConfigError, Guard, Report};
use serde_json::Value;

use crate::delivery::PATIENCE;
use crate::fake::{Answer, FakeServer};
use crate::init::Log;
use crate::support::{Turn, turn};

/// What an environment with these variables says.
pub(crate) fn from(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::from_lookup(|name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
    })
}

/// Everything that is in the log when this configuration has started and ended.
pub(crate) fn started(config: Config) -> String {
    let _turn = turn();
    let log = Log::default();
    tracing::subscriber::with_default(log.subscriber(), || drop(config.init().unwrap()));
    log.text()
}

/// Reporting as these variables say and as it is changed in code, to the server that `SENTRY_DSN` names.
pub(crate) fn start(
    variables: &[(&str, &str)],
    change: impl FnOnce(Config) -> Config,
) -> (Turn, FakeServer, Guard) {
    let (turn, server) = (turn(), FakeServer::start());
    let dsn = server.dsn();
    let config = from(&[variables, &[("SENTRY_DSN", &dsn)]].concat()).unwrap();
    (turn, server, change(config).init().unwrap())
}

/// What arrives of one failure.
fn one_event(variables: &[(&str, &str)], change: impl FnOnce(Config) -> Config) -> Value {
    let (_turn, server, guard) = start(variables, change);
    Report::new("no stock").send();
    assert!(guard.flush(PATIENCE));
    server.expect_only(1).remove(0)
}

#[test]
fn bad_values_are_errors_that_name_the_variable_and_the_reason() {
    for (variable, value, reason) in [
        ("FAULTWIRE_ENABLED", "maybe", r#""maybe" is neither true nor false"#),
        ("SENTRY_DEBUG", "2", r#""2" is neither true nor false"#),
        ("SENTRY_SAMPLE_RATE", "half", r#""half" is not a number"#),
        ("SENTRY_SAMPLE_RATE", "1.01", "1.01 is not between 0.0 and 1.0"),
        ("SENTRY_SAMPLE_RATE", "-0.5", "-0.5 is not between 0.0 and 1.0"),
        ("SENTRY_SAMPLE_RATE", "NaN", "NaN is not between 0.0 and 1.0"),
        ("SENTRY_SAMPLE_RATE", "inf", "inf is not between 0.0 and 1.0"),
        ("SENTRY_SAMPLE_RATE", "50%", r#""50%" is not a number"#),
        ("FAULTWIRE_STORM", "30", r#""30" is neither off nor such as 30/60s"#),
        ("FAULTWIRE_STORM", "on", r#""on" is neither off nor such as 30/60s"#),
        ("FAULTWIRE_STORM", "-1/60s", r#""-1/60s" is neither off nor such as 30/60s"#),
        ("FAULTWIRE_STORM", "30/1m", r#""30/1m" is neither off nor such as 30/60s"#),
        ("FAULTWIRE_STORM", "0/60s", "0 failures are not between 1 and 1000000"),
        ("FAULTWIRE_STORM", "1000001/60s", "1000001 failures are not between 1 and 1000000"),
        ("FAULTWIRE_STORM", "30/0s", "a window of 0ns is not between 0.1 s and one hour"),
        ("FAULTWIRE_STORM", "30/3601s", "a window of 3601s is not between 0.1 s and one hour"),
        ("FAULTWIRE_BODIES", "json", r#""json" is not one of off, json-and-form, all"#),
        ("FAULTWIRE_BODY_LIMIT", "8k", r#""8k" is not a number of bytes"#),
        ("FAULTWIRE_BODY_LIMIT", "-1", r#""-1" is not a number of bytes"#),
        ("FAULTWIRE_BODY_LIMIT", "1048577", "1048577 is more than 1048576 bytes"),
        ("FAULTWIRE_SHUTDOWN_TIMEOUT", "2m", r#""2m" is not a number of seconds"#),
        ("FAULTWIRE_SHUTDOWN_TIMEOUT", "-1", r#""-1" is not a number of seconds"#),
        ("FAULTWIRE_SHUTDOWN_TIMEOUT", "NaN", r#""NaN" is not a number of seconds"#),
        ("FAULTWIRE_SHUTDOWN_TIMEOUT", "inf", r#""inf" is not a number of seconds"#),
        ("FAULTWIRE_SHUTDOWN_TIMEOUT", "1e300", r#""1e300" is not a number of seconds"#),
        ("FAULTWIRE_BACKLOG_RATE", "fast", r#""fast" is not a number of events a second"#),
        ("FAULTWIRE_BACKLOG_RATE", "0", "0 is not between 1 and 10000 events a second"),
        ("FAULTWIRE_BACKLOG_RATE", "10001", "10001 is not between 1 and 10000 events a second"),
        ("FAULTWIRE_SPOOL_DIR", "spool", r#""spool" is not an absolute path"#),
        ("FAULTWIRE_SPOOL_DIR", "./spool", r#""./spool" is not an absolute path"#),
        ("FAULTWIRE_SPOOL_DIR", "https://key@errors.example.com/1", "the value is not an absolute path"),
        ("FAULTWIRE_SPOOL_MAX_BYTES", "1G", r#""1G" is not a number of bytes"#),
        ("FAULTWIRE_SPOOL_MAX_BYTES", "-1", r#""-1" is not a number of bytes"#),
        ("FAULTWIRE_SPOOL_MAX_BYTES", "1048575", "1048575 is less than 1048576 bytes"),
        ("FAULTWIRE_SPOOL_SYNC", "fsync", r#""fsync" is neither true nor false"#),
        ("SENTRY_DSN", "errors.example.com/1", "this is no URL"),
        ("SENTRY_DSN", "ftp://key@errors.example.com/1", "the scheme is neither http nor https"),
        ("SENTRY_DSN", "https://errors.example.com/1", "the key is missing before the host"),
        ("SENTRY_DSN", "https://key@errors.example.com", "the project is missing after the host"),
        ("SENTRY_DSN", "https://key@errors.example.com/", "the project is missing after the host"),
    ] {
        let error = from(&[(variable, value)]).expect_err(value);
        assert_eq!(error.variable(), variable, "{value}");
        assert!(error.to_string().starts_with(&format!("{variable}: ")), "{error}");
        assert!(error.to_string().contains(reason), "{error} does not say: {reason}");
    }
}

#[test]
fn good_values_are_understood_in_every_spelling() {
    for (variable, values) in [
        ("FAULTWIRE_ENABLED", &["1", "true", "YES", " on ", "0", "False", "no", "off"][..]),
        ("SENTRY_DEBUG", &["1", "true", "0", "off"]),
        ("SENTRY_SAMPLE_RATE", &["0", "0.0", "0.25", "1", "1.0", " .5 ", "1e-3"]),
        ("FAULTWIRE_STORM", &["30/60s", "1/0.1", " 1000000 / 3600s ", "off", "OFF"]),
        ("FAULTWIRE_BODIES", &["off", "json-and-form", "ALL"]),
        ("FAULTWIRE_BODY_LIMIT", &["0", "8192", "1048576"]),
        ("FAULTWIRE_SHUTDOWN_TIMEOUT", &["0", "2", "0.5", "10s"]),
        ("FAULTWIRE_BACKLOG_RATE", &["1", " 50 ", "10000"]),
        ("FAULTWIRE_SPOOL_DIR", &["/var/spool/shop", " /var/spool/shop\n"]),
        ("FAULTWIRE_SPOOL_MAX_BYTES", &["1048576", " 18446744073709551615 "]),
        ("FAULTWIRE_SPOOL_SYNC", &["1", "off"]),
        ("SENTRY_ENVIRONMENT", &["staging"]),
        ("SENTRY_RELEASE", &["shop@1.2.3"]),
        ("SENTRY_DSN", &["https://key@errors.example.com/1", " http://k:s@[::1]:8000/sub/path/7\n"]),
    ] {
        for value in values {
            drop(from(&[(variable, value)]).unwrap());
        }
    }
}

#[test]
fn a_value_that_is_not_utf_8_is_an_error() {
    use std::os::unix::ffi::OsStringExt as _;
    for variable in ["SENTRY_DSN", "SENTRY_RELEASE", "K_REVISION", "FAULTWIRE_BODIES", "FAULTWIRE_CA_FILE"] {
        let lookup = |name: &str| (name == variable).then(|| OsString::from_vec(b"caf\xe9".to_vec()));
        let error = Config::from_lookup(lookup).unwrap_err();
        assert_eq!(
            (error.variable(), &*error.to_string()),
            (variable, &*format!("{variable}: the value is not valid UTF-8"))
        );
    }
}

#[test]
fn an_empty_value_is_none() {
    let every = [
        "SENTRY_DSN",
        "SENTRY_DSN_FILE",
        "SENTRY_ENVIRONMENT",
        "SENTRY_RELEASE",
        "SENTRY_SAMPLE_RATE",
        "SENTRY_DEBUG",
        "FAULTWIRE_STORM",
        "KAMAL_VERSION",
        "FAULTWIRE_ENABLED",
        "FAULTWIRE_BODIES",
        "FAULTWIRE_BODY_LIMIT",
        "FAULTWIRE_SHUTDOWN_TIMEOUT",
        "FAULTWIRE_BACKLOG_RATE",
        "FAULTWIRE_CA_FILE",
        "FAULTWIRE_SPOOL_DIR",
        "FAULTWIRE_SPOOL_MAX_BYTES",
        "FAULTWIRE_SPOOL_SYNC",
    ];
    for empty in ["", "  ", "\n"] {
        let config = from(&every.map(|name| (name, empty))).unwrap();
        let log = started(config);
        assert!(
            log.contains("SENTRY_DSN is not set") && log.contains("bodies=JsonAndForm body_limit=8192"),
            "{log}"
        );
    }
}

#[test]
fn enabled_decides_whether_anything_is_recorded() {
    for (value, captured) in [("true", 1), ("false", 0)] {
        let (_turn, server, guard) = start(&[("FAULTWIRE_ENABLED", value)], |config| config);
        Report::new("no stock").send();
        assert!(guard.flush(PATIENCE));
        assert_eq!(guard.stats().captured, captured, "{value}");
        server.expect_only(captured as usize);
    }
}

#[test]
fn bodies_and_their_limit_are_taken_over() {
    for (variables, shown) in [
        (&[][..], "bodies=JsonAndForm body_limit=8192"),
        (&[("FAULTWIRE_BODIES", "off"), ("FAULTWIRE_BODY_LIMIT", "0")], "bodies=Off body_limit=0"),
        (
            &[("FAULTWIRE_BODIES", "All"), ("FAULTWIRE_BODY_LIMIT", "1048576")],
            "bodies=All body_limit=1048576",
        ),
    ] {
        let log = started(from(variables).unwrap());
        assert!(log.contains(shown), "{log}");
    }
    let log = started(from(&[("FAULTWIRE_BODIES", "off")]).unwrap().bodies(Bodies::All).body_limit(1));
    assert!(log.contains("bodies=All body_limit=1"), "code wins: {log}");
}

#[test]
fn the_spool_is_off_without_a_directory_and_else_as_it_is_set() {
    let limits = [("FAULTWIRE_SPOOL_MAX_BYTES", "2097152"), ("FAULTWIRE_SPOOL_SYNC", "true")];
    assert!(!started(from(&limits).unwrap()).contains("Spool"));
    let dir = std::env::temp_dir().join(format!("faultwire-it-spool-{}", std::process::id()));
    let variable = ("FAULTWIRE_SPOOL_DIR", dir.to_str().unwrap());
    let all = || from(&[&[variable][..], &limits].concat());
    for (config, limits) in [
        (from(&[variable]), "max_bytes: 134217728, sync: false"),
        (all(), "max_bytes: 2097152, sync: true"),
        (
            all().map(|config| config.spool_max_bytes(1 << 20).spool_sync(false)),
            "max_bytes: 1048576, sync: false",
        ),
        (Ok(Config::new().spool_dir(&dir)), "max_bytes: 134217728, sync: false"),
    ] {
        let log = started(config.unwrap());
        assert!(log.contains(&format!("dir: {dir:?}, {limits}")), "{log}");
    }
    drop(std::fs::remove_dir_all(dir));
}

#[test]
fn the_sample_rate_decides_how_much_is_sent() {
    for (rate, sent) in [("0", 0), ("1", 3)] {
        let (_turn, server, guard) = start(&[("SENTRY_SAMPLE_RATE", rate)], |config| config);
        for _ in 0..3 {
            Report::new("no stock").send();
        }
        assert!(guard.flush(PATIENCE));
        server.expect_only(sent);
    }
}

#[test]
fn the_storm_limit_decides_how_many_of_a_kind_are_sent() {
    // The summary is one more.
    for (storm, sent) in [("2/60s", 3), ("5/60s", 6), ("off", 50), ("", 31)] {
        let (_turn, server, guard) = start(&[("FAULTWIRE_STORM", storm)], |config| config);
        for _ in 0..50 {
            Report::new("no stock").send();
        }
        assert!(guard.flush(PATIENCE));
        server.expect_only(sent);
    }
    let nonsense = Storm::Limit { failures: 0, window: Duration::from_secs(60) };
    let error = Config::new().storm(nonsense).init().unwrap_err();
    assert_eq!(error.to_string(), "FAULTWIRE_STORM: 0 failures are not between 1 and 1000000");
}

#[test]
fn debug_logs_every_event() {
    crate::init::alone("config::debug_logs_every_event", || {
        let log = Log::default();
        tracing::subscriber::set_global_default(log.subscriber()).unwrap();
        for (variable, lines) in [("false", 0), ("true", 1)] {
            let (_turn, _server, guard) = start(&[("SENTRY_DEBUG", variable)], |config| config);
            Report::new("refused: password=hunter2").send();
            assert!(guard.flush(PATIENCE));
            for verb in ["captured", "sent"] {
                let line = format!("{verb} Error: refused: password=[Filtered]");
                assert_eq!(log.text().matches(&line).count(), lines, "{line} in\n{}", log.text());
            }
        }
        assert!(!log.text().contains("hunter2"), "{}", log.text());
    });
}

#[test]
fn the_shutdown_timeout_is_how_long_the_end_may_take() {
    for (seconds, timeout) in [("0", Duration::ZERO), ("0.2", Duration::from_millis(200))] {
        let (_turn, server, guard) = start(&[("FAULTWIRE_SHUTDOWN_TIMEOUT", seconds)], |config| config);
        server.answer(Answer::Hang);
        Report::new("no stock").send();
        server.wait_requests(1);
        let started = Instant::now();
        drop(guard);
        let took = started.elapsed();
        assert!(took >= timeout && took < timeout + Duration::from_secs(2), "{seconds}: {took:?}");
    }
}
