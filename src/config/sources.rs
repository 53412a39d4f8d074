//! Where values come from: the file, then the environment, then flags; the later wins. Knows the
//! names of keys, not what their values mean. No message here repeats a value: it may be a secret.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};
use zeroize::{Zeroize as _, Zeroizing};

use super::ConfigError;
use super::keys::{self, Key, find, keys, suggestion};

/// Everything that the configuration is read from. Shows nothing of itself: it may hold secrets.
#[derive(Clone, Default)]
pub struct Sources {
    /// The file that `--config` names. There is none unless it is named.
    pub file: Option<PathBuf>,
    /// Variables and their values; only those that begin with `DOORWARD_` count.
    pub environment: Vec<(String, Zeroizing<String>)>,
    /// What flags say.
    pub overrides: Overrides,
    /// Where libpq keeps passwords.
    pub pgpass: Option<PathBuf>,
}

/// The flags of the command line that are also keys.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--data-dir`
    pub data_dir: Option<String>,
    /// `--listen`
    pub listen: Option<String>,
    /// `--public-url`
    pub public_url: Option<String>,
    /// `--database-url`
    pub database_url: Option<String>,
    /// `--to`, before which `--database-url` gives way
    pub to: Option<String>,
    /// `--log-format`
    pub log_format: Option<String>,
}

/// The `DOORWARD_` variables of this process.
///
/// # Errors
///
/// Where one of them is not Unicode.
pub fn environment() -> Result<Vec<(String, Zeroizing<String>)>, ConfigError> {
    let mut read = Vec::new();
    let mut faults = Vec::new();
    for (name, value) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if !name.starts_with(VARIABLE_PREFIX) {
            continue;
        }
        match value.into_string() {
            Ok(value) => read.push((name, Zeroizing::new(value))),
            Err(_) => faults.push(format!("{name}: must be UTF-8 text")),
        }
    }
    if faults.is_empty() { Ok(read) } else { Err(ConfigError::new(faults)) }
}

/// Where libpq keeps passwords: `PGPASSFILE`, else `.pgpass` at home.
#[must_use]
pub fn pgpass() -> Option<PathBuf> {
    let at_home = || std::env::home_dir().map(|home| home.join(".pgpass"));
    std::env::var_os("PGPASSFILE").map(PathBuf::from).or_else(at_home)
}

const VARIABLE_PREFIX: &str = "DOORWARD_";

/// A value that may be a secret: overwritten when it is done with.
pub(super) struct Kept(pub(super) Value);

impl Kept {
    fn wipe(&mut self) {
        if let Value::String(text) = &mut self.0 {
            text.zeroize();
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// The value of one key, and what to call the place that it is from.
pub(super) struct Given {
    pub(super) value: Kept,
    pub(super) place: String,
}

/// What the sources say together, and what is wrong with them.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) given: BTreeMap<&'static str, Given>,
    pub(super) faults: Vec<String>,
}

impl Gathered {
    pub(super) fn from(sources: &Sources) -> Self {
        let mut gathered = Self::default();
        if let Some(path) = &sources.file {
            gathered.read_file(path);
        }
        for (name, value) in &sources.environment {
            gathered.read_variable(name, value);
        }
        gathered.read_flags(&sources.overrides);
        gathered
    }

    fn put(&mut self, key: &'static Key, value: Value, place: String) {
        self.given.insert(key.name, Given { value: Kept(value), place });
    }

    fn read_file(&mut self, path: &Path) {
        let text = match fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) => return self.faults.push(format!("cannot read {}: {error}", path.display())),
        };
        match toml::from_str::<Table>(&text) {
            Ok(table) => self.read_table(table, &path.display().to_string()),
            Err(error) => {
                // The error's own text quotes the line, and with it the secret that may stand there.
                let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
                let line = 1 + before.matches('\n').count();
                self.faults.push(format!("{}, line {line}: not TOML: {}", path.display(), error.message()));
            }
        }
    }

    fn read_table(&mut self, table: Table, file: &str) {
        for (name, value) in table {
            let is_section = keys::sections().any(|section| section == name);
            match (is_section, value) {
                (true, Value::Table(section)) => self.read_section(&name, section, file),
                (true, _) => self.faults.push(not_a_section(&name, file)),
                (false, Value::Table(_)) if find(&name).is_none() => {
                    let mend = suggestion(&name, keys::sections(), |near| format!("[{near}]"));
                    self.faults.push(format!("unknown section [{name}] in {file}: {mend}"));
                }
                (false, value) => self.read_entry(&name, value, file),
            }
        }
    }

    fn read_section(&mut self, name: &str, section: Table, file: &str) {
        for (inner, value) in section {
            let name = format!("{name}.{inner}");
            match value {
                Value::Table(inner) if keys::is_section(&name) => self.read_section(&name, inner, file),
                _ if keys::is_section(&name) => self.faults.push(not_a_section(&name, file)),
                value => self.read_entry(&name, value, file),
            }
        }
    }

    fn read_entry(&mut self, name: &str, value: Value, file: &str) {
        if let Some(key) = find(name) {
            self.put(key, value, format!("{name:?} in {file}"));
        } else {
            let mend = suggestion(name, keys().iter().map(|key| key.name), |near| format!("{near:?}"));
            self.faults.push(format!("unknown key {name:?} in {file}: {mend}"));
        }
    }

    fn read_variable(&mut self, name: &str, value: &str) {
        let Some(rest) = name.strip_prefix(VARIABLE_PREFIX) else { return };
        if let Some(key) = keys().iter().find(|key| key.variable() == name) {
            self.put(key, key.kind.value(value), name.to_owned());
        } else if !is_service_link(rest, value) {
            let dotted = rest.to_lowercase().replace("__", ".");
            let mend = suggestion(&dotted, keys().iter().map(|key| key.name), keys::variable);
            self.faults.push(format!("unknown variable {name}: {mend}"));
        }
    }

    fn read_flags(&mut self, overrides: &Overrides) {
        for (name, flag, text) in [
            ("data_dir", "--data-dir", &overrides.data_dir),
            ("listen", "--listen", &overrides.listen),
            ("public_url", "--public-url", &overrides.public_url),
            ("database_url", "--database-url", &overrides.database_url),
            ("database_url", "--to", &overrides.to),
            ("log.format", "--log-format", &overrides.log_format),
        ] {
            if let (Some(key), Some(text)) = (find(name), text) {
                self.put(key, key.kind.value(text), flag.to_owned());
            }
        }
    }
}

fn not_a_section(name: &str, file: &str) -> String {
    format!("{name:?} in {file} is a section: write [{name}], then its keys")
}

/// Whether an orchestrator put the variable there: Kubernetes and Docker links tell every container
/// of a service called `doorward` its address in `DOORWARD_PORT_8090_TCP_ADDR` and the like.
fn is_service_link(name: &str, value: &str) -> bool {
    let is_address = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let is_port_detail = ["_TCP", "_UDP", "_SCTP"]
        .iter()
        .any(|protocol| ["_PORT", "_PROTO", "_ADDR"].iter().any(|end| name.ends_with(&format!("{protocol}{end}"))));
    is_address || is_port_detail || name.ends_with("SERVICE_HOST") || name.contains("SERVICE_PORT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_was_read_is_overwritten() {
        let mut kept = Kept(Value::String("three green lamps".to_owned()));
        kept.wipe();
        assert_eq!(kept.0.as_str(), Some(""));
    }
}
