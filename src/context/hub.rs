//! The SDK's hubs, copied without waiting for their locks.
//!
//! The SDK runs code of the application (`before_breadcrumb`) while it holds a hub's lock. What reports or spawns there
//! is on the thread that holds it, and would wait for itself.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use sentry::Hub;

use super::entered;

/// Somebody else is done with a lock by then; only whoever holds it himself is not.
const TRIES: usize = 8;

/// A hub of its own, with the current one's scope. While that cannot be read it is the current one itself, for
/// whoever copies it later.
pub(crate) fn current_copy() -> Arc<Hub> {
    let current = Hub::current();
    copy(&current).unwrap_or(current)
}

/// A hub for what runs elsewhere: never one that two threads use.
pub(super) fn forked() -> Arc<Hub> {
    entered::use_hub();
    copy(&Hub::current()).unwrap_or_else(of_main)
}

/// The same with the scope of the main hub, and nothing of the current one.
pub(super) fn of_main() -> Arc<Hub> {
    copy(&Hub::main()).unwrap_or_else(|| Arc::new(Hub::new(None, Arc::default())))
}

/// A hub of its own with the same scope, unless its lock is held.
pub(crate) fn copy(hub: &Arc<Hub>) -> Option<Arc<Hub>> {
    let is_readable = (0..TRIES).any(|tried| {
        if tried > 0 {
            std::thread::yield_now();
        }
        is_readable(hub)
    });
    is_readable.then(|| Arc::new(Hub::new_from_top(hub)))
}

/// Whether somebody holds the current hub's lock, so that what listens to the log may not be called.
pub(crate) fn is_held() -> bool {
    !is_readable(&Hub::current())
}

/// Whether nobody holds the hub's lock. The SDK has no call that only tries; what does is the `Debug` of the `RwLock`
/// in it, which says `<locked>`. It ends at the first word that tells.
fn is_readable(hub: &Hub) -> bool {
    struct Look {
        sees_inside: bool,
    }
    impl fmt::Write for Look {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.sees_inside = text == "Stack";
            if self.sees_inside || text == "<locked>" { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let mut look = Look { sees_inside: false };
    let _ends_early = write!(look, "{hub:?}");
    look.sees_inside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_is_copied_unless_its_lock_is_held() {
        let hub = Arc::new(Hub::new(None, Arc::default()));
        assert!(copy(&hub).is_some());
        // Under the lock for writing, as a processor of the scope's is dropped.
        struct Looks(Arc<Hub>, Arc<std::sync::Mutex<Option<bool>>>);
        impl Drop for Looks {
            fn drop(&mut self) {
                *self.1.lock().unwrap() = Some(copy(&self.0).is_some());
            }
        }
        let seen = Arc::default();
        let looks = Looks(Arc::clone(&hub), Arc::clone(&seen));
        hub.configure_scope(|scope| {
            scope.add_event_processor(move |event| {
                let _held = &looks;
                Some(event)
            });
        });
        hub.configure_scope(|scope| scope.clear());
        assert_eq!(*seen.lock().unwrap(), Some(false), "dropped where the scope is replaced");
        assert!(copy(&hub).is_some());
    }
}
