//! `init` and the guard: the only place that wires the parts together.

mod shutdown;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use sentry::integrations::contexts::ContextIntegration;
use sentry::types::Dsn;
use sentry::{Client, ClientOptions, Hub, Integration};

pub use self::shutdown::{Shutdown, ShutdownSummary};
use crate::auth;
use crate::config::{Config, ConfigError, Resolved, ResolvedDestination, SpoolSettings};
use crate::deliver::backlog::{self, Backlog};
use crate::deliver::post::Poster;
use crate::deliver::sentry::Server;
use crate::deliver::spool::Options;
use crate::deliver::{Delivery, Destination, Heartbeats, SdkTransport, Terms};
use crate::inbox::{About, Inbox};
use crate::job::attempts;
use crate::panics;
use crate::record::ClientIp;
use crate::report::decorate;
use crate::reporter::{self, Reporter, Settings};
use crate::scrub;
use crate::sink::{Admission, Intake, Sink};
use crate::stats::{Counters, DestinationCounters, Stats};
use crate::storm;

/// Without a DSN the SDK would keep its events to itself; nothing is ever sent there.
const NOWHERE: &str = "http://unset@localhost/0";

/// Starts reporting with what the environment says: `Config::from_env()?.init()`.
///
/// Keep the guard until the process ends: dropping it delivers what is left, for at most 2 s.
///
/// # Errors
/// A setting that cannot be used, see [`ConfigError`]. No `SENTRY_DSN` is not an error: failures are then
/// written to the log.
///
/// # Example
/// ```
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let _guard = faultwire::init()?;
///     // ... serve ...
///     Ok(())
/// }
/// ```
pub fn init() -> Result<Guard, ConfigError> {
    Config::from_env()?.init()
}

/// What happened since the last [`init`], also after its end; zeros before it. Cheap enough for a health handler.
///
/// # Example
/// ```
/// use axum::Json;
///
/// async fn health() -> Json<faultwire::Stats> {
///     Json(faultwire::stats())
/// }
/// # drop(health());
/// ```
#[must_use]
pub fn stats() -> Stats {
    reporter::last_counters().map(|counters| counters.read()).unwrap_or_default()
}

impl Config {
    /// Starts reporting. A second `init` takes over: what was captured before goes on its way.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn init(self) -> Result<Guard, ConfigError> {
        let resolved = self.resolve()?;
        if !resolved.enabled {
            return Ok(Guard { running: None });
        }
        start(resolved).map(|running| Guard { running: Some(running) })
    }
}

fn start(resolved: Resolved) -> Result<Running, ConfigError> {
    let Resolved { settings, mended, .. } = &resolved;
    for mended in mended {
        tracing::warn!(target: "faultwire", "{mended}");
    }
    let Settings { sample_rate, bodies, body_limit, .. } = *settings;
    tracing::debug!(target: "faultwire", ?bodies, body_limit, "request bodies");
    if let Some(spool) = &resolved.spool {
        tracing::debug!(target: "faultwire", ?spool, "events are kept on disk");
    }
    let servers: Vec<_> =
        resolved.destinations.iter().map(|destination| server(destination, &resolved)).collect();
    let each = servers.iter().map(|(_, counters)| Arc::clone(counters)).collect();
    let counters = Arc::new(Counters::new(mended.clone(), each));
    for (server, _) in &servers {
        tracing::debug!(target: "faultwire", server = server.name(), "reporting");
    }
    if servers.is_empty() {
        tracing::warn!(target: "faultwire", "SENTRY_DSN is not set: failures are logged, not sent");
    }
    let shutdown_timeout = settings.shutdown_timeout;
    let inbox = open_inbox(&resolved, &servers)?;
    let watchers = inbox.iter().map(Inbox::watcher).collect();
    let scrubber = Arc::clone(&resolved.scrubber);
    let destinations = servers.into_iter().zip(&resolved.destinations).map(|((server, own), destination)| {
        let terms = Terms {
            filter: destination.filter.clone(),
            backlog_rate: resolved.backlog_rate,
            client_reports: destination.client_reports,
            verbose: resolved.debug,
            scrubber: Arc::clone(&scrubber),
        };
        let backlog = resolved.spool.as_ref().map(|spool| backlog(spool, destination, &server, &own));
        Destination::new(terms, server, backlog, own, Arc::clone(&counters))
    });
    let storm = storm::Control::new(settings.storm);
    let auth = auth::Watch::new(resolved.hash_key.as_deref(), resolved.limits, Arc::clone(&counters));
    if settings.hash_users || settings.client_ip == ClientIp::Hmac {
        auth.warn_of_random_key();
    }
    let admission = Arc::new(Admission::new(Arc::clone(&counters), sample_rate, storm, auth));
    let delivery = Delivery::new(
        destinations.collect(),
        Arc::clone(&counters),
        Arc::clone(&admission),
        resolved.debug,
        watchers,
        Heartbeats::new(resolved.roots.clone(), Arc::clone(&counters)),
    );
    let intake = Arc::clone(&delivery) as Arc<dyn Intake>;
    let sink = Sink::new(intake, Arc::clone(&counters), Arc::clone(&admission));
    let transport = Arc::new(SdkTransport::new(Arc::clone(&delivery), admission));
    let (options, settings) = client_options(resolved, transport);
    let client = Arc::new(Client::with_options(options));
    let reporter = Arc::new(Reporter { settings, sink, counters, hub: Hub::main() });
    // Before anything is sent, and not for an `init` that fails: the scrubber before may know other secrets.
    let before = scrub::install(Some(Arc::clone(&scrubber)));
    delivery.start(Arc::clone(&client), &reporter, scrubber).map_err(|error| {
        scrub::install(before);
        ConfigError::new("FAULTWIRE_ENABLED", format!("no thread can be started: {error}"))
    })?;
    panics::install_hook();
    attempts::forget_all();

    // The SDK binds a client to the hub of one thread. The hub that other threads' hubs are made from is
    // the main one; requests get theirs from it.
    Hub::main().bind_client(Some(Arc::clone(&client)));
    Hub::current().bind_client(Some(client));
    reporter::install(Arc::clone(&reporter));
    Ok(Running { reporter, delivery, inbox, shutdown_timeout })
}

