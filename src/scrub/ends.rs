//! A short text by its two ends: enough to tell names apart, and to hash them, without a loop over their bytes.

/// The first and the last eight bytes, which overlap in what is shorter than both together. With its length they
/// are the whole of a text of up to [`Ends::WHOLE`] bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Ends {
    first: u64,
    last: u64,
}

impl Ends {
    pub(super) const WHOLE: usize = 16;

    #[inline]
    pub(super) const fn of(text: &[u8]) -> Self {
        if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
            return Self { first: u64::from_le_bytes(*first), last: u64::from_le_bytes(*last) };
        }
        if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
            return Self { first: u32::from_le_bytes(*first) as u64, last: u32::from_le_bytes(*last) as u64 };
        }
        let bytes = match *text {
            [] => [0; 4],
            [a] => [a, 0, 0, 0],
            [a, b] => [a, b, 0, 0],
            [a, b, c, ..] => [a, b, c, 0],
        };
        Self { first: u32::from_le_bytes(bytes) as u64, last: 0 }
    }

    /// The same for a word in whatever case, to be compared with words of letters: what is no letter may become
    /// something else, but never a letter.
    #[inline]
    pub(super) const fn small(self) -> Self {
        let small = u64::from_ne_bytes([0x20; 8]);
        Self { first: self.first | small, last: self.last | small }
    }

    /// Its high bits are the good ones.
    #[inline]
    pub(super) fn hash(self, length: usize) -> u64 {
        (self.first ^ self.last.rotate_left(29) ^ length as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}
