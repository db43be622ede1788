//! What is known of a run of a background job: whose it is, which attempt, and what it was given.

use std::borrow::Cow;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use serde::Serialize;

/// At most this many bytes of a job's arguments are kept, and shown.
pub(crate) const MAX_ARGS: usize = 2 * 1024;

/// One run of a job.
#[derive(Debug)]
pub(crate) struct JobFacts {
    pub(crate) name: Cow<'static, str>,
    pub(crate) queue: Option<String>,
    pub(crate) id: Option<String>,
    /// The first is 1; 0 is none that is known. Some queues know it only at the end.
    attempt: AtomicU32,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) args: Option<JobArgs>,
    /// How long it waited for its turn.
    pub(crate) latency: Option<Duration>,
    pub(crate) next_retry: Option<SystemTime>,
    pub(crate) timeout: Option<Duration>,
    /// What came with the job from where it was queued, for those whom the job itself asks for something.
    pub(crate) baggage: Option<String>,
    pub(crate) began: SystemTime,
}

impl JobFacts {
    pub(crate) fn new(name: Cow<'static, str>) -> Self {
        Self {
            name,
            queue: None,
            id: None,
            attempt: AtomicU32::new(0),
            max_attempts: None,
            args: None,
            latency: None,
            next_retry: None,
            timeout: None,
            baggage: None,
            began: SystemTime::UNIX_EPOCH,
        }
    }

    pub(crate) fn attempt(&self) -> Option<u32> {
        Some(self.attempt.load(Ordering::Relaxed)).filter(|attempt| *attempt > 0)
    }

    pub(crate) fn set_attempt(&self, attempt: u32) {
        self.attempt.store(attempt, Ordering::Relaxed);
    }

    /// Whether no further attempt follows; `None` where nobody said how many there are.
    pub(crate) fn is_last(&self) -> Option<bool> {
        Some(self.attempt()? >= self.max_attempts?)
    }

    /// `2 of 3`, or as much of it as is known.
    pub(crate) fn attempt_text(&self) -> Option<String> {
        let attempt = self.attempt()?;
        Some(match self.max_attempts {
            Some(max) => format!("{attempt} of {max}"),
            None => attempt.to_string(),
        })
    }
}

/// The beginning of what a job was given, as JSON. It is raw: it is scrubbed on its way out.
#[derive(Debug)]
pub(crate) struct JobArgs {
    pub(crate) json: Vec<u8>,
    pub(crate) is_cut: bool,
}

impl JobArgs {
    /// Serializes no more than is kept.
    pub(crate) fn of<T: Serialize + ?Sized>(args: &T) -> Self {
        let mut beginning = Beginning { json: Vec::new(), is_cut: false };
        let result = serde_json::to_writer(&mut beginning, args);
        match result {
            Err(error) if !beginning.is_cut => Self::instead(&format!("<not serializable: {error}>")),
            _ => Self { json: beginning.json, is_cut: beginning.is_cut },
        }
    }

    /// What stands for arguments that panicked.
    pub(crate) fn unreadable() -> Self {
        Self::instead("<panicked while it was serialized>")
    }

    fn instead(why: &str) -> Self {
        let why = serde_json::Value::String(why.to_owned());
        Self { json: why.to_string().into_bytes(), is_cut: false }
    }
}

/// Takes the first bytes and ends the writing after them.
struct Beginning {
    json: Vec<u8>,
    is_cut: bool,
}

impl io::Write for Beginning {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = MAX_ARGS.saturating_sub(self.json.len());
        match bytes.get(..room) {
            Some(fitting) if fitting.len() < bytes.len() => {
                self.json.extend_from_slice(fitting);
                self.is_cut = true;
                Err(io::ErrorKind::WriteZero.into())
            }
            _ => {
                self.json.extend_from_slice(bytes);
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_kept_whole_up_to_the_bound_and_cut_there() {
        let whole = JobArgs::of(&vec!["x"; 100]);
        assert_eq!((whole.json.len(), whole.is_cut), (401, false));
        let exact = JobArgs::of(&"x".repeat(MAX_ARGS - 2));
        assert_eq!((exact.json.len(), exact.is_cut), (MAX_ARGS, false));
        let cut = JobArgs::of(&vec!["long"; 1_000_000]);
        assert_eq!((cut.json.len(), cut.is_cut), (MAX_ARGS, true));
    }

    #[test]
    fn what_cannot_be_serialized_says_why() {
        let args = JobArgs::of(&std::collections::BTreeMap::from([((1, 2), 3)]));
        let text: String = serde_json::from_slice(&args.json).unwrap();
        assert!(text.starts_with("<not serializable: ") && !args.is_cut, "{text}");
    }

    #[test]
    fn the_last_attempt_is_known_only_with_both_numbers() {
        for (attempt, max_attempts, last, text) in [
            (0, None, None, None),
            (1, None, None, Some("1")),
            (0, Some(3), None, None),
            (1, Some(3), Some(false), Some("1 of 3")),
            (3, Some(3), Some(true), Some("3 of 3")),
            (4, Some(3), Some(true), Some("4 of 3")),
        ] {
            let job = JobFacts { max_attempts, ..JobFacts::new("a".into()) };
            job.set_attempt(attempt);
            assert_eq!((job.is_last(), job.attempt_text().as_deref()), (last, text));
        }
    }
}
