//! Secrets inside texts: `name=value`, `"name":"value"`, `Bearer ..`, `scheme://user:password@host`.

use super::{MASK, is_secret};

/// The text without its secrets, or `None` when it has none. Takes time in proportion to its length.
pub(crate) fn scrub_text(text: &str) -> Option<String> {
    let mut finders = [Finder::new(next_pair), Finder::new(next_credential), Finder::new(next_password)];
    let mut out = String::new();
    let mut done = 0;
    let mut changed = false;
    while let Some(found) =
        finders.iter_mut().filter_map(|finder| finder.next(text, done)).min_by_key(|s| s.start)
    {
        changed |= text.get(found.clone()) != Some(MASK);
        out.push_str(text.get(done..found.start)?);
        out.push_str(MASK);
        done = found.end;
    }
    out.push_str(text.get(done..)?);
    changed.then_some(out)
}

type Span = std::ops::Range<usize>;

/// Looks for one kind of secret, and remembers what it found until the others have caught up.
struct Finder {
    find: fn(&str) -> Option<Span>,
    found: Option<Span>,
    exhausted: bool,
}

impl Finder {
    fn new(find: fn(&str) -> Option<Span>) -> Self {
        Self { find, found: None, exhausted: false }
    }

    /// The first secret of this kind that starts at `from` or later.
    fn next(&mut self, text: &str, from: usize) -> Option<Span> {
        if !self.exhausted && self.found.as_ref().is_none_or(|found| found.start < from) {
            let shift = |span: Span| span.start.saturating_add(from)..span.end.saturating_add(from);
            self.found = text.get(from..).and_then(self.find).map(shift);
            self.exhausted = self.found.is_none();
        }
        self.found.clone()
    }
}

/// The value of `name=value` or `"name":"value"` whose name is a secret's.
fn next_pair(text: &str) -> Option<Span> {
    for (at, separator) in text.match_indices(['=', ':']) {
        let before = text.get(..at)?;
        let after = at.saturating_add(1);
        let quoted = before.ends_with(['"', '\'']);
        // `name: value` without quotes is prose far too often: "unexpected token: `}`".
        if separator == ":" && !quoted {
            continue;
        }
        let name = before.trim_end_matches(['"', '\'', '\\']);
        let name = name.rsplit(|c: char| !is_name(c)).next().unwrap_or_default();
        if name.is_empty() || !is_secret(name) {
            continue;
        }
        if let Some(value) = value_at(text, after) {
            return Some(value);
        }
    }
    None
}

/// The value that starts at `at`: up to the closing quote if there is an opening one, else one word.
fn value_at(text: &str, at: usize) -> Option<Span> {
    let value = text.get(at..)?;
    let bare = value.trim_start_matches([' ', '\\']);
    let start = at.saturating_add(value.len().saturating_sub(bare.len()));
    let (start, bare, end) = match bare.strip_prefix(['"', '\'']) {
        Some(inner) => (start.saturating_add(1), inner, inner.find(['"', '\'', '\n'])),
        None => (start, bare, bare.find(|c: char| c.is_whitespace() || "&;,)}]\"'".contains(c))),
    };
    // The mask itself ends in a bracket.
    let length = if bare.starts_with(MASK) { MASK.len() } else { end.unwrap_or(bare.len()) };
    (length > 0).then(|| start..start.saturating_add(length))
}

/// What follows `Bearer` or `Basic`, if it looks like a credential: at least eight of its characters, and no
/// plain word ("Basic research").
fn next_credential(text: &str) -> Option<Span> {
    for (at, _) in text.match_indices(' ') {
        let before = text.get(..at)?;
        if !["Bearer", "bearer", "Basic", "basic"].iter().any(|scheme| before.ends_with(scheme)) {
            continue;
        }
        let start = at.saturating_add(1);
        let rest = text.get(start..)?;
        let credential = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
        let length = rest.find(|c| !credential(c)).unwrap_or(rest.len());
        let plain_word = || rest.bytes().take(length).all(|b| b.is_ascii_lowercase());
        if length >= 8 && !plain_word() {
            return Some(start..start.saturating_add(length));
        }
    }
    None
}

/// The password of `scheme://user:password@host`.
fn next_password(text: &str) -> Option<Span> {
    for (at, _) in text.match_indices("://") {
        let start = at.saturating_add(3);
        let authority = text.get(start..)?;
        let end =
            authority.find(|c: char| c.is_whitespace() || "/?#\"'<>".contains(c)).unwrap_or(authority.len());
        let authority = authority.get(..end)?;
        let Some((userinfo, _)) = authority.rsplit_once('@') else { continue };
        let Some((user, password)) = userinfo.split_once(':') else { continue };
        if !password.is_empty() && password != MASK {
            let start = start.saturating_add(user.len()).saturating_add(1);
            return Some(start..start.saturating_add(password.len()));
        }
    }
    None
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || "_-.[]".contains(c)
}

#[cfg(test)]
mod tests {
    use super::scrub_text;

    #[track_caller]
    fn becomes(text: &str, expected: &str) {
        let once = scrub_text(text).unwrap_or_else(|| text.to_owned());
        assert_eq!(once, expected);
        assert_eq!(scrub_text(&once), None, "a second pass changes nothing");
    }

    #[test]
    fn secrets_in_prose_go() {
        becomes("login failed: password=hunter2, user=ada", "login failed: password=[Filtered], user=ada");
        becomes("GET /a?token=abc&page=2 failed", "GET /a?token=[Filtered]&page=2 failed");
        becomes(
            r#"body {"password":"hunter2","note":"ok"}"#,
            r#"body {"password":"[Filtered]","note":"ok"}"#,
        );
        becomes(r#"cut {"api_key": "hun"#, r#"cut {"api_key": "[Filtered]"#);
        becomes("sent Authorization: Bearer abc.def.ghi!", "sent Authorization: Bearer [Filtered]!");
        becomes("postgres://app:pa:ss@db/x refused", "postgres://app:[Filtered]@db/x refused");
        becomes("secret='two words' note", "secret='[Filtered]' note");
    }

    #[test]
    fn many_secrets_cost_no_more_than_their_length() {
        let text = "password=a Bearer abcd1234 postgres://u:p@h ".repeat(20_000);
        let scrubbed = scrub_text(&text).unwrap_or_default();
        assert_eq!(scrubbed.matches(super::MASK).count(), 60_000);
    }

    #[test]
    fn harmless_texts_stay_as_they_are() {
        for text in [
            "unexpected token: `}` at line 3",
            "http://127.0.0.1:3000/orders?page=2",
            "a=1 b=2: c",
            "Basic research",
            "::1 and 12:30:05",
            "größe=3 password=",
            "",
        ] {
            assert_eq!(scrub_text(text), None, "{text}");
        }
    }
}
