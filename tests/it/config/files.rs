//! Files: a DSN that is a mounted secret, certificates of a private authority.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use faultwire::Config;

use crate::config::{from, start, started};
use crate::fake::FakeServer;

/// Self-signed, for errors.example.com.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBkTCCATegAwIBAgIULkDdcFBcIpw7Rr7uM9kdea5th3kwCgYIKoZIzj0EAwIw
HTEbMBkGA1UEAwwSZXJyb3JzLmV4YW1wbGUuY29tMCAXDTI2MTEyMjA1NDMzOFoY
DzIxMjYxMDI5MDU0MzM4WjAdMRswGQYDVQQDDBJlcnJvcnMuZXhhbXBsZS5jb20w
WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASZHU6NwoiFIRfcFsgCdLibSZTYWDe3
iu+Je6QMoyaVKOXU/hEjaCGrMxa3skFyB5wHNZ3QaJOQulS0RmozF1aJo1MwUTAd
BgNVHQ4EFgQUmh70q6EU5RLvyU+BOOGiUsTvqcIwHwYDVR0jBBgwFoAUmh70q6EU
5RLvyU+BOOGiUsTvqcIwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBF
AiEA6uLHN8idn84zMHeCsWAV2ySJ7Geq8BAnl/ZkaZw+y34CIHA/snO0YUfSUB++
qX8ZXPXkWIdy6bl0TZ80sFCwu2Sn
-----END CERTIFICATE-----
";

/// Not a key, but what the file of one looks like.
const PRIVATE_KEY: &str =
    "-----BEGIN PRIVATE KEY-----\nQ0FOQVJZQ0FOQVJZQ0FOQVJZ\n-----END PRIVATE KEY-----\n";

/// A file of this test run, removed at its end.
struct TempFile(PathBuf);

impl TempFile {
    fn holding(bytes: impl AsRef<[u8]>) -> TempFile {
        static FILES: AtomicU32 = AtomicU32::new(0);
        let name = format!("faultwire-it-{}-{}", std::process::id(), FILES.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::write(&path, bytes).unwrap();
        TempFile(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

#[test]
fn a_dsn_may_come_from_a_file() {
    let server = FakeServer::start();
    let file = TempFile::holding(format!("{}\n", server.dsn()));
    let config = from(&[("SENTRY_DSN_FILE", file.path())]).unwrap();
    let log = started(config);
    assert!(log.contains("server=\"http://127.0.0.1:"), "{log}");
    assert!(!log.contains("SENTRY_DSN is not set"), "{log}");
}

#[test]
fn a_file_of_a_dsn_that_cannot_be_used_is_an_error() {
    let not_a_dsn = TempFile::holding("https://errors.example.com/1");
    let empty = TempFile::holding("");
    let blank = TempFile::holding(" \n");
    let binary = TempFile::holding(b"https://k\xff@errors.example.com/1");
    let large = TempFile::holding(vec![b'x'; 5 * 1024 * 1024]);
    let folder = std::env::temp_dir();
    for (path, variable, reason) in [
        ("/nonexistent/dsn", "SENTRY_DSN_FILE", "/nonexistent/dsn cannot be read: No such file"),
        (folder.to_str().unwrap(), "SENTRY_DSN_FILE", "cannot be read"),
        (empty.path(), "SENTRY_DSN_FILE", "is empty"),
        (blank.path(), "SENTRY_DSN_FILE", "is empty"),
        (binary.path(), "SENTRY_DSN_FILE", "is not valid UTF-8"),
        (large.path(), "SENTRY_DSN_FILE", "is 5242880 bytes long"),
        (not_a_dsn.path(), "SENTRY_DSN", "the key is missing before the host"),
    ] {
        let error = from(&[("SENTRY_DSN_FILE", path)]).expect_err(path);
        assert_eq!(error.variable(), variable, "{error}");
        assert!(error.to_string().contains(reason), "{error} does not say: {reason}");
    }
}

#[test]
fn a_value_and_a_file_at_once_are_an_error() {
    let file = TempFile::holding("https://filekey@errors.example.com/1");
    let both = [("SENTRY_DSN", "https://envkey@errors.example.com/1"), ("SENTRY_DSN_FILE", file.path())];
    let error = from(&both).unwrap_err();
    assert_eq!(error.variable(), "SENTRY_DSN_FILE");
    assert_eq!(error.to_string(), "SENTRY_DSN_FILE: SENTRY_DSN is set too; set one of them");
}

#[test]
fn certificates_of_a_private_authority_are_taken_over() {
    let one = TempFile::holding(CERTIFICATE);
    let two = TempFile::holding(format!("# ours\n{CERTIFICATE}\n{CERTIFICATE}"));
    for file in [one, two] {
        drop(start(&[("FAULTWIRE_CA_FILE", file.path())], |config| config));
        drop(start(&[], |config| config.ca_file(file.path())));
    }
}

#[test]
fn certificates_that_cannot_be_used_are_an_error() {
    let empty = TempFile::holding("");
    let binary = TempFile::holding([0x30, 0x82, 0x01, 0x91]);
    let key = TempFile::holding(PRIVATE_KEY);
    let with_key = TempFile::holding([CERTIFICATE, PRIVATE_KEY].concat());
    let broken = TempFile::holding(CERTIFICATE.replace("MIIB", "!!!!"));
    for (path, reason) in [
        ("/nonexistent/ca.pem", "/nonexistent/ca.pem cannot be read: No such file"),
        (empty.path(), "holds no certificate (PEM)"),
        (binary.path(), "holds no certificate (PEM)"),
        (key.path(), "holds something else than certificates"),
        (with_key.path(), "holds something else than certificates"),
        (broken.path(), broken.path()),
    ] {
        let errors = [
            from(&[("FAULTWIRE_CA_FILE", path)]).unwrap().init().expect_err(path),
            Config::new().ca_file(path).init().expect_err(path),
            Config::new().ca_file(path).enabled(false).init().expect_err(path),
        ];
        for error in errors {
            assert_eq!(error.variable(), "FAULTWIRE_CA_FILE", "{error}");
            assert!(error.to_string().contains(reason), "{error} does not say: {reason}");
            assert!(!error.to_string().contains("Q0FOQVJZ"), "{error}");
        }
    }
}
