//! What goes and what stays, a table for each kind.

mod harmless;
mod shapes;
mod shortcuts;
mod texts;

use super::{DEFAULT, Found, MASK, Meaning, Rules, Scrubber};
use std::sync::Arc;

/// Not the current one: other tests of this process initialise.
fn scrubber() -> Arc<Scrubber> {
    Arc::clone(&DEFAULT)
}

#[track_caller]
fn becomes(text: &str, expected: &str) {
    let once = scrubber().text(text).into_owned();
    assert_eq!(once, expected);
    assert_eq!(scrubber().text(&once), once, "a second pass changes nothing");
}

#[track_caller]
fn stays(text: &str) {
    becomes(text, text);
}

#[track_caller]
fn body(content_type: &str, body: &str, expected: &str) {
    let once = scrubber().show_body(Some(content_type), body.as_bytes(), false, &mut Found::default());
    assert_eq!(once, expected);
    if !content_type.starts_with("multipart") && !once.starts_with("<3 bytes") {
        let twice = scrubber().show_body(Some(content_type), once.as_bytes(), false, &mut Found::default());
        assert_eq!(twice, once, "a second pass changes nothing");
    }
}
