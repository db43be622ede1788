//! What the failing thread knows, as plain data: the error and its details, the request, what was said.
//!
//! It goes through the `sink` in a record and becomes an event on our own thread (`report::build`).

mod additions;
mod address;
mod auth;
mod body;
mod call;
mod database;
mod fate;
mod head;
mod info;
mod job;
mod labels;
mod monitor;
mod normalise;
mod route;
mod said;
mod subject;
mod target;
mod third_party;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::panic::Location;

use http::{Method, StatusCode};

pub(crate) use self::additions::Additions;
pub(crate) use self::address::ClientAddress;
pub use self::address::ClientIp;
pub use self::auth::{AuthError, AuthFailure};
pub(crate) use self::body::{KeptBody, MAX_BODY_TEXT};
pub(crate) use self::call::{Call, CalledUrl, Crumb, FailedCall, Outcome};
pub(crate) use self::database::{Database, Pool, System, kept_statement};
pub use self::database::{DatabaseClass, DatabaseFailure, Fault};
pub(crate) use self::fate::Fate;
pub(crate) use self::head::{Headers, is_shown_header};
pub use self::info::FailureInfo;
pub(crate) use self::job::{JobArgs, JobFacts, MAX_ARGS};
pub use self::labels::{EventId, Kind, Level};
pub(crate) use self::labels::{Origin, header_value, spread};
pub(crate) use self::monitor::{CheckIn, CheckInStatus, Monitor, minutes};
pub use self::monitor::{Schedule, ScheduleError};
pub(crate) use self::normalise::{normalise, normalise_path};
pub use self::said::{Breadcrumb, User};
pub(crate) use self::said::{MAX_SHORT, short_text, to_value, value_weight};
pub(crate) use self::subject::Subject;
pub(crate) use self::target::RequestTarget;
pub(crate) use self::third_party::{ResponseBody, Target};
pub use self::third_party::{ThirdPartyClass, ThirdPartyFailure, ThirdPartyPhase};

use crate::context::spans::Around;
use crate::stacks::Stack;

/// Any error, boxed: what `?` and most of tower's middleware turn errors into.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// One link of an error chain that was walked on the failing thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The full path of the type, without generics; its last segment is what people see.
    pub(crate) type_name: Cow<'static, str>,
    pub(crate) message: String,
}

/// Why something failed.
#[derive(Debug)]
pub(crate) enum Cause {
    /// An error that we own; it is walked on our thread.
    Error { error: BoxError, type_name: &'static str },
    /// An error that somebody else keeps, outermost first.
    Chain(Vec<Link>),
    /// A panic, with what its hook saw.
    Panic(Box<PanicInfo>),
    /// A response of 500 or above that came without an error.
    Status,
}

/// What the panic hook sees.
#[derive(Clone, Debug)]
pub(crate) struct PanicInfo {
    pub(crate) message: String,
    pub(crate) location: Option<Place>,
    pub(crate) thread: Option<String>,
    pub(crate) stack: Option<Stack>,
}

/// A place in the source.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) file: Cow<'static, str>,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl From<&'static Location<'static>> for Place {
    fn from(location: &'static Location<'static>) -> Self {
        Self { file: Cow::Borrowed(location.file()), line: location.line(), column: location.column() }
    }
}

