//! The architecture, enforced: every file of `src` has a floor, and imports point down, never up.
//!
//! The scanner reads tokens, not text: comments, strings and `#[cfg(test)]` items are gone before a rule looks. It
//! resolves `crate::`, `self::` and `super::` to a file, so the way an import is written does not matter. A name
//! taken from the crate's root (`crate::Report`) is an import of `lib`, the top floor: name its module instead.
#![expect(clippy::arithmetic_side_effects, reason = "positions inside a text that is in memory")]

use std::{collections::BTreeSet, fs, io, path::Path};

/// A name covers its file and the folder of that name; the longest name that fits a file wins.
const FLOORS: [&[&str]; 7] = [
    &[
        "record",
        "reporter",
        "context",
        "sink",
        "stacks",
        "stats",
        "storm",
        "auth",
        "scrub/secrets",
        "deliver/spool",
    ],
    &["scrub"],
    &["report"],
    &["layer", "logs", "panics", "job", "upstream", "deliver", "alerts", "inbox"],
    &["config", "tunnel"],
    &["init", "testing", "fuzzing"],
    &["lib", "bin"],
];
/// The modules every record passes through; they refer to each other, so they count as one folder.
const CORE: &[&str] = &["record", "reporter", "context", "sink", "stacks", "stats", "storm", "auth"];
/// What captures knows the core, the scrubber and each other, never a queue, the spool or a destination.
const CAPTURING: &[&str] = &["layer", "logs", "panics", "job", "report", "upstream"];
/// `spool` knows bytes and paths, `secrets` is data: they import nothing of the crate.
const ALONE: &[&str] = &["deliver/spool", "scrub/secrets"];
const PRINTING: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];
/// These say nothing about a module, or hide a crate we use.
const FORBIDDEN_MODULES: &[&str] = &["utils", "types", "prelude", "http", "tracing", "helpers", "common"];
const LONGEST_FILE: usize = 300;

#[test]
fn every_file_has_a_floor() {
    assert_none(the_crate().unwrap().without_floor());
}

#[test]
fn imports_point_down_or_sideways_inside_one_folder() {
    assert_none(the_crate().unwrap().wrong_way());
}

#[test]
fn capturing_knows_the_core_and_nothing_of_delivery() {
    assert_none(the_crate().unwrap().capturing_too_much());
}

#[test]
fn the_spool_and_the_secrets_import_nothing_of_the_crate() {
    assert_none(the_crate().unwrap().not_alone());
}

#[test]
fn the_library_never_prints_and_never_calls_capture_error() {
    assert_none(the_crate().unwrap().forbidden_calls());
}

#[test]
fn no_module_is_named_like_a_drawer_or_like_a_crate_we_use() {
    assert_none(the_crate().unwrap().forbidden_modules());
}

#[test]
fn no_file_is_longer_than_300_lines_of_code() {
    assert_none(the_crate().unwrap().too_long());
}

fn the_crate() -> io::Result<Tree> {
    Tree::read(Path::new(env!("CARGO_MANIFEST_DIR")))
}

