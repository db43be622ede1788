//! The page `docs/what-leaves.md`: everything that leaves the process, from what a server received.
//!
//! A field that nobody has explained fails the test, and so does a page that says something else than what happens.

mod fields;
mod page;
mod reasons;
mod refused;
mod scenes;

use std::path::Path;

use crate::scrubbing::committed;

#[test]
fn the_page_says_what_leaves() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/what-leaves.md");
    committed("docs/what-leaves.md", &page, &page::written());
}
