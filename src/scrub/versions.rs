//! What manifests say behind names such as `passport` and `js-tokens`: which version of it they want.

/// Requirements are no longer.
const LONGEST: usize = 40;
/// More groups of digits are an address, longer ones a number of another kind.
const MOST_GROUPS: usize = 3;
const LONGEST_GROUP: usize = 4;

/// Whether this is a requirement such as `^11.0.2`, `>=1.2, <2.0`, `7.3.*` or `9.0.2`. Without an operator, what may
/// be a date (`1.2.90`) or an identity card's number (`12.345.678`) is none, and digits alone never are one.
pub(super) fn is_version(value: &[u8]) -> bool {
    if value.len() > LONGEST {
        return false;
    }
    let parts = || value.split(|byte| b" ,|".contains(byte)).filter(|part| !part.is_empty());
    let several = parts().nth(1).is_some();
    parts().next().is_some() && parts().all(|part| is_one(part, several))
}

/// The same of a string of JSON, its quotes included.
pub(super) fn is_quoted_version(string: &[u8]) -> bool {
    string.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).is_some_and(is_version)
}

fn is_one(part: &[u8], needs_operator: bool) -> bool {
    let operators = part.iter().take(2).take_while(|byte| b"^~<>=!".contains(byte)).count();
    let version = part.get(operators..).unwrap_or_default();
    let (version, tag) = match version.iter().position(|byte| *byte == b'-') {
        Some(hyphen) => version.split_at_checked(hyphen).unwrap_or_default(),
        None => (version, b"".as_slice()),
    };
    let mut lengths = [0_usize; MOST_GROUPS];
    let mut count = 0_usize;
    for group in version.split(|byte| *byte == b'.') {
        let any = count > 0 && matches!(group, b"*" | b"x");
        let digits = group.iter().all(u8::is_ascii_digit) && (1..=LONGEST_GROUP).contains(&group.len());
        let Some(length) = lengths.get_mut(count).filter(|_| any || digits) else { return false };
        *length = group.len();
        count = count.saturating_add(1);
    }
    let plain = match lengths {
        _ if operators > 0 => count > 1,
        [major, minor, 0] if count == 2 => major.saturating_add(minor) <= 3,
        [1..=3, 1..=2, 1 | 3] => true,
        _ => false,
    };
    plain && (operators > 0 || !needs_operator) && is_tag(tag)
}

/// Nothing, or what comes before a release: `-rc.2`.
fn is_tag(tag: &[u8]) -> bool {
    let tags: [&[u8]; 6] = [b"-alpha", b"-beta", b"-rc", b"-pre", b"-dev", b"-next"];
    let number =
        |rest: &[u8]| rest.len() <= 4 && rest.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    tag.is_empty() || tags.iter().any(|known| tag.strip_prefix(*known).is_some_and(number))
}
