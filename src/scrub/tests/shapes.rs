//! Bodies of every shape, items, and what the scrubber was told.

use super::{Found, MASK, Rules, Scrubber, becomes, body, scrubber};

#[test]
fn json_of_every_shape() {
    let json = |input: &str, expected: &str| body("application/json", input, expected);
    json(r#"{"password":"x","note":"ok"}"#, r#"{"password":"[Filtered]","note":"ok"}"#);
    json(
        r#"{"a":{"b":[{"cardNumber":4111,"n":"k"}]}}"#,
        r#"{"a":{"b":[{"cardNumber":"[Filtered]","n":"k"}]}}"#,
    );
    json(r#"[{"token":{"a":[1,"}"]}},"x"]"#, r#"[{"token":"[Filtered]"},"x"]"#);
    json(r#"{"pass\u0077ord":"x"}"#, r#"{"pass\u0077ord":"[Filtered]"}"#);
    json(
        r#"{"password":"a","password":"b","n":1}"#,
        r#"{"password":"[Filtered]","password":"[Filtered]","n":1}"#,
    );
    json(r#"{"j":"{\"password\":\"x\",\"n\":1}"}"#, r#"{"j":"{\"password\":\"[Filtered]\",\"n\":1}"}"#);
    json(
        r#"{"j":"{\"k\":\"{\\\"token\\\":\\\"x\\\",\\\"n\\\":1}\"}"}"#,
        r#"{"j":"{\"k\":\"{\\\"token\\\":\\\"[Filtered]\\\",\\\"n\\\":1}\"}"}"#,
    );
    json(r#"{"password":"hunt"#, r#"{"password":"[Filtered]"#);
    json(r#"{"password":{"a":"hunt"#, r#"{"password":"[Filtered]""#);
    json(r#"{"n":"a","password" : "x" , "m":1}"#, r#"{"n":"a","password" : "[Filtered]" , "m":1}"#);
    json("{\"a\":1,\"token\":\"x\"}\n{\"b\":\"y\"}\n", "{\"a\":1,\"token\":\"[Filtered]\"}\n{\"b\":\"y\"}\n");
    json(r#"{"card":4111111111111111,"n":12345678901234}"#, r#"{"card":"[Filtered]","n":12345678901234}"#);
    json(r#"{"password":true,"token":null,"secret":""}"#, r#"{"password":true,"token":null,"secret":""}"#);
    json(
        r#"[{"name":"password","value":"x"},{"name":"a","value":"y"}]"#,
        r#"[{"name":"password","value":"[Filtered]"},{"name":"a","value":"y"}]"#,
    );
    json(r#"[{"value":"x","name":"password"}]"#, r#"[{"value":"[Filtered]","name":"password"}]"#);
    json(r#"{"h":[["authorization","x"],["b","y"]]}"#, r#"{"h":[["authorization","[Filtered]"],["b","y"]]}"#);
    json(r#"{"required":["password","token"]}"#, r#"{"required":["password","token"]}"#);
    json(r#"{password: "x", 'note': 'ok'}"#, r#"{password: "[Filtered]", 'note': 'ok'}"#);
    json(r#"{"stray {"password":"hunter2"}"#, r#"{"stray {"password":"[Filtered]"}"#);
    json(r#"{"ada@example.org": 1}"#, r#"{"[Filtered]": 1}"#);
    json(
        r#"{"q":"mutation($p: String!)","variables":{"password":"x","note":"ok"}}"#,
        r#"{"q":"mutation($p: String!)","variables":{"password":"[Filtered]","note":"ok"}}"#,
    );
    json(r#""just a string with password=x""#, r#""just a string with password=[Filtered]""#);
    json(r#"{"a":"line\npassword: hunter2\nnote"}"#, r#"{"a":"line\npassword: [Filtered]\nnote"}"#);
}

#[test]
fn forms_queries_cookies_xml_and_multipart() {
    let form = |input: &str, expected: &str| body("application/x-www-form-urlencoded", input, expected);
    form("page=2&token=abc&note=hello", "page=2&token=[Filtered]&note=hello");
    form("user%5Bpass%77ord%5D=x&a[b]=c", "user%5Bpass%77ord%5D=[Filtered]&a[b]=c");
    form("next=%2Fa%3Ftoken%3Dabc&code=7", "next=/a?token%3D[Filtered]&code=7");
    form("payload=%7B%22password%22%3A%22x%22%7D", "payload={\"password\":\"[Filtered]\"}");
    form("card=4111+1111+1111+1111&n=1", "card=[Filtered]&n=1");
    let mut found = Found::default();
    let query = |text: &str| {
        String::from_utf8(scrubber().query(text.as_bytes(), &mut Found::default()).unwrap()).unwrap()
    };
    assert_eq!(query("X-Amz-Signature=ab&code=1&flag"), "X-Amz-Signature=[Filtered]&code=[Filtered]&flag");
    assert_eq!(scrubber().query(b"token=&&=x", &mut found), None);
    assert_eq!(
        scrubber().cookies(b"sid=abc; theme=dark", &mut found).unwrap(),
        b"sid=[Filtered]; theme=[Filtered]"
    );
    assert_eq!(scrubber().cookies(b"sid=[Filtered]; theme=[Filtered]", &mut found), None);
    let xml = |input: &str, expected: &str| body("application/xml", input, expected);
    xml("<a><password>x</password><n>k</n></a>", "<a><password>[Filtered]</password><n>k</n></a>");
    xml(
        "<a><s:Credentials><u>x</u></s:Credentials><n>k</n>",
        "<a><s:Credentials>[Filtered]</s:Credentials><n>k</n>",
    );
    xml("<u password=\"x\" n=\"k\"/>", "<u password=\"[Filtered]\" n=\"k\"/>");
    xml("<password><![CDATA[a<b]]></password>", "<password>[Filtered]</password>");
    xml("<n>k</n><token>hun", "<n>k</n><token>[Filtered]");
    body("text/plain", "password=x note=ok", "password=[Filtered] note=ok");
    let parts = "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nx\r\n--b\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nok\r\n--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\0\u{1}\r\n--b--\r\n";
    body(
        "multipart/form-data; boundary=b",
        parts,
        "password=[Filtered]\nnote=ok\nf=<file \"a.png\", 2 bytes, image/png>",
    );
    body("image/png", "abc", "<3 bytes, image/png>");
    body("application/json", "a\0b", "<3 bytes, application/json>");
}

#[test]
fn a_body_that_was_cut_shows_no_half_of_a_secret() {
    let cut = |content_type: &str, text: &str| {
        scrubber().show_body(Some(content_type), text.as_bytes(), true, &mut Found::default())
    };
    assert_eq!(cut("application/json", r#"{"note":"my card 4111 1111 11"#), r#"{"note":"my card [Filtered]"#);
    assert_eq!(cut("application/json", r#"{"note":"hello ghp_abc"#), r#"{"note":"hello [Filtered]"#);
    assert_eq!(cut("application/json", r#"{"password":"my pass wo"#), r#"{"password":"[Filtered]"#);
    assert_eq!(cut("application/x-www-form-urlencoded", "a=b&c=41111111"), "a=b&c=[Filtered]");
}

#[test]
fn items_keep_what_is_structure() {
    let item = serde_json::json!({
        "event_id": "41111111111111114111111111111111", "timestamp": 1_763_797_200.123_456,
        "contexts": {"session": {"id": "x"}, "trace": {"trace_id": "41111111111111114111111111111111", "span_id": "4111111111111111"}},
        "modules": {"cookie": "0.18", "password-hash": "0.5"},
        "user": {"id": "7", "email": "ada@example.org", "token": "x"},
        "request": {"headers": {"accept": "a", "x-custom": "b"}, "cookies": "a=b", "query_string": "key=1&p=2", "url": "http://h/a?key=1"},
        "exception": {"values": [{"type": "Error", "value": "card 4111 1111 1111 1111", "stacktrace": {"frames": [
            {"abs_path": "/home/ada/app/src/main.rs", "instruction_addr": "0x4111111111111111", "function": "token", "vars": {"password": "x"}}]}}]},
        "tags": {"error.category": "auth"},
        "extra": {"password": "x", "note": "kept"},
    });
    let expected = serde_json::json!({
        "event_id": "41111111111111114111111111111111", "timestamp": 1_763_797_200.123_456,
        "contexts": {"session": {"value": MASK}, "trace": {"trace_id": "41111111111111114111111111111111", "span_id": "4111111111111111"}},
        "modules": {"cookie": "0.18", "password-hash": "0.5"},
        "user": {"id": "7", "email": "ada@example.org", "token": MASK},
        "request": {"headers": {"accept": "a", "x-custom": MASK}, "cookies": "a=[Filtered]", "query_string": "key=[Filtered]&p=2", "url": "http://h/a?key=[Filtered]"},
        "exception": {"values": [{"type": "Error", "value": "card [Filtered]", "stacktrace": {"frames": [
            {"abs_path": "/home/[Filtered]/app/src/main.rs", "instruction_addr": "0x4111111111111111", "function": "token", "vars": {"password": MASK}}]}}]},
        "tags": {"error.category": "auth"},
        "extra": {"password": MASK, "note": "kept"},
    });
    let (scrubbed, removed) = scrubber().item(&serde_json::to_vec(&item).unwrap());
    let scrubbed: serde_json::Value = serde_json::from_slice(&scrubbed.unwrap()).unwrap();
    assert_eq!(scrubbed, expected);
    assert_eq!(removed.counts()["key"], 6);
    assert_eq!(removed.meta()["extra"]["password"][""]["rem"][0][0], "key");
    assert_eq!(removed.meta()["exception"]["values"]["0"]["value"][""]["rem"][0][0], "card_number");
    assert!(scrubber().item(&serde_json::to_vec(&expected).unwrap()).1.is_empty());
}

#[test]
fn what_the_scrubber_was_told_never_leaves() {
    let rules = Rules {
        secrets: vec!["correct horse/battery".to_owned()],
        patterns: vec!["ORD-\\d{4}".to_owned()],
        keys: vec!["favouriteColour".to_owned()],
        allowed: vec!["session_id".to_owned()],
        ..Rules::default()
    };
    let told = Scrubber::new(&rules).unwrap();
    let scrub = |text: &str| told.text(text).into_owned();
    assert_eq!(scrub("x correct horse/battery y ORD-1234"), "x [Filtered] y [Filtered]");
    assert_eq!(scrub("x correct%20horse%2Fbattery y"), "x [Filtered] y");
    assert_eq!(scrub("x correct+horse%2fbattery y"), "x [Filtered] y");
    assert_eq!(
        scrub(r#"{"favourite_colour":"red","session_id":"7"}"#),
        r#"{"favourite_colour":"[Filtered]","session_id":"7"}"#
    );
    use base64::Engine as _;
    for before in ["", "a", "ab"] {
        let encoded = base64::prelude::BASE64_STANDARD.encode(format!("{before}correct horse/battery;x"));
        assert_eq!(scrub(&format!("x {encoded} y")), "x [Filtered] y");
    }
}

#[test]
fn depth_is_no_danger() {
    for open in ["{\"a\":", "["] {
        let deep = format!("{}{{\"password\":\"x\"", open.repeat(100_000));
        let scrubbed =
            scrubber().show_body(Some("application/json"), deep.as_bytes(), false, &mut Found::default());
        assert!(scrubbed.ends_with("\"password\":\"[Filtered]\""));
        let (item, _) = scrubber().item(format!("{{\"extra\":{deep}").as_bytes());
        assert!(!String::from_utf8(item.unwrap()).unwrap().contains("\"x\""));
    }
}

#[test]
fn half_a_known_secret_and_half_a_password_of_a_url_are_not_shown() {
    let rules = Rules { secrets: vec!["correct horse battery".to_owned()], ..Rules::default() };
    let told = Scrubber::new(&rules).unwrap();
    let cut = |text: &str| told.show_body(Some("text/plain"), text.as_bytes(), true, &mut Found::default());
    assert_eq!(cut("it was correct horse bat"), "it was [Filtered]");
    assert_eq!(cut("it was correct%20horse%20"), "it was [Filtered]");
    assert_eq!(cut("it was cor"), "it was [Filtered]", "the last word, as always");
    assert_eq!(cut("postgres://app:pa&ss:wo"), "postgres://[Filtered]");
    assert_eq!(cut("http://localhost:3000/a/b c"), "http://localhost:3000/a/b [Filtered]");
}

#[test]
fn known_secrets_win_over_every_place_but_ids_and_times() {
    let secrets = ["12345678", "a&b=c;d ef", "<x>/y\"z\\w", "/home/vault/key"].map(str::to_owned).to_vec();
    let told = Scrubber::new(&Rules { secrets, ..Rules::default() }).unwrap();
    let event = serde_json::json!({
        "event_id": "12345678abcdef12345678abcdef1234", "timestamp": 12_345_678,
        "request": {"query_string": "q=a&b=c;d ef&note=kept", "cookies": "a&b=c;d ef=1", "data": "<r>&lt;x&gt;/y\"z\\w</r>"},
        "exception": {"values": [{"stacktrace": {"frames": [{"abs_path": "/home/vault/key/main.rs"}]}}]},
        "extra": {"number": 12_345_678, "a&b=c;d ef": 1, "list": ["<x>/y\"z\\w"]},
    });
    let item = serde_json::to_vec(&event).unwrap();
    let once = told.noted_item(&item).unwrap_or(item);
    let once = told.without_known(&once).unwrap_or(once);
    let text = String::from_utf8(once.clone()).unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&once).unwrap();
    for gone in ["a&b=c;d ef", "/y", "vault/key", "x>"] {
        assert!(!text.contains(gone), "{gone} is in {text}");
    }
    assert_eq!((&shown["event_id"], &shown["timestamp"]), (&event["event_id"], &event["timestamp"]));
    assert_eq!(shown["extra"]["number"], MASK);
    assert!(text.contains("note=kept"), "{text}");
    let body = told.show_body(Some("application/json"), b"{\"n\":12345678}", false, &mut Found::default());
    assert_eq!(body, "{\"n\":\"[Filtered]\"}");
}

#[test]
fn a_mask_is_no_place_for_a_pattern_and_what_overlaps_goes_as_a_whole() {
    let rules = Rules {
        secrets: vec!["correct horse battery".to_owned(), "Filtered".to_owned()],
        patterns: vec!["[A-Z][a-z]+".to_owned(), r"\bab+\b".to_owned()],
        ..Rules::default()
    };
    let told = Scrubber::new(&rules).unwrap();
    for (text, expected) in [
        ("password=correct horse battery now", "password=[Filtered] now"),
        ("xabb abb Filtered", "xabb [Filtered] [Filtered]"),
    ] {
        let once = told.text(text).into_owned();
        assert_eq!(once, expected);
        assert_eq!(told.text(&once), once);
    }
}

#[test]
fn values_whose_names_stand_on_the_next_line() {
    becomes(
        "env:\n  - name: DB_PASSWORD\n    value: two words\n  - name: TZ\n    value: UTC\n",
        "env:\n  - name: DB_PASSWORD\n    value: [Filtered]\n  - name: TZ\n    value: UTC\n",
    );
    becomes("- value: 'a b'\n  name: \"apiKey\"\n", "- value: '[Filtered]'\n  name: \"apiKey\"\n");
    becomes("key: token\r\nvalue: abc\r\nnote: 1", "key: token\r\nvalue: [Filtered]\r\nnote: 1");
}

#[test]
fn a_route_that_is_called_like_a_secret_keeps_its_count() {
    let event = br#"{"contexts":{"storm":{"routes":{"POST /reset/{token}":7,"token":"ab12"},"secret":"x"}}}"#;
    let scrubbed = scrubber().item(event).0.unwrap();
    let expected = r#"{"contexts":{"storm":{"routes":{"POST /reset/{token}":7,"token":"[Filtered]"},"secret":"[Filtered]"}}}"#;
    assert_eq!(String::from_utf8(scrubbed).unwrap(), expected);
}
