//! Errors of the `redis` crate. The text of a server quotes what it was sent, keys and values alike.

use std::error::Error;

use redis::{ErrorKind, ParsingError, RedisError, ServerError};

use super::drivers::{as_a, inside, size};
use super::{codes, hide};
use crate::record::{DatabaseClass, DatabaseFailure, System};

use DatabaseClass::{Authentication, Connection, Decode, Other, Timeout};

const DRIVER: &str = "redis";

pub(super) const SIZES: u64 = size::<RedisError>() | size::<ServerError>() | size::<ParsingError>();

#[inline(always)]
pub(super) fn look(error: &(dyn Error + 'static)) -> Option<Box<DatabaseFailure>> {
    if let Some(error) = as_a::<RedisError>(error) {
        return Some(Box::new(of_error(error)));
    }
    match as_a::<ServerError>(error) {
        Some(error) => Some(Box::new(of_returned(error.code(), error.details()))),
        None => as_a::<ParsingError>(error).map(|_| Box::new(new(Decode))),
    }
}

/// What the server said, in its own words.
pub(super) fn words<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a str> {
    match as_a::<RedisError>(error) {
        Some(error) => error.detail(),
        None => as_a::<ServerError>(error)?.details(),
    }
}

fn of_error(error: &RedisError) -> DatabaseFailure {
    if let Some(code) = error.code() {
        return of_returned(code, error.detail());
    }
    let class = match error.kind() {
        ErrorKind::AuthenticationFailed => Authentication,
        ErrorKind::Io if error.is_timeout() => Timeout,
        ErrorKind::Io
        | ErrorKind::MasterNameNotFoundBySentinel
        | ErrorKind::NoValidReplicasFoundBySentinel
        | ErrorKind::EmptySentinelList
        | ErrorKind::ClusterConnectionNotFound => Connection,
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => Decode,
        _ => Other,
    };
    let cause = error.source().map(inside).filter(|source| hide::is_plain(*source)).map(ToString::to_string);
    let said = match class {
        Connection | Timeout => cause,
        _ => Some(error.category().to_owned()),
    };
    DatabaseFailure { said: said.map(Into::into), ..new(class) }
}

fn of_returned(code: &str, detail: Option<&str>) -> DatabaseFailure {
    let meaning = codes::of_redis(code, detail.unwrap_or_default());
    // A script may answer anything.
    let is_code = (2..=24).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_uppercase());
    DatabaseFailure {
        code: is_code.then(|| code.to_owned()),
        retryable: meaning.retryable,
        ..new(meaning.class)
    }
}

fn new(class: DatabaseClass) -> DatabaseFailure {
    DatabaseFailure { system: Some(System::Redis), ..DatabaseFailure::new(DRIVER, class) }
}
