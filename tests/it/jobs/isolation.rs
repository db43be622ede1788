//! Jobs in parallel: none sees anything of another.

use std::time::Duration;

use faultwire::{User, job};

use super::{InvoiceError, crumbs, tag};
use crate::support::Reporting;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn jobs_in_parallel_never_see_each_others_context() {
    const JOBS: usize = 400;
    let reporting = Reporting::start();
    let mut running = tokio::task::JoinSet::new();
    for n in 0..JOBS {
        let body = async move {
            faultwire::current().user(User::id(n)).tag("ours", n);
            sentry::configure_scope(|scope| scope.set_tag("sdk", n));
            tokio::time::sleep(Duration::from_micros(50)).await;
            faultwire::current().breadcrumb(format!("job {n}"));
            tokio::task::yield_now().await;
            Err::<(), _>(InvoiceError(1))
        };
        running.spawn(job("send_invoice").id(n).run(body));
    }
    running.join_all().await;
    let mut traces = Vec::new();
    for event in reporting.events(JOBS) {
        let id = tag(&event, "messaging.message.id").to_owned();
        assert_eq!([tag(&event, "ours"), tag(&event, "sdk")], [&*id, &*id]);
        assert_eq!(event["user"]["id"], id);
        assert_eq!(crumbs(&event), [format!("job {id}")]);
        traces.push(event["contexts"]["trace"]["trace_id"].to_string());
    }
    traces.sort_unstable();
    traces.dedup();
    assert_eq!(traces.len(), JOBS, "each has a trace of its own");
}

#[tokio::test]
async fn what_ran_before_on_this_thread_is_forgotten() {
    let reporting = Reporting::start();
    let says = async {
        faultwire::current().tag("left", "behind").breadcrumb("left behind");
        Ok::<_, InvoiceError>(())
    };
    assert!(job("first").id(1).queue("a").args(&"left").run(says).await.is_ok());
    drop(job("second").run(async { Err::<(), _>(InvoiceError(1)) }).await);
    let event = reporting.event();
    assert!(!event.to_string().contains("left"), "{event}");
    assert_eq!((tag(&event, "messaging.message.id"), tag(&event, "messaging.destination.name")), ("", ""));
}
