//! What secrets look like: prefixes of tokens, lengths of accounts, numbers of cards. Lists only.

/// How a service's token goes on behind its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alphabet {
    /// Letters and digits.
    Alphanumeric,
    /// Base64's form for URLs: `-` and `_` too.
    Url,
    /// And dots.
    Dotted,
}

/// How a service's token begins, and how many characters of which alphabet follow at least. The shapes are those
/// that the services publish, mostly for secret scanning; the lengths are shorter, so that a cut token is one too.
pub(crate) const TOKENS: &[(&str, Alphabet, usize)] = &[
    // AWS: access keys, by the prefix of their kind.
    ("AKIA", Alphabet::Alphanumeric, 16),
    ("ASIA", Alphabet::Alphanumeric, 16),
    ("ABIA", Alphabet::Alphanumeric, 16),
    ("ACCA", Alphabet::Alphanumeric, 16),
    ("ABSK", Alphabet::Alphanumeric, 30),
    // Google: API keys, OAuth client secrets, OAuth access tokens.
    ("AIza", Alphabet::Url, 24),
    ("GOCSPX-", Alphabet::Url, 20),
    ("ya29.", Alphabet::Dotted, 20),
    // GitHub and GitLab.
    ("ghp_", Alphabet::Alphanumeric, 16),
    ("gho_", Alphabet::Alphanumeric, 16),
    ("ghu_", Alphabet::Alphanumeric, 16),
    ("ghs_", Alphabet::Alphanumeric, 16),
    ("ghr_", Alphabet::Alphanumeric, 16),
    ("github_pat_", Alphabet::Url, 16),
    ("glpat-", Alphabet::Dotted, 16),
    ("gldt-", Alphabet::Dotted, 16),
    ("glrt-", Alphabet::Dotted, 16),
    ("glcbt-", Alphabet::Dotted, 16),
    ("gloas-", Alphabet::Dotted, 16),
    ("glsoat-", Alphabet::Dotted, 16),
    ("glptt-", Alphabet::Dotted, 16),
    ("glft-", Alphabet::Dotted, 16),
    ("glimt-", Alphabet::Dotted, 16),
    ("glagent-", Alphabet::Dotted, 16),
    ("glffct-", Alphabet::Dotted, 16),
    // Slack.
    ("xoxa-", Alphabet::Url, 10),
    ("xoxb-", Alphabet::Url, 10),
    ("xoxc-", Alphabet::Url, 10),
    ("xoxd-", Alphabet::Url, 10),
    ("xoxe-", Alphabet::Url, 10),
    ("xoxp-", Alphabet::Url, 10),
    ("xoxr-", Alphabet::Url, 10),
    ("xoxs-", Alphabet::Url, 10),
    ("xapp-", Alphabet::Url, 10),
    // Stripe and Square.
    ("sk_live_", Alphabet::Alphanumeric, 8),
    ("sk_test_", Alphabet::Alphanumeric, 8),
    ("rk_live_", Alphabet::Alphanumeric, 8),
    ("rk_test_", Alphabet::Alphanumeric, 8),
    ("whsec_", Alphabet::Alphanumeric, 8),
    ("sq0atp-", Alphabet::Url, 16),
    ("sq0csp-", Alphabet::Url, 16),
    // OpenAI, Anthropic, Hugging Face.
    ("sk-ant-", Alphabet::Url, 16),
    ("sk-proj-", Alphabet::Url, 16),
    ("sk-svcacct-", Alphabet::Url, 16),
    ("sk-admin-", Alphabet::Url, 16),
    ("sk-or-v1-", Alphabet::Alphanumeric, 20),
    ("sk-", Alphabet::Alphanumeric, 20),
    ("hf_", Alphabet::Alphanumeric, 30),
    // Package registries.
    ("npm_", Alphabet::Alphanumeric, 30),
    ("pypi-", Alphabet::Url, 16),
    ("rubygems_", Alphabet::Alphanumeric, 30),
    // Platforms. Azure's keys have no prefix: their names (`AccountKey`, `sig`) tell.
    ("dop_v1_", Alphabet::Alphanumeric, 20),
    ("doo_v1_", Alphabet::Alphanumeric, 20),
    ("dckr_pat_", Alphabet::Url, 16),
    ("shpat_", Alphabet::Alphanumeric, 20),
    ("shpss_", Alphabet::Alphanumeric, 20),
    ("shpca_", Alphabet::Alphanumeric, 20),
    ("sntrys_", Alphabet::Url, 20),
    ("sntryu_", Alphabet::Url, 20),
    ("glsa_", Alphabet::Url, 20),
    ("hvs.", Alphabet::Url, 20),
    ("hvb.", Alphabet::Url, 20),
    ("SG.", Alphabet::Dotted, 30),
    ("PMAK-", Alphabet::Url, 20),
    ("lin_api_", Alphabet::Alphanumeric, 20),
    ("figd_", Alphabet::Url, 20),
    ("AGE-SECRET-KEY-", Alphabet::Alphanumeric, 20),
    ("ATATT3", Alphabet::Url, 20),
];

