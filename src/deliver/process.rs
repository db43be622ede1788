//! The processing thread: makes events of what was captured, lets them through the gate, and hands them on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use ::sentry::{Client, Envelope};

use super::check_in;
use super::destination::{Destination, Parcel};
use super::gate::{self, Outgoing};
use super::job::Job;
use super::labels::Labels;
use super::progress::Ticket;
use super::queue::Taken;
use super::{Delivery, say, sentry};
use crate::report::stack::Symbols;
use crate::report::{build, decorate, transaction, user};
use crate::reporter::Reporter;
use crate::scrub::Scrubber;
use crate::sink::Record;
use crate::stacks::Pages;
use crate::stats::Reason;
use crate::storm::{Example, Summary};

/// What the processing thread needs to build events. It has them alone: the client holds the transport, and
/// the transport holds the delivery.
pub(super) struct Builder {
    pub(super) client: Arc<Client>,
    pub(super) reporter: Weak<Reporter>,
    /// Whether nobody is named, whoever said who it was: the application, or a hook.
    pub(super) hash_users: bool,
    /// That of the same `init`: a later one may know other secrets.
    pub(super) scrubber: Arc<Scrubber>,
}

impl Delivery {
    pub(super) fn process(&self, builder: &Builder) {
        let (mut symbols, mut pages) = (Symbols::default(), Pages::default());
        let (storm, auth) = (&self.admission.storm, &self.admission.auth);
        loop {
            let next = [storm.next_end(), auth.next_end(), symbols.rests_at(), pages.next(storm.window())];
            match self.queue.take_until(next.into_iter().flatten().min()) {
                Taken::Item(job) => self.process_safely(job, builder, &mut symbols),
                Taken::Nothing => symbols.rest(),
                Taken::Closed => return,
            }
            for summary in storm.ended() {
                self.process_safely(self.summary(summary), builder, &mut symbols);
            }
            for signal in auth.signals() {
                self.process_safely(self.signal(signal), builder, &mut symbols);
            }
        }
    }

    fn process_safely(&self, job: Job, builder: &Builder, symbols: &mut Symbols) {
        // What panics in here is the application's code: an error's destructor, an event processor.
        // Its ticket counts it.
        if catch_unwind(AssertUnwindSafe(|| self.process_one(job, builder, symbols))).is_err() {
            say(
                || tracing::warn!(target: "faultwire", "an event was lost: the application's code panicked on it"),
            );
        }
    }

    fn process_one(&self, job: Job, builder: &Builder, symbols: &mut Symbols) {
        match job {
            Job::Record(record, ticket) => {
                let Some(reporter) = builder.reporter.upgrade() else { return };
                match build::event(record, &reporter.settings, &builder.client, symbols) {
                    Some(mut event) => {
                        if builder.hash_users {
                            user::hide(&mut event.user, &self.admission.auth);
                        }
                        let labels = Labels::of_event(&event);
                        self.hand_over(gate::event(event, &builder.scrubber), &labels, ticket);
                    }
                    None => ticket.end(|counters| counters.by_hook.add(1)),
                }
            }
            Job::Finished(finished, ticket) => {
                let item = transaction::item(finished, builder.client.options());
                let labels = Labels::of_item(&item);
                self.hand_over(gate::item(item, &builder.scrubber), &labels, ticket);
            }
            Job::CheckIn(check_in, ticket) => {
                let labels = Labels::of_check_in(&check_in.monitor.slug);
                let payload = check_in::payload(&check_in, builder.client.options());
                self.hand_over(gate::check_in(&payload, &builder.scrubber), &labels, ticket);
            }
            Job::Sdk(envelope, first) => {
                let mut first = Some(first);
                for mut item in envelope.into_items() {
                    if builder.hash_users {
                        user::hide_in(&mut item, &self.admission.auth);
                    }
                    let labels = Labels::of_item(&item);
                    match gate::item(item, &builder.scrubber) {
                        Some(item) => {
                            let ticket = first.take().unwrap_or_else(|| self.progress.ticket());
                            self.hand_over(Some(item), &labels, ticket);
                        }
                        None => self.counters.unsupported.add(1),
                    }
                }
            }
        }
    }

    /// A summary as what its example is: a record, or an event of the SDK.
    pub(super) fn summary(&self, summary: Summary) -> Job {
        self.counters.summaries.add(1);
        let (counts, ticket) = (summary.counts, self.progress.ticket());
        match summary.example {
            Example::Record(mut record) => {
                record.stands_for = Some(Box::new(counts));
                Job::Record(*record, ticket)
            }
            Example::Event(mut event) => {
                decorate::counts(&mut event, &counts);
                Job::Sdk(Box::new(Envelope::from(*event)), ticket)
            }
        }
    }

    /// What the watch over logins has to tell. Neither sampling nor storm control leaves it out.
    pub(super) fn signal(&self, record: Record) -> Job {
        self.counters.captured.add(1);
        self.counters.auth.signals.add(1);
        Job::Record(record, self.progress.ticket())
    }

    /// Hands what passed the gate to everybody who wants it.
    fn hand_over(&self, item: Option<Outgoing>, labels: &Labels, ticket: Ticket) {
        let Some(item) = item else { return ticket.end(|counters| counters.rejected.add(1)) };
        for watcher in &self.watchers {
            watcher.passed(item.kind, &item.payload);
        }
        if self.verbose {
            let (kind, bytes) = (item.kind, item.payload.len());
            say(|| tracing::info!(target: "faultwire", kind, bytes, "captured {}", item.title));
        }
        if self.destinations.is_empty() {
            if item.kind == "event" {
                say(
                    || tracing::error!(target: "faultwire", "not sent, SENTRY_DSN is not set: {}", item.title),
                );
            }
            return ticket.end(|counters| counters.logged.add(1));
        }
        let takers: Vec<_> =
            self.destinations.iter().filter(|destination| destination.takes(labels)).collect();
        if takers.is_empty() {
            return ticket.end(|counters| counters.lost(Reason::NoDestination));
        }
        ticket.route(takers.len());
        let (outgoing, ticket) = (Arc::new(item), Arc::new(ticket));
        // All of them before the first is sent: an event that is on its way is on disk.
        let kept =
            takers.iter().any(|destination| destination.keeps()).then(|| sentry::kept(&outgoing)).flatten();
        let keep = |destination: &Destination| destination.keep(labels.lane, kept.as_deref()?);
        let entries: Vec<_> = takers.iter().map(|destination| keep(destination)).collect();
        if entries.iter().any(Option::is_some) {
            ticket.stored();
        }
        for (destination, entry) in takers.into_iter().zip(entries) {
            let (outgoing, ticket) = (Arc::clone(&outgoing), Arc::clone(&ticket));
            destination.put(Parcel { outgoing, ticket, entry }, labels);
        }
        ticket.routed();
    }
}
