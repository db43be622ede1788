//! What stands at the end of each file, so that a torn or changed one is recognised.
//!
//! ```text
//! the caller's bytes │ their number, u32 │ CRC-32 of bytes and number │ "FWS1"
//! ```
//! Integers are little-endian. It stands at the end because that is what is missing when writing was cut short, and
//! because a gzip file with something after it is still one for `zcat`.

use crc32fast::Hasher;

/// A larger envelope is no envelope: servers take a few MiB at most.
pub(super) const MAX_ENVELOPE: usize = 16 * 1024 * 1024;
pub(super) const MAX_FILE: usize = MAX_ENVELOPE + TRAILER;
pub(super) const TRAILER: usize = 12;
const MAGIC: [u8; 4] = *b"FWS1";

/// The contents of the file for these bytes.
pub(super) fn seal(bytes: &[u8]) -> Vec<u8> {
    let number = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut file = Vec::with_capacity(bytes.len().saturating_add(TRAILER));
    file.extend_from_slice(bytes);
    file.extend_from_slice(&number);
    file.extend_from_slice(&checksum(bytes, number).to_le_bytes());
    file.extend_from_slice(&MAGIC);
    file
}

/// The bytes in a file, or what is wrong with it.
pub(super) fn unseal(mut file: Vec<u8>) -> Result<Vec<u8>, &'static str> {
    let torn = "the file is torn";
    let (rest, magic) = file.split_last_chunk().ok_or(torn)?;
    if *magic != MAGIC {
        return Err(torn);
    }
    let (rest, expected) = rest.split_last_chunk().ok_or(torn)?;
    let (bytes, number) = rest.split_last_chunk().ok_or(torn)?;
    if usize::try_from(u32::from_le_bytes(*number)) != Ok(bytes.len()) {
        return Err(torn);
    }
    if checksum(bytes, *number) != u32::from_le_bytes(*expected) {
        return Err("the checksum is wrong");
    }
    let length = bytes.len();
    file.truncate(length);
    Ok(file)
}

fn checksum(bytes: &[u8], number: [u8; 4]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.update(&number);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

        #[test]
        fn what_is_sealed_comes_back(bytes: Vec<u8>) {
            prop_assert_eq!(unseal(seal(&bytes)), Ok(bytes));
        }

        #[test]
        fn a_file_that_is_torn_anywhere_is_refused(bytes: Vec<u8>, zeroed: bool) {
            let file = seal(&bytes);
            for length in 0..file.len() {
                let mut torn = file.clone();
                torn.truncate(length);
                if zeroed {
                    // What a power failure leaves: the length is there, the end is not.
                    torn.resize(file.len(), 0);
                }
                prop_assert!(unseal(torn).is_err(), "{} of {}", length, file.len());
            }
        }

        #[test]
        fn a_file_with_any_bit_changed_is_refused(bytes: Vec<u8>, at: proptest::sample::Index, bit in 0_u8..8) {
            let mut file = seal(&bytes);
            let at = at.index(file.len());
            file[at] ^= 1 << bit;
            prop_assert!(unseal(file).is_err());
        }

        #[test]
        fn any_other_bytes_are_refused(bytes: Vec<u8>) {
            prop_assert!(unseal(bytes).is_err());
        }
    }
}