#[track_caller]
fn assert_none(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// The files below `src`.
struct Tree(Vec<File>);

/// `module` is `layer/service` for `src/layer/service.rs`, and `layer` for `src/layer/mod.rs`.
struct File {
    path: String,
    module: String,
    source: String,
}

impl Tree {
    fn read(root: &Path) -> io::Result<Tree> {
        let (mut files, mut folders) = (Vec::new(), vec![root.join("src")]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                    files.push(File::new(&name, &fs::read_to_string(&path)?));
                }
            }
        }
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(Tree(files))
    }

    fn without_floor(&self) -> Vec<String> {
        let homeless = self.0.iter().filter(|file| floor(&file.module).is_none());
        homeless.map(|file| format!("{} has no floor: add it", file.path)).collect()
    }

    fn wrong_way(&self) -> Vec<String> {
        // A file without a floor is another test's business.
        self.refused(|from, to| match floor(from) {
            Some(here) if Some(here) == floor(to) => may_go_sideways(from, to),
            here => here.is_none() || here > floor(to),
        })
    }

    fn capturing_too_much(&self) -> Vec<String> {
        let known = [CORE, CAPTURING, &["scrub"]].concat();
        self.refused(|from, to| !within(from, CAPTURING) || within(to, &known))
    }

    fn not_alone(&self) -> Vec<String> {
        self.refused(|from, to| ALONE.iter().all(|name| !within(from, &[name]) || within(to, &[name])))
    }

    /// The program under `bin` prints, that is its work. `capture_error` holds the SDK's lock while it formats the
    /// error, and deadlocks as soon as that logs.
    fn forbidden_calls(&self) -> Vec<String> {
        self.pairs(|module, first, second| {
            let prints = PRINTING.contains(&first) && second == "!" && !within(module, &["bin"]);
            (prints || first == "capture_error").then(|| format!("uses {first}"))
        })
    }

    fn forbidden_modules(&self) -> Vec<String> {
        self.pairs(|_, first, second| {
            let forbidden = first == "mod" && FORBIDDEN_MODULES.contains(&second);
            forbidden.then(|| format!("has a module named {second}"))
        })
    }

    fn too_long(&self) -> Vec<String> {
        let lengths = self.0.iter().map(|file| (file, file.lines_of_code()));
        let long = lengths.filter(|(_, lines)| *lines > LONGEST_FILE);
        long.map(|(file, lines)| format!("{} has {lines} lines of code: split it", file.path)).collect()
    }

    /// What `judge(module, word, next word)` has to say about the code, with its place.
    fn pairs(&self, judge: impl Fn(&str, &str, &str) -> Option<String>) -> Vec<String> {
        let mut found = Vec::new();
        for File { path, module, source } in &self.0 {
            for ((first, line), (second, _)) in code(source).iter().zip(code(source).iter().skip(1)) {
                found.extend(judge(module, first, second).map(|verdict| format!("{path}:{line} {verdict}")));
            }
        }
        found
    }

    /// The imports that `allowed(from, to)` turns down, ready to read.
    fn refused(&self, allowed: impl Fn(&str, &str) -> bool) -> Vec<String> {
        let known: BTreeSet<&str> = self.0.iter().map(|file| file.module.as_str()).collect();
        let show = |name: &str| floor(name).map_or("no floor".to_owned(), |at| format!("floor {at}"));
        let mut found = Vec::new();
        for File { path, module: from, source } in &self.0 {
            for (names, line) in paths(&code(source), from) {
                // The longest start of the path that is a file; the names after it are items in that file.
                let starts = (1..=names.len()).rev().filter_map(|count| names.get(..count));
                let file = starts.map(|start| start.join("/")).find(|start| known.contains(start.as_str()));
                let to = file.as_deref().unwrap_or("lib");
                if to != from && !allowed(from, to) {
                    let import = file.as_ref().unwrap_or(&names.join("/")).replace('/', "::");
                    let (here, there) = (show(from), show(to));
                    found.push(format!("{path}:{line} ({here}) imports crate::{import} ({there})"));
                }
            }
        }
        found.dedup(); // `use crate::sink::{Record, Sink}` is one import
        found
    }
}

impl File {
    fn new(path: &str, source: &str) -> File {
        let module = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
        File { path: path.to_owned(), module: module.to_owned(), source: source.to_owned() }
    }

    fn lines_of_code(&self) -> usize {
        code(&self.source).iter().map(|(_, line)| line).collect::<BTreeSet<_>>().len()
    }
}

fn floor(module: &str) -> Option<usize> {
    let all = FLOORS.iter().enumerate().flat_map(|(at, names)| names.iter().map(move |name| (name, at)));
    let fitting = all.filter(|(name, _)| within(module, &[name]));
    fitting.max_by_key(|(name, _)| name.len()).map(|(_, at)| at)
}

fn may_go_sideways(from: &str, to: &str) -> bool {
    let one_folder = from.split('/').next() == to.split('/').next();
    one_folder || [CORE, CAPTURING].iter().any(|group| within(from, group) && within(to, group))
}

fn within(module: &str, names: &[&str]) -> bool {
    let rest = |name: &&str| module.strip_prefix(*name);
    names.iter().filter_map(rest).any(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A word, `::`, or another character, and its line. A string is one `"` on each of its lines.
type Token<'a> = (&'a str, usize);
type Code<'t, 'a> = &'t [Token<'a>];
/// The names of a path, from the crate's root.
type Names<'a> = Vec<&'a str>;
type Found<'a> = Vec<(Names<'a>, usize)>;

