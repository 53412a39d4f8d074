//! The house rules that no lint knows: short files that say what they are for, links that lead
//! somewhere, prose that fits a screen, no path of anybody's machine.

use std::fs;
use std::process::Command;

use crate::source::{from_root, root, rust_files, without_tests};

const LINES_MAX: usize = 400;
/// How many characters a line of prose may have.
const WIDTH_MAX: usize = 120;

#[test]
fn every_source_file_is_short_enough_to_read() {
    for (path, text) in rust_files() {
        let lines = without_tests(&path, &text).lines().count();
        assert!(lines <= LINES_MAX, "{path} has {lines} lines without its tests; turn it into a folder");
    }
}

#[test]
fn every_source_file_begins_by_saying_what_it_is_for() {
    for (path, text) in rust_files() {
        assert!(text.starts_with("//! "), "{path} does not begin with //!");
    }
}

#[test]
fn every_link_of_the_documents_leads_to_a_file() {
    for path in documents() {
        let folder = root().join(&path).parent().unwrap().to_owned();
        for link in links(&fs::read_to_string(root().join(&path)).unwrap()) {
            assert!(folder.join(&link).exists(), "{path} links to {link}, which is not there");
        }
    }
}

#[test]
fn no_line_of_the_documents_prose_is_wider_than_a_screen() {
    for path in documents() {
        let wide = wide_lines(&fs::read_to_string(root().join(&path)).unwrap());
        assert!(wide.is_empty(), "{path} has more than {WIDTH_MAX} characters in lines {wide:?}");
    }
}

#[test]
fn no_file_names_a_path_of_a_developers_machine() {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    // A source archive has no list of its files, and nothing to add to it.
    let Some(listed) = listed.ok().filter(|output| output.status.success()) else { return };
    for path in String::from_utf8(listed.stdout).unwrap().split_terminator('\0') {
        // A file that is not UTF-8 is no text; one that is listed but gone was just deleted.
        let Ok(text) = fs::read_to_string(root().join(path)) else { continue };
        let found = text.lines().position(names_a_home);
        assert!(found.is_none(), "{path}:{} names a path of somebody's machine", found.unwrap_or_default() + 1);
    }
}

#[test]
fn the_changelog_has_a_version_or_what_is_unreleased() {
    let text = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    assert!(text.lines().any(|line| line.starts_with("## [")), "CHANGELOG.md has no `## [Unreleased]` or `## [1.2.3]`");
}

#[test]
fn every_test_that_a_document_names_exists() {
    for path in documents() {
        for (file, name) in named_tests(&fs::read_to_string(root().join(&path)).unwrap()) {
            let file = if file.starts_with("src/") { format!("{file}.rs") } else { format!("tests/it/{file}.rs") };
            let text = fs::read_to_string(root().join(&file)).unwrap_or_default();
            assert!(
                text.contains(&format!("fn {name}(")),
                "{path} names the test {name} of {file}, which is not there"
            );
        }
    }
}

/// How many requirements each section of a chapter of ASVS 5.0 has.
const CHAPTERS: [(u32, &[u32]); 7] = [
    (6, &[3, 12, 8, 6, 8, 4, 2, 4]),
    (7, &[3, 4, 2, 5, 3, 2]),
    (9, &[3, 4]),
    (11, &[4, 5, 5, 4, 2, 2, 2]),
    (13, &[4, 6, 4, 7]),
    (14, &[2, 8, 3]),
    (16, &[1, 5, 4, 3, 4]),
];

#[test]
fn the_page_on_security_answers_every_requirement_once() {
    let text = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
    for (chapter, sections) in CHAPTERS {
        for (section, count) in (1..).zip(sections) {
            for number in 1..=*count {
                let number = format!("{chapter}.{section}.{number}");
                let states: Vec<_> =
                    rows.iter().filter(|row| row.len() == 7 && row[1] == number).map(|row| row[4]).collect();
                let is_answer = |state: &str| ["**met**", "**n/a**", "**open**"].contains(&state);
                assert!(matches!(states[..], [state] if is_answer(state)), "{number} is answered by {states:?}");
            }
        }
    }
}

