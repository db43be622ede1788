//! What the headers of a response say of it: when to come back, and by which name its provider knows it.

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};

use crate::record::truncated;

/// The names under which providers file a request, the most telling first. Each is looked for in this order.
///
/// | header | who, and where it says so |
/// |---|---|
/// | `request-id` | Stripe (docs.stripe.com/api/request_ids), Anthropic (docs.anthropic.com/en/api/errors) |
/// | `x-amzn-requestid`, `x-amzn-request-id` | AWS (docs.aws.amazon.com, "Obtaining the request ID") |
/// | `x-amz-request-id` | Amazon S3 (docs.aws.amazon.com/AmazonS3, "Getting Amazon S3 request IDs") |
/// | `x-ms-request-id` | Azure (learn.microsoft.com/rest/api/storageservices, "Common REST API response headers") |
/// | `x-github-request-id` | GitHub (docs.github.com/rest, "Troubleshooting") |
/// | `x-goog-request-id`, `x-guploader-uploadid` | Google Cloud (cloud.google.com/storage/docs/xml-api/reference-headers) |
/// | `twilio-request-id` | Twilio (www.twilio.com/docs/usage/twilios-response) |
/// | `paypal-debug-id` | PayPal (developer.paypal.com/api/rest/responses) |
/// | `x-slack-req-id` | Slack |
/// | `x-fb-request-id` | Meta |
/// | `x-request-id`, `x-correlation-id` | OpenAI, Shopify, Heroku, Envoy, and by custom everybody else |
/// | `x-amz-cf-id` | Amazon CloudFront |
/// | `cf-ray` | Cloudflare (developers.cloudflare.com/fundamentals/reference/cloudflare-ray-id) |
/// | `fly-request-id`, `x-vercel-id` | Fly.io, Vercel |
const REQUEST_IDS: [&str; 18] = [
    "request-id",
    "x-amzn-requestid",
    "x-amzn-request-id",
    "x-amz-request-id",
    "x-ms-request-id",
    "x-github-request-id",
    "x-goog-request-id",
    "x-guploader-uploadid",
    "twilio-request-id",
    "paypal-debug-id",
    "x-slack-req-id",
    "x-fb-request-id",
    "x-request-id",
    "x-correlation-id",
    "x-amz-cf-id",
    "cf-ray",
    "fly-request-id",
    "x-vercel-id",
];

const MAX_ID: usize = 128;
const DAY: u64 = 24 * 60 * 60;

pub(crate) fn request_id(headers: &HeaderMap) -> Option<(&'static str, String)> {
    REQUEST_IDS.into_iter().find_map(|name| {
        let value = headers.get(name)?.to_str().ok()?.trim();
        (!value.is_empty()).then(|| (name, truncated(value, MAX_ID).to_owned()))
    })
}

/// How long the service wants to be left alone: seconds or a date (RFC 9110, 10.2.3), up to a day.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = httpdate::parse_http_date(value).ok()?;
            until.duration_since(SystemTime::now()).unwrap_or_default()
        }
    };
    Some(seconds.min(Duration::from_secs(DAY)))
}

pub(crate) fn content_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(truncated(value, MAX_ID).to_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn seconds_and_dates_say_when_to_come_back_and_nothing_longer_than_a_day() {
        let after = |value: &str| retry_after(&headers("retry-after", value));
        assert_eq!(after("30"), Some(Duration::from_secs(30)));
        assert_eq!(after("99999999"), Some(Duration::from_secs(DAY)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(100));
        assert!(after(&soon).unwrap() > Duration::from_secs(90));
        for none in ["", "-1", "soon", "1.5"] {
            assert_eq!(after(none), None, "{none}");
        }
    }

    #[test]
    fn every_name_of_the_table_is_found_and_the_providers_own_comes_first() {
        for name in REQUEST_IDS {
            assert_eq!(request_id(&headers(name, "req_1")), Some((name, "req_1".to_owned())));
        }
        let mut both = headers("cf-ray", "8a1b-FRA");
        both.extend(headers("request-id", "req_1"));
        assert_eq!(request_id(&both).unwrap().0, "request-id");
        assert_eq!(request_id(&headers("cf-ray", &"x".repeat(900))).unwrap().1.len(), MAX_ID);
    }
}
