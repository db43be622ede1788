//! What was masked: by which rule, how often, and the text that is left.

use std::ops::Range;

use super::MASK;

/// Why something was masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    Key,
    Personal,
    Header,
    Cookie,
    Credential,
    Token,
    Jwt,
    PrivateKey,
    Url,
    Card,
    Iban,
    Ssn,
    Email,
    Row,
    Quoted,
    Home,
    Known,
    Pattern,
    Unreadable,
}

impl Rule {
    pub(crate) const ALL: [Self; 19] = [
        Self::Key,
        Self::Personal,
        Self::Header,
        Self::Cookie,
        Self::Credential,
        Self::Token,
        Self::Jwt,
        Self::PrivateKey,
        Self::Url,
        Self::Card,
        Self::Iban,
        Self::Ssn,
        Self::Email,
        Self::Row,
        Self::Quoted,
        Self::Home,
        Self::Known,
        Self::Pattern,
        Self::Unreadable,
    ];

    /// The rule's name on events.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Personal => "personal_key",
            Self::Header => "header",
            Self::Cookie => "cookie",
            Self::Credential => "credential",
            Self::Token => "token",
            Self::Jwt => "jwt",
            Self::PrivateKey => "private_key",
            Self::Url => "url_user",
            Self::Card => "card_number",
            Self::Iban => "iban",
            Self::Ssn => "ssn",
            Self::Email => "email",
            Self::Row => "database_row",
            Self::Quoted => "quoted_value",
            Self::Home => "home_directory",
            Self::Known => "known_secret",
            Self::Pattern => "pattern",
            Self::Unreadable => "unreadable",
        }
    }
}

/// How often each rule masked something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    counts: [u32; Rule::ALL.len()],
    last: Option<Rule>,
    total: u32,
    depth: u8,
}

/// Texts inside texts, each written in its own way, are not read deeper.
const DEEPEST: u8 = 4;

impl Found {
    pub(super) fn add(&mut self, rule: Rule) {
        if let Some(count) = self.counts.get_mut(rule as usize) {
            *count = count.saturating_add(1);
        }
        self.total = self.total.saturating_add(1);
        self.last = Some(rule);
    }

    /// Looks into what is written inside of a text.
    pub(super) fn inside<T>(&mut self, look: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth >= DEEPEST {
            return None;
        }
        self.depth = self.depth.saturating_add(1);
        let seen = look(self);
        self.depth = self.depth.saturating_sub(1);
        seen
    }

    pub(crate) fn total(&self) -> u32 {
        self.total
    }

    /// The rule that masked last.
    pub(super) fn last(&self) -> Option<Rule> {
        self.last
    }

    /// The rules that masked something.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (Rule, u32)> + '_ {
        Rule::ALL.into_iter().zip(self.counts).filter(|(_, count)| *count > 0)
    }
}

/// A text that is copied only where something in it is masked, from its beginning to its end.
pub(super) struct Edits<'a, 'f> {
    input: &'a [u8],
    /// The input up to here is done with.
    done: usize,
    out: Vec<u8>,
    found: &'f mut Found,
}

impl<'a, 'f> Edits<'a, 'f> {
    pub(super) fn new(input: &'a [u8], found: &'f mut Found) -> Self {
        Self { input, done: 0, out: Vec::new(), found }
    }

    pub(super) fn input(&self) -> &'a [u8] {
        self.input
    }

    pub(super) fn found(&mut self) -> &mut Found {
        self.found
    }

    /// Up to where the input is masked or copied.
    pub(super) fn done(&self) -> usize {
        self.done
    }

    /// Masks this part, unless it is masked or empty.
    pub(super) fn mask(&mut self, span: Range<usize>, rule: Rule) {
        let masked =
            self.input.get(span.clone()).is_none_or(|text| text.is_empty() || text == MASK.as_bytes());
        if !masked {
            self.found.add(rule);
            self.replace(span, MASK.as_bytes());
        }
    }

    /// Masks a value of JSON that is no string.
    pub(super) fn mask_value(&mut self, span: Range<usize>, rule: Rule) {
        self.found.add(rule);
        self.replace(span, b"\"[Filtered]\"");
    }

    /// Puts something else in the place of this part. What was counted for it is counted by the caller.
    pub(super) fn replace(&mut self, span: Range<usize>, with: &[u8]) {
        let start = span.start.max(self.done);
        if start > span.end {
            return;
        }
        if self.out.capacity() == 0 {
            let room = self.input.len() / 8;
            self.out.reserve(self.input.len().saturating_add(room).saturating_add(64));
        }
        self.out.extend_from_slice(self.input.get(self.done..start).unwrap_or_default());
        self.out.extend_from_slice(with);
        self.done = span.end;
    }

    /// The whole, if anything was masked.
    pub(super) fn finish(mut self) -> Option<Vec<u8>> {
        if self.out.capacity() == 0 {
            return None;
        }
        self.out.extend_from_slice(self.input.get(self.done..).unwrap_or_default());
        Some(self.out)
    }
}
