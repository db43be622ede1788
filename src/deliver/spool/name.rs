//! The names of directories and files. Order, eviction and age need nothing else, so no file is read for them.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// Held by the living process of a directory.
pub(super) const LOCK: &str = "lock";
/// Where what cannot be sent is kept for people.
pub(super) const QUARANTINE: &str = "quarantine";
const ENVELOPE: &str = ".envelope";
const UNFINISHED: &str = ".tmp";
/// 48 bits of milliseconds reach into the year 10889.
const LAST_STAMP: u64 = (1 << 48) - 1;

/// A stored envelope: `<lane>-<time>-<sequence>.envelope`, in hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// 0 goes first, and makes room last.
    pub(super) lane: u8,
    /// Milliseconds since 1970, by a clock that may have been wrong.
    pub(super) stamp: u64,
    /// Never the same twice in one process.
    pub(super) sequence: u64,
}

impl Key {
    pub(super) fn file_name(&self) -> String {
        let stamp = self.stamp.min(LAST_STAMP);
        format!("{:02x}-{stamp:012x}-{:016x}{ENVELOPE}", self.lane, self.sequence)
    }

    /// The name of the file while it is being written.
    pub(super) fn unfinished_name(&self) -> String {
        self.file_name() + UNFINISHED
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(ENVELOPE)?.split('-');
        let lane = u8::try_from(hex(parts.next()?, 2)?).ok()?;
        let key = Self { lane, stamp: hex(parts.next()?, 12)?, sequence: hex(parts.next()?, 16)? };
        parts.next().is_none().then_some(key)
    }
}

/// Whether a process left this file in the middle of writing it.
pub(super) fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(UNFINISHED).is_some_and(|name| Key::parse(name).is_some())
}

/// A name for the directory of this process that no other process has or had: in containers every process has
/// the id 1, and elsewhere ids are used again.
pub(super) fn new_process(stamp: u64) -> String {
    // The keys of each `RandomState` come from the system's random numbers.
    let random = RandomState::new().build_hasher().finish();
    format!("{:012x}-{}-{random:016x}", stamp.min(LAST_STAMP), std::process::id())
}

pub(super) fn is_process(name: &str) -> bool {
    process_started(name).is_some()
}

/// When the process of this directory made it.
pub(super) fn process_started(name: &str) -> Option<u64> {
    let mut parts = name.split('-');
    let stamp = hex(parts.next()?, 12)?;
    parts.next()?.parse::<u32>().ok()?;
    hex(parts.next()?, 16)?;
    parts.next().is_none().then_some(stamp)
}

/// A hash in hexadecimal digits: nobody else's directory is called so by accident, and it leads nowhere else.
pub(super) fn is_destination(name: &str) -> bool {
    (8..=64).contains(&name.len()) && name.bytes().all(is_hex_digit)
}

/// For what is moved to the quarantine: unlike any other name there, and the oldest sorts first.
pub(super) fn quarantined(stamp: u64, sequence: u64, process: &str) -> String {
    format!("{:012x}-{sequence:016x}-{process}", stamp.min(LAST_STAMP))
}

/// When something came to the quarantine.
pub(super) fn quarantined_at(name: &str) -> Option<u64> {
    hex(name.split('-').next()?, 12)
}

fn hex(digits: &str, length: usize) -> Option<u64> {
    let complete = digits.len() == length && digits.bytes().all(is_hex_digit);
    complete.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

fn is_hex_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

        #[test]
        fn a_name_says_the_key_and_sorts_like_it(
            lane: u8, stamp in 0..=LAST_STAMP, sequence: u64,
            other_lane: u8, other_stamp in 0..=LAST_STAMP, other_sequence: u64,
        ) {
            let key = Key { lane, stamp, sequence };
            let other = Key { lane: other_lane, stamp: other_stamp, sequence: other_sequence };
            prop_assert_eq!(Key::parse(&key.file_name()), Some(key));
            prop_assert_eq!(key.file_name().cmp(&other.file_name()), key.cmp(&other));
            prop_assert!(is_unfinished(&key.unfinished_name()));
            prop_assert!(!is_unfinished(&key.file_name()));
            prop_assert_eq!(Key::parse(&key.unfinished_name()), None);
            prop_assert!(is_process(&new_process(stamp)));
        }

        #[test]
        fn what_is_taken_for_a_key_is_written_exactly_so(name in "[0-9a-f+-]{0,34}(\\.envelope)?") {
            if let Some(key) = Key::parse(&name) {
                prop_assert_eq!(key.file_name(), name);
            }
        }
    }

    #[test]
    fn other_names_are_foreign() {
        let good = Key { lane: 1, stamp: 2, sequence: 3 }.file_name();
        assert_eq!(good, "01-000000000002-0000000000000003.envelope");
        for name in [
            "",
            "lock",
            ".envelope",
            "01-000000000002-0000000000000003",
            "1-000000000002-0000000000000003.envelope",
            "01-00000000000A-0000000000000003.envelope",
            "01-+00000000002-0000000000000003.envelope",
            "01-000000000002-0000000000000003-.envelope",
            "../01-000000000002-0000000000000003.envelope",
            "01-000000000002-0000000000000003.envelope ",
        ] {
            assert_eq!(Key::parse(name), None, "{name:?}");
            assert!(!is_process(name) && !is_destination(name), "{name:?}");
        }
        for name in ["", "..", "../../etc", "0123/567", "01234567 ", "0123456G", "ABCDEF01", "0123456"] {
            assert!(!is_destination(name), "{name:?}");
        }
        assert!(is_destination("0123456789abcdef"));
    }

    #[test]
    fn no_two_processes_have_the_same_name() {
        let names: std::collections::BTreeSet<_> = (0..1000).map(|_| new_process(7)).collect();
        assert_eq!(names.len(), 1000);
    }
}
