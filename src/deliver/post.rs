//! One HTTP request to a server of events, with every bound that a library owes its host.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Error, http};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);
/// More of an answer than this is not read.
const MAX_ANSWER: u64 = 64 * 1024;
/// A server that asks for more patience than this does not get it.
const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Posts to one server. Proxies come from the environment, certificates from the platform.
#[derive(Debug, Clone)]
pub(crate) struct Poster {
    agent: Agent,
}

/// What a server said, as far as it matters.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    /// `X-Sentry-Rate-Limits`, unread.
    pub(crate) rate_limits: Option<String>,
}

impl Poster {
    /// `roots` replaces the platform's certificates.
    pub(crate) fn new(roots: Option<Vec<Certificate<'static>>>) -> Self {
        let roots = match roots {
            Some(roots) => RootCerts::Specific(Arc::new(roots)),
            None => RootCerts::PlatformVerifier,
        };
        let config = Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(TOTAL_TIMEOUT))
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("faultwire/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("")
            .build();
        Self { agent: config.new_agent() }
    }

    /// Posts gzipped bytes. Servers close idle connections without a word (uWSGI does after every answer),
    /// so a failure of the connection is tried again once, at once; the event's id keeps it single.
    pub(crate) fn post(&self, url: &str, auth: &str, gzipped: &[u8]) -> Result<Answer, Error> {
        match self.post_once(url, auth, gzipped) {
            Err(Error::Io(error)) if is_stale_connection(&error) => self.post_once(url, auth, gzipped),
            result => result,
        }
    }

    fn post_once(&self, url: &str, auth: &str, gzipped: &[u8]) -> Result<Answer, Error> {
        let request = self
            .agent
            .post(url)
            .header("X-Sentry-Auth", auth)
            .header("Content-Type", "application/x-sentry-envelope")
            .header("Content-Encoding", "gzip");
        let mut response = request.send(gzipped)?;
        let answer = Answer {
            status: response.status().as_u16(),
            retry_after: response.headers().get("retry-after").and_then(retry_after),
            rate_limits: response
                .headers()
                .get("x-sentry-rate-limits")
                .and_then(|limits| Some(limits.to_str().ok()?.to_owned())),
        };
        // Read to its end the connection can be used again; one that is too long or stalls is given up.
        let _ = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        Ok(answer)
    }
}

fn is_stale_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::BrokenPipe
            | Kind::UnexpectedEof
            | Kind::NotConnected
    )
}

/// `Retry-After` as seconds or as a date.
fn retry_after(value: &http::HeaderValue) -> Option<Duration> {
    let value = value.to_str().ok()?.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = httpdate::parse_http_date(value).ok()?;
            until.duration_since(SystemTime::now()).unwrap_or_default()
        }
    };
    Some(wait.min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let read = |text: &str| retry_after(&http::HeaderValue::from_str(text).unwrap());
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read("99999999999"), Some(MAX_WAIT));
        assert_eq!(read("Fri, 13 Feb 2009 23:31:30 GMT"), Some(Duration::ZERO));
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        assert!(read(&soon).is_some_and(|wait| wait > Duration::from_secs(50)));
        assert_eq!((read("soon"), read("-1"), read("")), (None, None, None));
    }
}
