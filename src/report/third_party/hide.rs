//! The texts of a chain without the URLs that clients print: tokens stand in their paths and keys in their queries.

use std::error::Error;

use crate::record::Link;

/// Puts what may be told of a URL in its place, wherever a link prints it. `errors` are what the links were read from.
#[cfg_attr(not(feature = "reqwest"), expect(unused_variables, reason = "no other client prints URLs"))]
pub(crate) fn urls(errors: &[&(dyn Error + 'static)], links: &mut [Link]) {
    #[cfg(feature = "reqwest")]
    for url in errors.iter().filter_map(|error| super::from_reqwest::url(super::inside(*error))) {
        let shown = super::template::of_url(url).map_or_else(String::new, |target| target.to_string());
        for link in links.iter_mut().filter(|link| link.message.contains(url.as_str())) {
            link.message = link.message.replace(url.as_str(), &shown);
        }
    }
}
