//! What counts as a secret: lists only, for the reader who asks what is filtered.
//!
//! A key is split into words (`clientSecret`, `client-secret` and `client_secret2` are `client` + `secret`) and
//! compared without regard to case. The lists are the union of what these redact by default:
//! - sentry-python's `DEFAULT_DENYLIST`, sentry-go's and sentry-java's header lists, Sentry's data-collection list;
//! - Relay's `@common:filter`, which Sentry's servers apply;
//! - rollbar-gem, pyrollbar and rollbar.js `scrubFields`; Rails 8 `filter_parameters`; Honeybadger; error-tracker;
//! - OpenTelemetry's redaction of `url.query`;
//! - the services' own documentation of their tokens' shapes.

mod shapes;

pub(crate) use self::shapes::{Alphabet, CARDS, IBAN_LENGTHS, TOKENS, WEBHOOKS};

/// One of these words anywhere in a key makes its value a secret.
#[rustfmt::skip]
pub(crate) const WORDS: &[&str] = &[
    // Passwords: sentry-python, Relay, Rails, rollbar.js; and what forms call them elsewhere.
    "password", "passwords", "passwd", "passphrase", "passcode", "pass", "pwd", "pw", "passwort", "kennwort",
    "dbpass", "userpass", "rootpass", "adminpass", "ftppass", "smtppass", "mailpass", "sqlpass", "pgpass",
    "pswd", "passw", "motdepasse", "contrasena", "contraseña", "senha", "пароль", "密码", "パスワード",
    // Tokens and sessions: Sentry's data-collection list, rollbar.js, sentry-java.
    "secret", "secrets", "token", "tokens", "jwt", "jwe", "bearer", "session", "sessionid", "sess", "sid",
    "phpsessid", "jsessionid", "jsessionidsso", "sentrysid", "cookie", "cookies", "csrf", "csrftoken",
    "csrfmiddlewaretoken", "xcsrftoken", "xsrf", "fastcsrf", "saml", "samlresponse", "samlrequest", "sso",
    // Credentials: Relay, sentry-python, OpenTelemetry's presigned URLs.
    "auth", "oauth", "authorization", "authentication", "credential", "credentials", "creds", "apikey",
    "apikeys", "privatekey", "accesskey", "secretkey", "signingkey", "encryptionkey", "accesstoken",
    "refreshtoken", "idtoken", "authtoken", "signature", "sig", "hmac", "dsn", "pem", "pkcs", "keystore",
    "htpasswd", "kubeconfig", "crypt", "salt", "awsaccesskeyid",
    // Second factors and ways back in: Rails, Relay.
    "otp", "totp", "hotp", "mfa", "tfa", "2fa", "pin", "puk", "captcha", "mnemonic",
    // Payment and government ids: Relay, Rails, Honeybadger.
    "cvv", "cvv2", "cvc", "cvc2", "csc", "iban", "bic", "pan", "ssn", "sin", "nin", "passport", "cardnumber",
    "creditcard", "creditcardnumber", "accountnumber", "routingnumber",
];

/// Words next to each other that together name a secret.
#[rustfmt::skip]
pub(crate) const PHRASES: &[&str] = &[
    // Keys: Relay, Rails (`_key`), sentry-go.
    "api_key", "api_keys", "access_key", "private_key", "secret_key", "signing_key", "encryption_key",
    "encrypted_key", "account_key", "license_key", "master_key", "shared_key", "ssh_key", "host_key",
    "subscription_key", "functions_key", "data_key", "app_key", "auth_key", "2_fa", "two_factor", "one_time",
    "mot_de_passe",
    // Payment and personal: Relay, Rails.
    "card_number", "card_no", "card_num", "credit_card", "debit_card", "account_number", "routing_number",
    "sort_code", "tax_id", "vat_id", "national_id", "social_security", "driver_license", "drivers_license",
    "birth_date", "date_of_birth",
    // Ways back in.
    "recovery_code", "recovery_codes", "recovery_phrase", "seed_phrase", "backup_code", "backup_codes",
    "reset_code", "verification_code", "security_code", "security_answer", "secret_answer", "magic_link",
    "connection_string", "database_url", "redis_url", "amqp_url", "mongodb_uri", "webhook_url",
    // What identity-aware proxies hand on: Google's and Cloudflare's documentation.
    "jwt_assertion", "client_assertion",
    // A proxied request's sender: sentry-rust and sentry-java call it sensitive.
    "remote_user",
];

