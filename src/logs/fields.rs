//! Reading the fields of a span or a line. It runs the application's `Debug`, `Display` and errors.

use std::error::Error;
use std::fmt;

use serde_json::Value;
use tracing::field::{Field, Visit};

use crate::context::spans::Fields;
use crate::record::{Cause, Details, MAX_SHORT, short_text};
use crate::report::chain;
use crate::reporter::{self, ErrorName};

/// A field of this name becomes a tag of the rest of its name.
const TAG: &str = "tags.";
/// A text of one of these names is that of an error.
const ERRORS: [&str; 2] = ["error", "err"];
/// The lines of the `log` crate say in fields of this name where they are from.
const LOG: &str = "log.";

/// The fields of a span. `None` where they are not to be read.
pub(super) fn read(record: impl FnOnce(&mut dyn Visit)) -> Option<Fields> {
    read_line(&[], record).map(|line| {
        let mut fields = line.fields;
        let texts = [("message", line.message), ("error", line.error_text)];
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name.into(), text?.into())));
        fields.data.extend(texts);
        fields
    })
}

/// The fields of a line. `None` on our threads, and while another line is being read on this one.
pub(super) fn read_line(names: &[ErrorName], record: impl FnOnce(&mut dyn Visit)) -> Option<Line> {
    if reporter::is_ours() {
        return None;
    }
    let mut line = Reading { line: Line::default(), names };
    // What panics leaves what was read before.
    reporter::shielded(|| record(&mut line));
    Some(line.line)
}

/// What a line of the log says.
#[derive(Default)]
pub(super) struct Line {
    pub(super) message: Option<String>,
    /// The error itself, where the line has it.
    pub(super) error: Option<Logged>,
    /// Its text, where that is all.
    pub(super) error_text: Option<String>,
    pub(super) fields: Fields,
    pub(super) log: Option<Box<FromLog>>,
}

/// An error that a line has.
pub(super) struct Logged {
    /// Its chain, and what was recognised in it.
    pub(super) details: Box<Details>,
    /// What it says in its own words, which do not leave.
    pub(super) texts: Vec<String>,
}

/// Where a line of the `log` crate is from.
#[derive(Default)]
pub(super) struct FromLog {
    pub(super) target: Option<String>,
    pub(super) file: Option<String>,
    pub(super) line: Option<u64>,
}

struct Reading<'a> {
    line: Line,
    names: &'a [ErrorName],
}

impl Reading<'_> {
    fn keep(&mut self, field: &Field, value: Value) {
        let name = field.name();
        if let Some(tag) = name.strip_prefix(TAG) {
            let value = match value {
                Value::String(text) => short_text(text, MAX_SHORT),
                value => short_text(value, MAX_SHORT),
            };
            self.line.fields.tags.push((tag.into(), value));
        } else if let Some(of_log) = name.strip_prefix(LOG) {
            let log = self.line.log.get_or_insert_default();
            match (of_log, value) {
                ("target", Value::String(target)) => log.target = Some(target),
                ("file", Value::String(file)) => log.file = Some(file),
                ("line", line) => log.line = line.as_u64(),
                _ => {}
            }
        } else {
            self.line.fields.data.push((name.into(), value));
        }
    }

    fn keep_text(&mut self, field: &Field, text: String) {
        let name = field.name();
        match name {
            "message" => self.line.message = Some(text),
            _ if ERRORS.contains(&name) && self.line.error.is_none() => self.line.error_text = Some(text),
            _ => self.keep(field, text.into()),
        }
    }
}

/// The chain as one text.
pub(super) fn chain_of(details: &Details) -> String {
    let Cause::Chain(links) = &details.cause else { return String::new() };
    let texts: Vec<_> = links.iter().map(|link| &*link.message).collect();
    texts.join(": ")
}

impl Visit for Reading<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.keep(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep_text(field, chain::text_of(value));
    }

    fn record_error(&mut self, field: &Field, error: &(dyn Error + 'static)) {
        let details = Box::new(Details::of_chain(error, None, self.names));
        if self.line.error.is_none() {
            self.line.error = Some(Logged { details, texts: chain::texts(error) });
        } else {
            self.keep(field, chain_of(&details).into());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.keep_text(field, chain::text_of(&format_args!("{value:?}")));
    }
}
