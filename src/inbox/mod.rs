//! The inbox: a page on this machine that shows what would be or was sent, while it happens.
//!
//! It stands behind the gate like a server, so it shows what a server gets: scrubbed. It is for the developer at
//! this machine and for nobody else: loopback addresses only, and `request` turns away what a foreign page asks.
//! ```text
//! processing thread ─ passed ─▶ store (bounded, oldest out) ─ one thread a connection ─▶ /events ─▶ inbox.html
//! ```
//! Nobody waits for a reader: `passed` copies and notifies, and a connection whose reader is slow is cut.

mod answer;
mod request;
mod store;

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::request::Asked;
use self::store::Store;
use crate::reporter;
use crate::scrub::Scrubber;
use crate::sink::Watcher;

/// Connections at the same time, streams included; a browser opens up to six. More are closed at once.
const MAX_CONNECTIONS: usize = 32;
/// A reader that takes nothing for this long is cut (twice this, if it took a part of a message before).
const SLOWEST_READER: Duration = Duration::from_secs(2);
/// How long closing may take for readers: streams write what is kept.
const CLOSING: Duration = Duration::from_millis(100);
/// The same for the thread that listens, which has nothing else to do.
const ENDING: Duration = Duration::from_secs(1);

/// The inboxes of this process. Initialisations that ask for the same address share one.
static OPEN: Mutex<Vec<Open>> = Mutex::new(Vec::new());

struct Open {
    asked: SocketAddr,
    users: usize,
    server: Arc<Server>,
}

struct Server {
    addr: SocketAddr,
    store: Store,
}

/// One initialisation's share of an inbox. Dropping the last one closes it and frees the port.
pub(crate) struct Inbox {
    server: Arc<Server>,
}

/// Whose events these are: the head of the page.
pub(crate) struct About<'a> {
    pub(crate) environment: &'a str,
    pub(crate) release: Option<&'a str>,
    /// The server and project that the events are sent to.
    pub(crate) destination: Option<&'a str>,
    pub(crate) scrubber: &'a Scrubber,
}

impl Inbox {
    /// Listens, or joins the inbox that this process has at that address: the page goes on with the events of
    /// both initialisations, under the name of the new one.
    pub(crate) fn open(asked: SocketAddr, about: &About<'_>) -> io::Result<Self> {
        let about = about.json();
        let mut all = open();
        let same = all.iter_mut().find(|open| open.asked == asked && asked.port() != 0);
        if let Some(open) = same {
            open.users = open.users.saturating_add(1);
            open.server.store.introduce(about);
            return Ok(Self { server: Arc::clone(&open.server) });
        }
        let listener = TcpListener::bind(asked)?;
        let server = Arc::new(Server { addr: listener.local_addr()?, store: Store::new(about) });
        let thread = Arc::clone(&server);
        std::thread::Builder::new().name("faultwire-inbox".to_owned()).spawn(move || {
            reporter::own_this_thread();
            thread.listen(listener);
        })?;
        all.push(Open { asked, users: 1, server: Arc::clone(&server) });
        Ok(Self { server })
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.server.addr
    }

    pub(crate) fn watcher(&self) -> Arc<dyn Watcher> {
        Arc::clone(&self.server) as Arc<dyn Watcher>
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        // Under the lock to the end: whoever opens the same address next finds it free.
        let mut all = open();
        let Some(at) = all.iter().position(|open| Arc::ptr_eq(&open.server, &self.server)) else { return };
        if let Some(open) = all.get_mut(at) {
            open.users = open.users.saturating_sub(1);
            if open.users == 0 {
                all.swap_remove(at);
                self.server.store.close();
                // The thread that listens wakes up for a connection only.
                drop(TcpStream::connect_timeout(&self.server.addr, CLOSING));
                self.server.store.wait_until_idle(CLOSING);
                self.server.store.wait_until_deaf(ENDING);
            }
        }
    }
}

impl Server {
    fn listen(self: Arc<Self>, listener: TcpListener) {
        let connections = Arc::new(());
        for connection in listener.incoming() {
            if self.store.is_closed() {
                break;
            }
            let Ok(connection) = connection else {
                // No file handle is left: try again when something was closed.
                std::thread::sleep(Duration::from_millis(50));
                continue;
            };
            if Arc::strong_count(&connections) > MAX_CONNECTIONS {
                continue;
            }
            let (server, counted) = (Arc::clone(&self), Arc::clone(&connections));
            let serve = move || {
                reporter::own_this_thread();
                drop(server.serve(&connection));
                drop(counted);
            };
            // Without a thread the connection is closed, and the browser comes again.
            drop(std::thread::Builder::new().name("faultwire-inbox".to_owned()).spawn(serve));
        }
        drop(listener);
        self.store.is_deaf();
    }

    fn serve(&self, connection: &TcpStream) -> io::Result<()> {
        connection.set_nodelay(true)?;
        connection.set_write_timeout(Some(SLOWEST_READER))?;
        match request::read(connection)? {
            Ok(Asked::Page) => answer::page(connection)?,
            Ok(Asked::Events { last_id }) => answer::stream(connection, &self.store, last_id.as_deref())?,
            Err(refused) => answer::refuse(connection, refused)?,
        }
        // What was not read would make the system throw the answer away.
        connection.shutdown(Shutdown::Write)?;
        request::read_rest(connection)
    }
}

impl Watcher for Server {
    fn passed(&self, kind: &'static str, payload: &[u8]) {
        if kind == "event" {
            self.store.push(payload);
        }
    }
}

impl About<'_> {
    /// Scrubbed, like everything that leaves.
    fn json(&self) -> String {
        let clean = |text| self.scrubber.text(text);
        let about = serde_json::json!({
            "environment": clean(self.environment),
            "release": self.release.map(clean),
            "destination": self.destination.map(clean),
        });
        about.to_string()
    }
}

fn open() -> MutexGuard<'static, Vec<Open>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_free_when_an_inbox_is_closed_however_soon() {
        let scrubber = crate::scrub::scrubber();
        let about = About { environment: "test", release: None, destination: None, scrubber: &scrubber };
        let in_use = || {
            let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap();
            drop(Inbox::open(free, &about));
            TcpListener::bind(free).is_err()
        };
        // Another program may take one of them meanwhile.
        let in_use = (0..100).filter(|_| in_use()).count();
        assert!(in_use < 10, "{in_use} of 100");
    }
}
