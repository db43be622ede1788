//! Every option: its environment variable, its default, and what is wrong with a value. Nothing is swallowed.

mod auth;
mod destination;
mod error;
mod people;
mod scrubbing;
mod settings;
mod values;

use std::any::type_name;
use std::borrow::Cow;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use sentry::ClientOptions;
use sentry::types::Dsn;

pub use destination::Destination;
pub use error::ConfigError;
pub use people::ClientIp;
pub(crate) use settings::{Resolved, ResolvedDestination, SpoolSettings};

use crate::layer::IpNet;
use crate::record::FailureInfo;
pub use crate::reporter::Bodies;
use crate::reporter::{CriticalRule, ErrorName};
use crate::scrub::Rules;
pub use crate::stacks::StackTraces;
pub use crate::storm::Storm;

/// Variables in which platforms say what is running, in the order in which they are asked.
/// (Kamal, Heroku, Render, Cloud Run, Fly.)
const PLATFORM_RELEASES: [&str; 5] =
    ["KAMAL_VERSION", "HEROKU_SLUG_COMMIT", "RENDER_GIT_COMMIT", "K_REVISION", "FLY_MACHINE_VERSION"];

/// How reporting is set up: from the environment, from code, or both. Code wins.
///
/// A setter keeps the first mistake, and [`init`](Self::init) returns it.
///
/// # Example
/// ```
/// use faultwire::Config;
///
/// # fn main() -> Result<(), faultwire::ConfigError> {
/// let _guard = Config::from_env()?.fallback_release(env!("CARGO_PKG_VERSION")).init()?;
/// # Ok(()) }
/// ```
#[must_use = "nothing is reported before `init`"]
#[derive(Default)]
pub struct Config {
    enabled: Option<bool>,
    dsn: Option<Dsn>,
    destinations: Vec<Destination>,
    backlog_rate: Option<u32>,
    environment: Option<String>,
    release: Option<String>,
    fallback_release: Option<String>,
    server_name: Option<String>,
    sample_rate: Option<f32>,
    traces_sample_rate: Option<f32>,
    trust_sampled: Option<bool>,
    storm: Option<Storm>,
    stack_traces: Option<StackTraces>,
    debug: Option<bool>,
    bodies: Option<Bodies>,
    body_limit: Option<usize>,
    shutdown_timeout: Option<Duration>,
    ca_file: Option<PathBuf>,
    inbox: Option<SocketAddr>,
    spool_dir: Option<PathBuf>,
    spool_max_bytes: Option<u64>,
    spool_sync: Option<bool>,
    error_names: Vec<ErrorName>,
    critical: Vec<CriticalRule>,
    scrubbing: Rules,
    hash_key: Option<String>,
    users_per_network: Option<u32>,
    hash_users: Option<bool>,
    client_ip: Option<ClientIp>,
    proxies: Option<Vec<IpNet>>,
    client_options: Option<ClientOptionsFn>,
    first_error: Option<ConfigError>,
}

type ClientOptionsFn = Box<dyn FnOnce(ClientOptions) -> ClientOptions + Send>;

