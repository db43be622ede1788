//! Users whom nobody is to know by name.

use sentry::protocol::{EnvelopeItem, User};

use crate::auth::Watch;

/// Puts what stands for somebody in the place of who it is.
pub(crate) fn hide(user: &mut Option<User>, watch: &Watch) {
    let Some(user) = user else { return };
    let known = [user.id.take(), user.email.take(), user.username.take()];
    let known = known.into_iter().flatten().find(|known| !known.trim().is_empty());
    user.id = known.map(|known| watch.pseudonym_of_user(&known).to_string());
    user.other.remove("name");
}

/// The same in what comes from the SDK.
pub(crate) fn hide_in(item: &mut EnvelopeItem, watch: &Watch) {
    match item {
        EnvelopeItem::Event(event) => hide(&mut event.user, watch),
        EnvelopeItem::Transaction(transaction) => hide(&mut transaction.user, watch),
        _ => {}
    }
}
