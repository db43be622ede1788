//! What once leaked. Each line was found by attacking the scrubber, and stays hidden.

use super::canary::{ALL, Canary, DIGITS, PLAIN, TOKEN, WORD};
use super::{KEPT, hides, scrubbed};

/// Puts a canary in the place of `{}` and harmless text in that of `KEPT`.
#[track_caller]
fn hidden(canary: &Canary, kind: &str, inputs: &[&str]) {
    for input in inputs {
        hides(canary, kind, &input.replace("{}", canary.value).replace("KEPT", KEPT));
    }
}

#[test]
fn what_rusts_debug_prints() {
    for canary in [TOKEN, WORD] {
        hidden(
            &canary,
            "text",
            &[
                r#"Login { credentials: Credentials { user: "ada", value: "{}" }, note: "KEPT" }"#,
                r#"Login { password: Password("{}"), note: "KEPT" }"#,
                r#"Login { password: Some("{}"), note: "KEPT" }"#,
                r#"Login { password: Some(Password { inner: "{}" }), note: "KEPT" }"#,
                "Login {\n    password: Some(\n        \"{}\",\n    ),\n    note: \"KEPT\",\n}",
                "Login {\n    password: Password {\n        inner: \"{}\",\n    },\n    note: \"KEPT\",\n}",
                "Login {\n    password: Some(\n        \"{}",
                r#"Login { password: b"{}", note: b"KEPT" }"#,
                r##"Login { password: r#"{}"#, note: "KEPT" }"##,
                r#"Login { password: Hunter("{}" is cut off"#,
            ],
        );
    }
}

#[test]
fn what_other_languages_print() {
    hidden(
        &WORD,
        "text",
        &[
            "{'password': b'{}', 'note': 'KEPT'}",
            "{u'password': u'{}', u'note': u'KEPT'}",
            "password = \"\"\"{}\"\"\"\nnote = \"KEPT\"",
            "password = '''\n{}\n'''\nnote = 'KEPT'",
            "password='it''s {}' note=KEPT",
            "password=\"it\"\"s {}\" note=KEPT",
            "secret=\"line one\n{} line two\" note=KEPT",
            "{\"a\": NaN, \"password\": {\"x\": 1,\n\"y\": \"{}\"}, \"note\": \"KEPT\"}",
            "{\"a\": undefined, \"password\": [\n\"x\",\n\"{}\"\n], \"note\": \"KEPT\"}",
            "Server=db;Password=two {};Database=KEPT",
        ],
    );
}

#[test]
fn names_that_stand_apart_from_their_values() {
    hidden(
        &WORD,
        "text",
        &[
            "user         = KEPT\npassword     = {}\n",
            "password\t\t=\t\t{}\t\nnote\t=\tKEPT",
            "passphrase: four {} words, note: KEPT",
            "mnemonic: legal {} thank year wave",
            "Authorization: Custom {}\nnote: KEPT",
            "user: ada\npassword: four words {}\nnote: KEPT\n",
            "USER=ada\nexport DB_PASSWORD=four words {}\nNOTE=KEPT\n",
            "x-auth-token: {}\n",
            "accessToken: {}",
        ],
    );
}

#[test]
fn values_without_quotes_that_hold_them() {
    for canary in &ALL {
        let ambiguous = canary.value.contains(char::is_whitespace) || canary.value.contains("=");
        if !ambiguous {
            hidden(canary, "text", &["password={} note=KEPT", "user=ada password={} note=KEPT"]);
        }
    }
    for canary in &ALL[..PLAIN] {
        hidden(
            canary,
            "text",
            &[
                r#"GET "/a?token={}" note=KEPT"#,
                r#"{\"url\":\"/a?token={}\",\"note\":\"KEPT\"}"#,
                r#"<a href="/a?token={}">KEPT</a>"#,
                "/a?token={}&amp;note=KEPT",
                "/a?token={}&note=KEPT",
                "(token={}) KEPT",
                "'token={}', KEPT",
            ],
        );
    }
}

#[test]
fn names_behind_escapes_that_stayed_escapes() {
    hidden(
        &WORD,
        "text",
        &[
            r"note=KEPT\npwd={}\nnote=KEPT",
            r"KEPT\n\tapi_key={}\n",
            r"KEPT\r\npin={}",
            r#"\\\\\\\"password\\\\\\\":\\\\\\\"{}\\\\\\\",\\\\\\\"note\\\\\\\":\\\\\\\"KEPT\\\\\\\""#,
            r#"\\\\\\\\\\\\\\\"password\\\\\\\\\\\\\\\":\\\\\\\\\\\\\\\"{}\\\\\\\\\\\\\\\",\\\\\\\\\\\\\\\"note\\\\\\\\\\\\\\\":\\\\\\\\\\\\\\\"KEPT\\\\\\\\\\\\\\\""#,
        ],
    );
    hidden(&DIGITS, "text", &[r"KEPT\npin={}"]);
}

