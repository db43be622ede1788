//! The id by which everybody names a request: who sent it, proxies, our events, the answer.

use crate::context::Context;

/// A longer one is none. Servers keep 200 characters of a tag.
const MAX: usize = 128;

impl Context {
    /// The id of the running request: its `x-request-id`, if that has up to 128 characters out of letters, digits and
    /// `-_.:=+/@~`; else the id of its trace. Its events have it as the tag `request_id`, and problem+json as
    /// `request_id`. `None` outside of a request, and before `init`.
    ///
    /// # Example
    /// ```
    /// async fn sorry() -> String {
    ///     let id = faultwire::current().request_id().unwrap_or_default();
    ///     format!("Something went wrong. If you write to us, please say {id}.")
    /// }
    /// # drop(sorry());
    /// ```
    #[must_use]
    pub fn request_id(&self) -> Option<String> {
        lend(self, |id| id.map(str::to_owned))
    }
}

/// Lends the id to `take`.
pub(crate) fn lend<T>(context: &Context, take: impl FnOnce(Option<&str>) -> T) -> T {
    let Some(request) = context.request() else { return take(None) };
    let mut text = Text([PAD; MAX]);
    match request.headers.request_id().and_then(|id| text.of(id)) {
        Some(id) => take(Some(id)),
        // Nobody asks for it while all goes well.
        None => take(context.trace().map(|trace| trace.trace_id.to_string()).as_deref()),
    }
}

/// An id with room around it, so that many bytes are looked at at once: here sixteen, and words by the standard
/// library, which does so where they are aligned.
#[repr(align(16))]
struct Text([u8; MAX]);

/// Stands behind an id, and could be in it.
const PAD: u8 = b'-';

impl Text {
    /// The id, if it goes into JSON, logs and searches as it is.
    fn of(&mut self, id: &[u8]) -> Option<&str> {
        self.0.get_mut(..id.len())?.copy_from_slice(id);
        let (chunks, _) = self.0.as_chunks::<16>();
        let mut chunks = chunks.iter().take(id.len().div_ceil(16));
        // Of sixteen all are looked at, so that they are at once.
        let is_plain = chunks.all(|chunk| chunk.iter().fold(true, |plain, byte| plain & is_plain(*byte)));
        let text = self.0.get(..id.len()).filter(|text| is_plain && !text.is_empty())?;
        std::str::from_utf8(text).ok()
    }
}

#[inline]
fn is_plain(byte: u8) -> bool {
    let letter = (byte | 0x20).is_ascii_lowercase();
    // Digits, and `+-./:` around them.
    let digit = (b'+'..=b':').contains(&byte) & (byte != b',');
    letter | digit | (byte == b'=') | (byte == b'@') | (byte == b'_') | (byte == b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_plain_and_short() {
        let read = |id: &str| Text([PAD; MAX]).of(id.as_bytes()).map(str::to_owned);
        for id in [
            "a",
            "0198a1f2-7c3e-7d51-9c1b-2f4e5d6a7b8c",
            "Root=1-67891233-abcdef012345678912345678",
            "a:b@c/d+e~f_g.h",
        ] {
            assert_eq!(read(id).as_deref(), Some(id));
        }
        for id in ["", " ", "a b", "a\"b", "a\\b", "a<b", "a\nb", "é", "\u{fffd}", "a,b"] {
            assert_eq!(read(id), None, "{id}");
        }
        for length in 1..=MAX {
            let id = "x".repeat(length);
            assert_eq!(read(&id).as_ref(), Some(&id));
            // Wherever a byte is that no id has.
            assert_eq!(read(&format!("{}\"", "x".repeat(length - 1))), None, "{length}");
        }
        assert_eq!(read(&"x".repeat(MAX + 1)), None);
        assert_eq!(Text([PAD; MAX]).of(b"a\xffb"), None);
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:=+/@~".contains(byte);
        assert!((0..=u8::MAX).all(|byte| is_plain(byte) == plain(&byte)));
        assert!(is_plain(PAD));
    }
}
