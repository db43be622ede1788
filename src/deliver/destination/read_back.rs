//! What is on disk and nowhere else comes back, after new events.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::super::lanes::Lane;
use super::super::limits::Category;
use super::super::progress::Progress;
use super::super::{gate, labels, sentry};
use super::{Destination, Parcel};

/// How often an empty backlog is looked at: other processes may have died.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

impl Destination {
    /// Reads the backlog back, one event at a time, whenever the server takes more; until the end.
    pub(in crate::deliver) fn read_back(&self, progress: &Arc<Progress>) {
        let Some(backlog) = &self.backlog else { return };
        backlog.adopt();
        while self.outbox.wait_for_turn_of_backlog() {
            let Some((entry, envelope)) = backlog.next() else {
                self.outbox.wait_for_backlog(LOOK_AGAIN);
                continue;
            };
            // Nothing in there should panic. If something does, it would do so each time.
            let stored = || gate::stored(&sentry::event_in(&envelope)?, &self.terms.scrubber);
            let passed = catch_unwind(AssertUnwindSafe(stored));
            let Ok(Some(outgoing)) = passed else {
                backlog.quarantine(entry, "there is no event in it that can be read");
                continue;
            };
            let (lane, order) = (Lane::ranked(entry.lane()), labels::order_of_payload(&outgoing.payload));
            let ticket = progress.kept_ticket();
            let parcel =
                Parcel { outgoing: Arc::new(outgoing), ticket: Arc::new(ticket), entry: Some(entry) };
            let (weight, category) = (parcel.weight(), Category::Error);
            let turned_away =
                self.outbox.with(|schedule| schedule.push_old(lane, weight, category, order, parcel).err());
            if let Some(parcel) = &turned_away {
                parcel.ticket.spilled();
            }
            drop(turned_away);
            self.publish();
        }
    }
}
