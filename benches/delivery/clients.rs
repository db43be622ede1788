//! The clients that are compared.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use faultwire::{Config, Guard, Report};
use sentry::{ClientOptions, Hub, Scope};

use super::server::Server;

pub(crate) enum Client {
    Faultwire(Guard),
    Sdk(Arc<Hub>),
}

/// An error with a cause, an issue of its own.
#[derive(Debug)]
struct OrderError {
    order: String,
    source: std::io::Error,
}

impl fmt::Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "order {} could not be loaded", self.order)
    }
}

impl Error for OrderError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

impl OrderError {
    fn new(n: usize) -> Self {
        // Letters, since numbers are left out of what makes an issue.
        let letters =
            (0..6_u32).map(|digit| char::from(b"ghijklmnopqrstuvwxyz"[n / 20_usize.pow(digit) % 20]));
        Self { order: letters.collect(), source: std::io::Error::from(std::io::ErrorKind::TimedOut) }
    }
}

impl Client {
    pub(crate) fn faultwire(server: &Server) -> Result<Self, Box<dyn Error>> {
        Ok(Self::Faultwire(Config::new().dsn(server.dsn()).init()?))
    }

    pub(crate) fn spooling(server: &Server, dir: &Path) -> Result<Self, Box<dyn Error>> {
        Ok(Self::Faultwire(Config::new().dsn(server.dsn()).spool_dir(dir).init()?))
    }

    pub(crate) fn sdk(server: &Server) -> Result<Self, Box<dyn Error>> {
        let mut options = ClientOptions::new();
        options.dsn = Some(server.dsn().parse()?);
        options.transport = Some(Arc::new(sentry::transports::DefaultTransportFactory));
        let client = Arc::new(sentry::Client::with_options(options));
        Ok(Self::Sdk(Arc::new(Hub::new(Some(client), Arc::new(Scope::default())))))
    }

    pub(crate) fn capture(&self, n: usize) {
        match self {
            Self::Faultwire(_) => drop(Report::new(OrderError::new(n)).send()),
            Self::Sdk(hub) => drop(hub.capture_event(sentry::event_from_error(&OrderError::new(n)))),
        }
    }

    pub(crate) fn flush(&self, timeout: Duration) -> bool {
        match self {
            Self::Faultwire(guard) => guard.flush(timeout),
            Self::Sdk(hub) => hub.client().is_some_and(|client| client.flush(Some(timeout))),
        }
    }

    /// How many wait, as far as the client tells.
    pub(crate) fn waiting(&self) -> Option<u64> {
        match self {
            Self::Faultwire(guard) => {
                let stats = guard.stats();
                Some(stats.captured - stats.sent - stats.dropped.total())
            }
            Self::Sdk(_) => None,
        }
    }

    /// How many of them are not with a destination yet.
    pub(crate) fn unprocessed(&self) -> Option<u64> {
        match self {
            Self::Faultwire(guard) => {
                let queued: u64 = guard.stats().destinations.iter().map(|one| one.queued).sum();
                self.waiting().map(|waiting| waiting.saturating_sub(queued))
            }
            Self::Sdk(_) => None,
        }
    }
}
