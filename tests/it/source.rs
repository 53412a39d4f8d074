//! The project's own files, as the tests that keep its house in order read them.

use std::fs;
use std::path::Path;

/// Where the repository lies.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file under `src/`: its path from the repository's root, and its text.
pub(crate) fn rust_files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push((from_root(&path), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!files.is_empty(), "src/ holds Rust files");
    files.sort();
    files
}

/// A file's text up to its `#[cfg(test)]` modules, which end a file. A file of tests has no such part.
pub(crate) fn without_tests<'a>(path: &str, text: &'a str) -> &'a str {
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        return "";
    }
    let end = text.match_indices("#[cfg(test)]").map(|(at, _)| at).find(|&at| {
        let item = text[at..].lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("#["));
        item.is_some_and(|item| item.starts_with("mod "))
    });
    &text[..end.unwrap_or(text.len())]
}

/// A file's path from the repository's root.
pub(crate) fn from_root(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()
}

#[test]
fn the_tests_at_the_end_of_a_file_are_told_from_its_code() {
    let text = "fn a() {}\n#[cfg(test)]\nfn b() {}\n#[cfg(test)]\n#[path = \"x.rs\"]\nmod tests {}\n";
    assert_eq!(without_tests("src/a.rs", text), "fn a() {}\n#[cfg(test)]\nfn b() {}\n");
    assert_eq!(without_tests("src/a/tests.rs", text), "");
}
