#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

// What the failing thread leaves behind, and the door it goes through.
mod context;
mod record;
mod reporter;
mod sink;
mod stacks;
mod stats;
mod storm;
// What a failure is, and what of it is a secret.
pub mod report;
mod scrub;
// Where failures come from, and where they go.
mod deliver;
mod inbox;
pub mod layer;
mod panics;
// How it is set up.
pub mod config;
mod init;

#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;

pub use sentry;

pub use config::{Config, ConfigError};
pub use context::{Context, InContext, WithContext, current, in_context};
#[cfg(feature = "tokio")]
pub use context::{spawn, spawn_blocking};
pub use init::{Guard, Shutdown, ShutdownSummary, init, stats};
pub use layer::ReportLayer;
pub use record::{BoxError, EventId, Kind, User};
pub use report::Report;
pub use scrub::{Scrubber, Sensitive, redacted, scrubber};
pub use stats::{DestinationStats, Dropped, Evicted, SpoolStats, Stats};

// The code of the guide is compiled and run with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../docs/migrating.md")]
struct Migrating;