#[test]
fn names_and_values_that_stayed_url_encoded() {
    hidden(
        &WORD,
        "text",
        &[
            "GET /login?next=%2Freset%3Ftoken%3D{}&note=KEPT HTTP/1.1",
            "GET /login?next=%2Freset%3Fpage%3D1%26token%3D{}%26note%3DKEPT HTTP/1.1",
            "GET /login?next=%252Freset%253Ftoken%253D{}%2526note%253DKEPT HTTP/1.1",
            "GET /?payload=%7B%22password%22%3A%22{}%22%2C%22note%22%3A%22KEPT%22%7D HTTP/1.1",
            "GET /?payload=%7B%22password%22%3A%20%22two%20{}%22%2C%22note%22%3A%22KEPT%22%7D HTTP/1.1",
            "GET /?payload=%7b%22pass%77ord%22%3a%22{}%22%2c%22note%22%3a%22KEPT%22%7d HTTP/1.1",
            "GET /?payload=%257B%2522password%2522%253A%2522{}%2522%252C%2522note%2522%253A%2522KEPT%2522%257D",
            "GET /?payload=%7B%22pin%22%3A{}%7D note=KEPT",
        ],
    );
}

#[test]
fn names_in_any_case() {
    for name in [
        "mFa_CoDe",
        "pAsSwOrD",
        "cLiEnT-sEcReT",
        "ApI_kEy",
        "X-aPi-kEy",
        "dAtE.oF.bIrTh",
        "dbpass",
        "DBPASS",
        "dbPaSs",
        "userpwd",
        "MYSQLPWD",
        "PİN",
        "𝐩𝐚𝐬𝐬𝐰𝐨𝐫𝐝",
        "𝚙𝚊𝚜𝚜𝚠𝚘𝚛𝚍𝟙",
        "ⓟⓐⓢⓢⓦⓞⓡⓓ",
        "ＡＰＩ＿ＫＥＹ",
    ] {
        hides(&WORD, "application/json", &format!(r#"{{"{name}":"{}","note":"{KEPT}"}}"#, WORD.value));
        hides(&WORD, "application/x-www-form-urlencoded", &format!("{name}={}&note={KEPT}", WORD.value));
        hides(&WORD, "text", &format!("{name}={} note={KEPT}", WORD.value));
    }
    for name in ["tokenCount", "mOnKey", "compassAngle", "photoAlbum", "spinnerColor", "keyBoard"] {
        let input = format!(r#"{{"{name}":"{}"}}"#, WORD.value);
        assert_eq!(scrubbed("application/json", &input), input);
    }
}

/// Escapes that nobody read stand before what shows itself.
const BEFORE: [&str; 8] = ["", " ", r"\n", r"\t", "%20", "%3D", "%22", "="];

#[test]
fn what_shows_itself_behind_an_escape() {
    for before in BEFORE {
        for secret in [
            "4111 1111 1111 1111",
            "4111\u{a0}1111\u{a0}1111\u{a0}1111",
            "4111\u{2009}1111\u{2009}1111\u{2009}1111",
            "4111.1111.1111.1111",
            "378282246310005",
            "DE89 3704 0044 0532 0130 00",
            "DE89\u{a0}3704\u{a0}0044\u{a0}0532\u{a0}0130\u{a0}00",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmN",
            concat!("AKIA", "IOSFODNN7EXAMPLE"),
            concat!("ghp_", "16C7e42F292c6912E7710c838347Ae178B4a"),
            concat!("sk-svcacct-", "abcdefghijklmnop_qrst"),
            concat!("xoxe.", "xoxp-1-abcdefghijklmnop"),
            concat!("ops_eyJ", "zaWduSW5BZGRyZXNzIjoi"),
        ] {
            let before = if before.is_empty() { before.to_owned() } else { format!("a{before}") };
            let becomes =
                scrubbed("text", &format!("{before}{secret} b")).replace("xoxe.", "").replace("ops_", "");
            assert_eq!(becomes, format!("{before}[Filtered] b"), "{secret}");
        }
    }
}

#[test]
fn passwords_in_urls_that_nobody_encoded() {
    hidden(
        &WORD,
        "text",
        &[
            "invalid port in postgres://app:p#{}@db/KEPT",
            "invalid port in postgres://app:p/{}@db/KEPT",
            "invalid port in postgres://app:p?{}@db/KEPT",
            "postgres://app:p@{}@db/KEPT",
            "redis://:{}@db/KEPT",
            "https://hooks.slack.com/services/T0000/B0000/{} KEPT",
            "error sending request for url (https://discord.com/api/webhooks/1234/{}), KEPT",
            "https://api.telegram.org/bot1234:{}/sendMessage?note=KEPT",
        ],
    );
    for harmless in ["http://[::1]:80/a@b", "http://localhost:3000/@ada/x", "http://h/a:b@c", "x://a:b/c"] {
        assert_eq!(scrubbed("text", harmless), harmless);
    }
}

#[test]
fn a_number_that_is_masked_leaves_no_sign_behind() {
    let json = r#"{"a":-4111111111111111,"b":4111111111111111}"#;
    assert_eq!(scrubbed("application/json", json), r#"{"a":-4111111111111111,"b":"[Filtered]"}"#);
}

#[test]
fn names_that_stand_as_values() {
    for (kind, input) in [
        ("application/json", "{\"headers\": [\n  [\"authorization\", \"{}\"],\n  [\"note\", \"KEPT\"]\n]}"),
        (
            "application/json",
            r#"[{"name":"password","type":"text","value":"{}"},{"name":"note","value":"KEPT"}]"#,
        ),
        ("text", r#"got {"name":"password","value":"{}"}, {"name":"note","value":"KEPT"}"#),
        ("text", r#"Header { name: "authorization", value: "{}" }, Header { name: "note", value: "KEPT" }"#),
        ("text", r#"[("password", "{}"), ("note", "KEPT")]"#),
        ("text", r#"[\"password\", \"{}\"], [\"note\", \"KEPT\"]"#),
        ("text", "[('password', '{}'), ('note', 'KEPT')]"),
        ("application/xml", r#"<c><add key="Password" value="{}"/><add key="note" value="KEPT"/></c>"#),
        ("application/xml", r#"<c><entry key="password">{}</entry><entry key="note">KEPT</entry></c>"#),
        (
            "application/xml",
            "<m><name>password</name><value>{}</value><name>note</name><value>KEPT</value></m>",
        ),
        ("application/xml", "<plist><key>password</key><string>{}</string><string>KEPT</string></plist>"),
        ("text/html", r#"<form><input name="csrf_token" value="{}"><input name="note" value="KEPT"></form>"#),
        ("text/html", r#"<meta name="csrf-token" content="{}"><meta name="note" content="KEPT"/>"#),
    ] {
        hidden(&WORD, kind, &[input]);
    }
}

#[test]
fn xml_of_any_kind() {
    for (kind, input) in [
        ("application/xml", r#"<u password="a>{}" note="KEPT"/>"#),
        ("application/xml", "<r><password>a</b>{}</password><note>KEPT</note></r>"),
        ("application/xml", r#"<r><x><![CDATA[{"password":{"a":"{}"}}]]></x><note>KEPT</note></r>"#),
        (
            "application/xml",
            "<r><x>{&quot;password&quot;:&quot;{}&quot;,&quot;note&quot;:&quot;KEPT&quot;}</x></r>",
        ),
        ("application/xml", "<r><x>&lt;password&gt;{}&lt;/password&gt;</x><note>KEPT</note></r>"),
        ("text", "bad answer: <user><password>{}</password><note>KEPT</note></user>"),
        ("text", r#"bad answer: "<user><s:password type=\"x\">{}</s:password><note>KEPT<\/note>""#),
        ("text", r"bad answer: <user><password>{}<\/password><note>KEPT<\/note>"),
        ("text", r"bad answer: <user><password>{}<\\/password><note>KEPT<\\/note>"),
        ("text", r"bad answer: <user><password>{}<\\\/password><note>KEPT<\\\/note>"),
        ("text", r"bad answer: <note>KEPT<\\\/note><password>{}<\\\/pass"),
        ("text", "note=KEPT&x=body%3D%3Cr%3E%3Cpassword%3Ea,%5Cn{}%5Cn%3C%"),
        ("text", "note=KEPT&x=body%3D%3Cr%3E%3Cpassword%3Ea,%5Cn{}%5Cn%3C%2Fpass%7"),
    ] {
        hidden(&WORD, kind, &[input]);
    }
    for harmless in [
        "Vec<Token>, Option<Password> and </x>",
        "usage: login <user> <password>",
        "expected <token>, found <eof>",
        "impl Trait for Secret<Token> { .. } </a>",
    ] {
        assert_eq!(scrubbed("text", harmless), harmless);
    }
}
