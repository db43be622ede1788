//! What became of a failure so far, for whoever meets it again.

use std::sync::atomic::{AtomicU8, Ordering};

/// An error that goes on can be met by a job, by the job around that one, and by the layer of the request.
#[derive(Debug, Default)]
pub(crate) struct Fate(AtomicU8);

const OPEN: u8 = 0;
const HELD_BACK: u8 = 1;
const RECORDED: u8 = 2;

impl Fate {
    /// It is an event, or is counted with others that are: the id that somebody was told leads there.
    pub(crate) fn is_recorded(&self) -> bool {
        self.0.load(Ordering::Relaxed) == RECORDED
    }

    /// Nobody has to count it as lost: it is recorded, or a policy held it back.
    pub(crate) fn is_decided(&self) -> bool {
        self.0.load(Ordering::Relaxed) != OPEN
    }

    pub(crate) fn record(&self) {
        self.0.store(RECORDED, Ordering::Relaxed);
    }

    pub(crate) fn hold_back(&self) {
        self.0.store(HELD_BACK, Ordering::Relaxed);
    }

    /// What it was, before whoever asks records it.
    pub(crate) fn take(&self) -> Self {
        Self(AtomicU8::new(self.0.swap(RECORDED, Ordering::Relaxed)))
    }
}
