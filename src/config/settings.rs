//! From texts to settings, and from a [`Config`] to what `init` wires together.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sentry::types::Dsn;
use ureq::tls::{Certificate, PemItem, parse_pem};

use super::{Bodies, ClientOptionsFn, Config, ConfigError, Destination, scrubbing};
use crate::auth::Limits;
use crate::deliver::spool::DEFAULT_MAX_BYTES;
use crate::deliver::{Filter, mended_environment, mended_release};
use crate::reporter::Settings;
use crate::scrub::Scrubber;

const DEFAULT_BODY_LIMIT: usize = 8 * 1024;
const DEFAULT_BACKLOG_RATE: u32 = 50;
/// Each has threads and a queue of its own.
const MAX_DESTINATIONS: usize = 8;
/// The name of the destination of `SENTRY_DSN`.
const DEFAULT_DESTINATION: &str = "default";
const DEFAULT_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);
/// A file with a DSN or certificates that is larger than this is something else.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// A configuration that is complete and correct.
pub(crate) struct Resolved {
    pub(crate) enabled: bool,
    /// That of `SENTRY_DSN` first.
    pub(crate) destinations: Vec<ResolvedDestination>,
    pub(crate) backlog_rate: u32,
    pub(crate) environment: String,
    pub(crate) release: Option<String>,
    pub(crate) server_name: Option<String>,
    pub(crate) debug: bool,
    pub(crate) roots: Option<Vec<Certificate<'static>>>,
    pub(crate) inbox: Option<SocketAddr>,
    pub(crate) spool: Option<SpoolSettings>,
    pub(crate) client_options: Option<ClientOptionsFn>,
    pub(crate) scrubber: Arc<Scrubber>,
    pub(crate) hash_key: Option<String>,
    pub(crate) limits: Limits,
    pub(crate) settings: Settings,
    /// What had to be changed so that servers take it.
    pub(crate) mended: Vec<String>,
}

/// A destination whose DSN can be used.
pub(crate) struct ResolvedDestination {
    pub(crate) name: String,
    pub(crate) dsn: Dsn,
    pub(crate) filter: Filter,
    pub(crate) client_reports: bool,
}

/// Where events are kept until they are delivered.
#[derive(Debug)]
pub(crate) struct SpoolSettings {
    pub(crate) dir: PathBuf,
    pub(crate) max_bytes: u64,
    pub(crate) sync: bool,
}

impl Config {
    /// Fills in the defaults. Returns the first mistake of a setter.
    pub(crate) fn resolve(self) -> Result<Resolved, ConfigError> {
        if let Some(error) = self.first_error {
            return Err(error);
        }
        let mut scrubbing = self.scrubbing;
        scrubbing.secrets.extend(self.hash_key.clone());
        let scrubber = scrubbing::scrubber(scrubbing, std::env::vars_os())?;
        let mut mended = Vec::new();
        let mut mend = |what: &str, given: String, mend: fn(&str) -> String| {
            let better = mend(&given);
            if better != given {
                let note = format!("{what} {given:?} is sent as {better:?}");
                mended.push(scrubber.text(&note).into_owned());
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
        let bodies = self.bodies.unwrap_or_default();
        let body_limit = match bodies {
            Bodies::Off => 0,
            _ => self.body_limit.unwrap_or(DEFAULT_BODY_LIMIT),
        };
        let spool = self.spool_dir.map(|dir| SpoolSettings {
            dir,
            max_bytes: self.spool_max_bytes.unwrap_or(DEFAULT_MAX_BYTES),
            sync: self.spool_sync.unwrap_or(false),
        });
        let destinations = destinations(self.dsn, self.destinations)?;
        let servers = destinations.iter().map(|to| (to.dsn.host().to_owned(), to.dsn.port()));
        let servers = servers.collect();
        Ok(Resolved {
            enabled: self.enabled.unwrap_or(true),
            destinations,
            backlog_rate: self.backlog_rate.unwrap_or(DEFAULT_BACKLOG_RATE),
            environment,
            release,
            server_name: self.server_name,
            debug: self.debug.unwrap_or(false),
            roots: self.ca_file.as_deref().map(roots).transpose()?,
            inbox: self.inbox,
            spool,
            client_options: self.client_options,
            scrubber: Arc::new(scrubber),
            hash_key: self.hash_key,
            limits: self
                .users_per_network
                .map_or_else(Limits::default, |users| Limits { users_per_network: users }),
            settings: Settings {
                sample_rate: self.sample_rate.unwrap_or(1.0),
                traces_sample_rate: self.traces_sample_rate.unwrap_or(0.0),
                trusts_sampled: self.trust_sampled.unwrap_or(false),
                storm: self.storm.unwrap_or_default(),
                stack_traces: self.stack_traces.unwrap_or_default(),
                shutdown_timeout: self.shutdown_timeout.unwrap_or(DEFAULT_SHUTDOWN_TIMEOUT),
                error_names: self.error_names,
                critical: self.critical,
                bodies,
                body_limit,
                hash_users: self.hash_users.unwrap_or(false),
                client_ip: self.client_ip.unwrap_or_default(),
                proxies: self.proxies.unwrap_or_default(),
                servers,
            },
            mended,
        })
    }
}

/// All destinations; the first mistake in one of them.
fn destinations(dsn: Option<Dsn>, more: Vec<Destination>) -> Result<Vec<ResolvedDestination>, ConfigError> {
    let first = dsn.map(|dsn| Destination {
        name: DEFAULT_DESTINATION.to_owned(),
        dsn: Ok(dsn),
        filter: Filter::default(),
        client_reports: None,
    });
    let mut resolved = Vec::<ResolvedDestination>::new();
    for Destination { name, dsn, filter, client_reports } in first.into_iter().chain(more) {
        let dsn = dsn?;
        let wrong = |why: String| ConfigError::new(format!("destination {name}"), why);
        if resolved.iter().any(|other| other.name == name) {
            return Err(wrong("another destination has this name".to_owned()));
        }
        if resolved.len() >= MAX_DESTINATIONS {
            return Err(wrong(format!("there are more than {MAX_DESTINATIONS} destinations")));
        }
        let by_sentry = dsn.host() == "sentry.io" || dsn.host().ends_with(".sentry.io");
        let client_reports = client_reports.unwrap_or(by_sentry);
        resolved.push(ResolvedDestination { name, dsn, filter, client_reports });
    }
    Ok(resolved)
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