/// Connections of its own, and counters.
fn server(destination: &ResolvedDestination, resolved: &Resolved) -> (Server, Arc<DestinationCounters>) {
    let server = Server::new(&destination.dsn, Poster::new(resolved.roots.clone()));
    let counters = DestinationCounters::new(destination.name.clone(), server.name().to_owned());
    (server, Arc::new(counters))
}

/// Where the destination's events are kept.
fn backlog(
    spool: &SpoolSettings,
    destination: &ResolvedDestination,
    server: &Server,
    counters: &Arc<DestinationCounters>,
) -> Backlog {
    let options = Options::new(&spool.dir, backlog::name_of(&destination.dsn));
    let options = options.max_bytes(spool.max_bytes).sync(spool.sync);
    Backlog::open(options, server.name(), Arc::clone(counters))
}

fn open_inbox(
    resolved: &Resolved,
    servers: &[(Server, Arc<DestinationCounters>)],
) -> Result<Option<Inbox>, ConfigError> {
    let Some(addr) = resolved.inbox else { return Ok(None) };
    let names: Vec<_> = servers.iter().map(|(server, _)| server.name()).collect();
    let destination = names.join(", ");
    let about = About {
        environment: &resolved.environment,
        release: resolved.release.as_deref(),
        destination: (!names.is_empty()).then_some(&*destination),
        scrubber: &resolved.scrubber,
    };
    let inbox = Inbox::open(addr, &about).map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("{addr} is in use by another program; port 0 takes a free one")
            }
            _ => format!("{addr} cannot be listened on: {error}"),
        };
        ConfigError::new("FAULTWIRE_INBOX", why)
    })?;
    tracing::info!(target: "faultwire", "the inbox is at http://{}", inbox.addr());
    Ok(Some(inbox))
}

/// The SDK's options: the application's wishes first, then what this crate decides.
fn client_options(resolved: Resolved, transport: Arc<SdkTransport>) -> (ClientOptions, Settings) {
    let Resolved { destinations, environment, release, server_name, client_options, settings, .. } = resolved;
    let mut options = ClientOptions::new();
    options.server_name = server_name.map(Into::into);
    if let Some(change) = client_options {
        options = change(options);
    }
    // The SDK sends nothing itself; with any DSN it hands its events over.
    let dsn = destinations.into_iter().next().map(|destination| destination.dsn);
    options.dsn = dsn.or_else(|| NOWHERE.parse::<Dsn>().ok());
    options.environment = Some(environment.into());
    options.release = release.map(Into::into).or(options.release);
    options.transport = Some(Arc::new(transport));
    // Ours decides before anything is built; the SDK's prints to stderr, flushes in the panic hook and
    // symbolicates on the request's thread.
    options.event_sampling_strategy = sentry::EventSamplingStrategy::FixedRate(1.0);
    options.debug = false;
    options.attach_stacktrace = false;
    // The SDK calls it on the application's thread, for what is captured through the SDK.
    if let Some(hook) = options.before_send.take() {
        options.before_send = Some(Arc::new(move |event| {
            let unhooked = event.clone();
            catch_unwind(AssertUnwindSafe(|| hook(event))).unwrap_or_else(|_| {
                tracing::warn!(target: "faultwire", "before_send panicked: the event goes out without it");
                Some(unhooked)
            })
        }));
    }
    options.default_integrations = false;
    let mut integrations: Vec<Arc<dyn Integration>> =
        vec![Arc::new(ContextIntegration::default()), decorate::integration()];
    integrations.append(&mut options.integrations);
    options.integrations = integrations;
    (options, settings)
}

