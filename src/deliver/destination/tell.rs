//! What a person may want to know of a destination, in the log.

use std::time::{Duration, Instant};

use super::super::retry::{Change, Verdict};
use super::super::schedule::Settled;
use super::super::sentry::Reply;
use super::super::watch::Watch;
use super::super::{Outgoing, say};
use super::{Destination, Parcel};
use crate::stats::DestinationStats;

/// A server that was away for longer than this is worth a line when it is back.
const WORTH_A_LINE: Duration = Duration::from_secs(5);

impl Destination {
    /// Says so when nothing has got through for too long.
    pub(in crate::deliver) fn look(&self, watch: &mut Watch, now: Instant) {
        let (waiting, accepted) = self.outbox.with(|schedule| schedule.progress());
        let Some(stuck) = watch.look(now, waiting, accepted) else { return };
        let DestinationStats { queued, last_error, .. } = self.counters.read();
        let (server, why) = (self.server.name(), last_error.unwrap_or_default());
        say(|| {
            tracing::warn!(
                target: "faultwire",
                server,
                queued,
                "nothing has been delivered for {stuck:.0?}, the last error: {why}"
            );
        });
    }

    pub(super) fn compare_clocks(&self, ahead: Option<i64>) {
        if self.counters.set_clock_ahead(ahead) {
            let (server, seconds) = (self.server.name(), ahead.unwrap_or_default());
            say(|| {
                tracing::warn!(
                    target: "faultwire",
                    server,
                    "the clock of this machine is {seconds} s ahead of the server's: events may get other times there"
                );
            });
        }
    }

    /// Says what an answer made of an event.
    pub(super) fn tell(&self, settled: &Settled<Parcel>, change: Change, outgoing: &Outgoing, reply: &Reply) {
        let (server, why, title) = (self.server.name(), &reply.why, &outgoing.title);
        let refused = matches!(reply.verdict, Verdict::Refused { .. });
        match change {
            Change::WentDown { hold } | Change::StaysDown { hold } if refused => say(|| {
                tracing::warn!(target: "faultwire", server, "the DSN is refused, next try in {hold:.1?}: {why}");
            }),
            Change::WentDown { hold } => say(|| {
                tracing::warn!(target: "faultwire", server, "not delivered, next try in {hold:.1?}: {why}");
            }),
            Change::StaysDown { hold } => say(|| {
                tracing::debug!(target: "faultwire", server, "still not delivered, next try in {hold:.1?}: {why}");
            }),
            Change::CameBack { after } if after >= WORTH_A_LINE => say(|| {
                tracing::info!(target: "faultwire", server, "delivering again after {after:.0?}");
            }),
            Change::CameBack { .. } | Change::Nothing => {}
        }
        match settled {
            Settled::Over(_) if reply.verdict == Verdict::Accepted => {
                if self.terms.verbose {
                    say(|| tracing::info!(target: "faultwire", server, "sent {title}"));
                }
            }
            Settled::Over(_) => say(|| tracing::warn!(target: "faultwire", server, "refused {title}: {why}")),
            Settled::GivenUp(_) => say(|| {
                tracing::warn!(target: "faultwire", server, "given up, others arrive meanwhile: {title}: {why}");
            }),
            Settled::Again if reply.verdict == Verdict::Limited => {
                say(|| tracing::warn!(target: "faultwire", server, "held back: {why}"));
            }
            Settled::Again | Settled::Closed => {}
        }
    }
}