impl Config {
    /// Nothing set; the environment is not read.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the process' environment says.
    ///
    /// # Errors
    /// A variable that cannot be understood, or a `_FILE` that cannot be read.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(|name| std::env::var_os(name))
    }

    /// The same from anywhere: a secrets store, a map. `lookup` is asked for each variable by its name.
    ///
    /// # Errors
    /// A variable that cannot be understood, or a `_FILE` that cannot be read.
    ///
    /// # Example
    /// ```
    /// use faultwire::Config;
    ///
    /// let config = Config::from_lookup(|name| (name == "SENTRY_DSN").then(|| "no DSN".into()));
    /// assert_eq!(config.unwrap_err().variable(), "SENTRY_DSN");
    /// ```
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        let vars = settings::Vars::new(lookup);
        let mut config = Self::new();
        config.enabled = vars.parse("FAULTWIRE_ENABLED", values::boolean)?;
        config.dsn = vars.secret("SENTRY_DSN")?.map(|dsn| sentry_dsn(&dsn)).transpose()?;
        config.backlog_rate = vars.parse("FAULTWIRE_BACKLOG_RATE", values::backlog_rate)?;
        config.environment = vars.text("SENTRY_ENVIRONMENT")?;
        config.release = vars.text("SENTRY_RELEASE")?;
        for platform in PLATFORM_RELEASES {
            config.fallback_release = config.fallback_release.take().or(vars.text(platform)?);
        }
        config.sample_rate = vars.parse("SENTRY_SAMPLE_RATE", values::rate)?;
        config.traces_sample_rate = vars.parse("SENTRY_TRACES_SAMPLE_RATE", values::rate)?;
        config.storm = vars.parse("FAULTWIRE_STORM", values::storm)?;
        config.debug = vars.parse("SENTRY_DEBUG", values::boolean)?;
        config.bodies = vars.parse("FAULTWIRE_BODIES", values::bodies)?;
        config.body_limit = vars.parse("FAULTWIRE_BODY_LIMIT", values::body_limit)?;
        config.shutdown_timeout = vars.parse("FAULTWIRE_SHUTDOWN_TIMEOUT", values::seconds)?;
        config.ca_file = vars.text("FAULTWIRE_CA_FILE")?.map(PathBuf::from);
        config.inbox = vars.parse("FAULTWIRE_INBOX", values::inbox)?;
        config.spool_dir = vars.parse("FAULTWIRE_SPOOL_DIR", values::spool_dir)?;
        config.spool_max_bytes = vars.parse("FAULTWIRE_SPOOL_MAX_BYTES", values::spool_max_bytes)?;
        config.spool_sync = vars.parse("FAULTWIRE_SPOOL_SYNC", values::boolean)?;
        config.hash_key = vars.secret("FAULTWIRE_HASH_KEY")?.map(auth::hash_key).transpose()?;
        config.hash_users = vars.parse("FAULTWIRE_HASH_USERS", values::boolean)?;
        config.client_ip = vars.parse("FAULTWIRE_CLIENT_IP", people::client_ip)?;
        config.proxies = vars.parse("FAULTWIRE_TRUSTED_PROXIES", people::proxies)?;
        Ok(config)
    }

    /// `FAULTWIRE_ENABLED`. Default: true. Without reporting nothing is recorded and HTTP stays as it is.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = Some(enabled);
        self
    }

    /// `SENTRY_DSN`: the address of a project, `https://<key>@<host>/<project>`. Default: none; failures are
    /// then written to the log.
    pub fn dsn(mut self, dsn: impl AsRef<str>) -> Self {
        match sentry_dsn(dsn.as_ref()) {
            Ok(dsn) => self.dsn = Some(dsn),
            Err(error) => self.keep(error),
        }
        self
    }

    /// Adds a destination beside that of [`dsn`](Self::dsn); up to 8 in all. Default: none.
    ///
    /// Each has its own queue, its own connections, and its own patience with its server: one that fails slows
    /// no other. An event that no destination takes is counted
    /// ([`Dropped::no_destination`](crate::Dropped::no_destination)).
    ///
    /// # Example
    /// ```
    /// use faultwire::config::Destination;
    /// use faultwire::{Config, Kind};
    ///
    /// # fn main() -> Result<(), faultwire::ConfigError> {
    /// let databases = Destination::new("databases", "https://key@errors.example.com/2").kinds([Kind::Database]);
    /// let rest = Destination::new("shop", "https://key@errors.example.com/1").except([Kind::Database]);
    /// let guard = Config::new().destination(databases).destination(rest).init()?;
    /// assert_eq!(guard.stats().destinations.len(), 2);
    /// # drop(guard.shutdown(std::time::Duration::ZERO));
    /// # Ok(()) }
    /// ```
    pub fn destination(mut self, destination: Destination) -> Self {
        self.destinations.push(destination);
        self
    }

    /// `FAULTWIRE_BACKLOG_RATE`: how many events a second of those that waited while a server was away for more
    /// than 5 s are sent to it when it is back, 1 to 10 000. New events go before them. Default: 50. Who waits for
    /// the end ([`Guard::flush`](crate::Guard::flush), the end itself) waits without these pauses.
    pub fn backlog_rate(mut self, per_second: u32) -> Self {
        match values::checked_backlog_rate(per_second) {
            Ok(rate) => self.backlog_rate = Some(rate),
            Err(why) => self.keep(ConfigError::new("FAULTWIRE_BACKLOG_RATE", why)),
        }
        self
    }

    /// `SENTRY_ENVIRONMENT`, up to 64 characters. Default: `production`, with debug assertions `development`.
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = Some(environment.into());
        self
    }

    /// `SENTRY_RELEASE`, up to 200 characters. Default: the platform's variable (`KAMAL_VERSION`,
    /// `HEROKU_SLUG_COMMIT`, `RENDER_GIT_COMMIT`, `K_REVISION`, `FLY_MACHINE_VERSION`), then
    /// [`fallback_release`](Self::fallback_release), else none.
    pub fn release(mut self, release: impl Into<String>) -> Self {
        self.release = Some(release.into());
        self
    }

    /// The release where the environment says none. Default: none.
    pub fn fallback_release(mut self, release: impl Into<String>) -> Self {
        self.fallback_release.get_or_insert_with(|| release.into());
        self
    }

    /// The name of this machine. Default: its host name.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// `SENTRY_SAMPLE_RATE`: the share of failures that is sent, `0.0..=1.0`. Default: 1.0.
    pub fn sample_rate(mut self, rate: f32) -> Self {
        match values::checked_rate(rate) {
            Ok(rate) => self.sample_rate = Some(rate),
            Err(why) => self.keep(ConfigError::new("SENTRY_SAMPLE_RATE", why)),
        }
        self
    }

    /// `SENTRY_TRACES_SAMPLE_RATE`: the share of requests, failing or not, that become transactions: when they began
    /// and ended, how, the route's pattern, the trace. `0.0..=1.0`. Default: 0.0.
    ///
    /// They are scrubbed like everything, wait in memory only, and make room for failures where a queue is full.
    /// What the request asks for (`sampled` in `traceparent` and `sentry-trace`) makes no difference unless it is
    /// [trusted](Self::trust_sampled).
    pub fn traces_sample_rate(mut self, rate: f32) -> Self {
        match values::checked_rate(rate) {
            Ok(rate) => self.traces_sample_rate = Some(rate),
            Err(why) => self.keep(ConfigError::new("SENTRY_TRACES_SAMPLE_RATE", why)),
        }
        self
    }

    /// Whether a request that says if its trace is to be kept decides it: for services that only your own ones can
    /// reach. Others could make every request a transaction. Default: false. Without effect where
    /// [`traces_sample_rate`](Self::traces_sample_rate) is 0.
    pub fn trust_sampled(mut self, trust: bool) -> Self {
        self.trust_sampled = Some(trust);
        self
    }

    /// `FAULTWIRE_STORM`: how many failures of a kind are sent one by one, `30/60s` or `off`; see [`Storm`].
    /// Default: 30 in 60 s.
    pub fn storm(mut self, storm: Storm) -> Self {
        match values::checked_storm(storm) {
            Ok(storm) => self.storm = Some(storm),
            Err(why) => self.keep(ConfigError::new("FAULTWIRE_STORM", why)),
        }
        self
    }

    /// Which reports bring their stack; see [`StackTraces`]. Panics always do. Default: the first of a kind at its
    /// place in each window of the storm control.
    pub fn stack_traces(mut self, which: StackTraces) -> Self {
        self.stack_traces = Some(which);
        self
    }

    /// `SENTRY_DEBUG`: a log line for every event, target `faultwire`. Default: false.
    pub fn debug(mut self, debug: bool) -> Self {
        self.debug = Some(debug);
        self
    }

    /// `FAULTWIRE_BODIES`: `off`, `json-and-form` or `all`; see [`Bodies`]. Default: `json-and-form`.
    ///
    /// # Example
    /// ```
    /// use faultwire::Config;
    /// use faultwire::config::Bodies;
    ///
    /// let config = Config::new().bodies(Bodies::All).body_limit(4 * 1024);
    /// # drop(config);
    /// ```
    pub fn bodies(mut self, bodies: Bodies) -> Self {
        self.bodies = Some(bodies);
        self
    }

    /// `FAULTWIRE_BODY_LIMIT`: how many bytes of a body are kept, up to 1 MiB. Default: 8192, what Sentry keeps;
    /// of the scrubbed text no more than that is sent. 0 is the same as [`Bodies::Off`].
    pub fn body_limit(mut self, bytes: usize) -> Self {
        match values::checked_body_limit(bytes) {
            Ok(bytes) => self.body_limit = Some(bytes),
            Err(why) => self.keep(ConfigError::new("FAULTWIRE_BODY_LIMIT", why)),
        }
        self
    }

    /// `FAULTWIRE_SHUTDOWN_TIMEOUT`, in seconds: how long dropping the guard may take. Default: 2 s.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = Some(timeout);
        self
    }

    /// `FAULTWIRE_CA_FILE`: certificates (PEM) that are trusted beside the platform's. Default: none.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// `FAULTWIRE_INBOX`: a page on this machine that shows, as it happens, every event that is sent, or would
    /// be if there were a DSN. Default: off.
    ///
    /// The address is a loopback one (`127.0.0.1:8970`, `[::1]:8970`, `localhost:8970`) and has a port; port 0
    /// takes a free one, see [`Guard::inbox`](crate::Guard::inbox). What the page shows has passed the scrubber.
    /// The newest 2 000 events are kept, up to 32 MiB, in memory only. It ends with the guard; an `init` that
    /// asks for the same address again goes on with the same page.
    ///
    /// Everybody who may connect to this machine's loopback addresses can read it: turn it on where that is
    /// you alone. Other web pages cannot: the inbox answers to loopback names and to its own page.
    ///
    /// # Example
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let guard = faultwire::Config::new().inbox("127.0.0.1:0").init()?;
    /// println!("open http://{}", guard.inbox().ok_or("off")?);
    ///
    /// let error = faultwire::Config::new().inbox("0.0.0.0:8970").init().unwrap_err();
    /// assert_eq!(error.variable(), "FAULTWIRE_INBOX");
    /// # Ok(()) }
    /// ```
    pub fn inbox(mut self, addr: impl AsRef<str>) -> Self {
        match values::inbox(addr.as_ref()) {
            Ok(addr) => self.inbox = Some(addr),
            Err(why) => self.keep(ConfigError::new("FAULTWIRE_INBOX", why)),
        }
        self
    }

    /// `FAULTWIRE_SPOOL_DIR`: an absolute path. Each event is kept in this directory until the server has accepted
    /// it, so that it survives the process, `kill -9` included. Default: off; what is not delivered when the
    /// process ends is lost, and counted.
    ///
    /// The directory is made if it is missing. Processes may share it: each has its own in it, and one that
    /// starts sends what dead ones left for the same project. It has to outlive what events shall survive (a
    /// container's own file system goes with the container), on a file system with locks. A directory that
    /// cannot be used, or a full disk, is no error: it is said once, and delivery goes on from memory.
    ///
    /// Events are kept. Transactions, which are many, and check-ins, which say how things are now, are in memory only.
    /// An event is on disk a moment after it was captured: our own thread writes it, never the caller's. What dead
    /// processes left, and what found no room in memory during an outage, is scrubbed once more when it is read back,
    /// and is sent after new events, at [`backlog_rate`](Self::backlog_rate).
    ///
    /// What is written has passed the scrubber. Only the process' user can read it (directories 0700, files
    /// 0600), and nothing stays for more than 30 days. What no server will take is put aside for people, in
    /// `quarantine` directories, up to 16 MiB each.
    ///
    /// # Example
    /// ```
    /// let config = faultwire::Config::new().spool_dir("/var/spool/shop").spool_max_bytes(1 << 30);
    /// # drop(config);
    ///
    /// let error = faultwire::Config::new().spool_dir("spool").init().unwrap_err();
    /// assert_eq!(error.to_string(), "FAULTWIRE_SPOOL_DIR: \"spool\" is not an absolute path");
    /// ```
    pub fn spool_dir(mut self, path: impl Into<PathBuf>) -> Self {
        match values::checked_spool_dir(path.into()) {
            Ok(path) => self.spool_dir = Some(path),
            Err(why) => self.keep(ConfigError::new("FAULTWIRE_SPOOL_DIR", why)),
        }
        self
    }

    /// `FAULTWIRE_SPOOL_MAX_BYTES`: what one process may occupy in the spool for one project, from 1 MiB on; as
    /// much again may wait there from dead ones. Files count in blocks of 4 KiB, and there are 50 000 at most.
    /// Default: 134217728 (128 MiB), 15 000 events of 8 KiB. When it is full, what is less important makes room,
    /// the oldest first, and is counted.
    pub fn spool_max_bytes(mut self, bytes: u64) -> Self {
        match values::checked_spool_max_bytes(bytes) {
            Ok(bytes) => self.spool_max_bytes = Some(bytes),
            Err(why) => self.keep(ConfigError::new("FAULTWIRE_SPOOL_MAX_BYTES", why)),
        }
        self
    }

    /// `FAULTWIRE_SPOOL_SYNC`: waits for the disk with every event, so that what is spooled survives a power
    /// failure too. Default: false; then the events of the last seconds before one may be lost. Milliseconds an
    /// event on a disk, on a thread of our own.
    pub fn spool_sync(mut self, sync: bool) -> Self {
        self.spool_sync = Some(sync);
        self
    }

    /// Names an error type wherever it stands in a chain. Below the outermost error Rust knows no type
    /// names, and what is in no table is shown as `Error`.
    ///
    /// # Example
    /// ```
    /// # #[derive(Debug)] struct StockError;
    /// # impl std::fmt::Display for StockError {
    /// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("no stock") }
    /// # }
    /// # impl std::error::Error for StockError {}
    /// let config = faultwire::Config::new().error_name::<StockError>("StockError");
    /// # drop(config);
    /// ```
    pub fn error_name<T: Error + 'static>(mut self, name: &'static str) -> Self {
        let name = if name.is_empty() { type_name::<T>() } else { name };
        self.error_names.push(ErrorName { name, matches: |error| error.is::<T>() });
        self
    }

    /// Failures for which `rule` says true are critical: level [`Level::Fatal`](crate::report::Level::Fatal), tag
    /// `error.critical`, and they go before everything else. Of several rules one is enough. Default: none.
    ///
    /// It is asked for every failure that would be sent, panics and responses of 500 without a report among them, and
    /// not for those of the SDK (`sentry::capture_*`). It runs on the failing thread (for a panic on ours), so it
    /// must not wait for anything; a panic in it means no.
    ///
    /// # Example
    /// ```
    /// use faultwire::{Config, Kind};
    ///
    /// let config = Config::new()
    ///     .critical(|failure| failure.kind() == Kind::Database)
    ///     .critical(|failure| failure.route().is_some_and(|route| route.starts_with("POST /checkout")));
    /// # drop(config);
    /// ```
    pub fn critical<F>(mut self, rule: F) -> Self
    where
        F: Fn(&FailureInfo<'_>) -> bool + Send + Sync + 'static,
    {
        self.critical.push(Box::new(rule));
        self
    }

    /// The SDK's own options: `before_send`, integrations, `max_breadcrumbs`. What this crate decides
    /// (DSN, transport, sampling, default integrations) is set afterwards. The SDK's types are outside of
    /// this crate's semver promise.
    ///
    /// # Example
    /// ```
    /// # use std::sync::Arc;
    /// let config = faultwire::Config::new()
    ///     .client_options(|options| options.before_send(|event| Some(event)));
    /// # drop(config);
    /// ```
    pub fn client_options<F>(mut self, change: F) -> Self
    where
        F: FnOnce(ClientOptions) -> ClientOptions + Send + 'static,
    {
        self.client_options = Some(Box::new(change));
        self
    }

    fn keep(&mut self, error: ConfigError) {
        self.first_error.get_or_insert(error);
    }
}

fn sentry_dsn(text: &str) -> Result<Dsn, ConfigError> {
    values::dsn(text).map_err(|why| ConfigError::new("SENTRY_DSN", why))
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("enabled", &self.enabled)
            .field("dsn", &self.dsn.as_ref().map(|_| Cow::Borrowed(crate::scrub::MASK)))
            .field("destinations", &self.destinations)
            .field("environment", &self.environment)
            .field("release", &self.release)
            .field("first_error", &self.first_error)
            .finish_non_exhaustive()
    }
}
