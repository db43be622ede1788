//! What becomes of a panic that ends the program.
//!
//! Run with `SENTRY_DSN=.. cargo run --example panic`, or without: then the event is a line on stderr.
#![expect(clippy::panic, reason = "this is what it shows")]

use tracing_subscriber::prelude::*;

fn main() -> Result<(), faultwire::ConfigError> {
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(log).init();
    // It is dropped while the panic unwinds out of `main`, and delivers what is left.
    let _guard = faultwire::init()?;
    panic!("the shelf is empty");
}
