//! What a command prints: tables and sentences for people, one JSON document for programs.
//! Results go to standard output, remarks about them to standard error. Text that users chose
//! cannot steer the terminal it is shown on.

use std::fmt::Write as _;
use std::io::{self, Write};

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Serialize;

use super::message::Failure;

/// Where the results of one command go.
#[derive(Clone, Copy)]
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether a program reads this.
    pub(super) const fn is_json(self) -> bool {
        self.json
    }

    /// Prints a sentence for people or a document for programs.
    pub(super) fn done(self, value: &impl Serialize, sentence: &str) -> Result<(), Failure> {
        if self.json { document(value) } else { line(sentence) }
    }

    /// Prints a list: a table for people, who learn from `empty` what to do where there is nothing.
    pub(super) fn list<T: Serialize, const N: usize>(
        self,
        items: &[T],
        header: [&str; N],
        row: impl Fn(&T) -> [String; N],
        empty: &str,
    ) -> Result<(), Failure> {
        if self.json {
            return document(&items);
        }
        if items.is_empty() {
            remark(empty);
            return Ok(());
        }
        let mut table = bare_table();
        table.set_header(header.to_vec());
        for item in items {
            table.add_row(cells(&row(item)));
        }
        print(&table)
    }

    /// Prints the fields of one thing, a line each.
    pub(super) fn fields(self, value: &impl Serialize, fields: &[(&str, String)]) -> Result<(), Failure> {
        if self.json {
            return document(value);
        }
        let mut table = bare_table();
        for (name, value) in fields {
            table.add_row(cells(&[(*name).to_owned(), value.clone()]));
        }
        print(&table)
    }
}

/// Prints bytes as they are.
pub(super) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    // A full disk has to show here, not to be lost at the exit.
    Ok(stdout.flush()?)
}

/// Prints one line.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    bytes(format!("{}\n", shown(text)).as_bytes())
}

/// Prints one JSON document.
pub(super) fn document(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::Refused(format!("the result cannot be written as JSON: {error}")))?;
    bytes(format!("{}\n", shown_json(&text)).as_bytes())
}

/// Prints a JSON document a line.
pub(super) fn json_lines(values: &[impl Serialize]) -> Result<(), Failure> {
    let mut text = String::new();
    for value in values {
        let line = serde_json::to_string(value)
            .map_err(|error| Failure::Refused(format!("the result cannot be written as JSON: {error}")))?;
        text += &shown_json(&line);
        text.push('\n');
    }
    bytes(text.as_bytes())
}

/// Says something to people beside the result, on standard error.
pub(super) fn remark(text: &str) {
    // A remark that cannot be written is no reason to fail.
    let _ = writeln!(io::stderr().lock(), "{}", shown(text));
}

fn print(table: &Table) -> Result<(), Failure> {
    let lines: String = table.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n");
    bytes(lines.as_bytes())
}

fn bare_table() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table
}

fn cells<const N: usize>(row: &[String; N]) -> Vec<String> {
    row.iter().map(|cell| shown(if cell.is_empty() { "-" } else { cell })).collect()
}

/// What steers a terminal or reorders a line is written as an escape.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

/// The same for a JSON document, which writes C0 controls as escapes by itself. What remains
/// stands within texts only, and is short of U+10000.
fn shown_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && steers(c) {
            // Writing to a String does not fail.
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2J\u{9b}b\u{202e}c\nd é";

    #[test]
    fn a_text_cannot_steer_the_terminal() {
        assert_eq!(shown(HOSTILE), "a\\u{1b}[2J\\u{9b}b\\u{202e}c\\u{a}d é");
    }

    #[test]
    fn a_document_reads_back_as_it_was_and_steers_nothing() {
        let text = shown_json(&serde_json::to_string(HOSTILE).unwrap());
        assert!(!text.chars().any(steers), "{text}");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), HOSTILE);
    }
}