/// Addresses whose path is the secret, behind `://`: as the services document them.
pub(crate) const WEBHOOKS: &[&str] = &[
    "hooks.slack.com/services/",
    "hooks.slack.com/workflows/",
    "hooks.slack.com/triggers/",
    "discord.com/api/webhooks/",
    "discordapp.com/api/webhooks/",
    "api.telegram.org/bot",
];

/// The length of an IBAN by country: the SWIFT IBAN registry, release 99.
#[rustfmt::skip]
pub(crate) const IBAN_LENGTHS: &[(&str, usize)] = &[
    ("AD", 24), ("AE", 23), ("AL", 28), ("AT", 20), ("AZ", 28), ("BA", 20), ("BE", 16), ("BG", 22), ("BH", 22),
    ("BI", 27), ("BR", 29), ("BY", 28), ("CH", 21), ("CR", 22), ("CY", 28), ("CZ", 24), ("DE", 22), ("DJ", 27),
    ("DK", 18), ("DO", 28), ("EE", 20), ("EG", 29), ("ES", 24), ("FI", 18), ("FK", 18), ("FO", 18), ("FR", 27),
    ("GB", 22), ("GE", 22), ("GI", 23), ("GL", 18), ("GR", 27), ("GT", 28), ("HN", 28), ("HR", 21), ("HU", 28),
    ("IE", 22), ("IL", 23), ("IQ", 23), ("IS", 26), ("IT", 27), ("JO", 30), ("KW", 30), ("KZ", 20), ("LB", 28),
    ("LC", 32), ("LI", 21), ("LT", 20), ("LU", 20), ("LV", 21), ("LY", 25), ("MC", 27), ("MD", 24), ("ME", 22),
    ("MK", 19), ("MN", 20), ("MR", 27), ("MT", 31), ("MU", 30), ("NI", 28), ("NL", 18), ("NO", 15), ("OM", 23),
    ("PK", 24), ("PL", 28), ("PS", 29), ("PT", 25), ("QA", 29), ("RO", 24), ("RS", 22), ("RU", 33), ("SA", 24),
    ("SC", 31), ("SD", 18), ("SE", 24), ("SI", 19), ("SK", 24), ("SM", 27), ("SO", 23), ("ST", 25), ("SV", 28),
    ("TL", 23), ("TN", 24), ("TR", 26), ("UA", 29), ("VA", 22), ("VG", 24), ("XK", 20), ("YE", 30),
];

/// Card numbers by issuer (ISO/IEC 7812 as the schemes publish it): first and last prefix, and the lengths.
pub(crate) const CARDS: &[(u32, u32, &[usize])] = &[
    // Visa.
    (400_000, 499_999, &[13, 16, 19]),
    // Mastercard.
    (510_000, 559_999, &[16]),
    (222_100, 272_099, &[16]),
    // American Express.
    (340_000, 349_999, &[15]),
    (370_000, 379_999, &[15]),
    // Diners Club.
    (300_000, 305_999, &[14, 16]),
    (360_000, 369_999, &[14]),
    (380_000, 399_999, &[14, 16]),
    // Discover.
    (601_100, 601_199, &[16, 19]),
    (644_000, 659_999, &[16, 19]),
    // JCB.
    (352_800, 358_999, &[16]),
    // UnionPay.
    (620_000, 629_999, &[16, 17, 18, 19]),
    // Maestro.
    (500_000, 509_999, &[16, 18, 19]),
    (560_000, 589_999, &[16, 18, 19]),
    (630_000, 639_999, &[16, 18, 19]),
    (670_000, 679_999, &[16, 18, 19]),
];
