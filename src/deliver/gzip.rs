//! gzip (RFC 1952) with a compressor that a thread keeps: making one costs five times what packing an event does.

use std::cell::RefCell;
use std::io::{self, Write as _};

use crc32fast::Hasher;
use flate2::Compression;
use flate2::write::DeflateEncoder;

/// Deflate, no name, no time, packed fast, by an unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff];

thread_local! {
    /// Some 300 KiB, on the few threads that pack anything.
    static ENCODER: RefCell<DeflateEncoder<Vec<u8>>> =
        RefCell::new(DeflateEncoder::new(Vec::new(), Compression::fast()));
}

/// Packs the parts, one after the other.
pub(super) fn gzip(parts: &[&[u8]]) -> io::Result<Vec<u8>> {
    let length = parts.iter().fold(0_usize, |length, part| length.saturating_add(part.len()));
    let mut packed = Vec::with_capacity((length / 3).saturating_add(64));
    packed.extend_from_slice(&HEADER);
    let mut packed = ENCODER.with_borrow_mut(|encoder| {
        // What the last one left, if it failed, goes to its own bytes.
        drop(encoder.reset(packed));
        parts.iter().try_for_each(|part| encoder.write_all(part))?;
        encoder.reset(Vec::new())
    })?;
    let mut checksum = Hasher::new();
    parts.iter().for_each(|part| checksum.update(part));
    packed.extend_from_slice(&checksum.finalize().to_le_bytes());
    let [a, b, c, d, ..] = length.to_le_bytes(); // modulo 2^32
    packed.extend_from_slice(&[a, b, c, d]);
    Ok(packed)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::bufread::GzDecoder;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_unpacked_is_what_was_packed_and_nothing_follows(
            items in proptest::collection::vec(proptest::collection::vec(".{0,200}", 0..4), 1..4),
        ) {
            // The compressor forgets each before the next.
            for parts in items {
                let parts: Vec<_> = parts.iter().map(|part| part.as_bytes()).collect();
                let packed = gzip(&parts).unwrap();
                let mut decoder = GzDecoder::new(packed.as_slice());
                let mut unpacked = Vec::new();
                decoder.read_to_end(&mut unpacked).unwrap();
                prop_assert_eq!(unpacked, parts.concat());
                prop_assert!(decoder.into_inner().is_empty());
            }
        }
    }

    #[test]
    fn a_large_one_is_packed_whole() {
        let text = "an event ".repeat(1 << 20);
        let mut unpacked = String::new();
        let packed = gzip(&[text.as_bytes()]).unwrap();
        GzDecoder::new(packed.as_slice()).read_to_string(&mut unpacked).unwrap();
        assert!(unpacked == text && packed.len() < text.len() / 50);
    }
}
