//! The trace of a request, for the pages that it renders.

use crate::context::Context;

impl Context {
    /// What connects the events of a page, rendered here, with those of this request: `<meta>` elements for its
    /// `<head>`, which Sentry's SDKs for browsers read. Escaped already; empty outside of a request or job.
    ///
    /// They are [`trace_headers`](Self::trace_headers): whoever sees the page sees the release, the environment and the
    /// public key of the project, which the SDK for browsers shows as well.
    ///
    /// # Example
    /// ```
    /// fn page() -> String {
    ///     let trace = faultwire::current().trace_meta();
    ///     format!("<!doctype html><html><head>{trace}<title>Orders</title></head></html>")
    /// }
    /// # assert!(page().contains("<head><title>"));
    /// ```
    #[must_use]
    pub fn trace_meta(&self) -> String {
        self.trace_headers().iter().map(|(name, value)| meta(name, value)).collect()
    }
}

fn meta(name: &str, value: &str) -> String {
    let mut element = format!("<meta name=\"{name}\" content=\"");
    for letter in value.chars() {
        match letter {
            '&' => element.push_str("&amp;"),
            '<' => element.push_str("&lt;"),
            '>' => element.push_str("&gt;"),
            '"' => element.push_str("&quot;"),
            '\'' => element.push_str("&#39;"),
            letter => element.push(letter),
        }
    }
    element.push_str("\">");
    element
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_value_ends_its_attribute() {
        let element = meta("baggage", "sentry-release=a\"><script>&'");
        assert_eq!(
            element,
            "<meta name=\"baggage\" content=\"sentry-release=a&quot;&gt;&lt;script&gt;&amp;&#39;\">"
        );
    }
}
