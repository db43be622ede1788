//! Credentials in URLs, e-mail addresses, home directories.

use std::ops::Range;

use super::secrets::WEBHOOKS;

/// The secret part of `scheme://user:password@host`; `at` is the colon of `://`. A user's name stays if it is
/// one; a token in its place goes too.
pub(super) fn userinfo(text: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at.saturating_add(3);
    let rest = text.get(start..)?;
    let end = rest
        .iter()
        .position(|byte| byte.is_ascii_whitespace() || b"/?#\"'<>`\\".contains(byte))
        .unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    let Some(userinfo) = memchr::memrchr(b'@', authority) else { return unencoded(rest, authority, start) };
    let userinfo_text = rest.get(..userinfo)?;
    let end = start.saturating_add(userinfo);
    match memchr::memchr(b':', userinfo_text) {
        Some(colon) if is_name(userinfo_text.get(..colon)?) && colon < userinfo.saturating_sub(1) => {
            Some(start.saturating_add(colon).saturating_add(1)..end)
        }
        _ if is_name(userinfo_text) => None,
        _ => Some(start..end),
    }
}

/// A password with one of `/?#`, which nobody encoded: what stands behind the colon is no port, and the host
/// comes later.
fn unencoded(rest: &[u8], authority: &[u8], start: usize) -> Option<Range<usize>> {
    let colon = memchr::memchr(b':', authority)?;
    let port = authority.get(colon.saturating_add(1)..)?;
    if authority.starts_with(b"[") || port.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let near = rest.get(..rest.len().min(LONGEST_USERINFO))?;
    let end = near.iter().position(|byte| byte.is_ascii_whitespace() || b"\"'<>`".contains(byte));
    let at = memchr::memrchr(b'@', near.get(..end.unwrap_or(near.len()))?)?;
    Some(start.saturating_add(colon).saturating_add(1)..start.saturating_add(at))
}

/// A host is not searched for farther away.
const LONGEST_USERINFO: usize = 512;

/// The secret path of a webhook's URL; `at` is the colon of `://`.
pub(super) fn webhook(text: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at.saturating_add(3);
    let rest = text.get(start..)?;
    let known = WEBHOOKS.iter().find(|known| rest.starts_with(known.as_bytes()))?;
    let path = rest.get(known.len()..)?;
    let length = path.iter().position(|byte| byte.is_ascii_whitespace() || b"?#\"'<>`\\),".contains(byte));
    let start = start.saturating_add(known.len());
    Some(start..start.saturating_add(length.unwrap_or(path.len())))
}

/// A person's or a role's name: a token has digits, or is longer.
fn is_name(user: &[u8]) -> bool {
    user.len() <= 24 && user.iter().all(|byte| byte.is_ascii_alphabetic() || b"._-".contains(byte))
}

/// The longest local part that mail servers take (RFC 5321).
const LONGEST_LOCAL_PART: usize = 64;

/// The e-mail address around this `@`.
pub(super) fn email(text: &[u8], at: usize) -> Option<Range<usize>> {
    let is_local = |byte: &&u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte) || **byte >= 0x80;
    let local = text.get(..at)?.iter().rev().take(LONGEST_LOCAL_PART).take_while(is_local).count();
    let start = at.checked_sub(local)?;
    let rest = text.get(at.saturating_add(1)..)?;
    let is_domain = |byte: &&u8| byte.is_ascii_alphanumeric() || b".-".contains(byte) || **byte >= 0x80;
    let length = rest.iter().take(255).take_while(is_domain).count();
    let domain = rest.get(..length)?;
    let trailing = domain.iter().rev().take_while(|byte| b".-".contains(byte)).count();
    let domain = domain.get(..length.checked_sub(trailing)?)?;
    let dot = memchr::memrchr(b'.', domain)?;
    let top = domain.get(dot.saturating_add(1)..)?;
    let is_top = top.len() >= 2 && top.iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80);
    // `icon@2x.png`, and `git@host:path`, where everybody is called git.
    let image = domain.get(1..2) == Some(b"x") && domain.first().is_some_and(u8::is_ascii_digit);
    let remote = text.get(start..at) == Some(b"git") && rest.get(domain.len()) == Some(&b':');
    let end = at.saturating_add(1).saturating_add(domain.len());
    (local > 0 && dot > 0 && is_top && !image && !remote).then_some(start..end)
}

/// The user's name in a path below a home directory.
pub(super) fn home(path: &[u8]) -> Option<Range<usize>> {
    ["/home/", "/Users/", "\\Users\\"].iter().find_map(|parent| {
        let start = memchr::memmem::find(path, parent.as_bytes())?.saturating_add(parent.len());
        let rest = path.get(start..)?;
        let length = memchr::memchr2(b'/', b'\\', rest)?;
        Some(start..start.saturating_add(length))
    })
}
