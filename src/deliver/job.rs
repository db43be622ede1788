//! What waits for the processing thread.

use ::sentry::Envelope;
use ::sentry::protocol::EnvelopeItem;

use super::labels;
use super::lanes::Lane;
use super::limits::Category;
use super::progress::Ticket;
use crate::record::CheckIn;
use crate::sink::{Finished, Record};

pub(super) enum Job {
    Record(Record, Ticket),
    Finished(Finished, Ticket),
    Sdk(Box<Envelope>, Ticket),
    CheckIn(CheckIn, Ticket),
}

impl Job {
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Record(record, _) => record.weight(),
            Self::Finished(finished, _) => finished.weight(),
            Self::CheckIn(..) => CHECK_IN,
            Self::Sdk(envelope, _) => envelope.items().fold(SDK_EVENT, |weight, item| match item {
                EnvelopeItem::Attachment(attachment) => weight.saturating_add(attachment.buffer.len()),
                _ => weight,
            }),
        }
    }

    pub(super) fn lane(&self) -> Lane {
        match self {
            Self::Record(record, _) => labels::lane_of_record(record),
            Self::Finished(..) => Lane::Rest,
            Self::Sdk(envelope, _) => labels::lane_of_envelope(envelope),
            Self::CheckIn(..) => Lane::Rest,
        }
    }

    pub(super) fn category(&self) -> Category {
        match self {
            Self::Record(..) => Category::Error,
            Self::Finished(..) => Category::Transaction,
            Self::Sdk(envelope, _) => labels::category_of_envelope(envelope),
            Self::CheckIn(..) => Category::Monitor,
        }
    }

    pub(super) fn ticket(&self) -> &Ticket {
        match self {
            Self::Record(_, ticket)
            | Self::Finished(_, ticket)
            | Self::Sdk(_, ticket)
            | Self::CheckIn(_, ticket) => ticket,
        }
    }
}

/// What an event of the SDK is taken to occupy: it cannot be weighed without being serialized.
const SDK_EVENT: usize = 16 * 1024;
/// The same for a check-in.
const CHECK_IN: usize = 512;
