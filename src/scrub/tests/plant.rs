//! Documents with a secret in them, of every shape and of shapes inside shapes.
//!
//! They are made from a few bytes, so that a property test and a fuzzer make them alike.

use super::canary::Canary;
use super::spell::{disguised, json_string, spelled, url};

/// What may be shown stands in every document, and has to survive.
pub(crate) const KEPT: &str = "kept-4711";

/// Decisions, a byte each. When there are no more bytes, each is the first one.
pub(crate) struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn below(&mut self, most: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first).checked_rem(most).unwrap_or_default()
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        let chosen = self.below(of.len());
        of[chosen]
    }

    pub(crate) fn seldom(&mut self) -> bool {
        self.below(8) == 7
    }
}

/// A document, and how it is announced.
#[derive(Clone, Debug)]
pub(crate) struct Planted {
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
    /// The name stands behind its value: who cuts between them takes away what tells.
    pub(crate) name_comes_last: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Json,
    /// JSON whose keys are values: `{"name":"password","value":".."}`.
    Named,
    Pairs,
    Xml,
    Text,
    Multipart,
}

impl Shape {
    fn content_type(self) -> &'static str {
        match self {
            Self::Json | Self::Named => "application/json",
            Self::Pairs => "application/x-www-form-urlencoded",
            Self::Xml => "application/xml",
            Self::Text => "text/plain",
            Self::Multipart => "multipart/form-data; boundary=XX",
        }
    }
}

struct Doc {
    shape: Shape,
    text: String,
    /// How many strings of JSON are around the secret.
    strings: usize,
    name_comes_last: bool,
}

/// A document with the canary as the value of a secret's key. `plain` says that the canary needs no quotes.
pub(crate) fn planted(choices: &mut Choices<'_>, canary: &Canary, plain: bool) -> Planted {
    let mut doc = innermost(choices, canary.value, plain);
    for _ in 0..choices.below(4) {
        doc = wrapped(choices, doc);
    }
    Planted { content_type: doc.shape.content_type(), body: doc.text, name_comes_last: doc.name_comes_last }
}

fn innermost(choices: &mut Choices<'_>, secret: &str, plain: bool) -> Doc {
    let mut name_comes_last = false;
    let (shape, text) = match choices.below(6) {
        0 => (Shape::Json, json(choices, secret)),
        1 => (Shape::Pairs, pairs(choices, secret)),
        2 => (Shape::Text, text(choices, secret, plain)),
        3 => {
            let name = spelled(choices);
            (Shape::Multipart, multipart(choices, &name, "text/plain", secret))
        }
        4 => (Shape::Xml, xml(choices, secret)),
        _ => {
            name_comes_last = choices.below(2) == 1;
            (Shape::Named, named(choices, secret, name_comes_last))
        }
    };
    Doc { shape, text, strings: 0, name_comes_last }
}

/// Another document with this one as a harmless value of its own.
fn wrapped(choices: &mut Choices<'_>, doc: Doc) -> Doc {
    let Doc { shape, text, strings, name_comes_last } = doc;
    let is_json = matches!(shape, Shape::Json | Shape::Named);
    let (shape, text, strings) = match choices.below(6) {
        0 if is_json => {
            let text = object(choices, &[("\"outer\"".to_owned(), text), note()]);
            (shape, text, strings)
        }
        1 if strings < 2 && shape != Shape::Multipart => {
            let inner = json_string(choices, &text);
            let text = object(choices, &[("\"payload\"".to_owned(), inner), note()]);
            (Shape::Json, text, strings.saturating_add(1))
        }
        2 if shape != Shape::Multipart => {
            let text = format!("page=2&payload={}&note={KEPT}", url(choices, &text));
            (Shape::Pairs, text, strings)
        }
        3 if shape != Shape::Multipart => {
            let text = multipart(choices, "payload", shape.content_type(), &text);
            (Shape::Multipart, text, strings)
        }
        4 if shape == Shape::Json => {
            let text = choices
                .pick(&["got {} note=KEPT", "level=info body={} note=KEPT", "ERROR x::y: {}\nnote=KEPT"])
                .replace("KEPT", KEPT)
                .replace("{}", &text);
            (Shape::Text, text, strings)
        }
        4 if shape == Shape::Pairs => {
            let text = format!("\"GET /a?{text} HTTP/1.1\" 200 note={KEPT}");
            (Shape::Text, text, strings)
        }
        5 if shape == Shape::Json && !text.contains("]]>") => {
            let text = format!("<r><note>{KEPT}</note><payload><![CDATA[{text}]]></payload></r>");
            (Shape::Xml, text, strings)
        }
        _ => (shape, text, strings),
    };
    Doc { shape, text, strings, name_comes_last }
}

