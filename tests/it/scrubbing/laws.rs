//! What holds for every document and every text.

use std::sync::{Arc, LazyLock};

use faultwire::Scrubber;
use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use serde_json::Value;

use super::canary::{ALL, PLAIN};
use super::plant::{Choices, KEPT, Planted, planted};
use super::{DEFAULT, scrubbed, scrubber_of};

const MASK: &str = "[Filtered]";

/// So many, or as many as `PROPTEST_CASES` says: who changes the scrubber asks for a hundred times as many.
fn cases(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { cases };
    ProptestConfig { cases, max_global_rejects: cases, failure_persistence: None, ..default }
}

/// The number of a canary, and a document in which it stands behind a secret's name.
fn documents() -> impl Strategy<Value = (usize, Planted)> {
    (0..ALL.len(), prop::collection::vec(any::<u8>(), 0..64))
        .prop_map(|(which, bytes)| (which, planted(&mut Choices::new(&bytes), &ALL[which], which < PLAIN)))
}

/// JSON of any kind, with keys and values that are sometimes secret.
fn json() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        "[a-zA-Z_.-]{0,12}",
        prop::sample::select(
            &["password", "clientSecret", "note", "id", "value", "name", "email", "key"][..]
        )
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    let text = prop_oneof![
        any::<String>(),
        "[ -~]{0,40}",
        prop::sample::select(
            &["4111 1111 1111 1111", "token=abc", "{\"pin\":1}", "ada@example.org", "password"][..]
        )
        .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The same but for what is masked.
fn differs_by_masks_only(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (_, Value::String(after)) if after.contains(MASK) => true,
        (Value::String(before), Value::String(after)) => {
            // Inside of it an encoding may have been written anew.
            before == after || percent_decode_str(after).decode_utf8_lossy().contains(MASK)
        }
        (Value::Array(before), Value::Array(after)) => {
            before.len() == after.len()
                && before.iter().zip(after).all(|(before, after)| differs_by_masks_only(before, after))
        }
        (Value::Object(before), Value::Object(after)) => {
            after.keys().any(|key| key.contains(MASK))
                || (before.len() == after.len()
                    && before.iter().all(|(key, before)| {
                        after.get(key).is_some_and(|after| differs_by_masks_only(before, after))
                    }))
        }
        _ => before == after,
    }
}

/// A value that may hold spaces ends with its line, not with the escape of a line's end: it may hold a backslash.
fn may_take_the_next_line(text: &str) -> bool {
    let lower = text.to_lowercase();
    ["\\n", "%5cn"].iter().any(|escape| lower.contains(escape)) && lower.contains("authorization")
}

proptest! {
    #![proptest_config(cases(4_000))]

    #[test]
    fn nothing_is_left_of_a_secret_in_any_nest_of_shapes_and_what_is_harmless_stays((which, document) in documents()) {
        let shown = scrubbed(document.content_type, &document.body);
        let left = ALL[which].left_in(shown.as_bytes());
        prop_assert!(left.is_none(), "{}\n{document:?}\nbecomes {shown:?}", left.unwrap_or_default());
        let (before, after) = (document.body.matches(KEPT).count(), shown.matches(KEPT).count());
        let kept = if may_take_the_next_line(&document.body) { after <= before } else { after == before };
        prop_assert!(kept, "{document:?}\nbecomes {shown:?}");
        if !document.content_type.starts_with("multipart") {
            prop_assert_eq!(scrubbed(document.content_type, &shown), shown, "a second pass changes nothing");
        }
    }

    #[test]
    fn nothing_is_left_of_a_secret_in_a_document_that_ends_anywhere(
        (which, document) in documents(),
        end in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!document.name_comes_last);
        let end = document.body.floor_char_boundary(end.index(document.body.len()));
        let (body, _) = document.body.split_at(end);
        let shown = scrubbed(document.content_type, body);
        let left = ALL[which].left_in(shown.as_bytes());
        prop_assert!(left.is_none(), "{}\n{body:?}\nbecomes {shown:?}", left.unwrap_or_default());
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn json_stays_json_and_differs_by_masks_only(value in json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let text = text.unwrap();
        // Not every number is read as it was.
        let value = serde_json::from_str::<Value>(&text).unwrap();
        let once = scrubbed("application/json", &text);
        let after = serde_json::from_str::<Value>(&once);
        prop_assert!(after.is_ok(), "{} becomes {once}", value);
        prop_assert!(differs_by_masks_only(&value, &after.unwrap()), "{} becomes {once}", value);
        prop_assert_eq!(scrubbed("application/json", &once), once, "a second pass changes nothing");
    }

    #[test]
    fn any_text_is_scrubbed_without_a_panic_and_once_for_all(text in any::<String>()) {
        let once = scrubbed("text", &text);
        prop_assert_eq!(scrubbed("text", &once), once.clone(), "a second pass changes {:?}", text);
    }

    /// What stands right next to a secret may be read otherwise when that is gone, so shuffled pieces may need more
    /// passes than one; masks only grow, so there are few.
    #[test]
    fn any_shuffle_of_what_scrubbers_look_at_settles(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..24),
    ) {
        let passes = std::iter::successors(Some(pieces.concat()), |text| Some(scrubbed("text", text)));
        let passes: Vec<String> = passes.take(6).collect();
        prop_assert_eq!(passes.get(4), passes.get(5), "{:?}", passes);
    }

    #[test]
    fn any_bytes_are_shown_without_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..256),
        content_type in prop::sample::select(CONTENT_TYPES),
    ) {
        let shown = DEFAULT.body(Some(content_type), &bytes);
        prop_assert!(shown.len() <= bytes.len().saturating_mul(8).saturating_add(128), "{shown}");
    }
}

