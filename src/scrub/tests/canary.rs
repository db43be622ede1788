//! Secrets that are planted, and whether anything of them is left, in whatever encoding.
//!
//! Unit tests, `tests/it` and the fuzz targets read this file.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD as STANDARD, BASE64_URL_SAFE as URL_SAFE};
use percent_encoding::percent_decode;

/// A value that stands nowhere but where it was planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Canary {
    pub(crate) value: &'static str,
    /// Of these none may be found: not even a part of a secret is shown.
    pub(crate) marks: &'static [&'static str],
}

const fn canary(value: &'static str, marks: &'static [&'static str]) -> Canary {
    Canary { value, marks }
}

/// Like a token: letters and digits.
pub(crate) const TOKEN: Canary = canary("Zq7Vorplex9Kt2Wmq4", &["Zq7Vorp", "lex9Kt2", "t2Wmq4"]);
/// A password that is a word.
pub(crate) const WORD: Canary = canary("zqvorplexumbrith", &["zqvorplex", "umbrith"]);
pub(crate) const DIGITS: Canary = canary("90210734558217", &["90210734", "34558217"]);

/// One of each kind, the plain ones first.
pub(crate) const ALL: [Canary; 11] = [
    TOKEN,
    WORD,
    DIGITS,
    canary("zqvorplexñbrithumbo密krellaz", &["zqvorplex", "brithumbo", "krellaz"]),
    canary("Zq-vorplex_7.umbrith!$#*", &["vorplex", "umbrith"]),
    canary("zqvorplex brithumbo krellaz", &["zqvorplex", "brithumbo", "krellaz"]),
    canary("zqvorplex\"brithumbo'krellaz", &["zqvorplex", "brithumbo", "krellaz"]),
    canary("zqvorplex\\brithumbo\\\\krellaz", &["zqvorplex", "rithumbo", "krellaz"]),
    canary("zqvorplex&brithumbo=krellaz;muddlo", &["zqvorplex", "brithumbo", "krellaz", "muddlo"]),
    canary("zqvorplex<brithumbo>krellaz,muddlo", &["zqvorplex", "brithumbo", "krellaz", "muddlo"]),
    canary("zqvorplex\nbrithumbo\r\nkrellaz", &["zqvorplex", "brithumbo", "krellaz"]),
];

/// How many of them have neither spaces nor anything that quotes, ends or separates.
pub(crate) const PLAIN: usize = 5;

impl Canary {
    /// What is left of it in these bytes, read as they are, url-decoded, unescaped, and in base64.
    pub(crate) fn left_in(&self, bytes: &[u8]) -> Option<String> {
        let mut readings = vec![("as it is", bytes.to_vec())];
        readings.push(("url-decoded", url_decoded(bytes)));
        readings.push(("url-decoded twice", url_decoded(&url_decoded(bytes))));
        let mut text = bytes.to_vec();
        while text.contains(&b'\\') {
            text = unescaped(&text);
            readings.push(("unescaped", text.clone()));
        }
        for mark in self.marks {
            for (how, reading) in &readings {
                if memchr::memmem::find(reading, mark.as_bytes()).is_some() {
                    return Some(format!("{mark:?} is left, {how}"));
                }
            }
            if let Some(form) =
                in_base64(mark).iter().find(|form| memchr::memmem::find(bytes, form).is_some())
            {
                return Some(format!("{mark:?} is left in base64: {:?}", String::from_utf8_lossy(form)));
            }
        }
        None
    }
}

fn url_decoded(bytes: &[u8]) -> Vec<u8> {
    percent_decode(bytes).map(|byte| if byte == b'+' { b' ' } else { byte }).collect()
}

/// Without one level of the escapes of JSON, and of what is written like it.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'\\', [b'u', digits @ ..]) if digits.len() >= 4 => {
                let (digits, after) = digits.split_at(4);
                let unit = std::str::from_utf8(digits).ok().and_then(|hex| u32::from_str_radix(hex, 16).ok());
                match unit.and_then(char::from_u32) {
                    Some(c) => {
                        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                        rest = after;
                    }
                    None => out.push(b'?'),
                }
            }
            (b'\\', [escaped, after @ ..]) => {
                out.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    other => *other,
                });
                rest = after;
            }
            (b'\\', []) => {}
            (byte, _) => out.push(*byte),
        }
    }
    out
}

/// The characters that the mark alone decides, for each place that it may have in a group of three bytes.
fn in_base64(mark: &str) -> Vec<Vec<u8>> {
    let forms = (0..3_usize).flat_map(|before| {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(mark.as_bytes());
        bytes.truncate(bytes.len().saturating_sub(bytes.len() % 3));
        [STANDARD.encode(&bytes), URL_SAFE.encode(&bytes)].map(|form| {
            let undecided = if before == 0 { 0 } else { 4 };
            form.as_bytes().get(undecided..).unwrap_or_default().to_vec()
        })
    });
    forms.filter(|form| form.len() >= 4).collect()
}
