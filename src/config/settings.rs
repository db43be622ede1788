//! From texts to settings, and from a [`Config`] to what `init` wires together.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use sentry::types::{Dsn, ParseDsnError};
use ureq::tls::{Certificate, PemItem, parse_pem};

use super::{Bodies, ClientOptionsFn, Config, ConfigError, Storm};
use crate::deliver::{mended_environment, mended_release};
use crate::reporter::Settings;
use crate::scrub::scrub_text;

const DEFAULT_BODY_LIMIT: usize = 8 * 1024;
const MAX_BODY_LIMIT: usize = 1024 * 1024;
const DEFAULT_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);
const MAX_STORM_FAILURES: u32 = 1_000_000;
const STORM_WINDOWS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60 * 60);
/// A file with a DSN or certificates that is larger than this is something else.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// A configuration that is complete and correct.
pub(crate) struct Resolved {
    pub(crate) enabled: bool,
    pub(crate) dsn: Option<Dsn>,
    pub(crate) environment: String,
    pub(crate) release: Option<String>,
    pub(crate) server_name: Option<String>,
    pub(crate) debug: bool,
    pub(crate) bodies: Bodies,
    pub(crate) body_limit: usize,
    pub(crate) roots: Option<Vec<Certificate<'static>>>,
    pub(crate) inbox: Option<SocketAddr>,
    pub(crate) client_options: Option<ClientOptionsFn>,
    pub(crate) settings: Settings,
    /// What had to be changed so that servers take it.
    pub(crate) mended: Vec<String>,
}

impl Config {
    /// Fills in the defaults. Returns the first mistake of a setter.
    pub(crate) fn resolve(self) -> Result<Resolved, ConfigError> {
        if let Some(error) = self.first_error {
            return Err(error);
        }
        let mut mended = Vec::new();
        let mut mend = |what: &str, given: String, mend: fn(&str) -> String| {
            let better = mend(&given);
            if better != given {
                let note = format!("{what} {given:?} is sent as {better:?}");
                mended.push(scrub_text(&note).unwrap_or(note));
            }
            better
        };
        let by_build = if cfg!(debug_assertions) { "development" } else { "production" };
        let environment = self.environment.filter(|given| !given.trim().is_empty());
        let environment =
            mend("environment", environment.unwrap_or_else(|| by_build.to_owned()), mended_environment);
        let release = [self.release, self.fallback_release]
            .into_iter()
            .flatten()
            .find(|given| !given.trim().is_empty());
        let release = release.map(|release| mend("release", release, mended_release));
        Ok(Resolved {
            enabled: self.enabled.unwrap_or(true),
            dsn: self.dsn,
            environment,
            release,
            server_name: self.server_name,
            debug: self.debug.unwrap_or(false),
            bodies: self.bodies.unwrap_or_default(),
            body_limit: self.body_limit.unwrap_or(DEFAULT_BODY_LIMIT),
            roots: self.ca_file.as_deref().map(roots).transpose()?,
            inbox: self.inbox,
            client_options: self.client_options,
            settings: Settings {
                sample_rate: self.sample_rate.unwrap_or(1.0),
                storm: self.storm.unwrap_or_default(),
                stack_traces: self.stack_traces.unwrap_or_default(),
                shutdown_timeout: self.shutdown_timeout.unwrap_or(DEFAULT_SHUTDOWN_TIMEOUT),
                error_names: self.error_names,
            },
            mended,
        })
    }
}

/// Where variables come from.
pub(super) struct Vars<L>(L);

impl<L: Fn(&str) -> Option<OsString>> Vars<L> {
    pub(super) fn new(lookup: L) -> Self {
        Self(lookup)
    }

    /// The variable, unless it is empty.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, ConfigError> {
        match self.0(name).map(OsString::into_string) {
            Some(Ok(text)) => Ok(Some(text).filter(|text| !text.trim().is_empty())),
            Some(Err(_)) => Err(ConfigError::new(name, "the value is not valid UTF-8")),
            None => Ok(None),
        }
    }

    pub(super) fn parse<T>(
        &self,
        name: &str,
        parse: fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        let text = self.text(name)?;
        text.map(|text| parse(text.trim()).map_err(|why| ConfigError::new(name, why))).transpose()
    }

    /// The variable, or what is in the file that `<name>_FILE` names.
    pub(super) fn secret(&self, name: &str) -> Result<Option<String>, ConfigError> {
        let in_file = format!("{name}_FILE");
        match (self.text(name)?, self.text(&in_file)?) {
            (Some(_), Some(_)) => {
                Err(ConfigError::new(in_file, format!("{name} is set too; set one of them")))
            }
            (given, None) => Ok(given),
            (None, Some(path)) => {
                let bytes = read(Path::new(&path)).map_err(|why| ConfigError::new(in_file.as_str(), why))?;
                let text = String::from_utf8(bytes)
                    .map_err(|_| ConfigError::new(in_file.as_str(), format!("{path} is not valid UTF-8")))?;
                let text = text.trim();
                if text.is_empty() {
                    return Err(ConfigError::new(in_file, format!("{path} is empty")));
                }
                Ok(Some(text.to_owned()))
            }
        }
    }
}

