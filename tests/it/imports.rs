//! Imports run one way. Reads every path of the library in its own source, and every mention of
//! what only one room may know, and names file and line where one goes the wrong way.

use crate::source::{rust_files, without_tests};

/// Which room may import which: `main -> cli -> server -> dialect, web -> http -> actions -> app ->
/// guard, mail -> store -> domain`. A room may always import itself and the leaves.
const ARROWS: &[(&str, &[&str])] = &[
    ("main", &["cli", "config"]),
    ("cli", &["server", "app", "actions", "config", "domain"]),
    ("server", &["config", "dialect", "web", "http", "app", "actions", "domain"]),
    ("dialect", &["http", "actions", "app", "domain"]),
    ("web", &["http", "actions", "app", "domain"]),
    ("http", &["actions", "app", "domain"]),
    ("actions", &["app", "guard", "mail", "store", "domain"]),
    ("app", &["config", "guard", "mail", "store", "domain"]),
    ("config", &["domain"]),
    ("guard", &["store", "domain"]),
    ("mail", &["domain"]),
    ("store", &["domain"]),
    ("domain", &[]),
    // What fuzzing tries, in no release.
    ("fuzzing", &["config", "dialect::iron", "http", "guard", "store", "domain"]),
    ("lib", &[]),
    ("secret", &[]),
    ("clock", &[]),
    ("telemetry", &[]),
];

/// Leaves import no room, and every room may import them.
const LEAVES: &[&str] = &["secret", "clock", "telemetry"];

/// What only some rooms may mention, and which.
const KNOWN_TO: &[(&str, &[&str])] = &[
    ("rusqlite", &["store"]),
    ("\"select ", &["store"]),
    ("\"insert into", &["store"]),
    ("\"delete from ", &["store"]),
    ("env::var", &["config"]),
    ("StatusCode", &["dialect", "web", "http"]),
];

/// What the domain never mentions.
const UNKNOWN_TO_DOMAIN: &[&str] = &["axum", "tokio", "rusqlite", "hyper"];

