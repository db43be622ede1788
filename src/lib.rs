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
#[cfg(feature = "logs")]
pub mod logs;
mod panics;
// How it is set up.
pub mod config;
mod init;

#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;

pub use sentry;

pub use config::{Config, ConfigError};
pub use context::{Context, InContext, WithContext, current};
pub use init::{Guard, Shutdown, ShutdownSummary, init, stats};
pub use layer::ReportLayer;
#[cfg(feature = "logs")]
pub use logs::tracing_layer;
pub use record::{BoxError, EventId, Kind, User};
pub use report::Report;
pub use scrub::{Scrubber, Sensitive, redacted, scrubber};
pub use stats::{DestinationStats, Dropped, Evicted, SpoolStats, Stats};
