//! Errors of reqwest, also inside those of reqwest-middleware, whose `source()` leaves them out.

use std::error::Error;

use reqwest::Url;

use super::clients::{Below, failure};
use super::template;
use crate::record::{ThirdPartyClass, ThirdPartyFailure, ThirdPartyPhase};
use crate::report::links::as_a;

const CLIENT: &str = "reqwest";

#[inline(always)]
pub(super) fn look(error: &(dyn Error + 'static)) -> Option<ThirdPartyFailure> {
    known(error).map(of_error)
}

/// The URL in the texts of an error.
pub(super) fn url<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Url> {
    known(error)?.url()
}

#[inline(always)]
fn known<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a reqwest::Error> {
    let known = as_a::<reqwest::Error>(error);
    #[cfg(feature = "reqwest-middleware")]
    let known = known.or_else(|| match as_a::<reqwest_middleware::Error>(error)? {
        reqwest_middleware::Error::Reqwest(error) => Some(error),
        reqwest_middleware::Error::Middleware(error) => error.chain().find_map(as_a::<reqwest::Error>),
    });
    known
}

fn of_error(error: &reqwest::Error) -> ThirdPartyFailure {
    let https = error.url().is_some_and(|url| url.scheme() == "https");
    let below = || Below::of(error);
    let reached = if let Some(status) = error.status() {
        let class = ThirdPartyClass::of_status(status).unwrap_or_default();
        (ThirdPartyPhase::Status, class)
    } else if error.is_builder() {
        (ThirdPartyPhase::Build, ThirdPartyClass::InvalidRequest)
    } else if error.is_redirect() {
        (ThirdPartyPhase::Redirect, ThirdPartyClass::Redirect)
    } else if error.is_connect() {
        below().before_connection(https)
    } else if error.is_decode() || error.is_body() {
        below().in_body()
    } else {
        below().before_response()
    };
    ThirdPartyFailure {
        status: error.status(),
        target: error.url().and_then(template::of_url),
        ..failure(CLIENT, reached)
    }
}
