//! The text of a `std::backtrace::Backtrace` as a stack.
//!
//! A backtrace that an error brought along (anyhow's) can only be printed: std shows neither its frames nor
//! their addresses.

use sentry::protocol::{Frame, Stacktrace};

/// Crates whose frames are not the application's.
const LIBRARIES: [&str; 13] = [
    "std::",
    "core::",
    "alloc::",
    "anyhow::",
    "tokio::",
    "axum::",
    "axum_core::",
    "tower::",
    "tower_http::",
    "hyper::",
    "hyper_util::",
    "faultwire::",
    "sentry_core::",
];

/// Reads the frames, outermost first as servers want them. `None` if there are none.
pub(crate) fn parse(text: &str) -> Option<Stacktrace> {
    let mut frames: Vec<Frame> = Vec::new();
    for line in text.lines().map(str::trim_start) {
        if let Some(place) = line.strip_prefix("at ") {
            if let Some(frame) = frames.last_mut() {
                set_place(frame, place);
            }
        } else if let Some((number, function)) = line.split_once(": ")
            && number.bytes().all(|digit| digit.is_ascii_digit())
        {
            let in_app = !LIBRARIES.iter().any(|library| bare(function).starts_with(library));
            frames.push(Frame {
                function: Some(function.to_owned()),
                in_app: Some(in_app),
                ..Frame::default()
            });
        }
    }
    frames.reverse();
    (!frames.is_empty()).then(|| Stacktrace { frames, ..Stacktrace::default() })
}

/// `src/main.rs:12:5`
fn set_place(frame: &mut Frame, place: &str) {
    let mut parts = place.rsplitn(3, ':');
    let (column, line, file) = (parts.next(), parts.next(), parts.next());
    let Some(file) = file else { return };
    frame.colno = column.and_then(|column| column.parse().ok());
    frame.lineno = line.and_then(|line| line.parse().ok());
    frame.filename = Some(file.to_owned());
    if file.starts_with("/rustc/") || file.contains("/.cargo/registry/") || file.contains("/.cargo/git/") {
        frame.in_app = Some(false);
    }
}

/// `<shop::Order as core::ops::Drop>::drop` belongs to `shop`.
fn bare(function: &str) -> &str {
    function.trim_start_matches(['<', '&', '*'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_outermost_first() {
        let text = "   0: anyhow::error::<impl core::convert::From<E> for anyhow::Error>::from\n             \
                    at /home/ada/.cargo/registry/src/index/anyhow-1.0.104/src/backtrace.rs:10:14\n   \
                    1: <shop::Orders as shop::Store>::load\n             at ./src/orders.rs:12:5\n   2: main\n";
        let frames = parse(text).map(|stack| stack.frames).unwrap_or_default();
        let seen: Vec<_> =
            frames.iter().map(|f| (f.filename.as_deref(), f.lineno, f.colno, f.in_app)).collect();
        assert_eq!(
            seen,
            [
                (None, None, None, Some(true)),
                (Some("./src/orders.rs"), Some(12), Some(5), Some(true)),
                (
                    Some("/home/ada/.cargo/registry/src/index/anyhow-1.0.104/src/backtrace.rs"),
                    Some(10),
                    Some(14),
                    Some(false)
                ),
            ]
        );
        assert!(parse("disabled backtrace").is_none());
    }
}
