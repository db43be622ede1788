//! A failure of a database on an event: tags to search by, and a context that tells the rest.
//!
//! Names are those of OpenTelemetry's semantic conventions, where it has one.

use std::collections::BTreeMap;

use sentry::protocol::{Context, Event};
use serde_json::{Value, json};

use super::statement::shown;
use crate::record::{Database, Pool};

/// The context's name; the servers' own names have a fixed shape.
const CONTEXT: &str = "database";

/// Adds what is known. Tags of the application win over these.
pub(crate) fn database(event: &mut Event<'static>, database: &Database) {
    let mut context = BTreeMap::new();
    let mut tag = |name: &str, value: &str| {
        event.tags.insert(name.to_owned(), value.to_owned());
    };
    let system = database.failure.as_ref().and_then(|failure| failure.system);
    if let Some(failure) = &database.failure {
        let code = failure.code();
        let tags = [
            ("db.system.name", failure.system()),
            ("db.response.status_code", code),
            ("error.type", Some(failure.class.as_str())),
            ("error.fault", Some(failure.fault().as_str())),
            ("error.retryable", Some(if failure.retryable { "true" } else { "false" })),
            ("db.collection.name", failure.table()),
            ("db.constraint", failure.constraint()),
        ];
        for (name, value) in tags {
            if let Some(value) = value {
                tag(name, value);
                context.insert(name.to_owned(), Value::from(value));
            }
        }
        context.insert("driver".to_owned(), failure.driver.into());
        if let Some(column) = failure.column() {
            context.insert("db.column".to_owned(), column.into());
        }
    }
    if let Some(statement) = &database.statement {
        let statement = shown(statement, system);
        if !statement.summary.is_empty() {
            tag("db.query.summary", &statement.summary);
            context.insert("db.query.summary".to_owned(), statement.summary.into());
        }
        context.insert("db.query.text".to_owned(), statement.text.into());
    }
    if let Some(Pool { size, idle, waiting }) = database.pool {
        context.insert("pool".to_owned(), json!({"size": size, "idle": idle, "waiting": waiting}));
    }
    if !context.is_empty() {
        event.contexts.insert(CONTEXT.to_owned(), Context::Other(context));
    }
}