/// Comments are taken not to nest.
fn tokens(source: &str) -> Vec<Token<'_>> {
    let (mut found, mut rest, mut line) = (Vec::new(), source, 1);
    while let Some(first) = rest.chars().next() {
        let end_of = |start: usize, end: &str| {
            let after = rest.get(start..).and_then(|text| text.find(end));
            after.map_or(rest.len(), |at| start + at + end.len())
        };
        let word = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
        let (length, is_text) = match first {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), None),
            '/' if rest.starts_with("/*") => (end_of(2, "*/"), None),
            '"' => (end_of_string(rest), Some(true)),
            '\'' => (end_of_char(rest).unwrap_or(1), None),
            ':' if rest.starts_with("::") => (2, Some(false)),
            _ if first.is_whitespace() => (first.len_utf8(), None),
            _ => match raw_string(rest) {
                Some((start, end)) => (end_of(start, &end), Some(true)),
                None => (word.max(first.len_utf8()), Some(false)),
            },
        };
        let (part, after) = rest.split_at(length);
        match is_text {
            Some(true) => found.extend((line..).zip(part.lines()).map(|(line, _)| ("\"", line))),
            Some(false) => found.push((part, line)),
            None => {} // white space, a comment, a character, the mark of a lifetime
        }
        line += part.matches('\n').count();
        rest = after;
    }
    found
}

fn end_of_string(rest: &str) -> usize {
    let mut escaped = false;
    let end = rest.char_indices().skip(1).find(|(_, letter)| {
        let ends = *letter == '"' && !escaped;
        escaped = *letter == '\\' && !escaped;
        ends
    });
    end.map_or(rest.len(), |(at, _)| at + 1)
}

/// `None` for a lifetime.
fn end_of_char(rest: &str) -> Option<usize> {
    let mut letters = rest.char_indices().skip(2);
    let (after, next) = letters.next()?;
    match (rest.starts_with("'\\"), next) {
        (true, _) => letters.find(|(_, letter)| *letter == '\'').map(|(at, _)| at + 1),
        (false, '\'') => Some(after + 1),
        (false, _) => None,
    }
}

/// Where the text of `r#".."#` begins, and what ends it.
fn raw_string(rest: &str) -> Option<(usize, String)> {
    let (prefix, _) = rest.split_once('"')?;
    let hashes = prefix.trim_start_matches(['b', 'c']).strip_prefix('r')?;
    hashes.chars().all(|letter| letter == '#').then(|| (prefix.len() + 1, format!("\"{hashes}")))
}

/// The tokens without the items under `#[cfg(test)]`.
fn code(source: &str) -> Vec<Token<'_>> {
    let all = tokens(source);
    let (mut kept, mut rest) = (Vec::new(), all.as_slice());
    while let [token, after @ ..] = rest {
        let cfg_test = matches!(after, [("[", _), ("cfg", _), ("(", _), ("test", _), (")", _), ..]);
        let skipped = token.0 == "#" && cfg_test;
        kept.extend((!skipped).then_some(*token));
        rest = if skipped { after_item(after) } else { after };
    }
    kept
}

/// What follows an item and its attributes; a field or a match arm ends at its comma.
fn after_item<'t, 'a>(mut rest: Code<'t, 'a>) -> Code<'t, 'a> {
    let (mut depth, mut may_have_commas) = (0_usize, false);
    while let [(text, _), after @ ..] = rest {
        match (*text, depth) {
            ("}", 0) => return rest,
            ("}", 1) | (";", 0) => return after,
            (",", 0) if !may_have_commas => return after,
            ("(" | "[" | "{", _) => depth += 1,
            (")" | "]" | "}", _) => depth = depth.saturating_sub(1),
            ("fn" | "impl" | "struct" | "enum" | "trait" | "type", 0) => may_have_commas = true,
            _ => {}
        }
        rest = after;
    }
    rest
}

/// Every path into the crate as names from its root: `super::queue::Queue` in `deliver/post` is
/// `deliver`, `queue`, `Queue`.
fn paths<'a>(code: Code<'_, 'a>, module: &'a str) -> Found<'a> {
    let (mut found, mut rest) = (Vec::new(), code);
    let mut blocks = Vec::new(); // one entry an open brace; inline modules move `self` and `super`
    while let [(text, _), after @ ..] = rest {
        rest = after;
        match (*text, after) {
            ("crate" | "self" | "super", [("::", _), tree @ ..]) => {
                let file = module.split('/').filter(|name| *name != "lib");
                let here = file.chain(blocks.iter().flatten().copied()).collect();
                rest = use_tree(tree, step(here, text), &mut found);
            }
            ("mod", [(name, _), ("{", _), block @ ..]) => {
                blocks.push(Some(*name));
                rest = block;
            }
            ("{", _) => blocks.push(None),
            ("}", _) => drop(blocks.pop()),
            _ => {}
        }
    }
    found
}

