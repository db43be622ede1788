//! `SENTRY_SAMPLE_RATE`: a share of the failures is sent, and the rest is counted.

use faultwire::{Report, sentry};

use crate::delivery::PATIENCE;
use crate::support::Reporting;

#[test]
fn a_rate_of_zero_sends_nothing_and_counts_everything() {
    let reporting = Reporting::with(|config| config.sample_rate(0.0));
    for _ in 0..20 {
        Report::new("sampled").send();
        sentry::capture_message("sampled", sentry::Level::Error);
    }
    assert!(reporting.guard.flush(PATIENCE));
    let stats = reporting.guard.stats();
    assert_eq!((stats.captured, stats.sent, stats.dropped.sampled, stats.dropped.total()), (40, 0, 40, 40));
    assert_eq!(reporting.server.connections(), 0);
}

#[test]
fn a_rate_of_a_half_sends_about_half_and_the_numbers_add_up() {
    const CAPTURED: usize = 400;
    // Six standard deviations: by chance it is more once in 500 million runs.
    let plausible = 140..=260;
    let by_report = || Report::new("sampled").send().to_string();
    let by_sdk = || sentry::capture_message("sampled", sentry::Level::Error).to_string();
    for capture in [&by_report as &dyn Fn() -> String, &by_sdk] {
        let reporting = Reporting::with(|config| config.sample_rate(0.5));
        for _ in 0..CAPTURED {
            capture();
        }
        assert!(reporting.guard.flush(PATIENCE));
        let stats = reporting.guard.stats();
        assert!(plausible.contains(&stats.sent), "{}", stats.sent);
        assert_eq!(stats.sent + stats.dropped.sampled, CAPTURED as u64);
        assert_eq!((stats.captured, stats.dropped.total()), (CAPTURED as u64, stats.dropped.sampled));
        reporting.server.expect_only(stats.sent as usize);
    }
}
