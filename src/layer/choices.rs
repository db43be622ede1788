//! What somebody asked of a layer, and asking what they gave for it: their code runs here, and a panic in it costs
//! neither the response nor the event.

use std::sync::Arc;

use http::request::Parts;
use http::{Request, StatusCode};
use ipnet::IpNet;

use super::RequestInfo;
use crate::context::{Context, current};
use crate::panics;
use crate::record::User;
use crate::scrub::scrub_text;

/// One reference: each request has one.
#[derive(Clone, Default)]
pub(super) struct Choices {
    pub(super) ignore: Option<Arc<StatusRule>>,
    pub(super) report_if: Option<Arc<StatusRule>>,
    pub(super) user: Option<Arc<UserOf>>,
    pub(super) proxies: Vec<IpNet>,
    pub(super) reports_cancelled: bool,
}

pub(super) type StatusRule = dyn Fn(&RequestInfo<'_>, StatusCode) -> bool + Send + Sync;
pub(super) type UserOf = dyn Fn(&Parts) -> Option<User> + Send + Sync;

impl Choices {
    /// Whether a failure is to be left out.
    pub(super) fn ignores(&self, context: &Context, status: StatusCode) -> bool {
        let (Some(ignore), Some(request)) = (&self.ignore, context.request()) else { return false };
        asked("ignore", || ignore(&RequestInfo(request), status)).unwrap_or(false)
    }

    /// Whether an answer that is the client's mistake is to be reported.
    pub(super) fn reports(&self, context: &Context, status: StatusCode) -> bool {
        let (Some(report_if), Some(request)) = (&self.report_if, context.request()) else { return false };
        asked("report_if", || report_if(&RequestInfo(request), status)).unwrap_or(false)
    }
}

/// Remembers who the request that is running here is from, where somebody knows.
#[inline(never)]
pub(super) fn note_user<B>(user: &UserOf, request: Request<B>) -> Request<B> {
    let (parts, body) = request.into_parts();
    if let Some(user) = asked("user", || user(&parts)).flatten() {
        current().user(user);
    }
    Request::from_parts(parts, body)
}

fn asked<T>(name: &str, ask: impl FnOnce() -> T) -> Option<T> {
    let caught = match panics::guarded(ask) {
        Ok(answer) => {
            // A panic that they dealt with themselves is not the service's.
            drop(panics::seen());
            return Some(answer);
        }
        Err(caught) => caught,
    };
    let message = scrub_text(&caught.info.message).unwrap_or(caught.info.message);
    tracing::warn!(target: "faultwire", "`{name}` panicked: {message}");
    None
}
