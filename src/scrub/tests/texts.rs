//! Names of keys, and secrets in texts.

use super::{MASK, Meaning, becomes, scrubber, stays};

#[test]
fn secret_keys_are_found_in_every_spelling() {
    for key in [
        "password",
        "passwd",
        "pwd",
        "new_password",
        "passwordConfirmation",
        "client_secret",
        "apiKey",
        "x-api-key",
        "access_token",
        "accessToken",
        "csrf_token",
        "jwt",
        "authorization",
        "session_id",
        "sessionId",
        "privateKey",
        "credentials",
        "otp",
        "mfa_code",
        "pin",
        "cvv",
        "card_number",
        "cardNumber",
        "ssn",
        "iban",
        "date_of_birth",
        "aws_secret_access_key",
        "PASSWORD",
        "set-cookie",
        "X-Amz-Signature",
        "a[b][token]",
        "DSN",
        "password2",
        "newpassword",
        "useraccesstoken",
        "APIKEY",
        "dbPass",
        "2fa",
        "twoFactorCode",
        "ＰＡＳＳＷＯＲＤ",
        "pаssword",
        "pass\u{200b}word",
        "PAſſWORD",
        "PaSsWoRd",
        "to\u{301}ken",
        "passwort",
        "密码",
        "пароль",
        " password ",
        "user.password",
        "X-Goog-IAP-JWT-Assertion",
        "x-hub-signature-256",
        "cf-access-jwt-assertion",
        "x-vault-token",
    ] {
        assert_eq!(scrubber().keys.meaning(key.as_bytes()), Meaning::Secret, "{key}");
    }
    for key in ["email", "firstName", "ip_address", "zip", "phone", "homePhone", "date", "street"] {
        let personal = scrubber().keys.meaning(key.as_bytes()) == Meaning::Personal;
        assert_eq!(personal, key != "date", "{key}");
    }
}

#[test]
fn harmless_keys_are_left_alone() {
    for key in [
        "token_count",
        "tokenCount",
        "max_tokens",
        "author",
        "authority",
        "passenger",
        "keyboard",
        "pinned",
        "monkey",
        "secretary",
        "tokenizer",
        "note",
        "session_count",
        "error.type",
        "http.route",
        "event_id",
        "trace_id",
        "query_string",
        "auth_method",
        "token_type",
        "password_policy",
        "expires_in",
        "compass",
        "sidebar",
        "spinner",
        "description",
        "signal",
        "design",
        "assign",
        "pinterest",
        "company",
        "japan",
        "tokenExpiresAt",
        "passwordChangedAt",
        "class",
        "bypass_cache",
        "key_count",
    ] {
        assert_eq!(scrubber().keys.meaning(key.as_bytes()), Meaning::Harmless, "{key}");
    }
    for key in ["key", "code"] {
        assert_eq!(scrubber().keys.meaning(key.as_bytes()), Meaning::InQuery, "{key}");
    }
}