/// A word that holds one of these is a secret too: `newpassword`, `useraccesstoken`. Words of the other lists are
/// known and not searched.
pub(crate) const STEMS: &[&str] =
    &["password", "passwd", "passwort", "pwd", "apikey", "secret", "token", "credential", "sessionid"];

/// Personal data: a switch of its own, on by default. The list of Sentry's `sendDefaultPii`, Rails and the GDPR's
/// plainest examples.
#[rustfmt::skip]
pub(crate) const PERSONAL: &[&str] = &[
    "email", "emails", "mail", "phone", "telephone", "mobile", "msisdn", "fax", "street", "address",
    "addresses", "address1", "address2", "zip", "zipcode", "postcode", "postalcode", "firstname", "lastname",
    "surname", "fullname", "birthday", "birthdate", "dob", "gender", "ethnicity", "religion", "latitude",
    "longitude", "lat", "lon", "lng", "ip", "ipaddress", "ipv4", "ipv6", "imei",
];

/// Words next to each other that together name personal data.
#[rustfmt::skip]
pub(crate) const PERSONAL_PHRASES: &[&str] = &[
    "first_name", "last_name", "full_name", "given_name", "family_name", "middle_name", "maiden_name",
    "zip_code", "postal_code", "post_code", "e_mail", "remote_addr", "forwarded_for", "real_ip",
];

/// Words that are secrets in a query string only: links carry them, and elsewhere they are harmless. Presigned URLs
/// of AWS, Google and Azure (OpenTelemetry's list), OAuth's `code` and `state`, one-time links.
pub(crate) const QUERY: &[&str] = &["key", "code", "hash", "sign", "ticket", "otac", "invite"];

/// Words that look like secrets and are not.
#[rustfmt::skip]
pub(crate) const HARMLESS_WORDS: &[&str] = &[
    "secretary", "secretaries", "secretariat", "tokenizer", "tokenizers", "tokenize", "tokenized",
    "tokenization", "passwordless", "credentialed", "author", "authors", "authority", "authored", "passenger",
    "passengers", "passed", "passing", "passive", "keyboard", "keyword", "keywords", "monkey", "pinned",
    "pinning", "sessional",
];

/// A key that ends in one of these says something about a secret without holding it: `token_count`, `auth_method`.
#[rustfmt::skip]
pub(crate) const ABOUT: &[&str] = &[
    "count", "counts", "limit", "limits", "length", "len", "size", "type", "types", "kind", "policy",
    "policies", "strength", "ttl", "age", "usage", "budget", "expires", "expired", "expiry", "expiration",
    "enabled", "disabled", "required", "valid", "invalid", "verified", "changed", "updated", "created", "at",
    "in", "seconds", "minutes", "attempts", "retries", "duration", "timeout", "method", "methods", "provider",
    "scheme", "endpoint", "rate", "ratio", "status", "version", "algorithm", "format", "field", "fields",
    "family", "families",
];

/// Keys that are harmless as a whole, in whatever spelling: what language models count, our own tags, lints of
/// Rust, and OpenTelemetry's name for the host of a service.
#[rustfmt::skip]
pub(crate) const HARMLESS: &[&str] = &[
    "max_tokens", "min_tokens", "num_tokens", "total_tokens", "prompt_tokens", "completion_tokens",
    "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "max_completion_tokens",
    "max_output_tokens", "audio_tokens", "image_tokens", "text_tokens", "accepted_prediction_tokens",
    "rejected_prediction_tokens", "cache_creation_input_tokens", "cache_read_input_tokens",
    "prompt_tokens_details", "completion_tokens_details", "input_tokens_details", "output_tokens_details",
    "auth_kind", "auth_failure", "server_address", "boarding_pass", "pass_rate", "trivially_copy_pass_by_ref",
    "needless_pass_by_value", "needless_pass_by_ref_mut",
];

/// Words that follow `password: ` where a validator speaks: they tell no secret.
#[rustfmt::skip]
pub(crate) const SAID_OF_SECRETS: &[&str] = &[
    "required", "missing", "invalid", "incorrect", "wrong", "must", "should", "cannot", "is", "was", "has",
    "too", "not", "no", "null", "none", "nil", "true", "false", "undefined", "empty", "expired", "field", "the",
    "a", "an", "expected", "unexpected", "failed", "mismatch", "string", "str", "option", "i64", "u64",
    "unknown",
];
