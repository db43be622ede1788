//! The tests: one binary, one module a concept.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

mod api;
mod auth;
mod bodies;
mod bugsink;
mod config;
mod context;
mod database;
mod delivery;
mod demo;
mod fake;
mod floors;
mod inbox;
mod init;
mod isolation;
mod jobs;
mod layer;
mod leaves;
mod logs;
mod people;
mod readme;
mod report;
mod scrubbing;
mod servers;
mod situations;
mod stacks;
mod storm;
mod support;
mod third_party;
mod tls;
mod traces;
