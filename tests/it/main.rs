//! The tests: one binary, one module a concept.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

mod api;
mod bodies;
mod bugsink;
mod config;
mod context;
mod delivery;
mod demo;
mod fake;
mod floors;
mod inbox;
mod init;
mod layer;
mod leaves;
mod logs;
mod readme;
mod report;
mod scrubbing;
mod servers;
mod stacks;
mod storm;
mod support;
mod tls;
mod traces;