/// Reads what follows `path::` and returns what follows that.
fn use_tree<'t, 'a>(mut rest: Code<'t, 'a>, mut path: Names<'a>, found: &mut Found<'a>) -> Code<'t, 'a> {
    while let [(text, line), after @ ..] = rest {
        if *text == "{" {
            rest = after;
            loop {
                match rest {
                    [] => return rest,
                    [("}", _), after @ ..] => return after,
                    [(",", _), after @ ..] | [("as", _), _, after @ ..] => rest = after,
                    _ => rest = use_tree(rest, path.clone(), found),
                }
            }
        }
        path = step(path, text);
        match after {
            [("::", _), after @ ..] => rest = after,
            _ => {
                found.push((path, *line));
                return after;
            }
        }
    }
    rest
}

fn step<'a>(mut path: Names<'a>, name: &'a str) -> Names<'a> {
    match name {
        "crate" => path.clear(),
        "super" => drop(path.pop()),
        "self" | "*" | "<" => {}
        _ => path.push(name),
    }
    path
}

/// The rules on small trees: a rule that never fails proves nothing.
#[cfg(test)]
mod scanner {
    use super::{File, Tree, code, tokens};

    const HOUSE: [&str; 12] = [
        "src/lib.rs",
        "src/init.rs",
        "src/config.rs",
        "src/sink.rs",
        "src/stats.rs",
        "src/logs.rs",
        "src/layer/mod.rs",
        "src/report/mod.rs",
        "src/report/build.rs",
        "src/deliver/mod.rs",
        "src/deliver/queue.rs",
        "src/deliver/spool.rs",
    ];

    /// The house above with one file added or replaced.
    fn house_with(path: &str, source: &str) -> Tree {
        let others = HOUSE.iter().filter(|other| **other != path).map(|other| File::new(other, ""));
        Tree(others.chain([File::new(path, source)]).collect())
    }

    fn imports(path: &str, source: &str) -> Vec<String> {
        let all = house_with(path, source).refused(|_, _| false);
        all.iter().filter_map(|line| line.split(' ').nth(4)).map(str::to_owned).collect()
    }

    #[test]
    fn an_import_that_points_up_is_reported_with_both_floors_and_its_line() {
        let found =
            house_with("src/layer/service.rs", "use std::fmt;\n\nuse crate::init::init;\n").wrong_way();
        assert_eq!(found, ["src/layer/service.rs:3 (floor 3) imports crate::init (floor 5)"]);
    }

    #[test]
    fn an_import_that_points_down_or_stays_inside_its_folder_is_fine() {
        let source = "use crate::{sink::Record, deliver::spool, report::build}; use super::queue::Queue;";
        assert!(house_with("src/deliver/post.rs", source).wrong_way().is_empty());
        assert!(house_with("src/sink.rs", "use crate::stats;").wrong_way().is_empty());
        assert!(house_with("src/lib.rs", "pub use crate::init::init;").wrong_way().is_empty());
    }

    #[test]
    fn sideways_into_another_folder_is_reported() {
        let found = house_with("src/alerts/engine.rs", "use crate::deliver::queue;").wrong_way();
        assert_eq!(found, ["src/alerts/engine.rs:1 (floor 3) imports crate::deliver::queue (floor 3)"]);
    }

    #[test]
    fn a_name_from_the_root_is_an_import_of_the_top_floor() {
        let found = house_with("src/sink.rs", "fn f(_: crate::Report) {}").wrong_way();
        assert_eq!(found, ["src/sink.rs:1 (floor 0) imports crate::Report (floor 6)"]);
    }

    #[test]
    fn use_trees_are_read_to_the_last_leaf() {
        let source =
            "use {crate::{sink::{self, Record as R}, deliver::{\n queue::*,\n spool::Spool},}, std::fmt};
                      pub use crate::{config as c}; use self::inner::X;";
        let found = ["crate::sink", "crate::deliver::queue", "crate::deliver::spool", "crate::config"];
        assert_eq!(imports("src/layer/mod.rs", source), found);
    }

    #[test]
    fn inline_paths_are_found_in_code_and_in_macros() {
        let source =
            "fn f<'a>(r: &'a crate::sink::Record) -> char { debug!(\"{}\", crate::stats::stats()); ':' }
                      macro_rules! m { () => { $crate::init::init::<u8>() } }";
        assert_eq!(imports("src/logs.rs", source), ["crate::sink", "crate::stats", "crate::init"]);
    }