/// Keeps reporting alive. Dropping it ends reporting after delivering what is left, for at most the shutdown
/// timeout (`FAULTWIRE_SHUTDOWN_TIMEOUT`, 2 s), also when the server hangs. When everything is on disk
/// ([`Config::spool_dir`]) nobody waits for a server that is away.
///
/// Dropping it blocks; asynchronous code ends reporting with [`shutdown_async`](Self::shutdown_async). Neither
/// `std::process::exit` nor `abort` drops anything: end reporting before. After a `fork` the child has none of this
/// crate's threads, and needs an `init` of its own.
///
/// # When the process ends
///
/// Keep it in `main`: a panic that unwinds out of `main` is recorded, and delivered when the guard is dropped on
/// the way. Built with `panic = "abort"`, the process delivers before it aborts, for at most that timeout.
///
/// `std::process::exit`, `abort` and signals run no destructors: call [`shutdown`](Self::shutdown) before.
///
/// Threads do not come along into a child that is forked: what it reports waits in a queue that nobody empties.
/// Fork first, and `init` in the child.
///
/// # Example
/// ```
/// use std::time::Duration;
///
/// # fn main() -> Result<(), faultwire::ConfigError> {
/// let guard = faultwire::init()?;
/// // ... serve ...
/// let delivery = guard.shutdown(Duration::from_secs(5));
/// assert_eq!(delivery.lost, 0);
/// # Ok(()) }
/// ```
#[must_use = "reporting ends when the guard is dropped; `let _guard = ..` keeps it"]
pub struct Guard {
    running: Option<Running>,
}

struct Running {
    reporter: Arc<Reporter>,
    delivery: Arc<Delivery>,
    /// Closed last: what is delivered while reporting ends is shown.
    inbox: Option<Inbox>,
    shutdown_timeout: Duration,
}

impl Guard {
    /// Waits until everything that was captured before is delivered, for at most `timeout`; what is captured
    /// meanwhile is not waited for. Returns early when the servers are held back for longer than that: what is left
    /// would not move. True if nothing is left. What is on disk and no longer in memory
    /// ([`SpoolStats::waiting`](crate::SpoolStats::waiting)) is left, and is not waited for.
    #[must_use]
    pub fn flush(&self, timeout: Duration) -> bool {
        self.running.as_ref().is_none_or(|running| running.delivery.flush(timeout))
    }

    /// Ends reporting: delivers what is left, for at most `timeout`. What is on disk by then is not lost.
    #[expect(clippy::must_use_candidate, reason = "called for its effect")]
    pub fn shutdown(mut self, timeout: Duration) -> ShutdownSummary {
        self.running.take().map(|running| running.end(timeout)).unwrap_or_default()
    }

    /// The same without blocking the thread, for asynchronous code: a thread of this crate waits, and wakes the
    /// task. It begins at once and needs no particular runtime.
    ///
    /// # Example
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let guard = faultwire::init()?;
    ///     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    ///     let app = axum::Router::<()>::new();
    ///     let ctrl_c = async { drop(tokio::signal::ctrl_c().await) };
    ///     axum::serve(listener, app).with_graceful_shutdown(ctrl_c).await?;
    ///
    ///     let delivery = guard.shutdown_async(Duration::from_secs(5)).await;
    ///     println!("{} sent, {} lost", delivery.sent, delivery.lost);
    ///     Ok(())
    /// }
    /// ```
    pub fn shutdown_async(mut self, timeout: Duration) -> Shutdown {
        Shutdown::begin(self.running.take(), timeout)
    }

    /// Where the inbox listens: the address of [`Config::inbox`], with the port that was free if it said 0.
    /// `None` if it is off.
    ///
    /// # Example
    /// ```
    /// # fn main() -> Result<(), faultwire::ConfigError> {
    /// let guard = faultwire::init()?; // FAULTWIRE_INBOX=127.0.0.1:8970
    /// if let Some(addr) = guard.inbox() {
    ///     println!("inbox at http://{addr}");
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn inbox(&self) -> Option<SocketAddr> {
        self.running.as_ref()?.inbox.as_ref().map(Inbox::addr)
    }

    /// What happened since this guard's `init`.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.running.as_ref().map(|running| running.reporter.counters.read()).unwrap_or_default()
    }
}

impl Running {
    fn end(self, timeout: Duration) -> ShutdownSummary {
        reporter::uninstall(&self.reporter);
        self.delivery.finish(timeout);
        let spooled = self.delivery.close();
        let lost = self.reporter.counters.shutdown.get();
        if lost > 0 {
            tracing::warn!(target: "faultwire", lost, "events are lost: the server did not take them in time");
        }
        if spooled > 0 {
            tracing::info!(target: "faultwire", spooled, "events are on disk: the next process sends them");
        }
        ShutdownSummary { sent: self.reporter.counters.sent.get(), spooled, lost }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            let timeout = running.shutdown_timeout;
            running.end(timeout);
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("reporting", &self.running.is_some()).finish()
    }
}