fn space(choices: &mut Choices<'_>) -> &'static str {
    match choices.below(8) {
        5 => " ",
        6 => "\n  ",
        7 => "\t",
        _ => "",
    }
}

fn note() -> (String, String) {
    ("\"note\"".to_owned(), format!("\"{KEPT}\""))
}

/// An object of these members, in any order, with white space.
fn object(choices: &mut Choices<'_>, members: &[(String, String)]) -> String {
    let first = choices.below(members.len());
    let (end, start) = members.split_at(first);
    let written: Vec<String> = [start, end]
        .concat()
        .iter()
        .map(|(key, value)| {
            let (a, b, c) = (space(choices), space(choices), space(choices));
            format!("{a}{key}{b}:{c}{value}")
        })
        .collect();
    format!("{{{}{}}}", written.join(","), space(choices))
}

fn json(choices: &mut Choices<'_>, secret: &str) -> String {
    let key = disguised(choices);
    let key = json_string(choices, &key);
    let value = json_string(choices, secret);
    let value = match choices.below(10) {
        5 => format!("[{value}]"),
        6 => format!("[[1,{value}],{value}]"),
        7 => format!("{{\"inner\":{value}}}"),
        8 => format!("{{\"a\":[{{\"b\":{value},\"c\":\"}}\"}}]}}"),
        9 if secret.bytes().all(|byte| byte.is_ascii_digit()) => secret.to_owned(),
        _ => value,
    };
    let mut members = vec![(key, value), note()];
    if choices.seldom() {
        members.push(("\"a \\\" b\"".to_owned(), "[null, true, -1.5e3, {}, []]".to_owned()));
    }
    if choices.seldom() {
        members.push(members[0].clone());
    }
    let mut text = object(choices, &members);
    for _ in 0..choices.below(4) {
        text = match choices.below(4) {
            0 => object(choices, &[("\"deeper\"".to_owned(), text), note()]),
            1 => format!("[{text}]"),
            2 => format!("[{{\"note\":\"{KEPT}\"}},{text},2]"),
            _ => text,
        };
    }
    text
}

fn named(choices: &mut Choices<'_>, secret: &str, name_comes_last: bool) -> String {
    let name = spelled(choices);
    let name = (choices.pick(&["\"name\"", "\"key\"", "\"Name\""]).to_owned(), json_string(choices, &name));
    let value = (choices.pick(&["\"value\"", "\"Value\""]).to_owned(), json_string(choices, secret));
    let named = match name_comes_last {
        false => format!("{{{}:{},{}:{}}}", name.0, name.1, value.0, value.1),
        true => format!("{{{}:{},{}:{}}}", value.0, value.1, name.0, name.1),
    };
    format!("[{{\"name\":\"note\",\"value\":\"{KEPT}\"}},{named}]")
}

fn pairs(choices: &mut Choices<'_>, secret: &str) -> String {
    let (name, value) = (disguised(choices), url(choices, secret));
    let name = if choices.below(2) == 0 { url(choices, &name) } else { name };
    match choices.below(3) {
        0 => format!("{name}={value}&note={KEPT}"),
        1 => format!("page=2&note={KEPT}&{name}={value}"),
        _ => format!("note={KEPT}&{name}={value}&{name}={value}&last"),
    }
}

fn xml(choices: &mut Choices<'_>, secret: &str) -> String {
    let name = spelled(choices);
    let escaped = secret
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', if choices.seldom() { ">" } else { "&gt;" })
        .replace('"', "&quot;");
    let planted = match choices.below(5) {
        0 => format!("<{name}>{escaped}</{name}>"),
        1 => format!("<s:{name} type=\"text\">\n  {escaped}\n</s:{name}>"),
        2 => format!("<{name}><![CDATA[{secret}]]></{name}>"),
        3 => format!("<user {name}=\"{escaped}\" n='1'/>"),
        _ => format!("<{name}><inner>{escaped}</inner><{name}/></{name}>"),
    };
    let head = choices.pick(&["", "<?xml version=\"1.0\"?>\n", "<!-- a -->"]);
    format!("{head}<r><note>{KEPT}</note>{planted}<note>{KEPT}</note></r>")
}

fn multipart(choices: &mut Choices<'_>, name: &str, content_type: &str, content: &str) -> String {
    let head = match content_type {
        "text/plain" => String::new(),
        _ => format!("Content-Type: {content_type}\r\n"),
    };
    let note = format!("--XX\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\n{KEPT}\r\n");
    let file = "--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\0\u{1}\r\n";
    let part = format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n{head}\r\n{content}\r\n");
    let parts = match choices.below(3) {
        0 => part + &note,
        1 => note + &part,
        _ => note + file + &part,
    };
    format!("{parts}--XX--\r\n")
}

fn text(choices: &mut Choices<'_>, secret: &str, plain: bool) -> String {
    let name = spelled(choices);
    let quoted = json_string(&mut Choices::new(&[]), secret);
    let template = choices.pick(&[
        "NAME=QUOTED note=KEPT",
        "msg=\"login failed\" NAME=QUOTED note=KEPT",
        "{'a': NaN, \"NAME\": QUOTED, 'note': 'KEPT'}",
        "Login { NAME: QUOTED, note: \"KEPT\" }",
        "Login { NAME: Some(QUOTED), note: \"KEPT\" }",
        "Login { NAME: Hidden(QUOTED), note: \"KEPT\" }",
        "Login {\n    NAME: Some(\n        QUOTED,\n    ),\n    note: \"KEPT\",\n}",
        "Login {\n    NAME: Hidden {\n        a: QUOTED,\n    },\n    note: \"KEPT\",\n}",
        "NAME=PLAIN note=KEPT",
        "login failed (NAME=PLAIN), note=KEPT",
        "GET /a?page=2&NAME=PLAIN&note=KEPT HTTP/1.1",
        "GET /a?NAME=PLAIN#note=KEPT HTTP/1.1",
        "note=KEPT\nNAME=PLAIN\nnote=KEPT",
        "note = KEPT\nNAME   = PLAIN\n",
        "curl --NAME=PLAIN --note=KEPT",
        "note=KEPT NAME: invalid type: string QUOTED, expected u32 at line 1 column 7, note=KEPT",
        "note=KEPT invalid value: string QUOTED, expected a day, note=KEPT",
        "note=KEPT NAME: invalid type: integer `RAW`, expected a boolean, note=KEPT",
        "note=KEPT login[0].NAME: unknown variant `RAW`, expected `Free` or `Pro`, note=KEPT",
        "note=KEPT Cannot parse `NAME` with value `RAW` to a `u32`, note=KEPT",
    ]);
    let encoded = url(&mut Choices::new(&[1]), secret);
    template
        .replace("NAME", &name)
        .replace("QUOTED", &quoted)
        .replace("RAW", secret)
        .replace("PLAIN", if plain { secret } else { &encoded })
        .replace("KEPT", KEPT)
}
