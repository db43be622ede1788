//! Failed calls of other services: recognised, told without secrets, and one issue for one problem.

mod grpc;
mod issues;
mod layer;
mod logged;
mod modes;
mod provider;

use crate::support::Reporting;

/// In URLs, headers, user names and bodies. Not a word of it may leave.
const SECRET: &str = "krellaz.Umbrith.77";

/// No byte that arrived is of a secret.
#[track_caller]
fn assert_no_secret_left(reporting: &Reporting) {
    for request in reporting.server.requests() {
        let text = request.text();
        assert!(!text.contains("krellaz") && !text.contains("Umbrith"), "a secret left: {text}");
    }
}
