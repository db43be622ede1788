//! From texts to values, and which values can be used.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use sentry::types::{Dsn, ParseDsnError};

use super::{Bodies, Storm};

const MAX_BODY_LIMIT: usize = 1024 * 1024;
const MAX_BACKLOG_RATE: u32 = 10_000;
const MAX_STORM_FAILURES: u32 = 1_000_000;
const STORM_WINDOWS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60 * 60);
/// Less than this holds not even one event of the largest kind.
const MIN_SPOOL_BYTES: u64 = 1024 * 1024;

/// Parses a DSN. Says what is wrong with it in words that do not hold the key.
pub(super) fn dsn(text: &str) -> Result<Dsn, String> {
    let why = match text.trim().parse::<Dsn>() {
        Ok(dsn) => return Ok(dsn),
        Err(ParseDsnError::InvalidUrl) => "this is no URL",
        Err(ParseDsnError::InvalidScheme) => "the scheme is neither http nor https",
        Err(ParseDsnError::NoUsername) => "the key is missing before the host",
        Err(ParseDsnError::NoProjectId) => "the project is missing after the host",
        Err(ParseDsnError::InvalidProjectId(_)) => "the project after the host cannot be read",
    };
    Err(format!("{why} (https://<key>@<host>/<project>)"))
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

pub(super) fn backlog_rate(text: &str) -> Result<u32, String> {
    let rate = text.parse().map_err(|_| format!("{} is not a number of events a second", shown(text)))?;
    checked_backlog_rate(rate)
}

pub(super) fn checked_backlog_rate(rate: u32) -> Result<u32, String> {
    if (1..=MAX_BACKLOG_RATE).contains(&rate) {
        Ok(rate)
    } else {
        Err(format!("{rate} is not between 1 and {MAX_BACKLOG_RATE} events a second"))
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

pub(super) fn spool_dir(text: &str) -> Result<PathBuf, String> {
    checked_spool_dir(PathBuf::from(text))
}

/// A process that is started elsewhere would not find what the last one left in a relative directory.
pub(super) fn checked_spool_dir(path: PathBuf) -> Result<PathBuf, String> {
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(format!("{} is not an absolute path", shown(&path.to_string_lossy())))
    }
}

pub(super) fn spool_max_bytes(text: &str) -> Result<u64, String> {
    let bytes = text.parse().map_err(|_| format!("{} is not a number of bytes", shown(text)))?;
    checked_spool_max_bytes(bytes)
}

pub(super) fn checked_spool_max_bytes(bytes: u64) -> Result<u64, String> {
    if bytes >= MIN_SPOOL_BYTES {
        Ok(bytes)
    } else {
        Err(format!("{bytes} is less than {MIN_SPOOL_BYTES} bytes"))
    }
}

/// The value for people, unless it is too long for a number or a word: it may be a secret in the wrong place.
pub(super) fn shown(text: &str) -> String {
    if text.chars().count() <= 16 { format!("{text:?}") } else { "the value".to_owned() }
}
