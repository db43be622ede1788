#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

// What the failing thread leaves behind, and the door it goes through.
mod auth;
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
pub mod job;
pub mod layer;
#[cfg(feature = "logs")]
pub mod logs;
mod panics;
pub mod upstream;
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
pub use job::job;
pub use layer::ReportLayer;
#[cfg(feature = "logs")]
pub use logs::tracing_layer;
pub use record::{BoxError, EventId, Kind, User};
pub use report::{Report, ResultExt};
pub use scrub::{Scrubber, Sensitive, redacted, scrubber};
pub use stats::{AuthStats, DestinationStats, Dropped, Evicted, JobStats, SpoolStats, Stats};
pub use upstream::UpstreamLayer;

// The code of the guide is compiled and run with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../docs/migrating.md")]
struct Migrating;
