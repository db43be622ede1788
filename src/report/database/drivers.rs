//! Which links of a chain are errors of a database's driver.

use std::any::Any;
use std::error::Error;
use std::sync::Once;

use crate::record::DatabaseFailure;
use crate::report::links::bit;
pub(super) use crate::report::links::inside;
#[cfg(any(
    feature = "sqlx",
    feature = "sqlx-0-8",
    feature = "diesel",
    feature = "tokio-postgres",
    feature = "sea-orm",
    feature = "redis"
))]
pub(super) use crate::report::links::{as_a, size};

/// The sizes of all the errors that drivers have.
pub(crate) const SIZES: u64 = {
    let sizes = 0;
    #[cfg(feature = "sqlx")]
    let sizes = sizes | super::from_sqlx::current::SIZES;
    #[cfg(feature = "sqlx-0-8")]
    let sizes = sizes | super::from_sqlx::previous::SIZES;
    #[cfg(feature = "diesel")]
    let sizes = sizes | super::from_diesel::SIZES;
    #[cfg(feature = "tokio-postgres")]
    let sizes = sizes | super::from_postgres::SIZES;
    #[cfg(feature = "sea-orm")]
    let sizes = sizes | super::from_sea_orm::SIZES;
    #[cfg(feature = "redis")]
    let sizes = sizes | super::from_redis::SIZES;
    sizes
};

/// What this one link says.
#[inline(always)]
#[cfg_attr(
    not(any(
        feature = "sqlx",
        feature = "sqlx-0-8",
        feature = "diesel",
        feature = "tokio-postgres",
        feature = "sea-orm",
        feature = "redis"
    )),
    expect(unused_variables, reason = "there are no drivers")
)]
pub(crate) fn look(error: &(dyn Error + 'static)) -> Option<Box<DatabaseFailure>> {
    let size = bit(size_of_val(error));
    #[cfg(feature = "sqlx")]
    if super::from_sqlx::current::SIZES & size != 0
        && let found @ Some(_) = super::from_sqlx::current::look(error)
    {
        return found;
    }
    #[cfg(feature = "sqlx-0-8")]
    if super::from_sqlx::previous::SIZES & size != 0
        && let found @ Some(_) = super::from_sqlx::previous::look(error)
    {
        return found;
    }
    #[cfg(feature = "diesel")]
    if super::from_diesel::SIZES & size != 0
        && let found @ Some(_) = super::from_diesel::look(error)
    {
        return found;
    }
    #[cfg(feature = "tokio-postgres")]
    if super::from_postgres::SIZES & size != 0
        && let found @ Some(_) = super::from_postgres::look(error)
    {
        return found;
    }
    #[cfg(feature = "sea-orm")]
    if super::from_sea_orm::SIZES & size != 0
        && let found @ Some(_) = super::from_sea_orm::look(error)
    {
        return found;
    }
    #[cfg(feature = "redis")]
    if super::from_redis::SIZES & size != 0
        && let found @ Some(_) = super::from_redis::look(error)
    {
        return found;
    }
    None
}

/// Says once that an error of a driver, known by its type's name, was not recognised: its feature is off, or it is of
/// another line than the feature's.
pub(crate) fn notice_unknown(type_name: &str) {
    static SAID: Once = Once::new();
    if let Some(features) = features_for(type_name) {
        SAID.call_once(|| {
            tracing::warn!(
                target: "faultwire",
                "a {type_name} was not recognised as a failure of a database: turn on {features} of faultwire"
            );
        });
    }
}

fn features_for(type_name: &str) -> Option<&'static str> {
    DRIVERS.iter().find(|(path, _)| type_name.starts_with(path)).map(|(_, features)| *features)
}

/// The paths of drivers' types, and the features that know them.
const DRIVERS: [(&str, &str); 5] = [
    ("sqlx_core::", "the feature `sqlx` (0.9) or `sqlx-0-8`"),
    ("diesel::", "the feature `diesel`"),
    ("tokio_postgres::", "the feature `tokio-postgres`"),
    ("sea_orm::", "the feature `sea-orm` (2)"),
    ("redis::", "the feature `redis` (1)"),
];

/// A service's error that is a driver's own. A type that is not known to be an `Error` has no chain.
#[cfg_attr(
    not(any(
        feature = "sqlx",
        feature = "sqlx-0-8",
        feature = "diesel",
        feature = "tokio-postgres",
        feature = "sea-orm",
        feature = "redis"
    )),
    expect(unused_variables, reason = "there are no drivers")
)]
pub(crate) fn known(any: &dyn Any) -> Option<&(dyn Error + 'static)> {
    let found = None;
    #[cfg(feature = "sqlx")]
    let found = found.or_else(|| of::<sqlx09::Error>(any));
    #[cfg(feature = "sqlx-0-8")]
    let found = found.or_else(|| of::<sqlx08::Error>(any));
    #[cfg(feature = "diesel")]
    let found = found.or_else(|| of::<diesel::result::Error>(any));
    #[cfg(feature = "tokio-postgres")]
    let found = found.or_else(|| of::<tokio_postgres::Error>(any));
    #[cfg(feature = "sea-orm")]
    let found = found.or_else(|| of::<sea_orm::DbErr>(any));
    #[cfg(feature = "redis")]
    let found = found.or_else(|| of::<redis::RedisError>(any));
    found
}

#[cfg(any(
    feature = "sqlx",
    feature = "sqlx-0-8",
    feature = "diesel",
    feature = "tokio-postgres",
    feature = "sea-orm",
    feature = "redis"
))]
fn of<E: Error + 'static>(any: &dyn Any) -> Option<&(dyn Error + 'static)> {
    any.downcast_ref::<E>().map(|error| error as _)
}

#[cfg(all(test, feature = "full"))]
mod tests {
    use super::*;

    #[test]
    fn a_drivers_type_that_nobody_recognises_is_told_with_the_feature_that_would() {
        let of = |type_name: &str| features_for(type_name);
        assert_eq!(
            of(std::any::type_name::<sqlx09::Error>()),
            Some("the feature `sqlx` (0.9) or `sqlx-0-8`")
        );
        assert_eq!(of(std::any::type_name::<redis::RedisError>()), Some("the feature `redis` (1)"));
        assert!(of(std::any::type_name::<diesel::result::Error>()).is_some());
        assert!(of(std::any::type_name::<tokio_postgres::Error>()).is_some());
        assert!(of(std::any::type_name::<sea_orm::DbErr>()).is_some());
        assert_eq!(of(std::any::type_name::<std::io::Error>()), None);
    }
}
