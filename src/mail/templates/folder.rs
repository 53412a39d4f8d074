//! The operator's folder of templates: which files it holds, and whether each is of use. What is in them, is read
//! elsewhere.

use std::fs;
use std::path::Path;

use super::super::Unusable;
use super::super::letter::Topic;

/// The longest template, in bytes: a mail is no book.
const MAX_BYTES: usize = 262_144;

/// Every template of a folder, by its file's name.
pub(super) fn read(folder: &Path) -> Result<Vec<(String, String)>, Unusable> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Unusable::Template(format!(
            "mail.templates: {} cannot be read ({error}): name a folder with templates, or leave it out",
            folder.display()
        ))
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| unreadable(&error))? {
        let entry = entry.map_err(|error| unreadable(&error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // What editors and version control leave there is no template.
        if name.starts_with('.') || name.ends_with('~') || entry.path().is_dir() {
            continue;
        }
        require_known(&name, folder)?;
        files.push((name, text(&entry.path())?));
    }
    require_pairs(&files, folder)?;
    Ok(files)
}

fn text(path: &Path) -> Result<String, Unusable> {
    let told = |what: &dyn std::fmt::Display| {
        Unusable::Template(format!("{}, line 1: {what}: mend or remove it", path.display()))
    };
    let bytes = fs::read(path).map_err(|error| told(&error))?;
    if bytes.len() > MAX_BYTES {
        return Err(told(&"is too long for a mail"));
    }
    String::from_utf8(bytes).map_err(|_| told(&"must be UTF-8 text"))
}

/// The two files of each mail.
fn names() -> impl Iterator<Item = (String, String)> {
    Topic::ALL.into_iter().map(|topic| (format!("{}.txt", topic.name()), format!("{}.html", topic.name())))
}

/// A name that no mail has is a mistyped one. What begins with `_` is for other templates to include.
fn require_known(name: &str, folder: &Path) -> Result<(), Unusable> {
    let known: Vec<_> = names().flat_map(|(text, html)| [text, html]).collect();
    if name.starts_with('_') || known.iter().any(|known| known == name) {
        return Ok(());
    }
    let near = known.iter().min_by_key(|known| strsim::osa_distance(name, known));
    let near = near.map(String::as_str).unwrap_or_default();
    Err(Unusable::Template(format!(
        "{}, line 1: no mail has a template of this name; the nearest is {near}; what others include begins with _",
        folder.join(name).display()
    )))
}

/// A mail whose text is the operator's and whose HTML is not would say two things.
fn require_pairs(files: &[(String, String)], folder: &Path) -> Result<(), Unusable> {
    let has = |name: &str| files.iter().any(|(file, _)| file == name);
    if files.is_empty() {
        return Err(Unusable::Template(format!(
            "mail.templates: {} holds no template: put some there, or leave it out",
            folder.display()
        )));
    }
    for (text, html) in names() {
        let (missing, there) = match (has(&text), has(&html)) {
            (true, false) => (html, text),
            (false, true) => (text, html),
            (true, true) | (false, false) => continue,
        };
        return Err(Unusable::Template(format!(
            "{}, line 1: is missing, and {there} is there: a mail has both; write it, or remove the other",
            folder.join(missing).display()
        )));
    }
    Ok(())
}
