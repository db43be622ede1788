//! Whether the clock of this machine is right, as far as a server's `Date` tells.

use std::time::{Duration, SystemTime};

/// Sentry replaces the times of events that come from more than a minute ahead.
const FAR: Duration = Duration::from_secs(60);
/// A `Date` has whole seconds.
const RESOLUTION: Duration = Duration::from_secs(1);

/// How many seconds the clock here is ahead of the server's (less than 0: behind), if that is far. The request took
/// from `asked` to `answered`, and the server looked at its clock in between.
pub(super) fn ahead(asked: SystemTime, answered: SystemTime, date: SystemTime) -> Option<i64> {
    let latest = date.checked_add(RESOLUTION)?;
    let (ahead, behind) = (asked.duration_since(latest), date.duration_since(answered));
    let seconds = |far: Duration| i64::try_from(far.as_secs()).unwrap_or(i64::MAX);
    match (ahead, behind) {
        (Ok(ahead), _) if ahead > FAR => Some(seconds(ahead)),
        (_, Ok(behind)) if behind > FAR => Some(seconds(behind).saturating_neg()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_time_of_the_request_cannot_explain_is_far() {
        let at = |seconds: u64| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap();
        let server = at(100_000);
        for (asked, answered, expected) in [
            (100_000, 100_000, None),
            (100_061, 100_061, None),
            (100_062, 100_070, Some(61)),
            (99_990, 100_200, None),
            (99_900, 99_940, None),
            (99_900, 99_939, Some(-61)),
            (186_400, 186_400, Some(86_399)),
            (0, 1, Some(-99_999)),
        ] {
            assert_eq!(ahead(at(asked), at(answered), server), expected, "{asked} to {answered}");
        }
    }
}
