//! Query strings and url-encoded forms: names stay, the values of secrets go.

use super::{MASK, is_secret_in_query, scrub_text};

/// Masks the values of secret keys in `a=1&token=2`. Everything else stays as it was written, but for
/// secrets in the text of a value.
pub(crate) fn scrub_query(query: &str) -> String {
    let mut scrubbed = String::with_capacity(query.len());
    for pair in query.split('&') {
        if !scrubbed.is_empty() {
            scrubbed.push('&');
        }
        match pair.split_once('=') {
            Some((key, value)) => {
                scrubbed.push_str(key);
                scrubbed.push('=');
                if !is_secret_in_query(&decode(key)) {
                    let plain = if value.contains('%') { decode(value) } else { value.to_owned() };
                    scrubbed.push_str(scrub_text(&plain).as_deref().unwrap_or(value));
                } else if !value.is_empty() {
                    scrubbed.push_str(MASK);
                }
            }
            None => scrubbed.push_str(scrub_text(pair).as_deref().unwrap_or(pair)),
        }
    }
    scrubbed
}

/// The key as the server reads it: `pass%77ord` and `a+b` are not hidden from the lists.
fn decode(key: &str) -> String {
    // A form's parser decodes the name of the first pair; the key holds neither `&` nor `=` as written.
    url::form_urlencoded::parse(key.as_bytes()).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::scrub_query;

    #[test]
    fn secrets_go_and_the_rest_stays() {
        assert_eq!(scrub_query("page=2&token=abc&note=hello"), "page=2&token=[Filtered]&note=hello");
        assert_eq!(
            scrub_query("X-Amz-Signature=ab&code=1&flag"),
            "X-Amz-Signature=[Filtered]&code=[Filtered]&flag"
        );
        assert_eq!(scrub_query("user%5Bpass%77ord%5D=x"), "user%5Bpass%77ord%5D=[Filtered]");
        assert_eq!(scrub_query("next=/a?token=abc"), "next=/a?token=[Filtered]");
        assert_eq!(scrub_query("next=%2Fa%3Ftoken%3Dabc"), "next=/a?token=[Filtered]");
        assert_eq!(scrub_query(""), "");
        assert_eq!(scrub_query("token=&&=x"), "token=&&=x");
    }
}
