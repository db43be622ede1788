//! Heartbeats: a URL that is called after a job succeeded, so that somebody notices when it does not.
//!
//! A thread of their own calls them, one after the other; it is started by the first one. A URL that waits already is
//! not called twice: a heartbeat says no more than that somebody is alive. A URL is a secret: who knows it can keep an
//! alarm silent. It is shown nowhere.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ureq::tls::Certificate;
use url::Url;

use super::post::Poster;
use super::{say, spawn};
use crate::stats::Counters;

/// More do not wait.
const MAX_WAITING: usize = 256;
/// One that failed is called once more, after this long, and behind the others.
const PAUSE: Duration = Duration::from_secs(2);

/// What is to be called.
pub(crate) struct Heartbeats {
    state: Mutex<State>,
    changed: Condvar,
    roots: Option<Vec<Certificate<'static>>>,
    counters: Arc<Counters>,
}

struct Beat {
    url: Box<str>,
    /// Not before this: it failed once.
    again_at: Option<Instant>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Beat>,
    is_calling: bool,
    is_running: bool,
    is_closed: bool,
}

impl Heartbeats {
    pub(crate) fn new(roots: Option<Vec<Certificate<'static>>>, counters: Arc<Counters>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), changed: Condvar::new(), roots, counters })
    }

    /// Has a URL called. Never waits.
    pub(super) fn call(self: &Arc<Self>, url: Box<str>) {
        let mut state = self.state();
        if state.waiting.iter().any(|beat| beat.url == url) {
            return self.counters.jobs.merged_heartbeats.add(1);
        }
        if state.is_closed || state.waiting.len() >= MAX_WAITING {
            drop(state);
            return self.counters.jobs.dropped_heartbeats.add(1);
        }
        state.waiting.push_back(Beat { url, again_at: None });
        let starts = !std::mem::replace(&mut state.is_running, true);
        drop(state);
        self.changed.notify_all();
        let heartbeats = Arc::clone(self);
        if starts && spawn("faultwire-beat", move || heartbeats.run()).is_err() {
            let mut state = self.state();
            state.is_running = false;
            let lost = std::mem::take(&mut state.waiting).len();
            drop(state);
            self.count_dropped(lost);
        }
    }

    /// Waits until none is left, but no longer than until then. True if none is.
    pub(super) fn wait(&self, deadline: Instant) -> bool {
        let mut state = self.state();
        loop {
            if state.waiting.is_empty() && !state.is_calling {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.is_closed {
                return false;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Calls no more.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        let lost = std::mem::take(&mut state.waiting).len();
        drop(state);
        self.count_dropped(lost);
        self.changed.notify_all();
    }

    fn run(&self) {
        let poster = Poster::new(self.roots.clone());
        while let Some(Beat { url, again_at }) = self.next() {
            let again = match call(&poster, &url) {
                Ok(()) => {
                    self.counters.jobs.heartbeats.add(1);
                    None
                }
                Err(_) if again_at.is_none() => Instant::now().checked_add(PAUSE),
                Err(why) => {
                    self.counters.jobs.failed_heartbeats.add(1);
                    let host = host_of(&url);
                    say(|| tracing::warn!(target: "faultwire", host, "a heartbeat failed: {why}"));
                    None
                }
            };
            let mut state = self.state();
            state.is_calling = false;
            if again.is_some() {
                // It had a place; one that was closed meanwhile is counted by whoever waits for it no more.
                state.waiting.push_back(Beat { url, again_at: again });
            }
            drop(state);
            self.changed.notify_all();
        }
    }

    /// The next one that may be called.
    fn next(&self) -> Option<Beat> {
        let mut state = self.state();
        loop {
            if state.is_closed {
                let lost = std::mem::take(&mut state.waiting).len();
                drop(state);
                self.count_dropped(lost);
                return None;
            }
            let now = Instant::now();
            let is_due = |beat: &Beat| beat.again_at.is_none_or(|at| at <= now);
            if let Some(beat) = state.waiting.iter().position(is_due).and_then(|at| state.waiting.remove(at))
            {
                state.is_calling = true;
                return Some(beat);
            }
            let next = state.waiting.iter().filter_map(|beat| beat.again_at).min();
            state = match next {
                Some(next) => {
                    let left = next.saturating_duration_since(now);
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn count_dropped(&self, heartbeats: usize) {
        self.counters.jobs.dropped_heartbeats.add(u64::try_from(heartbeats).unwrap_or(u64::MAX));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What went wrong, without the URL.
fn call(poster: &Poster, url: &str) -> Result<(), String> {
    let url = Url::parse(url).map_err(|error| format!("it is no URL ({error})"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it is neither http nor https".to_owned());
    }
    match poster.beat(url.as_str()) {
        Ok(200..=299) => Ok(()),
        Ok(status) => Err(format!("the server answered {status}")),
        Err(ureq::Error::Io(error)) => Err(error.kind().to_string()),
        Err(ureq::Error::Timeout(_)) => Err("the server did not answer in time".to_owned()),
        Err(ureq::Error::HostNotFound) => Err("there is no such host".to_owned()),
        // The texts of the others may quote the URL.
        Err(_) => Err("it could not be called".to_owned()),
    }
}

/// For people: where it goes, without the path, which is the secret.
fn host_of(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

impl fmt::Debug for Heartbeats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heartbeats").field("waiting", &self.state().waiting.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_url_but_its_host_is_ever_said() {
        let counters = Arc::new(Counters::default());
        let poster = Poster::new(None);
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        for url in [
            "s3cret".to_owned(),
            "ftp://example.org/s3cret".to_owned(),
            "http://[/s3cret".to_owned(),
            "http://ada:s3cret@/".to_owned(),
            format!("http://ada:s3cret@{closed}/s3cret?s3cret"),
            "http://s3cret.invalid./".replace("s3cret.", ""),
        ] {
            let why = call(&poster, &url).unwrap_err();
            assert!(!format!("{why} {}", host_of(&url)).contains("s3cret"), "{why}");
        }
        let heartbeats = Heartbeats::new(None, counters);
        heartbeats.state().waiting.push_back(Beat { url: "s3cret".into(), again_at: None });
        assert!(!format!("{heartbeats:?}").contains("s3cret"));
    }

    #[test]
    fn what_does_not_fit_and_what_comes_too_late_is_counted() {
        let counters = Arc::new(Counters::default());
        let heartbeats = Heartbeats::new(None, Arc::clone(&counters));
        // Nobody calls them.
        heartbeats.state().is_running = true;
        let url = |monitor: usize| format!("http://127.0.0.1:1/{monitor}").into();
        (0..MAX_WAITING + 3).for_each(|monitor| heartbeats.call(url(monitor)));
        heartbeats.call(url(0));
        assert_eq!(counters.jobs.merged_heartbeats.get(), 1);
        assert_eq!(counters.jobs.dropped_heartbeats.get(), 3);
        assert!(!heartbeats.wait(Instant::now()));
        heartbeats.close();
        heartbeats.call("http://127.0.0.1:1/".into());
        assert_eq!(counters.jobs.dropped_heartbeats.get(), MAX_WAITING as u64 + 4);
        assert!(heartbeats.wait(Instant::now()), "none is left");
    }
}
