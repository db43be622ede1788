//! A report as a status of gRPC.

use http::StatusCode;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use super::{EVENT_ID_HEADER, Report};
use crate::scrub::scrub_text;

/// A report is what a method fails with: the client gets the code that fits [`Report::status`] (`INTERNAL` for 500),
/// the text of [`Report::public`], and the event's id as metadata `x-event-id`. The error's own text stays here.
///
/// # Example
/// ```
/// use faultwire::Report;
/// use tonic::{Response, Status};
///
/// async fn get(id: u64) -> Result<Response<String>, Status> {
///     Ok(Response::new(order(id).await?))
/// }
///
/// async fn order(id: u64) -> Result<String, Report> {
///     Ok(std::fs::read_to_string(format!("/var/orders/{id}"))?)
/// }
/// # drop(get(1));
/// ```
impl From<Report> for Status {
    fn from(report: Report) -> Self {
        let (mut code, mut message) = (Code::Internal, String::new());
        if let Some(said) = &report.0 {
            code = code_of(said.answer);
            if let Some(public) = said.added().public.as_deref() {
                message = scrub_text(public).unwrap_or_else(|| public.to_owned());
            }
        }
        let mut metadata = MetadataMap::new();
        // The headers of a response that is thrown away: a status has room for metadata only.
        let response = report.attach_to(http::Response::new(()));
        let (mut parts, ()) = response.into_parts();
        if let Some(id) = parts.headers.remove(EVENT_ID_HEADER) {
            metadata = MetadataMap::from_headers([(EVENT_ID_HEADER, id)].into_iter().collect());
        }
        let mut status = Self::with_metadata(code, message, metadata);
        if let Some(travelling) = super::response::travelling(&mut parts.extensions) {
            status.set_source(travelling);
        }
        status
    }
}

/// The code for a status of HTTP: the reverse of gRPC's own table, and where that says nothing what is nearest.
fn code_of(status: StatusCode) -> Code {
    match status.as_u16() {
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 | 410 => Code::NotFound,
        409 => Code::Aborted,
        408 | 504 => Code::DeadlineExceeded,
        412 | 428 => Code::FailedPrecondition,
        429 => Code::ResourceExhausted,
        499 => Code::Cancelled,
        400..=499 => Code::InvalidArgument,
        501 => Code::Unimplemented,
        502 | 503 => Code::Unavailable,
        _ => Code::Internal,
    }
}