#[test]
fn imports_run_one_way() {
    let faults: Vec<_> = rust_files().iter().flat_map(|(path, text)| faults(path, text)).collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// Every wrong arrow and every forbidden mention in one file, as `file:line: sentence`.
fn faults(path: &str, text: &str) -> Vec<String> {
    let module = module_of(path);
    let here = room(&module);
    let code = without_comments(without_tests(path, text));
    let mut faults = Vec::new();
    for (at, target) in paths(&code, &module) {
        let there = room(&target);
        if !may_import(&here, &there) {
            faults.push(format!("{path}:{}: {here} must not import {there} ({})", line(&code, at), target.join("::")));
        }
    }
    let lowered = code.to_lowercase();
    let top = here.split("::").next().unwrap_or_default();
    let kept_from_here = KNOWN_TO.iter().filter(|(_, rooms)| !rooms.contains(&top)).map(|(word, _)| *word);
    let unknown = UNKNOWN_TO_DOMAIN.iter().copied().filter(|_| top == "domain");
    for word in kept_from_here.chain(unknown) {
        for (at, _) in lowered.match_indices(&word.to_lowercase()) {
            faults.push(format!(
                "{path}:{}: {here} must not mention {}",
                line(&code, at),
                word.trim_matches(['"', ' '])
            ));
        }
    }
    faults
}

fn may_import(here: &str, there: &str) -> bool {
    let top = here.split("::").next().unwrap_or_default();
    let Some((_, below)) = ARROWS.iter().find(|(room, _)| *room == top) else { return false };
    let known = ARROWS.iter().any(|(room, _)| *room == there.split("::").next().unwrap_or_default());
    let leaf = LEAVES.contains(&there) && !LEAVES.contains(&here);
    // The list of dialects knows each of them; they know neither it nor each other.
    let own = here == there || (here == "dialect" && there.starts_with("dialect::"));
    let through_dialect = here == "server" && there.starts_with("dialect::");
    known && (own || leaf || through_dialect || below.contains(&there))
}

/// The room of a module: its first segment; each dialect is a room of its own.
fn room(module: &[String]) -> String {
    let segments = if module.first().is_some_and(|first| first == "dialect") { 2 } else { 1 };
    module.iter().take(segments).cloned().collect::<Vec<_>>().join("::")
}

fn module_of(path: &str) -> Vec<String> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

/// Comments go, lines stay: what remains has the same line numbers.
fn without_comments(text: &str) -> String {
    let code = |line: &str| {
        let all_comment = line.trim_start().starts_with("//");
        let code = if all_comment { "" } else { line.split(" // ").next().unwrap_or_default() };
        code.to_owned()
    };
    text.lines().map(code).collect::<Vec<_>>().join("\n")
}

fn line(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// Every path into the library, spelled from its root: where it stands, and its segments. Reads
/// `crate::`, `super::` and, for the binary, `doorward::`, in `use` lines and elsewhere.
fn paths(code: &str, module: &[String]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    for (start, word) in ["crate::", "super::", "doorward::"].iter().flat_map(|word| code.match_indices(word)) {
        let before = &code[..start];
        let inside_a_name = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if inside_a_name || before.ends_with("::") || (word == "doorward::" && module != ["main"]) {
            continue;
        }
        let mut rest = &code[start + word.len()..];
        let mut prefix = Vec::new();
        if word == "super::" {
            let mut up = 1;
            while let Some(further) = rest.strip_prefix("super::") {
                (rest, up) = (further, up + 1);
            }
            prefix = module[..module.len().saturating_sub(up)].to_vec();
        }
        tree(rest, code.len() - rest.len(), &prefix, &mut found);
    }
    found
}

/// Reads one use tree, `a::{b, c::d}`, and gives how many bytes it is long.
fn tree(text: &str, at: usize, prefix: &[String], found: &mut Vec<(usize, Vec<String>)>) -> usize {
    let name_ends = |c: char| !(c.is_alphanumeric() || c == '_');
    let mut path = prefix.to_vec();
    let mut read = 0;
    loop {
        let rest = &text[read..];
        if rest.starts_with('{') {
            read += 1;
            while read < text.len() && !text[read..].starts_with('}') {
                let name_starts = |c: char| c.is_alphanumeric() || c == '_' || c == '}' || c == '{';
                let skipped = text[read..].find(name_starts).unwrap_or(text.len() - read);
                read += skipped;
                if text[read..].starts_with(name_starts) && !text[read..].starts_with('}') {
                    read += tree(&text[read..], at + read, &path, found);
                }
            }
            return read + 1;
        }
        let name = &rest[..rest.find(name_ends).unwrap_or(rest.len())];
        read += name.len();
        if !name.is_empty() && name != "self" {
            path.push(name.to_owned());
        }
        if name.is_empty() || !text[read..].starts_with("::") {
            if !path.is_empty() {
                found.push((at, path));
            }
            return read;
        }
        read += 2;
    }
}

#[test]
fn a_wrong_arrow_is_found_in_every_spelling() {
    for (path, source) in [
        ("src/mail.rs", "use crate::guard::Gate;"),
        ("src/mail.rs", "use crate::{clock::Clock, guard::Gate};"),
        (
            "src/mail.rs",
            "use crate::{\n    clock::{Clock, Timestamp},\n    domain::{error::{Error, Result}, id},\n    guard,\n};",
        ),
        ("src/mail.rs", "fn a() { crate::guard::open(); }"),
        ("src/mail.rs", "pub use super::guard::Gate;"),
        ("src/dialect/iron/wire.rs", "use super::super::rest::wire;"),
        ("src/dialect/iron/mod.rs", "use super::rest;"),
        ("src/dialect/iron/mod.rs", "use crate::dialect::argon::Wire;"),
        ("src/dialect/iron/mod.rs", "use crate::store;"),
        ("src/dialect/iron/mod.rs", "use crate::config::Config;"),
        ("src/domain/user.rs", "use crate::store::users;"),
        ("src/secret.rs", "use crate::domain::id;"),
        ("src/clock.rs", "use crate::secret::random;"),
        ("src/main.rs", "use doorward::store::Store;"),
        ("src/mail.rs", "use crate::elsewhere::Thing;"),
        ("src/elsewhere.rs", "use crate::domain::id;"),
    ] {
        assert_eq!(faults(path, source).len(), 1, "{path}: {source}: {:?}", faults(path, source));
    }
}

#[test]
fn a_fault_is_named_with_its_file_and_line() {
    let source = "//! A mail.\n\nuse crate::{\n    domain::id,\n    guard::gate::Gate,\n};\n";
    assert_eq!(faults("src/mail.rs", source), ["src/mail.rs:5: mail must not import guard (guard::gate::Gate)"]);
}

#[test]
fn a_right_arrow_is_left_alone() {
    for (path, source) in [
        ("src/main.rs", "use doorward::{cli, telemetry};"),
        ("src/server.rs", "use crate::dialect::{argon, iron};\nuse crate::web;"),
        ("src/dialect/mod.rs", "pub mod iron;\nuse crate::dialect::iron::Wire;"),
        (
            "src/dialect/iron/wire.rs",
            "use super::handlers;\nuse crate::dialect::iron::wire;\nuse crate::domain::{self, id};",
        ),
        ("src/http/mod.rs", "pub use self::body::Body;\nuse crate::app::App;"),
        ("src/store/users.rs", "use super::sql;\nconst FIND: &str = \"select id from users\";"),
        ("src/mail.rs", "// use crate::guard::Gate;\nfn a() {} // crate::guard\n"),
        ("src/mail.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n    use crate::guard::Gate;\n}\n"),
        ("src/guard/tests.rs", "use crate::config::Config;"),
    ] {
        assert_eq!(faults(path, source), [""; 0], "{path}: {source}");
    }
}

#[test]
fn what_only_one_room_may_know_is_found_elsewhere() {
    for (path, source) in [
        ("src/domain/user.rs", "use axum::Json;"),
        ("src/domain/user.rs", "async fn a() { tokio::task::yield_now().await }"),
        ("src/actions/users.rs", "use rusqlite::Connection;"),
        ("src/actions/users.rs", "const FIND: &str = \"select id from users\";"),
        ("src/guard/feed.rs", "const ADD: &str = \"INSERT INTO changes\";"),
        ("src/cli/mod.rs", "fn home() { std::env::var(\"HOME\"); }"),
        ("src/actions/users.rs", "use axum::http::StatusCode;"),
    ] {
        assert_eq!(faults(path, source).len(), 1, "{path}: {source}: {:?}", faults(path, source));
    }
    assert_eq!(faults("src/domain/user.rs", "//! Knows no axum, SQL or tokio.\n"), [""; 0]);
}
