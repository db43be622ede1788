//! What can be said of an error that somebody else keeps, and which need not be a `std::error::Error`.

use std::any::Any;
use std::error::Error;
use std::fmt;

use super::{Report, as_error, chain, database, third_party};
use crate::record::{BoxError, Cause, Details, Link};
use crate::reporter::ErrorName;

/// Reads the `Err` of a service.
pub(crate) fn details_of<E: fmt::Display + 'static>(error: &E, names: &[ErrorName]) -> Details {
    if let Some(details) = report_in(error).and_then(|report| report.copy(names)) {
        return details;
    }
    let type_name = std::any::type_name::<E>();
    match known(error) {
        Some(error) => Details::of_chain(error, Some(type_name), names),
        None => {
            let link = Link { type_name: type_name.into(), message: chain::own_text(error) };
            Details::new(Cause::Chain(vec![link]))
        }
    }
}

/// The report that it is or holds.
pub(crate) fn report_in<E: 'static>(error: &E) -> Option<&Report> {
    let any: &dyn Any = error;
    any.downcast_ref::<Report>().or_else(|| as_error::in_box(any.downcast_ref::<BoxError>()?))
}

/// The texts of such an error, as they are.
pub(crate) fn texts_of<E: fmt::Display + 'static>(error: &E) -> Vec<String> {
    known(error).map_or_else(|| vec![chain::text_of(error)], chain::texts)
}

/// The error with its chain, if it is boxed or of a type that is known.
pub(crate) fn known<E: 'static>(error: &E) -> Option<&(dyn Error + 'static)> {
    let any: &dyn Any = error;
    let known: Option<&(dyn Error + 'static)> = match any.downcast_ref::<BoxError>() {
        Some(boxed) => Some(&**boxed),
        None => any.downcast_ref::<std::io::Error>().map(|error| error as _),
    };
    #[cfg(feature = "axum")]
    let known = known.or_else(|| any.downcast_ref::<axum::Error>().map(|error| error as _));
    #[cfg(feature = "tonic")]
    let known = known.or_else(|| any.downcast_ref::<tonic::Status>().map(|error| error as _));
    known.or_else(|| database::known(any)).or_else(|| third_party::known(any))
}
