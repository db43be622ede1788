//! What cannot be sent is kept for people, in `<dir>/<destination>/quarantine/`: the newest 100 files, up to 16 MiB,
//! for 30 days, each with a `.txt` beside it that says why. The newest stays, however large it is.

use std::path::Path;
use std::sync::atomic::Ordering;

use super::home::make_dir;
use super::name;
use super::store::{MAX_AGE, Store, age};
use super::system::Item;

const MAX_FILES: usize = 100;
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// More than this is looked at another time.
const MAX_LISTED: usize = 10_000;
/// In characters.
const MAX_REASON: usize = 1000;
const REASON: &str = ".txt";

impl Store {
    /// Moves a file of any kind to the quarantine, unread. False if it cannot be moved.
    pub(super) fn to_quarantine(&self, file: &Path, why: &str) -> bool {
        let quarantine = self.home.destination.join(name::QUARANTINE);
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        let name = name::quarantined(self.system.wall(), sequence, &self.home.process);
        let is_there = make_dir(&*self.system, &quarantine)
            .and_then(|()| self.home.claim(&*self.system, &quarantine))
            .is_ok();
        if !is_there || self.system.rename(file, &quarantine.join(&name)).is_err() {
            self.counters.failed_removals.add(1);
            return false;
        }
        self.counters.quarantined.add(1);
        let why: String = why.chars().take(MAX_REASON).collect();
        let from = file.file_name().unwrap_or_default().to_string_lossy();
        let reason = quarantine.join(name + REASON);
        // Without its reason it is still kept.
        if let Ok(mut file) = self.system.create(&reason) {
            let _ = self.system.write(&mut file, format!("{from:?}: {why}\n").as_bytes());
        }
        self.trim_quarantine(&quarantine);
        true
    }

    /// Removes what is too much or too old. Directories stay: the spool never removes what is in them.
    pub(super) fn trim_quarantine(&self, quarantine: &Path) {
        if self.home.claim(&*self.system, quarantine).is_err() {
            return;
        }
        let Ok(mut items) = self.system.list(quarantine, MAX_LISTED) else { return };
        items.retain(|item| !item.kind.is_dir());
        items.sort_unstable_by(|a, b| b.name.cmp(&a.name)); // the newest first; a file follows its reason
        let (mut files, mut bytes, now) = (1_usize, 0_u64, self.system.wall());
        for Item { name, bytes: length, .. } in items {
            let text = name.to_string_lossy();
            bytes = bytes.saturating_add(length);
            let is_old = name::quarantined_at(&text).is_some_and(|at| age(at, now) > MAX_AGE);
            let is_too_much = files > MAX_FILES || (bytes > MAX_BYTES && files > 1);
            files = files.saturating_add(usize::from(!text.ends_with(REASON)));
            if is_old || is_too_much {
                let _ = self.system.remove_file(&quarantine.join(&name));
            }
        }
    }
}
