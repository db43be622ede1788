//! Which links of a chain are errors of a client, and how far its call came.

use std::any::Any;
use std::error::Error;
use std::io;

use crate::record::{ThirdPartyClass, ThirdPartyFailure, ThirdPartyPhase};
use crate::report::chain;
#[cfg(any(feature = "hyper", feature = "reqwest", feature = "tonic"))]
use crate::report::links::size;
use crate::report::links::{MAX_LINKS, as_a};

use ThirdPartyClass::{Connection, Decode, Dns, Timeout, Tls};
use ThirdPartyPhase::{Body, Connect, Request};

/// The sizes of the errors that are of nothing but a call.
pub(crate) const SIZES: u64 = {
    let sizes = 0;
    #[cfg(feature = "reqwest")]
    let sizes = sizes | size::<reqwest::Error>();
    #[cfg(feature = "reqwest-middleware")]
    let sizes = sizes | size::<reqwest_middleware::Error>();
    #[cfg(feature = "hyper")]
    let sizes = sizes | size::<hyper_util::client::legacy::Error>();
    #[cfg(feature = "tonic")]
    let sizes = sizes | size::<tonic::Status>();
    sizes
};

/// What an error says that is of a call wherever it is met.
#[inline(always)]
#[cfg_attr(
    not(any(feature = "hyper", feature = "reqwest", feature = "tonic")),
    expect(unused_variables, reason = "there are no clients")
)]
pub(crate) fn look(error: &(dyn Error + 'static)) -> Option<Box<ThirdPartyFailure>> {
    #[cfg(feature = "reqwest")]
    if let Some(failure) = super::from_reqwest::look(error) {
        return Some(Box::new(failure));
    }
    #[cfg(feature = "hyper")]
    if let Some(error) = as_a::<hyper_util::client::legacy::Error>(error) {
        return Some(Box::new(super::from_hyper::of_client(error)));
    }
    #[cfg(feature = "tonic")]
    if let Some(status) = as_a::<tonic::Status>(error) {
        return Some(Box::new(super::from_tonic::of_status(status)));
    }
    None
}

/// The same for errors that may be of anything, in a chain of which somebody says that it is of a call: those of
/// sockets and of timeouts, and hyper's own, which a server has, too.
pub(crate) fn look_closely(error: &(dyn Error + 'static)) -> Option<ThirdPartyFailure> {
    links(error).find_map(|link| {
        #[cfg(feature = "hyper")]
        if let Some(error) = as_a::<hyper::Error>(link) {
            return Some(super::from_hyper::of_connection(error));
        }
        #[cfg(feature = "tower")]
        if link.is::<tower::timeout::error::Elapsed>() {
            return Some(failure("tower", (Request, Timeout)));
        }
        #[cfg(feature = "tokio")]
        if link.is::<tokio::time::error::Elapsed>() {
            return Some(failure("tokio", (Request, Timeout)));
        }
        let error = as_a::<io::Error>(link)?;
        Some(failure("std", of_io(error)?))
    })
}

pub(super) fn failure(
    client: &'static str,
    (phase, class): (ThirdPartyPhase, ThirdPartyClass),
) -> ThirdPartyFailure {
    ThirdPartyFailure { client: Some(client), phase, class, ..ThirdPartyFailure::default() }
}

fn of_io(error: &io::Error) -> Option<(ThirdPartyPhase, ThirdPartyClass)> {
    use io::ErrorKind;

    if is_lookup(&chain::text_of(error)) {
        return Some((ThirdPartyPhase::Dns, Dns));
    }
    Some(match error.kind() {
        ErrorKind::TimedOut => (Request, Timeout),
        ErrorKind::ConnectionRefused
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable => (Connect, Connection),
        kind if is_end(kind) => (Request, Connection),
        ErrorKind::InvalidData => (ThirdPartyPhase::Decode, Decode),
        _ => return None,
    })
}

/// What stands below a client's error.
#[derive(Default)]
pub(super) struct Below {
    timed_out: bool,
    /// The name was looked up, or a connection was made, when it failed: hyper-util tells that in its texts only.
    lookup: bool,
    tcp: bool,
    /// Something that was sent was damaged or not trusted.
    damaged: bool,
    /// A connection ended.
    pub(super) ended: bool,
    /// The client was about to have a connection.
    pub(super) connecting: bool,
}

impl Below {
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut below = Self::default();
        for link in links(error) {
            below.see(link);
        }
        below
    }

    fn see(&mut self, link: &(dyn Error + 'static)) {
        if let Some(error) = as_a::<io::Error>(link) {
            self.timed_out |= error.kind() == io::ErrorKind::TimedOut;
            self.ended |= is_end(error.kind());
            self.damaged |= error.kind() == io::ErrorKind::InvalidData;
            // Of TLS by OpenSSL there is no more to see.
            self.damaged |= error.kind() == io::ErrorKind::Other && error.get_ref().is_some();
        }
        #[cfg(feature = "hyper")]
        if let Some(error) = as_a::<hyper::Error>(link) {
            self.timed_out |= error.is_timeout();
            self.ended |= error.is_incomplete_message() || error.is_closed() || error.is_canceled();
        }
        #[cfg(feature = "hyper")]
        if let Some(error) = as_a::<hyper_util::client::legacy::Error>(link) {
            self.connecting |= error.is_connect();
        }
        #[cfg(feature = "tonic")]
        {
            self.timed_out |= link.is::<tonic::TimeoutExpired>();
            self.connecting |= link.is::<tonic::ConnectError>();
        }
        #[cfg(feature = "tower")]
        {
            self.timed_out |= link.is::<tower::timeout::error::Elapsed>();
        }
        #[cfg(feature = "tokio")]
        {
            self.timed_out |= link.is::<tokio::time::error::Elapsed>();
        }
        let text = chain::text_of(link);
        self.timed_out |= text == "operation timed out";
        self.lookup |= text == "dns error" || is_lookup(&text);
        self.tcp |= text.starts_with("tcp ");
    }

    /// How far a call came that never had a connection.
    pub(super) fn before_connection(&self, https: bool) -> (ThirdPartyPhase, ThirdPartyClass) {
        match self {
            Self { lookup: true, timed_out: false, .. } => (ThirdPartyPhase::Dns, Dns),
            Self { lookup: true, .. } => (ThirdPartyPhase::Dns, Timeout),
            Self { timed_out: true, .. } => (Connect, Timeout),
            Self { tcp: true, .. } => (Connect, Connection),
            Self { damaged: true, .. } => (ThirdPartyPhase::Tls, Tls),
            Self { ended: true, .. } if https => (ThirdPartyPhase::Tls, Connection),
            _ => (Connect, Connection),
        }
    }

    /// The same of one that had a connection, and no response.
    pub(super) fn before_response(&self) -> (ThirdPartyPhase, ThirdPartyClass) {
        (Request, if self.timed_out { Timeout } else { Connection })
    }

    /// The same of one that had a response.
    pub(super) fn in_body(&self) -> (ThirdPartyPhase, ThirdPartyClass) {
        match self {
            Self { timed_out: true, .. } => (Body, Timeout),
            Self { ended: true, .. } => (Body, Connection),
            _ => (ThirdPartyPhase::Decode, Decode),
        }
    }
}

/// What resolvers of all systems begin with.
fn is_lookup(text: &str) -> bool {
    text.starts_with("failed to lookup address information")
}

fn is_end(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};

    matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
}

/// The links of a chain, and what is in those of `io::Error`, which leave it out.
fn links<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let next =
        |error: &&'a (dyn Error + 'static)| match as_a::<io::Error>(*error).and_then(io::Error::get_ref) {
            Some(inside) => Some(inside as &(dyn Error + 'static)),
            None => (*error).source(),
        };
    std::iter::successors(Some(error), next).take(MAX_LINKS)
}

/// A service's error that is a client's own. A type that is not known to be an `Error` has no chain.
#[cfg_attr(
    not(any(feature = "hyper", feature = "reqwest", feature = "reqwest-middleware")),
    expect(unused_variables, reason = "there are no clients")
)]
pub(crate) fn known(any: &dyn Any) -> Option<&(dyn Error + 'static)> {
    let found = None;
    #[cfg(feature = "hyper")]
    let found =
        found.or_else(|| of::<hyper_util::client::legacy::Error>(any)).or_else(|| of::<hyper::Error>(any));
    #[cfg(feature = "reqwest")]
    let found = found.or_else(|| of::<reqwest::Error>(any));
    #[cfg(feature = "reqwest-middleware")]
    let found = found.or_else(|| of::<reqwest_middleware::Error>(any));
    found
}

#[cfg(any(feature = "hyper", feature = "reqwest"))]
fn of<E: Error + 'static>(any: &dyn Any) -> Option<&(dyn Error + 'static)> {
    any.downcast_ref::<E>().map(|error| error as _)
}
