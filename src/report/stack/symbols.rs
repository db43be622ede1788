//! Names, files and lines of addresses, on the thread that owns this.
//!
//! The `backtrace` crate resolves under the lock that it takes stacks under, for 100 ms at first, and every
//! failing request would wait for that. `addr2line` has no lock. It reads the program's own file, and a
//! library's only when one of its frames is asked for.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use addr2line::Loader;
use findshlibs::{Segment as _, SharedLibrary as _, TargetSharedLibrary};

use super::Spot;

/// So many addresses are remembered: a few megabytes at most.
const MAX_KNOWN: usize = 8_192;
/// Libraries that were loaded later are looked for at most so often.
const RELIST: Duration = Duration::from_secs(10);
/// What was read of a program's file takes memory, up to some times ten megabytes, and is given back after
/// being idle for so long. The known addresses stay.
const IDLE: Duration = Duration::from_secs(60);

/// What is known of this program's addresses.
#[derive(Default)]
pub(crate) struct Symbols {
    images: Vec<Image>,
    listed: Option<Instant>,
    known: HashMap<usize, Rc<[Spot]>>,
    last_used: Option<Instant>,
}

/// A file that is part of the program.
struct Image {
    path: PathBuf,
    name: String,
    code: Vec<Range<usize>>,
    /// What lies between an address in memory and the same in the file.
    bias: usize,
    /// `None` until it is needed, `Some(None)` if it cannot be read.
    loader: Option<Option<Loader>>,
}

impl Symbols {
    /// What was active at an address: the function, and before it those that were inlined into it there.
    pub(super) fn spots(&mut self, address: usize) -> Rc<[Spot]> {
        if let Some(known) = self.known.get(&address) {
            return Rc::clone(known);
        }
        // What is on a stack is where to return to; the call lies before that.
        let spots: Rc<[Spot]> = self.look_up(address.saturating_sub(1)).into();
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.known.insert(address, Rc::clone(&spots));
        spots
    }

    /// When [`rest`](Self::rest) has something to do.
    pub(crate) fn rests_at(&self) -> Option<Instant> {
        self.last_used.and_then(|last| last.checked_add(IDLE))
    }

    /// Gives back what was read, if nobody asked for a while.
    pub(crate) fn rest(&mut self) {
        if self.rests_at().is_some_and(|at| at <= Instant::now()) {
            self.images = Vec::new();
            self.listed = None;
            self.last_used = None;
        }
    }

    fn look_up(&mut self, address: usize) -> Vec<Spot> {
        let now = Instant::now();
        self.last_used = Some(now);
        let is_unknown = !self.images.iter().any(|image| image.contains(address));
        if is_unknown && self.listed.is_none_or(|listed| now.saturating_duration_since(listed) > RELIST) {
            self.listed = Some(now);
            self.list();
        }
        let image = self.images.iter_mut().find(|image| image.contains(address));
        image.map_or_else(|| vec![Spot::default()], |image| image.spots(address))
    }

    fn list(&mut self) {
        let mut images = Vec::new();
        TargetSharedLibrary::each(|library| {
            let is_program = images.is_empty();
            let range = |start: usize, length: usize| start..start.saturating_add(length);
            let code = library.segments().filter(|segment| segment.is_code());
            let path = PathBuf::from(library.name());
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            images.push(Image {
                path: if is_program { program(path) } else { path },
                name,
                code: code
                    .map(|segment| range(segment.actual_virtual_memory_address(library).0, segment.len()))
                    .collect(),
                bias: library.virtual_memory_bias().0,
                loader: None,
            });
        });
        // What was read already is kept.
        for image in images {
            if !self.images.iter().any(|known| known.code == image.code) {
                self.images.push(image);
            }
        }
    }
}

impl Image {
    fn contains(&self, address: usize) -> bool {
        self.code.iter().any(|range| range.contains(&address))
    }

    fn spots(&mut self, address: usize) -> Vec<Spot> {
        let in_file = address.wrapping_sub(self.bias);
        let loader = self.loader.get_or_insert_with(|| Loader::new(&self.path).ok());
        let spots = loader.as_ref().map(|loader| resolve(loader, in_file as u64)).unwrap_or_default();
        if spots.is_empty() {
            // Enough for `addr2line` and a copy of the file with symbols.
            let at = format!("{}+{in_file:#x}", self.name);
            return vec![Spot { address: Some(at), ..Spot::default() }];
        }
        spots
    }
}

fn resolve(loader: &Loader, at: u64) -> Vec<Spot> {
    let symbol = loader.find_symbol(at).map(|name| demangled(name.into()));
    let mut spots = Vec::new();
    if let Ok(mut frames) = loader.find_frames(at) {
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.as_ref().and_then(|function| function.raw_name().ok());
            let location = frame.location.as_ref();
            spots.push(Spot {
                function: name.map(demangled),
                file: location.and_then(|location| location.file).map(str::to_owned),
                line: location.and_then(|location| location.line),
                column: location.and_then(|location| location.column),
                ..Spot::default()
            });
        }
    }
    // Line tables name a function without its path. The symbol has it, but is only that of the outermost.
    match spots.last_mut() {
        Some(outermost) if symbol.is_some() => outermost.function = symbol,
        None if symbol.is_some() => spots.push(Spot { function: symbol, ..Spot::default() }),
        _ => {}
    }
    spots.retain(|spot| spot.function.is_some() || spot.file.is_some());
    spots
}

fn demangled(name: std::borrow::Cow<'_, str>) -> String {
    addr2line::demangle_auto(name, None).into_owned()
}

/// The program's own file: the one that runs, also after it was replaced.
fn program(path: PathBuf) -> PathBuf {
    let running = Path::new("/proc/self/exe");
    if running.exists() { running.to_path_buf() } else { path }
}
