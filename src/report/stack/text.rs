//! The text of a `std::backtrace::Backtrace`.
//!
//! A backtrace that an error brought along (anyhow's) can only be printed: std shows neither its frames nor
//! their addresses.

use super::Spot;

/// Reads the frames, innermost first as they are printed.
pub(super) fn parse(text: &str) -> Vec<Spot> {
    let mut spots: Vec<Spot> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(place) = line.strip_prefix("at ") {
            if let Some(spot) = spots.last_mut() {
                set_place(spot, place);
            }
            continue;
        }
        let function = match line.split_once(": ") {
            Some((number, function)) if number.bytes().all(|digit| digit.is_ascii_digit()) => function,
            // What was inlined into a frame has no number of its own.
            _ if !spots.is_empty() && !line.is_empty() => line,
            _ => continue,
        };
        spots.push(Spot { function: Some(function.to_owned()), ..Spot::default() });
    }
    spots
}

/// `src/main.rs:12:5`
fn set_place(spot: &mut Spot, place: &str) {
    let mut parts = place.rsplitn(3, ':');
    let (column, line, file) = (parts.next(), parts.next(), parts.next());
    let Some(file) = file else { return };
    spot.column = column.and_then(|column| column.parse().ok());
    spot.line = line.and_then(|line| line.parse().ok());
    spot.file = Some(file.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_with_those_that_were_inlined() {
        let text = "   0: anyhow::error::<impl core::convert::From<E> for anyhow::Error>::from\n             \
                    at /home/ada/.cargo/registry/src/index/anyhow-1.0.104/src/backtrace.rs:10:14\n   \
                    1: <shop::Orders as shop::Store>::load\n             at ./src/orders.rs:12:5\n      \
                    shop::answer\n             at ./src/main.rs:7:3\n   2: main\n";
        let spots = parse(text);
        let seen: Vec<_> = spots.iter().map(|s| (s.function.as_deref(), s.file.as_deref(), s.line)).collect();
        let anyhow = "/home/ada/.cargo/registry/src/index/anyhow-1.0.104/src/backtrace.rs";
        assert_eq!(seen.first().map(|seen| (seen.1, seen.2)), Some((Some(anyhow), Some(10))));
        assert_eq!(
            seen[1..],
            [
                (Some("<shop::Orders as shop::Store>::load"), Some("./src/orders.rs"), Some(12)),
                (Some("shop::answer"), Some("./src/main.rs"), Some(7)),
                (Some("main"), None, None),
            ]
        );
        assert_eq!(spots[1].column, Some(5));
        assert!(parse("disabled backtrace").is_empty());
    }
}
