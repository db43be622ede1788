//! The scrubber, attacked: what it must hide, what it must leave alone, and what it may cost.

#[path = "../../../src/scrub/tests/canary.rs"]
mod canary;
mod documents;
mod exits;
mod harmless;
mod laws;
mod leaks;
mod matrix;
#[path = "../../../src/scrub/tests/plant.rs"]
mod plant;
#[path = "../../../src/scrub/tests/spell.rs"]
mod spell;

use std::sync::{Arc, LazyLock};

use canary::Canary;
pub(crate) use documents::committed;
use faultwire::{Config, Scrubber};

use self::plant::KEPT;
use crate::support::turn;

/// The scrubber of these settings: the process has one, and other tests set it.
fn scrubber_of(change: impl FnOnce(Config) -> Config) -> Arc<Scrubber> {
    let _turn = turn();
    let _guard = change(Config::new()).init().expect("good settings");
    faultwire::scrubber()
}

/// That of the default settings. Not to be asked for the first time by a test whose turn it is.
static DEFAULT: LazyLock<Arc<Scrubber>> = LazyLock::new(|| scrubber_of(|config| config));

/// Scrubs a text (`text`) or a body of this content type.
fn scrubbed(kind: &str, input: &str) -> String {
    match kind {
        "text" => DEFAULT.text(input).into_owned(),
        content_type => DEFAULT.body(Some(content_type), input.as_bytes()),
    }
}

/// Nothing of the canary is left, what may be kept is, and a second pass changes nothing.
#[track_caller]
fn hides(canary: &Canary, kind: &str, input: &str) {
    let once = scrubbed(kind, input);
    if let Some(left) = canary.left_in(once.as_bytes()) {
        panic!("{left}\n   of {kind}: {input}\n becomes: {once}");
    }
    let (before, after) = (input.matches(KEPT).count(), once.matches(KEPT).count());
    assert_eq!(after, before, "what is harmless stays\n   of {kind}: {input}\n becomes: {once}");
    if !kind.starts_with("multipart") && !once.starts_with('<') {
        assert_eq!(scrubbed(kind, &once), once, "a second pass changes nothing\n   of {kind}: {input}");
    }
}
