//! Multipart bodies: fields as `name=value`, files as their name, type and size.

use std::fmt::Write as _;

use memchr::memmem;

use super::found::{Found, Rule};
use super::keys::Meaning;
use super::{MASK, Scrubber};

/// The fields of a body, a line each. `None` if it has no parts.
pub(super) fn fields(
    scrubber: &Scrubber,
    body: &[u8],
    boundary: Option<&str>,
    found: &mut Found,
) -> Option<Vec<u8>> {
    let delimiter = match boundary {
        Some(boundary) => [b"--", boundary.as_bytes()].concat(),
        // The first line is the delimiter where nobody says which it is.
        None => body
            .split(|byte| *byte == b'\r' || *byte == b'\n')
            .next()
            .filter(|line| line.starts_with(b"--"))?
            .to_vec(),
    };
    let mut out = Vec::with_capacity(body.len());
    let starts: Vec<usize> = memmem::find_iter(body, &delimiter).take(MOST_PARTS).collect();
    for (number, start) in starts.iter().enumerate() {
        let from = start.saturating_add(delimiter.len());
        let to = starts.get(number.saturating_add(1)).copied().unwrap_or(body.len());
        if let Some(part) = body.get(from..to).and_then(Part::read) {
            if !out.is_empty() {
                out.push(b'\n');
            }
            part.show(scrubber, &mut out, found);
        }
    }
    (!out.is_empty()).then_some(out)
}

/// The fields of a text that begins like a body of this kind.
pub(super) fn sniffed(scrubber: &Scrubber, text: &[u8], found: &mut Found) -> Option<Vec<u8>> {
    let head = text.get(..text.len().min(256))?;
    let is_one = head.starts_with(b"--") && memmem::find(head, b"\nContent-Disposition:").is_some();
    if is_one { fields(scrubber, text, None, found) } else { None }
}

/// Further parts are not shown.
const MOST_PARTS: usize = 256;

struct Part<'a> {
    name: String,
    file: Option<String>,
    content_type: Option<&'a str>,
    content: &'a [u8],
}

impl<'a> Part<'a> {
    fn read(part: &'a [u8]) -> Option<Self> {
        let part = part.strip_prefix(b"\r\n").or_else(|| part.strip_prefix(b"\n"))?;
        let (head, content) = match (memmem::find(part, b"\r\n\r\n"), memmem::find(part, b"\n\n")) {
            (Some(end), _) => (part.get(..end)?, part.get(end.saturating_add(4)..)?),
            (None, Some(end)) => (part.get(..end)?, part.get(end.saturating_add(2)..)?),
            (None, None) => (part, &b""[..]),
        };
        let content =
            content.strip_suffix(b"\r\n").or_else(|| content.strip_suffix(b"\n")).unwrap_or(content);
        let (mut name, mut file, mut content_type) = (None, None, None);
        for line in head.split(|byte| *byte == b'\n') {
            let Some((header, value)) = std::str::from_utf8(line).ok().and_then(|line| line.split_once(':'))
            else {
                continue;
            };
            if header.trim().eq_ignore_ascii_case("content-disposition") {
                name = parameter(value, "name");
                file = parameter(value, "filename").or_else(|| parameter(value, "filename*"));
            } else if header.trim().eq_ignore_ascii_case("content-type") {
                content_type = Some(value.trim());
            }
        }
        Some(Self { name: name?, file, content_type, content })
    }

    fn show(&self, scrubber: &Scrubber, out: &mut Vec<u8>, found: &mut Found) {
        let mut name = Vec::new();
        add(scrubber, self.name.as_bytes(), &mut name, found);
        out.extend(name.iter().map(|byte| if *byte == b'\n' || *byte == b'=' { b' ' } else { *byte }));
        out.push(b'=');
        let rule = match scrubber.keys.meaning(self.name.as_bytes()) {
            Meaning::Secret => Some(Rule::Key),
            Meaning::Personal => Some(Rule::Personal),
            Meaning::Harmless | Meaning::InQuery => None,
        };
        match (rule, &self.file) {
            (Some(rule), _) if !self.content.is_empty() => {
                if self.content != MASK.as_bytes() {
                    found.add(rule);
                }
                out.extend_from_slice(MASK.as_bytes());
            }
            (_, Some(file)) => {
                let mut shown = Vec::new();
                add(scrubber, file.as_bytes(), &mut shown, found);
                let mut about = String::new();
                let kind = self.content_type.unwrap_or("unknown type");
                let _ = write!(
                    about,
                    "<file {:?}, {} bytes, ",
                    String::from_utf8_lossy(&shown),
                    self.content.len()
                );
                out.extend_from_slice(about.as_bytes());
                add(scrubber, kind.as_bytes(), out, found);
                out.push(b'>');
            }
            (_, None) => {
                let content_type = self.content_type.unwrap_or("text/plain");
                // Parts inside of parts are not read.
                let shown = match content_type.get(..9) {
                    Some(start) if start.eq_ignore_ascii_case("multipart") => {
                        format!("<{} bytes, multipart>", self.content.len())
                    }
                    _ => scrubber.show_body(Some(content_type), self.content, false, found),
                };
                out.extend_from_slice(shown.as_bytes());
            }
        }
    }
}

fn add(scrubber: &Scrubber, text: &[u8], out: &mut Vec<u8>, found: &mut Found) {
    match scrubber.plain(text, found) {
        Some(scrubbed) => out.extend_from_slice(&scrubbed),
        None => out.extend_from_slice(text),
    }
}

/// `name="value"` among the parameters of a header.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    header.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"').to_owned())
    })
}