    #[test]
    fn self_and_super_lead_to_the_file_they_mean() {
        let source =
            "use super::spool; mod a { use super::X; mod b { fn f() { super::super::super::Worker::new() } } }
                      pub(super) fn g() { self::Y; super::super::init::init() }";
        let found = ["crate::deliver::spool", "crate::deliver", "crate::init"];
        assert_eq!(imports("src/deliver/queue.rs", source), found);
    }

    #[test]
    fn comments_strings_and_tests_import_nothing() {
        let source = r####"
            //! crate::init
            /// [`crate::init`] isn't "quoted
            /* crate::init " */ // crate::init
            const A: &str = "crate::init \" crate::init";
            const B: &[u8] = br#"crate::init " crate::init"#; const C: [char; 3] = ['"', '\'', '\u{22}'];
            const D: &str = "two
                crate::init lines"; struct S<'a>(&'a u8);
            #[cfg(test)] use crate::{init, config};
            #[cfg(test)]
            #[expect(dead_code)]
            mod tests { fn f<A, B>() { crate::init::init(); } }
            struct F { #[cfg(test)] seen: crate::init::Seen, kept: crate::sink::Record, #[cfg(test)] last: crate::init::X }
            fn last(_: crate::stats::Stats) {}"####;
        assert_eq!(imports("src/logs.rs", source), ["crate::sink", "crate::stats"]);
    }

    #[test]
    fn a_file_outside_the_house_has_no_floor() {
        assert_eq!(house_with("src/x.rs", "").without_floor(), ["src/x.rs has no floor: add it"]);
        assert_eq!(house_with("src/sinks.rs", "").without_floor(), ["src/sinks.rs has no floor: add it"]);
        assert!(house_with("src/layer/new.rs", "").without_floor().is_empty());
    }

    #[test]
    fn capturing_code_that_sees_delivery_is_reported() {
        let found = house_with("src/logs.rs", "use crate::{deliver::spool, sink, layer::X, report::build};");
        let expected = ["src/logs.rs:1 (floor 3) imports crate::deliver::spool (floor 0)"];
        assert_eq!(found.capturing_too_much(), expected);
        assert!(found.wrong_way().is_empty(), "spool lies below, and what captures may share");
    }

    #[test]
    fn a_spool_that_imports_anything_is_reported() {
        assert_eq!(house_with("src/deliver/spool.rs", "use crate::stats;").not_alone().len(), 1);
        assert_eq!(house_with("src/deliver/spool.rs", "use super::Item;").not_alone().len(), 1);
        assert!(
            house_with("src/deliver/spool.rs", "use std::fs; mod a { use super::Name; }")
                .not_alone()
                .is_empty()
        );
    }

    #[test]
    fn printing_and_capture_error_are_reported() {
        let source =
            "fn f() { std::println!(); hub.capture_error(&e); } // eprintln!\nfn dbg() { dbg(\"print!\") }";
        let found = house_with("src/logs.rs", source).forbidden_calls();
        assert_eq!(found, ["src/logs.rs:1 uses println", "src/logs.rs:1 uses capture_error"]);
        assert!(house_with("src/bin/faultwire.rs", "fn main() { println!() }").forbidden_calls().is_empty());
    }

    #[test]
    fn a_module_named_utils_is_reported() {
        assert_eq!(
            house_with("src/lib.rs", "mod utils;").forbidden_modules(),
            ["src/lib.rs:1 has a module named utils"]
        );
    }

    #[test]
    fn only_lines_of_code_count() {
        let source = "// one\n\nfn f() {\n    \"a\nb\";\n}\n/* x\ny */\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(File::new("src/lib.rs", source).lines_of_code(), 4);
        assert_eq!(house_with("src/lib.rs", &"x;\n".repeat(301)).too_long().len(), 1);
        assert!(house_with("src/lib.rs", &"x;\n".repeat(300)).too_long().is_empty());
    }

    #[test]
    fn a_file_that_ends_too_early_does_not_hang_the_scanner() {
        for source in [
            "\"",
            "'",
            "'\\",
            "r#\"",
            "/*",
            "use crate::{a::{",
            "#[cfg(test)]",
            "#[cfg(test)] mod t {",
            "crate::",
        ] {
            assert!(tokens(source).len() >= code(source).len());
            imports("src/logs.rs", source);
        }
    }
}
