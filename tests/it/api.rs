//! The public types: what they may be used for, and how big they are.

use faultwire::config::Destination;
use faultwire::report::{AuthError, AuthFailure};
use faultwire::{
    Config, ConfigError, Context, EventId, Guard, Kind, Report, ReportLayer, Shutdown, Stats, User,
};

fn is_send_and_sync<T: Send + Sync>() {}
fn is_clone<T: Clone>() {}
fn is_debug<T: std::fmt::Debug>() {}

#[test]
fn public_types_cross_threads() {
    is_send_and_sync::<Report>();
    is_send_and_sync::<ReportLayer>();
    is_send_and_sync::<faultwire::layer::ReportService<()>>();
    is_send_and_sync::<Context>();
    is_send_and_sync::<Guard>();
    is_send_and_sync::<ConfigError>();
    is_send_and_sync::<Stats>();
    is_send_and_sync::<Destination>();
    is_send_and_sync::<User>();
    is_send_and_sync::<AuthError>();
    fn is_send<T: Send>() {}
    is_send::<Config>();
    is_send_and_sync::<Shutdown>();
    is_send::<faultwire::layer::ReportFuture<std::future::Ready<()>>>();
    is_send::<faultwire::InContext<std::future::Ready<()>>>();
}

#[test]
fn a_report_is_as_small_as_a_pointer() {
    let pointer = size_of::<usize>();
    assert_eq!(size_of::<Report>(), pointer);
    assert_eq!(size_of::<Option<Context>>(), 2 * pointer);
    assert_eq!(size_of::<EventId>(), 16);
    assert_eq!(size_of::<Kind>(), 1);
}

#[test]
fn public_types_can_be_printed_and_layers_cloned() {
    is_debug::<AuthFailure>();
    is_debug::<AuthError>();
    is_debug::<Report>();
    is_debug::<Config>();
    is_debug::<Destination>();
    is_debug::<Guard>();
    is_debug::<Context>();
    is_debug::<ReportLayer>();
    is_clone::<ReportLayer>();
    is_clone::<faultwire::layer::ReportService<()>>();
    is_clone::<Context>();
}

/// `impl From<E> for Report` for every error is possible only while a report is none itself.
const _: () = {
    trait MayBeError {
        const IS_ERROR: bool = false;
    }
    impl<T> MayBeError for T {}
    struct Probe<T>(std::marker::PhantomData<T>);
    impl<T: std::error::Error> Probe<T> {
        const IS_ERROR: bool = true;
    }
    assert!(Probe::<std::io::Error>::IS_ERROR);
    assert!(!Probe::<Report>::IS_ERROR);
};
