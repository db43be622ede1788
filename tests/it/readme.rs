//! The README says what the code does.

use std::cell::RefCell;
use std::collections::BTreeSet;

use faultwire::Config;

const README: &str = include_str!("../../README.md");

/// Read by the HTTP client, not by us.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"];

/// What stands between backquotes in the rows of the table under `heading`, and looks like a variable.
fn variables_under(heading: &str) -> BTreeSet<String> {
    let section = README.split(heading).nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|'));
    let quoted = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    let is_variable =
        |text: &&str| text.len() > 3 && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    quoted.filter(is_variable).map(str::to_owned).collect()
}

#[test]
fn the_table_of_settings_names_exactly_the_variables_that_are_read() {
    let read = RefCell::new(BTreeSet::new());
    let config = Config::from_lookup(|name| {
        read.borrow_mut().insert(name.to_owned());
        None
    });
    assert!(config.is_ok());
    read.borrow_mut().extend(PROXIES.map(str::to_owned));
    assert_eq!(variables_under("\n## Settings"), read.into_inner());
}

#[test]
fn the_table_of_features_names_exactly_the_features() {
    let manifest = include_str!("../../Cargo.toml");
    let section = manifest.split("[features]").nth(1).unwrap().split("\n[").next().unwrap();
    let declared: BTreeSet<_> = section
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = ").map(|(name, _)| name))
        .filter(|name| *name != "default")
        .collect();
    let table = README.split("\n## Features").nth(1).unwrap().split("\n## ").next().unwrap();
    let documented: BTreeSet<_> =
        table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(documented, declared);
}
