//! What is ruled out early is what nobody would have found: the filters come from the lists, and agree with them.

use super::super::secrets::{CARDS, PHRASES, TOKENS, WORDS};
use super::{Meaning, Rules, Scrubber, body, scrubber, stays};

fn with_key(key: &str) -> Scrubber {
    Scrubber::new(&Rules { keys: vec![key.to_owned()], ..Rules::default() }).unwrap()
}

#[test]
fn every_listed_name_is_found() {
    for name in WORDS.iter().chain(PHRASES) {
        assert_eq!(scrubber().keys.meaning(name.as_bytes()), Meaning::Secret, "{name}");
        let wide = format!("x_{name}");
        assert_eq!(scrubber().keys.meaning(wide.as_bytes()), Meaning::Secret, "{wide}");
    }
}

#[test]
fn every_prefix_of_a_token_is_found() {
    for (prefix, _, least) in TOKENS {
        let token = format!("{prefix}{}", "a1".repeat(*least));
        for text in [token.clone(), format!("see {token}"), format!("(x,{token}")] {
            assert!(!scrubber().text(&text).contains("a1a1a1"), "{text}");
        }
        let json = format!(r#"{{"{token}":1}}"#);
        assert!(!scrubber().body(Some("application/json"), json.as_bytes()).contains("a1a1a1"), "{json}");
    }
}

#[test]
fn every_length_of_a_card_is_found() {
    for (first, _, lengths) in CARDS {
        for length in *lengths {
            let rest = "0".repeat(length - 7);
            let is_card = |last: &u32| {
                let number = format!("{first}{rest}{last}");
                scrubber().text(&number) == "[Filtered]"
            };
            assert_eq!((0..10).filter(is_card).count(), 1, "{first} with {length} digits");
        }
    }
}

#[test]
fn a_time_is_no_secret_unless_the_application_says_so() {
    let times = [
        "2026-11-22T10:20:30Z",
        "2026-11-22 10:20:30",
        "2026-11-22T10:20:30.123456789+01:00",
        "2026-11-22T10:20:30.1-08:30",
        "4111-11-11T11:11:11.111111111Z",
    ];
    for time in times {
        stays(time);
        // Found nowhere in it, where it is looked at byte by byte.
        stays(&format!("{time},"));
        stays(&format!(" {time}"));
        assert_ne!(with_key("t").text("2026-11-22T10:20:30Z"), "2026-11-22T10:20:30Z");
        assert_ne!(with_key("10").text("2026-11-22T10:20:30Z"), "2026-11-22T10:20:30Z");
    }
}

#[test]
fn an_id_is_no_name_unless_the_application_says_so() {
    let named = |id: &str| format!(r#"{{"id":"{id}","value":"x"}}"#);
    let plain = named("0198a1f2-7c3e-7d51-9c1b-00000cafe001");
    body("application/json", &plain, &plain);
    let masked = with_key("cafe").body(Some("application/json"), plain.as_bytes());
    assert_eq!(masked, plain.replace(r#""x""#, r#""[Filtered]""#));
    // As a list says.
    let factor = named("0198a1f2-7c3e-7d51-9c1b-2fa000000001");
    body("application/json", &factor, &factor.replace(r#""x""#, r#""[Filtered]""#));
}

#[test]
fn what_one_scrubber_says_of_a_key_is_nothing_to_another() {
    let (colours, sizes) = (with_key("colour"), with_key("size"));
    for _ in 0..3 {
        let masked = |scrubber: &Scrubber| {
            scrubber.body(Some("application/json"), br#"{"colour":"blue","a-size-of-more-than-16":"s"}"#)
        };
        assert_eq!(masked(&colours), r#"{"colour":"[Filtered]","a-size-of-more-than-16":"s"}"#);
        assert_eq!(masked(&sizes), r#"{"colour":"blue","a-size-of-more-than-16":"[Filtered]"}"#);
    }
}

#[test]
fn keys_that_differ_in_the_middle_are_told_apart() {
    let json = r#"{"the-first-a-last-one":1,"the-first-token-last":"x","the-first-koten-last":"y"}"#;
    body("application/json", json, &json.replace(r#""x""#, r#""[Filtered]""#));
}

#[test]
fn nests_of_values_are_masked_where_they_are_too_deep_to_be_looked_at() {
    let shallow = format!("{}1{}", r#"{"value":"#.repeat(20), "}".repeat(20));
    body("application/json", &shallow, &shallow);
    let deep = r#"{"value":"#.repeat(10_000);
    let masked = scrubber().body(Some("application/json"), deep.as_bytes());
    assert!(masked.len() < deep.len() && masked.ends_with(r#""[Filtered]""#), "{}", masked.len());
}
