//! gzip (RFC 1952) with a compressor that a thread keeps: making one costs five times what packing an event does.

use std::cell::RefCell;
use std::io;

use crc32fast::Hasher;
use flate2::{Compress, Compression, FlushCompress, Status};

/// Deflate, no name, no time, packed fast, by an unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff];
/// What packing takes at once: at least so much room.
const ROOM: usize = 1024;

thread_local! {
    /// Some 300 KiB, on the few threads that pack anything.
    static DEFLATE: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), false));
}

/// Packs the parts, one after the other.
pub(super) fn gzip(parts: &[&[u8]]) -> io::Result<Vec<u8>> {
    let length = parts.iter().fold(0_usize, |length, part| length.saturating_add(part.len()));
    let mut packed = Vec::with_capacity((length / 2).saturating_add(ROOM));
    packed.extend_from_slice(&HEADER);
    DEFLATE.with_borrow_mut(|deflate| {
        // Also what the last one left, if it failed.
        deflate.reset();
        parts.iter().try_for_each(|part| pack(deflate, part, FlushCompress::None, &mut packed))?;
        pack(deflate, &[], FlushCompress::Finish, &mut packed)
    })?;
    let mut checksum = Hasher::new();
    parts.iter().for_each(|part| checksum.update(part));
    packed.extend_from_slice(&checksum.finalize().to_le_bytes());
    let [a, b, c, d, ..] = length.to_le_bytes(); // modulo 2^32
    packed.extend_from_slice(&[a, b, c, d]);
    Ok(packed)
}

/// Packs all of a part. What the compressor keeps of it comes out at the end.
fn pack(
    deflate: &mut Compress,
    mut part: &[u8],
    flush: FlushCompress,
    packed: &mut Vec<u8>,
) -> io::Result<()> {
    loop {
        packed.reserve(ROOM);
        let before = (deflate.total_in(), deflate.total_out());
        let status = deflate.compress_vec(part, packed, flush)?;
        let taken = usize::try_from(deflate.total_in().saturating_sub(before.0)).map_err(io::Error::other)?;
        part = part.get(taken..).unwrap_or_default();
        match (flush, status) {
            (FlushCompress::Finish, Status::StreamEnd) => return Ok(()),
            (FlushCompress::None, _) if part.is_empty() => return Ok(()),
            // With room, it goes on or never will.
            _ if before == (deflate.total_in(), deflate.total_out()) => {
                return Err(io::ErrorKind::WriteZero.into());
            }
            _ => {}
        }
    }
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
