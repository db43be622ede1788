//! Every option: its environment variable, its default, and what is wrong with a value. Nothing is swallowed.

mod error;
mod settings;

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

pub use error::ConfigError;
pub(crate) use settings::Resolved;

pub use crate::reporter::Bodies;
use crate::reporter::ErrorName;
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
    environment: Option<String>,
    release: Option<String>,
    fallback_release: Option<String>,
    server_name: Option<String>,
    sample_rate: Option<f32>,
    storm: Option<Storm>,
    stack_traces: Option<StackTraces>,
    debug: Option<bool>,
    bodies: Option<Bodies>,
    body_limit: Option<usize>,
    shutdown_timeout: Option<Duration>,
    ca_file: Option<PathBuf>,
    inbox: Option<SocketAddr>,
    error_names: Vec<ErrorName>,
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
        config.enabled = vars.parse("FAULTWIRE_ENABLED", settings::boolean)?;
        config.dsn = vars.secret("SENTRY_DSN")?.map(|dsn| settings::dsn(&dsn)).transpose()?;
        config.environment = vars.text("SENTRY_ENVIRONMENT")?;
        config.release = vars.text("SENTRY_RELEASE")?;
        for platform in PLATFORM_RELEASES {
            config.fallback_release = config.fallback_release.take().or(vars.text(platform)?);
        }
        config.sample_rate = vars.parse("SENTRY_SAMPLE_RATE", settings::rate)?;
        config.storm = vars.parse("FAULTWIRE_STORM", settings::storm)?;
        config.debug = vars.parse("SENTRY_DEBUG", settings::boolean)?;
        config.bodies = vars.parse("FAULTWIRE_BODIES", settings::bodies)?;
        config.body_limit = vars.parse("FAULTWIRE_BODY_LIMIT", settings::body_limit)?;
        config.shutdown_timeout = vars.parse("FAULTWIRE_SHUTDOWN_TIMEOUT", settings::seconds)?;
        config.ca_file = vars.text("FAULTWIRE_CA_FILE")?.map(PathBuf::from);
        config.inbox = vars.parse("FAULTWIRE_INBOX", settings::inbox)?;
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
        match settings::dsn(dsn.as_ref()) {
            Ok(dsn) => self.dsn = Some(dsn),
            Err(error) => self.keep(error),
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
        match settings::checked_rate(rate) {
            Ok(rate) => self.sample_rate = Some(rate),
            Err(why) => self.keep(ConfigError::new("SENTRY_SAMPLE_RATE", why)),
        }
        self
    }

    /// `FAULTWIRE_STORM`: how many failures of a kind are sent one by one, `30/60s` or `off`; see [`Storm`].
    /// Default: 30 in 60 s.
    pub fn storm(mut self, storm: Storm) -> Self {
        match settings::checked_storm(storm) {
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
    pub fn bodies(mut self, bodies: Bodies) -> Self {
        self.bodies = Some(bodies);
        self
    }

    /// `FAULTWIRE_BODY_LIMIT`: how many bytes of a body are kept, up to 1 MiB. Default: 8192, what Sentry keeps.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        match settings::checked_body_limit(bytes) {
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
        match settings::inbox(addr.as_ref()) {
            Ok(addr) => self.inbox = Some(addr),
            Err(why) => self.keep(ConfigError::new("FAULTWIRE_INBOX", why)),
        }
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

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("enabled", &self.enabled)
            .field("dsn", &self.dsn.as_ref().map(|_| Cow::Borrowed(crate::scrub::MASK)))
            .field("environment", &self.environment)
            .field("release", &self.release)
            .field("first_error", &self.first_error)
            .finish_non_exhaustive()
    }
}