/// The documents whose links are followed.
fn documents() -> Vec<String> {
    let named = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"].map(str::to_owned);
    let docs = fs::read_dir(root().join("docs")).into_iter().flatten().map(|entry| entry.unwrap().path());
    let docs =
        docs.filter(|path| path.extension().is_some_and(|extension| extension == "md")).map(|path| from_root(&path));
    named.into_iter().filter(|name| root().join(name).exists()).chain(docs).collect()
}

/// The relative targets of a document's Markdown links, without their fragments. Code is not read.
fn links(text: &str) -> Vec<String> {
    let mut code = false;
    let mut links = Vec::new();
    for line in text.lines() {
        code ^= line.trim_start().starts_with("```");
        let prose: String = line.split('`').step_by(2).collect();
        for rest in prose.split("](").skip(1).filter(|_| !code) {
            let target = rest.split([')', ' ', '#']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                links.push(target.to_owned());
            }
        }
    }
    links
}

/// The numbers of the lines that should be broken: not those of tables and code, nor one that is a link.
fn wide_lines(text: &str) -> Vec<usize> {
    let mut code = false;
    let mut wide = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let begun = line.trim_start();
        code ^= begun.starts_with("```");
        if line.chars().count() > WIDTH_MAX && !code && !begun.starts_with('|') && !is_a_link(begun) {
            wide.push(number);
        }
    }
    wide
}

/// Whether a line is a link and nothing else, as itself or as an entry of a list.
fn is_a_link(line: &str) -> bool {
    let line = line.strip_prefix("- ").unwrap_or(line);
    let inner = line.strip_prefix('[').and_then(|line| line.strip_suffix(')'));
    let parts = inner.and_then(|inner| inner.split_once("]("));
    parts.is_some_and(|(name, target)| !name.contains(']') && !target.contains([' ', ')']))
}

/// The tests that a document names, as `file.rs::name`, by file and name.
fn named_tests(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let quoted = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    quoted.filter_map(|quoted| quoted.split_once(".rs::")).filter_map(|(file, name)| {
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_/".contains(&byte));
        (is_plain(file) && is_plain(name)).then_some((file, name))
    })
}

fn names_a_home(line: &str) -> bool {
    // In two parts, so that this file passes its own test.
    [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")].iter().any(|home| {
        line.match_indices(home).any(|(at, _)| {
            let (before, after) = (&line[..at], &line[at + home.len()..]);
            !before.ends_with(|c: char| c.is_alphanumeric() || "_-.}~".contains(c))
                && after.starts_with(|c: char| c.is_alphanumeric() || c == '.')
        })
    })
}

#[test]
fn links_are_read_from_prose_only() {
    let text = "[a](a.md), ![b](b/c.svg \"title\") and [d](d.md#e)\n[x](https://example.com/x.md) [y](#y) `[z](z.md)`\n\
                ```\n[in code](none.md)\n```\n[f](f.md)";
    assert_eq!(links(text), ["a.md", "b/c.svg", "d.md", "f.md"]);
}

#[test]
fn a_line_is_wide_by_its_characters_and_only_where_it_can_be_broken() {
    let (fits, wide) = ("é".repeat(WIDTH_MAX), "é".repeat(WIDTH_MAX + 1));
    let text = format!("{fits}\n{wide}\n- {fits}\n| {wide} |\n```sh\n{wide}\n```\n{wide}");
    assert_eq!(wide_lines(&text), [2, 3, 8]);
    let text = format!("[a]({wide})\n- [a b]({wide})\n[a]({wide}).\n[a](b) {wide} (c)\n[a] {wide} [b](c)");
    assert_eq!(wide_lines(&text), [3, 4, 5]);
}

#[test]
fn tests_are_found_by_file_and_name() {
    let text = "a `rest/login.rs::one_thing`, `src/guard/jwt.rs::another`; `house.rs`, `a.rs::b c` and x.rs::y";
    assert_eq!(named_tests(text).collect::<Vec<_>>(), [("rest/login", "one_thing"), ("src/guard/jwt", "another")]);
}

#[test]
fn a_path_of_a_machine_is_told_from_a_route() {
    assert!(names_a_home(concat!("cd /ho", "me/ann/doorward")));
    assert!(names_a_home(concat!("\"/ro", "ot/.cargo\"")));
    assert!(!names_a_home("https://example.com/home/page"));
    assert!(!names_a_home(concat!("under /ho", "me/")));
}
