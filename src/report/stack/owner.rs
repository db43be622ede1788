//! Whose code a frame is, by its file and by the path of its function.
//!
//! Neither is always there: a release build knows no files, and line tables know no paths of what was inlined.

use crate::report::fingerprint::portable_file;

/// Whose code a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Application,
    /// The crates that the application is made of.
    Library,
    /// What stands between a failure and the stack that is taken of it: std, this crate, those that box errors.
    Machinery,
    /// The system, or nobody knows.
    Unknown,
}

/// The crates that stand on every stack of a backend, by their names and those that begin with them and `_`.
const LIBRARIES: [&str; 62] = [
    "actix",
    "apalis",
    "arc_swap",
    "async_stream",
    "async_trait",
    "aws",
    "axum",
    "bb8",
    "bytes",
    "catch_unwind",
    "chrono",
    "clap",
    "crossbeam",
    "dashmap",
    "deadpool",
    "diesel",
    "fred",
    "futures",
    "h2",
    "hashbrown",
    "http",
    "hyper",
    "itertools",
    "jsonwebtoken",
    "lapin",
    "lettre",
    "log",
    "matchit",
    "mio",
    "mongodb",
    "mysql",
    "native_tls",
    "once_cell",
    "openssl",
    "parking_lot",
    "postgres",
    "prost",
    "r2d2",
    "rayon",
    "rdkafka",
    "redis",
    "regex",
    "reqwest",
    "rusqlite",
    "rustls",
    "sea_orm",
    "sea_query",
    "sentry",
    "serde",
    "sqlx",
    "test",
    "tiberius",
    "tikv_jemallocator",
    "time",
    "tokio",
    "tonic",
    "tower",
    "tracing",
    "tungstenite",
    "ureq",
    "url",
    "warp",
];
const MACHINERY: [&str; 13] = [
    "__rustc",
    "alloc",
    "anyhow",
    "backtrace",
    "color_eyre",
    "core",
    "eyre",
    "faultwire",
    "panic_unwind",
    "rust_begin_unwind",
    "std",
    "thiserror",
    "unwind",
];
/// This crate, where it is no dependency from a registry: in its own tests and examples.
const OWN_SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/");

/// `function` is the path of a function, as the symbol has it.
pub(super) fn owner(file: Option<&str>, function: Option<&str>) -> Owner {
    let by_function = function.and_then(crate_of).map(of_crate);
    match (file.map(of_file), by_function) {
        // What is generic is compiled into the application, and may say so.
        (Some(Owner::Application) | None, Some(owner)) => owner,
        (Some(owner), _) => owner,
        (None, None) => Owner::Unknown,
    }
}

fn of_file(file: &str) -> Owner {
    let file = file.replace('\\', "/");
    if file.starts_with("/rustc/") || file.contains("/rustlib/src/rust/") || file.starts_with(OWN_SOURCES) {
        return Owner::Machinery;
    }
    if file.contains("/registry/src/") || file.contains("/git/checkouts/") {
        let portable = portable_file(&file);
        let name = portable.split('/').next().unwrap_or_default().replace('-', "_");
        return if is_in(&MACHINERY, &name) { Owner::Machinery } else { Owner::Library };
    }
    Owner::Application
}

fn of_crate(name: &str) -> Owner {
    if is_in(&MACHINERY, name) {
        Owner::Machinery
    } else if LIBRARIES.iter().any(|library| is_of_family(name, library)) {
        Owner::Library
    } else {
        Owner::Application
    }
}

fn is_in(names: &[&str], name: &str) -> bool {
    names.contains(&name)
}

/// `tokio_util` is of the family of `tokio`.
fn is_of_family(name: &str, family: &str) -> bool {
    name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

/// The crate that a function is of: `shop` of `<shop::Orders as core::ops::Drop>::drop`, and of a method of any
/// type (`<T as tower::Service>::call`) that of the trait. `None` for a function of C.
fn crate_of(function: &str) -> Option<&str> {
    let mut path = function;
    loop {
        path = path.trim_start_matches(['<', '&', '*', '(', '[', ' ']);
        match ["dyn ", "mut ", "const ", "impl "].iter().find_map(|word| path.strip_prefix(word)) {
            Some(rest) => path = rest,
            None => break,
        }
    }
    let end = path.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(path.len());
    let (name, rest) = path.split_at_checked(end)?;
    if rest.starts_with("::") || name == "rust_begin_unwind" {
        return (!name.is_empty()).then_some(name);
    }
    rest.split_once(" as ").and_then(|(_, of_trait)| crate_of(of_trait))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crate_of_a_function_is_found_in_every_form() {
        for (function, expected) in [
            ("shop::orders::load::{{closure}}", Some("shop")),
            ("<shop::Orders as shop::Store>::load", Some("shop")),
            ("<F as axum::handler::Handler<(M, T1), S>>::call::{{closure}}", Some("axum")),
            ("<&dyn core::ops::function::Fn<(), Output = i32> as X>::call", Some("core")),
            ("<&mut [shop::Row] as a::B>::c", Some("shop")),
            ("__rustc::rust_begin_unwind", Some("__rustc")),
            ("rust_begin_unwind", Some("rust_begin_unwind")),
            ("__libc_start_main", None),
            ("_start", None),
            ("", None),
            ("<", None),
            ("é", None),
        ] {
            assert_eq!(crate_of(function), expected, "{function}");
        }
    }

    #[test]
    fn a_frame_belongs_to_who_wrote_it() {
        let registry = "/usr/local/cargo/registry/src/index";
        let library = |path: &str| format!("{registry}/{path}");
        for (file, function, expected) in [
            (Some("/app/src/orders.rs".to_owned()), Some("shop::orders::load"), Owner::Application),
            (Some("/app/src/orders.rs".to_owned()), Some("load"), Owner::Application),
            (None, Some("shop::orders::load"), Owner::Application),
            (Some(library("tokio-1.47.0/src/runtime/mod.rs")), Some("poll"), Owner::Library),
            (Some(library("some-crate-0.1.0/src/lib.rs")), None, Owner::Library),
            (Some(library("anyhow-1.0.104/src/error.rs")), Some("from"), Owner::Machinery),
            (Some(library("shop-1.0.0/src/lib.rs")), Some("core::ops::FnOnce::call_once"), Owner::Library),
            (Some("/rustc/0123/library/core/src/result.rs".to_owned()), Some("map"), Owner::Machinery),
            (Some(format!("{OWN_SOURCES}report/from.rs")), Some("from"), Owner::Machinery),
            (None, Some("tokio_util::sync::x"), Owner::Library),
            (None, Some("tokyo::x"), Owner::Application),
            (None, Some("faultwire::report::from"), Owner::Machinery),
            (None, Some("__libc_start_main"), Owner::Unknown),
            (None, None, Owner::Unknown),
        ] {
            assert_eq!(owner(file.as_deref(), function), expected, "{file:?} {function:?}");
        }
    }
}
