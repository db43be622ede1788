//! Which failed runs of a job are events.

use crate::record::JobFacts;

/// Which failed runs of a job are events. A report that is [`always`](crate::Report::always) or
/// [`critical`](crate::Report::critical) is one whatever this says.
///
/// # Example
/// ```
/// use faultwire::job::Policy;
///
/// let impatient = faultwire::job("charge_card").attempt(2).of(10).policy(Policy::FromAttempt(3));
/// # drop(impatient);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// The last attempt only. Where nobody said how many there are ([`Job::of`](crate::job::Job::of)), or which
    /// one this is, every one may be the last, and is an event.
    #[default]
    FinalOnly,
    /// From this attempt on (the first is 1), and the last one in any case.
    FromAttempt(u32),
    /// Each of them.
    Every,
}

impl Policy {
    /// Whether a run that failed is an event.
    pub(super) fn reports(self, job: &JobFacts) -> bool {
        match self {
            Self::FinalOnly => job.is_last() != Some(false),
            Self::FromAttempt(first) => {
                job.attempt().is_none_or(|attempt| attempt >= first) || job.is_last() == Some(true)
            }
            Self::Every => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_decides_by_attempt_and_maximum() {
        // Attempt, maximum: final only, from the second, every.
        for (attempt, max_attempts, expected) in [
            (0, None, [true, true, true]),
            (1, None, [true, false, true]),
            (0, Some(3), [true, true, true]),
            (1, Some(3), [false, false, true]),
            (2, Some(3), [false, true, true]),
            (3, Some(3), [true, true, true]),
            (1, Some(1), [true, true, true]),
            (9, Some(3), [true, true, true]),
        ] {
            let mut job = JobFacts::new("a".into());
            job.max_attempts = max_attempts;
            job.set_attempt(attempt);
            let policies = [Policy::FinalOnly, Policy::FromAttempt(2), Policy::Every];
            assert_eq!(
                policies.map(|policy| policy.reports(&job)),
                expected,
                "{attempt} of {max_attempts:?}"
            );
        }
    }
}