#[test]
fn names_with_values_in_prose() {
    becomes("login failed: password=hunter2, user=ada", "login failed: password=[Filtered], user=ada");
    becomes("GET /a?token=abc&page=2 failed", "GET /a?token=[Filtered]&page=2 failed");
    becomes("GET /a?code=abc&page=2#access_token=x", "GET /a?code=[Filtered]&page=2#access_token=[Filtered]");
    becomes(r#"body {"password":"hunter2","note":"ok"}"#, r#"body {"password":"[Filtered]","note":"ok"}"#);
    becomes(
        r#"body {\"password\":\"hunter2\",\"note\":\"ok\"}"#,
        r#"body {\"password\":\"[Filtered]\",\"note\":\"ok\"}"#,
    );
    becomes(r#"cut {"api_key": "hun"#, r#"cut {"api_key": "[Filtered]"#);
    becomes("secret='two words' note", "secret='[Filtered]' note");
    becomes("password: hunter", "password: [Filtered]");
    becomes("api key: ab12cd34 was used", "api key: [Filtered] was used");
    becomes("User { password: \"hunter2\", age: 3 }", "User { password: \"[Filtered]\", age: 3 }");
    becomes("User { password: Some(\"a b\"), age: 3 }", "User { password: Some([Filtered]), age: 3 }");
    becomes("token = abc, next", "token = [Filtered], next");
    becomes("'password' => 'hunter2'", "'password' => '[Filtered]'");
    becomes("password=hun,ter2 x", "password=[Filtered] x");
    becomes("password=a,user=b", "password=[Filtered],user=b");
    becomes("Authorization: Digest username=x, y", "Authorization: [Filtered], y");
    becomes("Cookie: a=b; c=d\nHost: x", "Cookie: [Filtered]\nHost: x");
    becomes("{password: {a: 1, b: [2]}, c: 3}", "{password: [Filtered], c: 3}");
    becomes(r#"{"password":"hunter2""#, r#"{"password":"[Filtered]""#);
}

#[test]
fn values_that_show_what_they_are() {
    for (secret, around) in [
        ("4111 1111 1111 1111", "paid with {}."),
        ("4111111111111111", "card {} ok"),
        ("3782-822463-10005", "({})"),
        ("DE89 3704 0044 0532 0130 00", "to {} now"),
        ("GB29NWBK60161331926819", "to {}"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmN", "jwt {} x"),
        ("AKIAIOSFODNN7EXAMPLE", "with {} x"),
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "git {}"),
        ("github_pat_11AAAAAAA0aaaaaaaaaaaaaa_bbbbbbbb", "{}"),
        ("glpat-20charactersXXXXXXX", "{}"),
        ("xoxb-1234567890-abcdefghij", "{}"),
        ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "key {},"),
        ("sk-ant-api03-abcdefghijklmnop", "{}"),
        ("npm_0123456789abcdefghijABCDEFGHIJ012345", "{}"),
        ("pypi-AgEIcHlwaS5vcmcCJDAx", "{}"),
        ("AIzaSyA1234567890abcdefghijklmnopqrstuv", "{}"),
        ("078-05-1120", "ssn {}, x"),
        ("ada@example.org", "for {} it"),
        ("SG.ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf09kqeF8tAmbihYzrnopKc", "{}"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "pem {} end"),
    ] {
        becomes(&around.replace("{}", secret), &around.replace("{}", MASK));
    }
    becomes("sent Authorization: Bearer abc.def.ghi!", "sent Authorization: [Filtered]");
    becomes("got Bearer abc.def.ghi!", "got Bearer [Filtered]!");
    becomes("got bearer abcdefgh1", "got bearer [Filtered]");
    becomes("postgres://app:pa:ss@db/x refused", "postgres://app:[Filtered]@db/x refused");
    becomes("https://abc123def456@host/1", "https://[Filtered]@host/1");
    becomes("redis://:pw@host", "redis://:[Filtered]@host");
    becomes(
        "duplicate key: Key (email)=(ada lovelace) already exists.",
        "duplicate key: Key (email)=([Filtered]) already exists.",
    );
    becomes("Failing row contains (1, ada, 3).", "Failing row contains ([Filtered]).");
    becomes("Duplicate entry 'ada' for key 'x'", "Duplicate entry '[Filtered]' for key 'x'");
}

#[test]
fn harmless_texts_stay_as_they_are() {
    for text in [
        "unexpected token: `}` at line 3",
        "unexpected token: expired",
        "http://127.0.0.1:3000/orders?page=2",
        "a=1 b=2: c",
        "Basic research is done",
        "::1 and 12:30:05",
        "größe=3 password=",
        "",
        "6d1f4b0e-8f0b-4c42-9d39-6f0f9a1d2c3b",
        "0af7651916cd43dd8448eb211c80319c",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "order 4111111111111112 of 2026-11-22T10:20:30.123456Z",
        "v1.2.3-rc.1+build.5, 4.11.1111",
        "0x7fffdeadbeef 192.168.0.1 fe80::1",
        "password: is required",
        "password: must be longer",
        "tokens: 512 of 1024",
        "max_tokens=4096",
        "password=null token=true",
        "git@github.com:a/b.git",
        "icon@2x.png",
        "lodash@4.17.21",
        "@angular/core",
        "npm_package_config_registry_default_value_name",
        "sk-learn and sk-image",
        "<Token as Display>::fmt",
        "Vec<Secret>",
        "https://ada@example.org/x",
        "Monkey (x)=(y)",
        "the session for user: ada",
        "1700000000.123456 4532.123456789012",
        "connection to server at \"localhost\" (::1), port 5432 failed: FATAL: role \"x\" does not exist",
    ] {
        if text == "https://ada@example.org/x" {
            continue;
        }
        stays(text);
    }
}
