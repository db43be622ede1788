//! One HTTP request to a server of events, with every bound that a library owes its host.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Error};

use super::limits::MAX_WAIT;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);
/// More of an answer than this is not read.
const MAX_ANSWER: u64 = 64 * 1024;
/// As many connections are kept as requests run at the same time.
const IDLE_CONNECTIONS: usize = super::SENDERS;

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
    /// What the server's clock said.
    pub(crate) date: Option<SystemTime>,
    /// What it says about a bad request, unread; empty for other answers.
    pub(crate) words: Vec<u8>,
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
            .max_idle_connections_per_host(IDLE_CONNECTIONS)
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

    /// Posts nothing, and says how it was answered.
    pub(crate) fn beat(&self, url: &str) -> Result<u16, Error> {
        let mut response = self.agent.post(url).send_empty()?;
        let _ = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        Ok(response.status().as_u16())
    }

    fn post_once(&self, url: &str, auth: &str, gzipped: &[u8]) -> Result<Answer, Error> {
        let request = self
            .agent
            .post(url)
            .header("X-Sentry-Auth", auth)
            .header("Content-Type", "application/x-sentry-envelope")
            .header("Content-Encoding", "gzip");
        let mut response = request.send(gzipped)?;
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let date = header("date").and_then(|date| httpdate::parse_http_date(date.trim()).ok());
        let mut answer = Answer {
            status: response.status().as_u16(),
            retry_after: header("retry-after").and_then(|value| retry_after(value, date)),
            rate_limits: header("x-sentry-rate-limits").map(str::to_owned),
            date,
            words: Vec::new(),
        };
        // Read to its end the connection can be used again; one that is too long or stalls is given up.
        let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        if matches!(answer.status, 400 | 413 | 422) {
            answer.words = body.unwrap_or_default();
        }
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

/// `Retry-After` as seconds or as a date, which is one of the server's clock.
fn retry_after(value: &str, server_now: Option<SystemTime>) -> Option<Duration> {
    let wait = match value.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = httpdate::parse_http_date(value.trim()).ok()?;
            until.duration_since(server_now.unwrap_or_else(SystemTime::now)).unwrap_or_default()
        }
    };
    Some(wait.min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let read = |text: &str| retry_after(text, None);
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read("99999999999"), Some(MAX_WAIT));
        assert_eq!(read("Fri, 13 Feb 2009 23:31:30 GMT"), Some(Duration::ZERO));
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        assert!(read(&soon).is_some_and(|wait| wait > Duration::from_secs(50)));
        assert_eq!((read("soon"), read("-1"), read("")), (None, None, None));
    }

    #[test]
    fn a_date_is_one_of_the_servers_clock() {
        let server_now = httpdate::parse_http_date("Fri, 13 Feb 2009 23:31:00 GMT").unwrap();
        let wait = retry_after("Fri, 13 Feb 2009 23:31:30 GMT", Some(server_now));
        assert_eq!(wait, Some(Duration::from_secs(30)), "however wrong the clock is here");
    }
}
