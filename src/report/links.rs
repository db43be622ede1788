//! Looking for known errors in a chain.
//!
//! Every report asks this on the failing thread, so a link that is none costs the comparison of its size: the size of
//! a value behind `dyn Error` is at hand, its type takes a call for each that it could be.
#![cfg_attr(not(feature = "full"), allow(dead_code, reason = "each driver and client needs a part"))]

use std::error::Error;
use std::io;
use std::mem::{size_of, size_of_val};
use std::sync::Arc;

use super::ReportError;

/// At most this many links are looked at.
pub(super) const MAX_LINKS: usize = 32;

/// The set that holds the size of `T`: one bit for eight bytes.
pub(super) const fn size<T>() -> u64 {
    bit(size_of::<T>())
}

/// The set that holds this size.
pub(super) const fn bit(size: usize) -> u64 {
    1_u64.wrapping_shl(size.wrapping_shr(3) as u32)
}

/// Whether the error's size is in the set.
#[inline]
pub(super) fn may_be_one_of(sizes: u64, error: &(dyn Error + 'static)) -> bool {
    sizes.wrapping_shr(size_of_val(error).wrapping_shr(3) as u32) & 1 == 1
}

#[inline]
pub(super) fn as_a<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    if size_of_val(error) == size_of::<T>() { error.downcast_ref() } else { None }
}

/// The sizes of errors that hold one beside the chain.
pub(super) const HOLDERS: u64 = size::<io::Error>() | size::<ReportError>() | size::<Shared>();

type Shared = Arc<dyn Error + Send + Sync>;

/// The error that this one shows as its own, and leaves out of the chain; else itself.
pub(super) fn inside<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut inside = error;
    for _ in 0..MAX_LINKS {
        let error = shared(inside);
        match as_a::<io::Error>(error).and_then(io::Error::get_ref) {
            Some(further) => inside = further,
            None => return error,
        }
    }
    inside
}

/// The same for what is nothing but a place for an error: a report, and what several own.
pub(super) fn shared<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut inside = error;
    for _ in 0..MAX_LINKS {
        let further = match as_a::<ReportError>(inside) {
            Some(report) => report.error(),
            None => as_a::<Shared>(inside).map(|shared| &**shared as _),
        };
        match further {
            Some(further) => inside = further,
            None => return inside,
        }
    }
    inside
}
