//! Doors for the targets in `fuzz/`, which are built with `--cfg fuzzing`; nobody else has them.

use crate::record::System;
use crate::report::database::statement;
use crate::scrub;

/// What may be shown of a body; `cut` says that bytes are missing at its end.
#[must_use]
pub fn body(content_type: Option<&str>, body: &[u8], cut: bool) -> String {
    scrub::scrub_body(content_type, body, cut)
}

/// A serialized item as the gate lets it through.
#[must_use]
pub fn item(item: &[u8]) -> Vec<u8> {
    scrub::scrubber().item(item).0.unwrap_or_else(|| item.to_vec())
}

/// What is shown of a statement in the dialect of `db.system.name`, or in any.
#[must_use]
pub fn statement(system: Option<&str>, statement: &str) -> (String, String) {
    let systems = [System::PostgreSql, System::MySql, System::Sqlite, System::Redis];
    let system = systems.into_iter().find(|known| Some(known.as_str()) == system);
    let shown = statement::shown(statement, system);
    (shown.text, shown.summary)
}
