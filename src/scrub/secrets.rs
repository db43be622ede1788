//! The names of secrets: lists only, for the reader who asks what is filtered.
//!
//! A key is split into words (`clientSecret`, `client-secret` and `client_secret` are `client` + `secret`)
//! and compared without regard to case. The lists are the union of what these redact by default:
//! sentry-python's and sentry-go's denylists, Sentry's data-collection list, Relay's `@common:filter`,
//! rollbar-gem and pyrollbar, Rails 8's `filter_parameters`, OpenTelemetry's `url.query` redaction.

/// One of these words anywhere in a key makes its value a secret.
pub(crate) const WORDS: &[&str] = &[
    // Passwords: sentry-python, Relay, Rails, rollbar.js.
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "pw",
    // Tokens and sessions: Sentry's data-collection list, rollbar.js.
    "secret",
    "secrets",
    "token",
    "tokens",
    "jwt",
    "bearer",
    "session",
    "sessionid",
    "sid",
    "phpsessid",
    "jsessionid",
    "cookie",
    "cookies",
    "csrf",
    "csrftoken",
    "xcsrftoken",
    "xsrf",
    "saml",
    // Credentials: Relay, sentry-python.
    "auth",
    "authorization",
    "authentication",
    "credential",
    "credentials",
    "apikey",
    "privatekey",
    "accesskey",
    "secretkey",
    "accesstoken",
    "refreshtoken",
    "signature",
    "sig",
    "dsn",
    "pem",
    // Second factors: Rails, Relay.
    "otp",
    "totp",
    "mfa",
    "2fa",
    "pin",
    // Payment and government ids: Relay, Rails, Honeybadger.
    "cvv",
    "cvc",
    "csc",
    "iban",
    "ssn",
    "cardnumber",
    "creditcard",
];

/// Two words next to each other that together name a secret.
pub(crate) const PAIRS: &[(&str, &str)] = &[
    // Keys: Relay, Rails (`_key`), sentry-go.
    ("api", "key"),
    ("access", "key"),
    ("private", "key"),
    ("secret", "key"),
    ("signing", "key"),
    ("encryption", "key"),
    ("account", "key"),
    ("mysql", "pwd"),
    // Payment and personal: Relay, Rails.
    ("card", "number"),
    ("credit", "card"),
    ("account", "number"),
    ("routing", "number"),
    ("tax", "id"),
    ("birth", "date"),
    ("date", "of"),
    // Ways back in.
    ("recovery", "code"),
    ("backup", "code"),
    ("security", "answer"),
    ("connection", "string"),
    ("database", "url"),
    ("webhook", "url"),
];

/// Words that are secrets in a query string only: links carry them, and elsewhere they are harmless.
/// Presigned URLs of AWS, Google and Azure (OpenTelemetry's list), OAuth's `code`.
pub(crate) const QUERY_WORDS: &[&str] = &["key", "code", "credential", "awsaccesskeyid", "pass"];

/// Keys that look like secrets and are not; compared as a whole.
pub(crate) const HARMLESS: &[&str] = &[
    "token_count",
    "tokencount",
    "max_tokens",
    "total_tokens",
    "prompt_tokens",
    "completion_tokens",
    "input_tokens",
    "output_tokens",
    "session_count",
    "password_policy",
    "password_length",
    "auth.kind",
];
