//! The tests: one binary, one module a concept.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail loudly"
)]

mod api;
mod context;
mod demo;
mod fake;
mod floors;
mod layer;
mod report;
mod support;
