//! Makes `assets/common-passwords.filter` from word lists, the same bytes from the same lists.
//!
//! ```text
//! cargo run --example common_passwords -- LIST...
//! ```
//!
//! A list is a file with one password a line, or a `.json` file that holds an array of strings.
//! The shipped filter was made of two lists that packages carry:
//!
//! - the crate `passwords` 3.1.19: `data/common-passwords.json`
//!   (`cargo info passwords` unpacks it into Cargo's registry folder);
//! - the Python package `Django` 5.2: `django/contrib/auth/common-passwords.txt.gz`
//!   (`pip download --no-deps Django`, unzip, gunzip).
//!
//! Entries under eight characters are left out: the policy refuses them by their length.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use doorward::domain::common_passwords::CommonPasswords;
use unicode_normalization::UnicodeNormalization;

const ASSET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/common-passwords.filter");
const MIN_CHARACTERS: usize = 8;

fn main() -> anyhow::Result<()> {
    let mut words = Vec::new();
    for list in std::env::args_os().skip(1) {
        let path = Path::new(&list);
        words.extend(read(path).with_context(|| path.display().to_string())?);
    }
    if words.is_empty() {
        bail!("name at least one list");
    }
    let long_enough = words.iter().map(String::as_str).filter(|word| word.nfc().count() >= MIN_CHARACTERS);
    let common = CommonPasswords::from_words(long_enough).map_err(anyhow::Error::msg)?;
    let bytes = common.to_bytes();
    std::fs::write(ASSET, &bytes).context(ASSET)?;
    writeln!(std::io::stdout(), "{} passwords in {} bytes", common.count(), bytes.len())?;
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(path)?;
    if path.extension().is_some_and(|extension| extension == "json") {
        return Ok(serde_json::from_str(&text)?);
    }
    Ok(text.lines().map(|line| line.trim_end_matches('\r').to_owned()).collect())
}
