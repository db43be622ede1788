//! Errors of hyper: of hyper-util's client, and of a connection.

use hyper_util::client::legacy;

use super::clients::{Below, failure};
use crate::record::{ThirdPartyClass, ThirdPartyFailure, ThirdPartyPhase};

const CLIENT: &str = "hyper";
const INVALID: (ThirdPartyPhase, ThirdPartyClass) = (ThirdPartyPhase::Build, ThirdPartyClass::InvalidRequest);

pub(super) fn of_client(error: &legacy::Error) -> ThirdPartyFailure {
    let below = Below::of(error);
    let reached = if error.is_connect() {
        below.before_connection(false)
    } else if error.to_string().starts_with("client error (User") {
        INVALID
    } else {
        below.before_response()
    };
    failure(CLIENT, reached)
}

pub(super) fn of_connection(error: &hyper::Error) -> ThirdPartyFailure {
    let reached = if error.is_user() {
        INVALID
    } else if error.is_parse() {
        (ThirdPartyPhase::Request, ThirdPartyClass::Decode)
    } else if error.to_string().starts_with("error reading a body") {
        match Below::of(error).in_body() {
            // Nobody but the connection was to read it.
            (ThirdPartyPhase::Decode, _) => (ThirdPartyPhase::Body, ThirdPartyClass::Connection),
            reached => reached,
        }
    } else {
        Below::of(error).before_response()
    };
    failure(CLIENT, reached)
}