/// Parses a DSN. Says what is wrong with it in words that do not hold the key.
pub(super) fn dsn(text: &str) -> Result<Dsn, ConfigError> {
    let why = match text.trim().parse::<Dsn>() {
        Ok(dsn) => return Ok(dsn),
        Err(ParseDsnError::InvalidUrl) => "this is no URL",
        Err(ParseDsnError::InvalidScheme) => "the scheme is neither http nor https",
        Err(ParseDsnError::NoUsername) => "the key is missing before the host",
        Err(ParseDsnError::NoProjectId) => "the project is missing after the host",
        Err(ParseDsnError::InvalidProjectId(_)) => "the project after the host cannot be read",
    };
    Err(ConfigError::new("SENTRY_DSN", format!("{why} (https://<key>@<host>/<project>)")))
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(format!("{} is neither true nor false", shown(text))),
    }
}

pub(super) fn rate(text: &str) -> Result<f32, String> {
    let rate = text.parse().map_err(|_| format!("{} is not a number", shown(text)))?;
    checked_rate(rate)
}

pub(super) fn checked_rate(rate: f32) -> Result<f32, String> {
    if (0.0..=1.0).contains(&rate) { Ok(rate) } else { Err(format!("{rate} is not between 0.0 and 1.0")) }
}

pub(super) fn storm(text: &str) -> Result<Storm, String> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(Storm::Off);
    }
    let wrong = || format!("{} is neither off nor such as 30/60s", shown(text));
    let (failures, window) = text.split_once('/').ok_or_else(wrong)?;
    let failures = failures.trim().parse().map_err(|_| wrong())?;
    checked_storm(Storm::Limit { failures, window: seconds(window.trim()).map_err(|_| wrong())? })
}

pub(super) fn checked_storm(storm: Storm) -> Result<Storm, String> {
    match storm {
        Storm::Limit { failures, .. } if !(1..=MAX_STORM_FAILURES).contains(&failures) => {
            Err(format!("{failures} failures are not between 1 and {MAX_STORM_FAILURES}"))
        }
        Storm::Limit { window, .. } if !STORM_WINDOWS.contains(&window) => {
            Err(format!("a window of {window:?} is not between 0.1 s and one hour"))
        }
        storm => Ok(storm),
    }
}

pub(super) fn bodies(text: &str) -> Result<Bodies, String> {
    match text.to_ascii_lowercase().as_str() {
        "off" => Ok(Bodies::Off),
        "json-and-form" => Ok(Bodies::JsonAndForm),
        "all" => Ok(Bodies::All),
        _ => Err(format!("{} is not one of off, json-and-form, all", shown(text))),
    }
}

pub(super) fn body_limit(text: &str) -> Result<usize, String> {
    let bytes = text.parse().map_err(|_| format!("{} is not a number of bytes", shown(text)))?;
    checked_body_limit(bytes)
}

pub(super) fn checked_body_limit(bytes: usize) -> Result<usize, String> {
    if bytes <= MAX_BODY_LIMIT {
        Ok(bytes)
    } else {
        Err(format!("{bytes} is more than {MAX_BODY_LIMIT} bytes"))
    }
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let bare = text.strip_suffix('s').unwrap_or(text);
    let wrong = || format!("{} is not a number of seconds", shown(text));
    Duration::try_from_secs_f64(bare.parse().map_err(|_| wrong())?).map_err(|_| wrong())
}

pub(super) fn inbox(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    let by_name = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    let addr = by_name.map(|port| Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
    let addr = addr.unwrap_or_else(|| text.parse());
    let addr = addr.map_err(|_| "this is no address with a port, such as 127.0.0.1:8970".to_owned())?;
    if addr.ip().is_loopback() {
        Ok(addr)
    } else {
        Err(format!("{addr} is not a loopback address (127.0.0.1, [::1])"))
    }
}

/// The platform's certificates and those of the file.
fn roots(path: &Path) -> Result<Vec<Certificate<'static>>, ConfigError> {
    let wrong = |why: String| ConfigError::new("FAULTWIRE_CA_FILE", why);
    let pem = read(path).map_err(wrong)?;
    let mut roots = Vec::new();
    for item in parse_pem(&pem) {
        match item.map_err(|error| wrong(format!("{}: {error}", path.display())))? {
            PemItem::Certificate(certificate) => roots.push(certificate),
            _ => return Err(wrong(format!("{} holds something else than certificates", path.display()))),
        }
    }
    if roots.is_empty() {
        return Err(wrong(format!("{} holds no certificate (PEM)", path.display())));
    }
    let platform = rustls_native_certs::load_native_certs();
    for error in &platform.errors {
        tracing::warn!(target: "faultwire", "a certificate of the platform is left out: {error}");
    }
    roots.extend(platform.certs.iter().map(|der| Certificate::from_der(der).to_owned()));
    Ok(roots)
}

/// The value for people, unless it is too long for a number or a word: it may be a secret in the wrong place.
fn shown(text: &str) -> String {
    if text.chars().count() <= 16 { format!("{text:?}") } else { "the value".to_owned() }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    // What is no path may be the secret itself, set in place of its file's name.
    if path.to_string_lossy().contains("://") || path.to_string_lossy().contains('\n') {
        return Err("the value is not a path".to_owned());
    }
    let wrong = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let size = std::fs::metadata(path).map_err(wrong)?.len();
    if size > MAX_FILE {
        return Err(format!("{} is {size} bytes long", path.display()));
    }
    std::fs::read(path).map_err(wrong)
}
