//! A call as a breadcrumb, in the form that servers show best.

use sentry::Level;
use sentry::protocol::Breadcrumb;

use super::template;
use crate::record::{Call, CalledUrl, Outcome, Target};

pub(crate) fn breadcrumb(call: &Call) -> Breadcrumb {
    let target = target(&call.url).map(|target| target.to_string()).unwrap_or_default();
    let mut data = std::collections::BTreeMap::from([
        ("method".to_owned(), call.method.as_str().into()),
        ("url".to_owned(), target.as_str().into()),
        ("http.client.request.duration".to_owned(), call.elapsed.as_secs_f64().into()),
    ]);
    let (level, ended) = match call.outcome {
        Outcome::Answered(status) => {
            data.insert("status_code".to_owned(), status.as_u16().into());
            let level = match status.as_u16() {
                500.. => Level::Error,
                400.. => Level::Warning,
                _ => Level::Info,
            };
            (level, status.as_str().to_owned())
        }
        Outcome::Failed(class) => {
            data.insert("error.type".to_owned(), class.as_str().into());
            (Level::Error, class.as_str().to_owned())
        }
        Outcome::Cancelled => (Level::Warning, "cancelled".to_owned()),
    };
    Breadcrumb {
        timestamp: call.timestamp,
        ty: "http".to_owned(),
        category: Some("upstream".to_owned()),
        level,
        message: Some(format!("{} {target}: {ended}", call.method)),
        data,
    }
}

/// Where the call went, without what varies and what is nobody's business.
pub(crate) fn target(url: &CalledUrl) -> Option<Target> {
    match url {
        CalledUrl::Uri(uri) => Some(template::of_uri(uri)),
        CalledUrl::Text(text) => template::of_text(text),
    }
}
