//! What a request asks for.

use std::fmt;

use http::Uri;

/// What most requests send fits in here.
const SHORT: usize = 128;

/// The URI of a request.
///
/// A path with its query is copied: a clone costs more, and holds the connection's read buffer. One that is long, or
/// says more, is cloned.
pub(crate) struct RequestTarget {
    short: [u8; SHORT],
    path: usize,
    length: usize,
    whole: Option<Uri>,
}

impl RequestTarget {
    pub(crate) fn new() -> Self {
        Self { short: [0; SHORT], path: 0, length: 0, whole: None }
    }

    #[inline]
    pub(crate) fn set(&mut self, uri: &Uri) {
        self.clear();
        if uri.scheme().is_none()
            && uri.authority().is_none()
            && let Some(text) = uri.path_and_query()
            // Its path is said to be `/`, which is not there.
            && !text.as_str().starts_with('?')
            && let Some(short) = self.short.get_mut(..text.as_str().len())
        {
            short.copy_from_slice(text.as_str().as_bytes());
            (self.path, self.length) = (text.path().len(), text.as_str().len());
        } else {
            self.whole = Some(uri.clone());
        }
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        (self.path, self.length) = (0, 0);
        if self.whole.is_some() {
            self.whole = None;
        }
    }

    pub(crate) fn path(&self) -> &str {
        match &self.whole {
            Some(uri) => uri.path(),
            None => text(self.short.get(..self.path)),
        }
    }

    /// Without its `?`.
    pub(crate) fn query(&self) -> Option<&str> {
        match &self.whole {
            Some(uri) => uri.query(),
            None if self.path < self.length => {
                Some(text(self.short.get(self.path.saturating_add(1)..self.length)))
            }
            None => None,
        }
    }

    /// Where it is sent, if it says so itself.
    pub(crate) fn authority(&self) -> Option<&str> {
        Some(self.whole.as_ref()?.authority()?.as_str())
    }

    pub(crate) fn scheme(&self) -> Option<&str> {
        self.whole.as_ref()?.scheme_str()
    }
}

fn text(bytes: Option<&[u8]>) -> &str {
    // It came from a text.
    bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
}

impl fmt::Debug for RequestTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestTarget").field("path", &self.path()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a path and query without anything else, as HTTP/2 brings them.
    fn by_itself(text: &str) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.path_and_query = Some(text.parse().unwrap());
        Uri::from_parts(parts).unwrap()
    }

    #[test]
    fn it_says_what_the_uri_does_also_after_another() {
        let long = format!("/{}?x={}", "a".repeat(SHORT), "b".repeat(SHORT));
        let whole = |length: usize| format!("/{}?q", "a".repeat(length - 3));
        let mut target = RequestTarget::new();
        for uri in [
            "/",
            "/orders/42?expand=items",
            "/orders/42?",
            "/?a=1?b=2",
            "*",
            "https://shop.example/orders?x=1",
            "http://user:secret@shop.example:80",
            "shop.example:443",
            "/caf\u{e9}?\u{e9}",
            &long,
            &whole(SHORT),
            &whole(SHORT + 1),
            // HTTP/2 has such.
            "?token=s3cret&page=2",
            "??",
            "?",
            "?\u{e9}",
            "/",
        ] {
            let uri: Uri = uri.parse().unwrap_or_else(|_| by_itself(uri));
            target.set(&uri);
            assert_eq!(target.path(), uri.path(), "{uri}");
            assert_eq!(target.query(), uri.query(), "{uri}");
            assert_eq!(target.authority(), uri.authority().map(|authority| authority.as_str()), "{uri}");
            assert_eq!(target.scheme(), uri.scheme_str(), "{uri}");
        }
        target.clear();
        assert_eq!((target.path(), target.query(), target.authority()), ("", None, None));
    }
}
