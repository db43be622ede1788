//! What is kept of a request's body while somebody reads it.

use std::cell::Cell;
use std::fmt;

/// Servers are sent no more than this many bytes of a body's text: what Sentry keeps.
pub(crate) const MAX_BODY_TEXT: usize = 8_192;
/// Room for this much is made as soon as the client announces it; for more, it has to send something first.
const AT_ONCE: usize = 8 * 1024;

thread_local! {
    /// A buffer that is used again: where bodies are kept one after the other, that costs no allocation.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The first bytes of a body, and how much of it went by.
///
/// They are copied. A reference to a frame holds the read buffer of its connection: with hyper 16 KiB for
/// 200 bytes, and 400 KiB after an upload.
#[derive(Clone)]
pub(crate) struct KeptBody {
    kept: Vec<u8>,
    /// How many bytes are kept at most; 0 for what is only counted.
    limit: usize,
    read: u64,
    /// The length that the client announced.
    announced: Option<u64>,
    ended: bool,
}

#[cfg_attr(
    not(any(feature = "axum", feature = "tonic")),
    expect(dead_code, reason = "only the bodies of axum and tonic can be looked into")
)]
impl KeptBody {
    pub(crate) fn new(limit: usize, announced: Option<u64>) -> Self {
        Self { kept: Vec::new(), limit, read: 0, announced, ended: false }
    }

    /// A frame goes by.
    #[inline]
    pub(crate) fn push(&mut self, frame: &[u8]) {
        self.read = self.read.saturating_add(u64::try_from(frame.len()).unwrap_or(u64::MAX));
        let wanted = self.limit.saturating_sub(self.kept.len());
        let frame = frame.get(..wanted).unwrap_or(frame);
        if frame.len() > self.kept.capacity().saturating_sub(self.kept.len()) {
            self.make_room(frame.len());
        }
        self.kept.extend_from_slice(frame);
    }

    /// As much as the client announced, or twice as much as there was; never beyond the limit.
    #[inline(never)]
    fn make_room(&mut self, more: usize) {
        let needed = self.kept.len().saturating_add(more);
        if self.kept.capacity() == 0 {
            self.kept = SPARE.try_with(Cell::take).unwrap_or_default();
            if needed <= self.kept.capacity() {
                return;
            }
        }
        let announced = self.announced.map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
        let doubled = self.kept.capacity().saturating_mul(2);
        let room = announced.min(AT_ONCE).max(doubled).min(self.limit).max(needed);
        self.kept.reserve_exact(room.saturating_sub(self.kept.len()));
    }

    /// The last frame went by.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }
}

impl KeptBody {
    /// The bytes that are kept.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.kept
    }

    /// Whether bytes are kept, and not only counted.
    pub(crate) fn is_shown(&self) -> bool {
        self.limit > 0
    }

    /// How many bytes were read.
    pub(crate) fn read(&self) -> u64 {
        self.read
    }

    /// The length that the client announced.
    pub(crate) fn announced(&self) -> Option<u64> {
        self.announced
    }

    /// Whether all of it was read.
    pub(crate) fn is_read(&self) -> bool {
        self.ended || self.announced == Some(self.read)
    }

    /// Roughly what it occupies.
    pub(crate) fn weight(&self) -> usize {
        self.kept.capacity()
    }
}

impl Drop for KeptBody {
    /// Leaves a small buffer for the next body on this thread.
    fn drop(&mut self) {
        if (1..=AT_ONCE).contains(&self.kept.capacity()) {
            self.kept.clear();
            // An error means that the thread ends.
            let _ = SPARE.try_with(|spare| spare.set(std::mem::take(&mut self.kept)));
        }
    }
}

impl fmt::Debug for KeptBody {
    /// Nothing of the body itself: it is not scrubbed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptBody")
            .field("kept", &self.kept.len())
            .field("read", &self.read)
            .field("announced", &self.announced)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_bytes_are_kept_and_all_are_counted(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
            limit in 0..2_000_usize,
            announced in prop::option::of(0..3_000_u64),
        ) {
            let mut body = KeptBody::new(limit, announced);
            frames.iter().for_each(|frame| body.push(frame));
            let all = frames.concat();
            prop_assert_eq!(body.bytes(), &all[..limit.min(all.len())]);
            prop_assert_eq!(body.read(), all.len() as u64);
            prop_assert!(body.weight() <= limit.max(AT_ONCE));
            prop_assert_eq!(body.is_read(), announced == Some(body.read()));
            body.end();
            prop_assert!(body.is_read());
            let copy = body.clone();
            prop_assert_eq!(copy.bytes(), body.bytes());
        }
    }

    #[test]
    fn a_buffer_is_used_again_without_what_was_in_it() {
        let of = |bytes: &[u8]| {
            let mut body = KeptBody::new(AT_ONCE, None);
            body.push(bytes);
            body
        };
        let first = of(&[1; 500]);
        let place = first.bytes().as_ptr();
        drop(first);
        let second = of(&[2; 3]);
        assert_eq!((second.bytes(), second.bytes().as_ptr()), (&[2; 3][..], place));
        let at_the_same_time = of(&[3; 3]);
        assert_ne!(at_the_same_time.bytes().as_ptr(), place);
    }

    #[test]
    fn a_buffer_that_is_large_is_not_held() {
        let mut large = KeptBody::new(usize::MAX, None);
        large.push(&[1; AT_ONCE + 1]);
        drop(large);
        assert_eq!(SPARE.take().capacity(), 0);
    }

    #[test]
    fn nothing_of_a_body_is_printed() {
        let mut body = KeptBody::new(100, Some(6));
        body.push(b"s3cret");
        assert_eq!(
            format!("{body:?}"),
            "KeptBody { kept: 6, read: 6, announced: Some(6), ended: false, .. }"
        );
    }
}
