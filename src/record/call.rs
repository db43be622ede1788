//! A call of another service, as it is kept until somebody wants to see it: nothing is formatted.

use std::time::{Duration, SystemTime};

use http::{Method, StatusCode, Uri};

#[cfg(feature = "reqwest-middleware")]
use super::truncated;
use super::{Breadcrumb, Details, ThirdPartyClass};

/// A URL is not read further than this, if it came as a text.
#[cfg(feature = "reqwest-middleware")]
const MAX_URL: usize = 2048;

/// What happened on the way to a failure.
#[derive(Clone, Debug)]
pub(crate) enum Crumb {
    /// The application said it.
    Said(Breadcrumb),
    /// It called another service.
    Called(Call),
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// When it ended.
    pub(crate) timestamp: SystemTime,
    pub(crate) method: Method,
    pub(crate) url: CalledUrl,
    pub(crate) elapsed: Duration,
    pub(crate) outcome: Outcome,
}

/// Where a call goes, as the client has it.
#[derive(Clone, Debug)]
pub(crate) enum CalledUrl {
    Uri(Uri),
    #[cfg_attr(not(feature = "reqwest-middleware"), expect(dead_code, reason = "tower's clients have URIs"))]
    Text(Box<str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered(StatusCode),
    Failed(ThirdPartyClass),
    /// Nobody waited for it any more.
    Cancelled,
}

/// A failed call that waits for the end of its request, which may be about it.
#[derive(Debug)]
pub(crate) struct FailedCall {
    pub(crate) details: Box<Details>,
    pub(crate) timestamp: SystemTime,
}

impl Crumb {
    /// Roughly what it occupies.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Said(breadcrumb) => breadcrumb.weight(),
            Self::Called(call) => call.url.len().saturating_add(64),
        }
    }

    /// Leaves the values out if it occupies more than that.
    pub(crate) fn fit(&mut self, most: usize) {
        let weight = self.weight();
        if let Self::Said(breadcrumb) = self
            && weight > most
        {
            let said = format!("values of about {weight} bytes");
            breadcrumb.data = vec![("faultwire.left_out".into(), said.into())];
        }
    }
}

impl CalledUrl {
    #[cfg(feature = "reqwest-middleware")]
    pub(crate) fn text(url: &str) -> Self {
        Self::Text(truncated(url, MAX_URL).into())
    }

    fn len(&self) -> usize {
        match self {
            Self::Uri(uri) => uri.path_and_query().map_or(0, |path| path.as_str().len()),
            Self::Text(text) => text.len(),
        }
    }
}
