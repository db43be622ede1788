//! Destinations that cannot be used are said at the start, and never with their key.

use faultwire::Config;
use faultwire::config::Destination;

use crate::config::started;

const KEY: &str = "canary0key0canary";

/// What is wrong with these destinations.
#[track_caller]
fn wrong(destinations: impl IntoIterator<Item = Destination>) -> (String, String) {
    let config = destinations.into_iter().fold(Config::new(), Config::destination);
    let shown = format!("{config:?} {config:#?}");
    let error = config.init().unwrap_err();
    assert!(!format!("{shown} {error} {error:?}").contains(KEY), "{shown} {error} {error:?}");
    (error.variable().to_owned(), error.to_string())
}

fn good(name: &str) -> Destination {
    Destination::new(name, format!("https://{KEY}@errors.example.com/1"))
}

#[test]
fn a_dsn_that_cannot_be_used_is_an_error_that_names_the_destination() {
    for (dsn, reason) in [
        (format!("{KEY}@errors.example.com/1"), "this is no URL"),
        (format!("ftp://{KEY}@errors.example.com/1"), "the scheme is neither http nor https"),
        ("https://errors.example.com/1".to_owned(), "the key is missing before the host"),
        (format!("https://{KEY}@errors.example.com"), "the project is missing after the host"),
        (String::new(), "this is no URL"),
    ] {
        let (variable, text) = wrong([good("one"), Destination::new("pager", &dsn)]);
        assert_eq!(variable, "destination pager", "{dsn}");
        assert!(text.starts_with("destination pager: ") && text.contains(reason), "{text}");
    }
}

#[test]
fn a_name_is_short_plain_and_taken_once() {
    let long = "x".repeat(65);
    // The last is what comes of mixing up the two arguments.
    for name in ["", " ", "a b", "a\nb", "größe", &long, &format!("https://{KEY}@errors.example.com/1")] {
        let (variable, text) = wrong([good(name)]);
        assert_eq!(variable, "destination", "{name}");
        assert!(text.contains("the name is not one of 1 to 64 letters"), "{text}");
    }
    let (variable, text) = wrong([good("one"), good("two"), good("one")]);
    assert_eq!(variable, "destination one");
    assert!(text.contains("another destination has this name"), "{text}");

    let with_dsn = Config::new().dsn(format!("https://{KEY}@errors.example.com/1"));
    assert_eq!(with_dsn.destination(good("default")).init().unwrap_err().variable(), "destination default");
}

#[test]
fn there_are_eight_destinations_at_most() {
    let nine = (1..=9).map(|n| good(&format!("number-{n}")));
    assert_eq!(wrong(nine).1, "destination number-9: there are more than 8 destinations");
}

#[test]
fn with_a_destination_nothing_is_said_about_a_missing_dsn_and_no_key_is_logged() {
    let log = started(Config::new().destination(good("one")).debug(true));
    assert!(log.contains("https://errors.example.com:443/1"), "{log}");
    assert!(!log.contains("SENTRY_DSN is not set") && !log.contains(KEY), "{log}");
}
