//! The counters for the `metrics` facade: published now and then by a thread of this crate, never while something
//! fails, so that a recorder costs a failing request nothing.

use std::time::{SystemTime, UNIX_EPOCH};

use metrics::{counter, gauge};

use super::{DestinationStats, Dropped, Stats};

/// Hands all counters to the recorder that the application installed.
pub(crate) fn publish(stats: &Stats) {
    counter!("faultwire_captured_total").absolute(stats.captured);
    counter!("faultwire_logged_total").absolute(stats.logged);
    counter!("faultwire_discarded_total").absolute(stats.discarded);
    counter!("faultwire_requests_total").absolute(stats.requests);
    counter!("faultwire_cancelled_requests_total").absolute(stats.cancelled);
    for (reason, dropped) in by_reason(&stats.dropped) {
        counter!("faultwire_dropped_total", "reason" => reason).absolute(dropped);
    }
    for (kind, failures) in stats.auth.by_kind() {
        counter!("faultwire_auth_failures_total", "kind" => kind.as_str()).absolute(failures);
    }
    counter!("faultwire_brute_force_signals_total").absolute(stats.auth.signals);
    let jobs = &stats.jobs;
    let outcomes = [("succeeded", jobs.succeeded), ("failed", jobs.failed), ("cancelled", jobs.cancelled)];
    for (outcome, runs) in outcomes {
        counter!("faultwire_job_runs_total", "outcome" => outcome).absolute(runs);
    }
    // Of the runs above, so that nothing is counted twice in a sum.
    counter!("faultwire_job_dead_total").absolute(jobs.dead);
    counter!("faultwire_job_held_back_total").absolute(jobs.held_back);
    counter!("faultwire_job_timed_out_total").absolute(jobs.timed_out);
    counter!("faultwire_job_overran_total").absolute(jobs.overran);
    let results = [
        ("sent", jobs.heartbeats),
        ("failed", jobs.failed_heartbeats),
        ("merged", jobs.merged_heartbeats),
        ("dropped", jobs.dropped_heartbeats),
    ];
    for (result, heartbeats) in results {
        counter!("faultwire_heartbeats_total", "result" => result).absolute(heartbeats);
    }
    for destination in &stats.destinations {
        publish_destination(destination);
    }
}

fn publish_destination(stats: &DestinationStats) {
    let name = || stats.name.clone();
    counter!("faultwire_sent_total", "destination" => name()).absolute(stats.sent);
    counter!("faultwire_retried_total", "destination" => name()).absolute(stats.retried);
    for (reason, dropped) in by_reason(&stats.dropped) {
        // The others are known before there is a destination.
        if matches!(reason, "queue_full" | "shed" | "rejected" | "shutdown" | "evicted") {
            counter!("faultwire_destination_dropped_total", "destination" => name(), "reason" => reason)
                .absolute(dropped);
        }
    }
    gauge!("faultwire_queued_events", "destination" => name()).set(float(stats.queued));
    gauge!("faultwire_queued_bytes", "destination" => name()).set(float(stats.queued_bytes));
    if let Some(spool) = &stats.spool {
        gauge!("faultwire_spooled_events", "destination" => name()).set(float(spool.events));
        counter!("faultwire_spool_failed_writes_total", "destination" => name())
            .absolute(spool.failed_writes);
        counter!("faultwire_spool_quarantined_total", "destination" => name()).absolute(spool.quarantined);
    }
    gauge!("faultwire_reachable", "destination" => name()).set(if stats.reachable { 1.0 } else { 0.0 });
    if let Some(seconds) = stats.last_success.map(unix_seconds) {
        gauge!("faultwire_last_success_timestamp_seconds", "destination" => name()).set(seconds);
    }
}

fn by_reason(dropped: &Dropped) -> [(&'static str, u64); 9] {
    let Dropped {
        queue_full,
        shed,
        no_destination,
        sampled,
        by_hook,
        rejected,
        shutdown,
        evicted,
        unsupported,
    } = *dropped;
    [
        ("queue_full", queue_full),
        ("shed", shed),
        ("no_destination", no_destination),
        ("sampled", sampled),
        ("by_hook", by_hook),
        ("rejected", rejected),
        ("shutdown", shutdown),
        ("evicted", evicted),
        ("unsupported", unsupported),
    ]
}

/// Exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "nobody reads the last digit of so many")]
fn float(n: u64) -> f64 {
    n as f64
}

fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