/// Changes the finished event; the last word before the gate.
pub(crate) type EditEvent = Box<dyn FnOnce(&mut sentry::protocol::Event<'static>) + Send + Sync>;

/// Everything a `Report` says about a failure.
pub(crate) struct Details {
    pub(crate) id: EventId,
    pub(crate) cause: Cause,
    pub(crate) location: Option<Place>,
    /// The text of a backtrace that the error brought along.
    pub(crate) backtrace: Option<Box<str>>,
    /// The stack where the report was made.
    pub(crate) stack: Option<Stack>,
    /// The status of the response that it becomes.
    pub(crate) answer: StatusCode,
    /// Decided without this where an `Err` goes on to the server, a job hands it on, or it is the panic of a task.
    pub(crate) fate: Fate,
    pub(crate) kind: Option<Kind>,
    /// What was recognised in the error, and what was said of that.
    pub(crate) subject: Option<Box<Subject>>,
    pub(crate) level: Option<Level>,
    pub(crate) critical: bool,
    pub(crate) always: bool,
    pub(crate) additions: Option<Box<Additions>>,
    /// What others say of where it happened.
    pub(crate) around: Option<Box<Around>>,
    /// The hash of type, message and place, where it is known already.
    pub(crate) likeness: Option<u64>,
}

impl Details {
    pub(crate) fn new(cause: Cause) -> Self {
        Self {
            id: EventId::random(),
            cause,
            location: None,
            backtrace: None,
            stack: None,
            answer: StatusCode::INTERNAL_SERVER_ERROR,
            fate: Fate::default(),
            kind: None,
            subject: None,
            level: None,
            critical: false,
            always: false,
            additions: None,
            around: None,
            likeness: None,
        }
    }

    /// Whether it is a failed login like many others, which is counted and not sent.
    pub(crate) fn is_single_login(&self) -> bool {
        self.auth().is_some() && !self.answer.is_server_error() && !self.always && !self.critical
    }

    /// What caused the failure, where nobody said it; `surface` is where it surfaced
    /// ([`Context::surface`](crate::context::Context::surface)).
    pub(crate) fn kind_or_default(&self, surface: Kind) -> Kind {
        self.kind.or_else(|| self.kind_of_subject()).unwrap_or(match &self.cause {
            Cause::Panic(_) => Kind::Panic,
            _ => surface,
        })
    }

    /// Whether it only says that a task of tokio's panicked, which the panic's hook has seen.
    #[inline]
    pub(crate) fn is_of_a_task_that_panicked(&self) -> bool {
        let Cause::Error { error, type_name } = &self.cause else { return false };
        // Tokio's name for it; its text is `task 7 panicked with message "..."`.
        *type_name == "tokio::runtime::task::error::JoinError" && error.to_string().contains("panicked")
    }

    /// Where it happened.
    pub(crate) fn place(&self) -> Option<&Place> {
        match &self.cause {
            Cause::Panic(panic) => panic.location.as_ref(),
            _ => self.location.as_ref(),
        }
    }
}

impl fmt::Debug for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Details")
            .field("id", &self.id)
            .field("cause", &self.cause)
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

/// How a failure reached us: Sentry's `mechanism`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mechanism {
    pub(crate) name: &'static str,
    pub(crate) handled: bool,
}

/// What is kept of a request until it succeeds. Nothing is formatted.
#[derive(Debug)]
pub(crate) struct RequestSnapshot {
    pub(crate) line: RequestLine,
    pub(crate) headers: Headers,
}

/// The first line of a request, and the route that it takes.
#[derive(Debug)]
pub(crate) struct RequestLine {
    pub(crate) method: Method,
    pub(crate) target: RequestTarget,
    pub(crate) route: Route,
    /// Where it comes from, as far as that is known and somebody asks.
    pub(crate) client: Option<ClientAddress>,
}

impl Default for RequestLine {
    fn default() -> Self {
        let route = Route::Path { around_router: false };
        Self { method: Method::GET, target: RequestTarget::new(), route, client: None }
    }
}

impl RequestSnapshot {
    /// Forgets the request.
    #[inline]
    pub(crate) fn clear(&mut self) {
        let RequestLine { method, target, route, client } = &mut self.line;
        *method = Method::GET;
        target.clear();
        *route = Route::Path { around_router: false };
        *client = None;
        self.headers.clear();
    }

    /// Whether this is a call of gRPC, which has rules of its own for names and for failing.
    pub(crate) fn is_grpc(&self) -> bool {
        matches!(self.line.route, Route::Method)
            || self.headers.value("content-type").is_some_and(|value| value.starts_with(GRPC))
    }
}

/// The content types of gRPC begin with this.
pub(crate) const GRPC: &str = "application/grpc";

/// What is known of the route of a request.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    /// The router's pattern: `/orders/{id}`.
    #[cfg(feature = "axum")]
    Matched(axum::extract::MatchedPath),
    /// A router had nothing for this path.
    #[cfg(feature = "axum")]
    Unmatched,
    /// The path is the name, as in gRPC: `/shop.Orders/Get`.
    Method,
    /// Only the path is known; `around_router` when a router further in knows more than we do.
    Path { around_router: bool },
}

/// The path of the type without its generics: `shop::OrderError` of `shop::OrderError<alloc::string::String>`.
pub(crate) fn without_generics(type_name: &str) -> &str {
    type_name.split('<').next().unwrap_or(type_name)
}

/// At most `max` bytes of `text`, cut between two characters.
pub(crate) fn truncated(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_stays_small() {
        // It is moved, filled and dropped on the failing thread.
        assert!(size_of::<Details>() <= 168, "{} bytes", size_of::<Details>());
    }
}
