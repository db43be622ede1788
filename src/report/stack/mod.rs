//! From addresses, or the text of a backtrace, to the stack that servers show.

mod owner;
mod symbols;
mod text;

use std::panic::{AssertUnwindSafe, catch_unwind};

use sentry::ClientOptions;
use sentry::protocol::{Frame, Stacktrace};

use self::owner::{Owner, owner};
pub(crate) use self::symbols::Symbols;
use super::fingerprint::portable_file;
use crate::record::Place;

/// What servers keep of a stack. The middle goes first: what failed stands at one end, what began at the other.
const MAX_FRAMES: usize = 250;
/// Below it std starts a thread or the program.
const START: &str = "__rust_begin_short_backtrace";

/// One function that was active, and where in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Spot {
    /// Its path, or in line tables only its name.
    function: Option<String>,
    file: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
    /// Where it lies, if there is nothing better: `shop+0x1f3c`.
    address: Option<String>,
}

/// The stack at these addresses, innermost first. `place` is where the failure was noticed, which is known also
/// where nothing else is.
pub(crate) fn of_addresses(
    addresses: &[usize],
    symbols: &mut Symbols,
    place: Option<&Place>,
    options: &ClientOptions,
) -> Option<Stacktrace> {
    let mut spots = || addresses.iter().flat_map(|address| symbols.spots(*address).to_vec()).collect();
    // Debug information comes from compilers of all kinds. A bug in reading it must not cost the event.
    let spots: Vec<Spot> = catch_unwind(AssertUnwindSafe(&mut spots)).unwrap_or_default();
    stack(spots, place, options)
}

/// The stack in the text of a `std::backtrace::Backtrace`. `None` if there is none.
pub(crate) fn of_text(text: &str, options: &ClientOptions) -> Option<Stacktrace> {
    stack(text::parse(text), None, options)
}

/// The one place that is known without a backtrace, so that every issue names a file and a line.
pub(crate) fn of_place(place: &Place) -> Stacktrace {
    Stacktrace { frames: vec![frame_of(place)], ..Stacktrace::default() }
}

fn stack(spots: Vec<Spot>, place: Option<&Place>, options: &ClientOptions) -> Option<Stacktrace> {
    let spots = trimmed(&spots);
    let mut frames: Vec<Frame> = spots.iter().map(|spot| frame(spot, options)).collect();
    if let Some(place) = place {
        name_place(&mut frames, place);
    }
    frames.reverse();
    if let Some(over) = frames.len().checked_sub(MAX_FRAMES) {
        let begin = MAX_FRAMES / 2;
        frames.drain(begin..begin.saturating_add(over));
    }
    (!frames.is_empty()).then(|| Stacktrace { frames, ..Stacktrace::default() })
}

/// The spots between how the stack was taken and how the thread was started.
fn trimmed(spots: &[Spot]) -> &[Spot] {
    let is_start = |spot: &Spot| spot.function.as_deref().is_some_and(|function| function.contains(START));
    let end = spots.iter().rposition(is_start).unwrap_or(spots.len());
    let inner = spots.get(..end).unwrap_or(spots);
    let begin = inner.iter().position(|spot| spot.owner() != Owner::Machinery);
    match begin.and_then(|begin| inner.get(begin..)) {
        Some(rest) if !rest.is_empty() => rest,
        _ => spots,
    }
}

/// The file and line of a failure in the frame where it was noticed, if the symbols have none.
fn name_place(frames: &mut Vec<Frame>, place: &Place) {
    match frames.iter_mut().find(|frame| frame.in_app == Some(true)) {
        Some(frame) if frame.lineno.is_none() => {
            let Frame { filename, abs_path, lineno, colno, .. } = frame_of(place);
            (frame.filename, frame.abs_path, frame.lineno, frame.colno) = (filename, abs_path, lineno, colno);
        }
        Some(_) => {}
        None => frames.insert(0, frame_of(place)),
    }
}

fn frame_of(place: &Place) -> Frame {
    let spot = Spot {
        file: Some(place.file.to_string()),
        line: Some(place.line),
        // A line of the log knows none.
        column: Some(place.column).filter(|column| *column > 0),
        ..Spot::default()
    };
    Frame { in_app: Some(spot.owner() == Owner::Application), ..bare_frame(&spot) }
}

fn frame(spot: &Spot, options: &ClientOptions) -> Frame {
    let begins = |prefixes: &[&str]| {
        let function = spot.function.as_deref().unwrap_or_default().trim_start_matches(['<', '&']);
        prefixes.iter().any(|prefix| function.starts_with(prefix))
    };
    let by_owner = spot.owner() == Owner::Application;
    let in_app = begins(&options.in_app_include) || (by_owner && !begins(&options.in_app_exclude));
    Frame { in_app: Some(in_app), ..bare_frame(spot) }
}

fn bare_frame(spot: &Spot) -> Frame {
    let file = spot.file.as_deref();
    let function = spot.function.as_ref().or(spot.address.as_ref());
    Frame {
        function: function.cloned(),
        filename: file.map(portable_file),
        abs_path: file.filter(|file| file.starts_with('/') || file.contains(":\\")).map(str::to_owned),
        lineno: spot.line.map(u64::from),
        colno: spot.column.map(u64::from),
        ..Frame::default()
    }
}

impl Spot {
    fn owner(&self) -> Owner {
        owner(self.file.as_deref(), self.function.as_deref())
    }
}
