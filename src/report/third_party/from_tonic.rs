//! gRPC's status, as tonic's clients have it: from the server, or made by tonic where there was none.

use std::error::Error as _;

use tonic::{Code, Status};

use super::clients::{Below, failure};
use crate::record::{ThirdPartyClass, ThirdPartyFailure, ThirdPartyPhase};

const CLIENT: &str = "tonic";

pub(super) fn of_status(status: &Status) -> ThirdPartyFailure {
    let (name, class) = meaning(status.code());
    let answered = (ThirdPartyPhase::Status, class);
    let reached = status.source().map_or(answered, |source| {
        let below = Below::of(source);
        match below.before_response() {
            _ if below.connecting => below.before_connection(false),
            reached @ (_, ThirdPartyClass::Timeout) => reached,
            // Of a connection that ends tonic says `CANCELLED`, too, if hyper had not begun with the call.
            reached
                if below.ended
                    || matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Internal) =>
            {
                reached
            }
            _ => answered,
        }
    });
    ThirdPartyFailure { grpc: Some(name), ..failure(CLIENT, reached) }
}

/// The code's name in gRPC's own documents (grpc.io/docs/guides/status-codes), and what it means.
fn meaning(code: Code) -> (&'static str, ThirdPartyClass) {
    use ThirdPartyClass::{
        Cancelled, Other, RateLimited, Rejected, ServerError, Timeout, Unauthorized, Unavailable,
    };

    match code {
        Code::Ok => ("OK", Other),
        Code::Cancelled => ("CANCELLED", Cancelled),
        Code::Unknown => ("UNKNOWN", ServerError),
        Code::InvalidArgument => ("INVALID_ARGUMENT", Rejected),
        Code::DeadlineExceeded => ("DEADLINE_EXCEEDED", Timeout),
        Code::NotFound => ("NOT_FOUND", Rejected),
        Code::AlreadyExists => ("ALREADY_EXISTS", Rejected),
        Code::PermissionDenied => ("PERMISSION_DENIED", Unauthorized),
        Code::ResourceExhausted => ("RESOURCE_EXHAUSTED", RateLimited),
        Code::FailedPrecondition => ("FAILED_PRECONDITION", Rejected),
        Code::Aborted => ("ABORTED", ServerError),
        Code::OutOfRange => ("OUT_OF_RANGE", Rejected),
        Code::Unimplemented => ("UNIMPLEMENTED", Rejected),
        Code::Internal => ("INTERNAL", ServerError),
        Code::Unavailable => ("UNAVAILABLE", Unavailable),
        Code::DataLoss => ("DATA_LOSS", ServerError),
        Code::Unauthenticated => ("UNAUTHENTICATED", Unauthorized),
    }
}