/// What texts are made of that scrubbers look at.
const PIECES: &[&str] = &[
    "password",
    "token",
    "key",
    "api_key",
    "email",
    "name",
    "value",
    "note",
    "=",
    ":",
    ": ",
    " = ",
    "&",
    "?",
    ";",
    ",",
    ", ",
    " ",
    "\n",
    "\t",
    "\"",
    "'",
    "`",
    "\\",
    "\\\"",
    "\\n",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "<",
    ">",
    "</",
    "/>",
    "<token>",
    "</token>",
    "<![CDATA[",
    "]]>",
    "%3D",
    "%22",
    "%25",
    "%7B",
    "%",
    "&quot;",
    "&amp;",
    "://",
    "@",
    "a",
    "abc",
    "Zq7Vorplex9",
    "4111",
    "4111111111111111",
    "1",
    "-",
    "_",
    ".",
    "#",
    "Some(",
    "Key (",
    ")=(",
    "Bearer ",
    "ghp_0123456789abcdefghij",
    "eyJhbGciOiJIUzI1NiJ9.",
    "-----BEGIN PRIVATE KEY-----",
    "[Filtered]",
    "null",
    "true",
    "x@y.org",
    "ñ",
    "密码",
    "\u{200b}",
];

const CONTENT_TYPES: &[&str] = &[
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=a",
    "multipart/form-data",
    "application/xml",
    "text/plain",
    "text/html; charset=utf-8",
    "",
    "image/png",
];

/// With patterns, keys and known secrets of an application.
static TOLD: LazyLock<Arc<Scrubber>> = LazyLock::new(|| {
    scrubber_of(|config| {
        config
            .secret_pattern(r"\bORD-\d{4}\b")
            .secret_pattern("[A-Z]{3}x")
            .secret_key("favourite_colour")
            .secret("correct horse/battery+9")
    })
});

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn rules_of_the_application_mask_more_and_nothing_less((which, document) in documents()) {
        let told = TOLD.body(Some(document.content_type), document.body.as_bytes());
        prop_assert!(ALL[which].left_in(told.as_bytes()).is_none(), "{document:?}\nbecomes {told:?}");
        let colour = document.body.replace("note", "favouriteColour");
        let told = TOLD.body(Some(document.content_type), colour.as_bytes());
        prop_assert!(ALL[which].left_in(told.as_bytes()).is_none(), "{colour:?}\nbecomes {told:?}");
    }

    #[test]
    fn patterns_hold_in_any_text(before in any::<String>(), after in any::<String>()) {
        let text = format!("{before} ORD-1234 {after}");
        let once = TOLD.text(&text).into_owned();
        prop_assert!(!once.contains("ORD-1234"), "{once}");
        prop_assert_eq!(TOLD.text(&once).into_owned(), once.clone(), "a second pass changes {:?}", text);
    }
}
