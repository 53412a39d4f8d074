//! libpq's password file: a line each `host:port:database:user:password`, where `*` stands for
//! anything and a backslash for the character behind it.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tokio_postgres::Config;
use tokio_postgres::config::Host;
use zeroize::Zeroizing;

const OTHERS: u32 = 0o077;
const MAX_BYTES: u64 = 1 << 20;

/// What such a file says.
#[derive(Default)]
pub(super) struct Passwords(Zeroizing<String>);

/// The file's lines; none where it is absent or, as libpq has it, open to others.
pub(super) fn read(path: &Path) -> Passwords {
    let read = || -> std::io::Result<Passwords> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.permissions().mode() & OTHERS != 0 {
            return Ok(Passwords::default());
        }
        // The whole capacity at once: a buffer that grows leaves copies of the passwords behind.
        let capacity = usize::try_from(metadata.len().min(MAX_BYTES)).unwrap_or_default() + 1_024;
        let mut text = Zeroizing::new(String::with_capacity(capacity));
        file.take(MAX_BYTES).read_to_string(&mut text)?;
        Ok(Passwords(text))
    };
    read().unwrap_or_default()
}

impl Passwords {
    /// The password of the first line that fits.
    pub(super) fn password_of(&self, config: &Config) -> Option<Zeroizing<String>> {
        let host = match config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            Some(Host::Unix(_)) => "localhost".to_owned(),
            None => config.get_hostaddrs().first()?.to_string(),
        };
        let port = config.get_ports().first().copied().unwrap_or(5432).to_string();
        let user = config.get_user().unwrap_or_default();
        let database = config.get_dbname().unwrap_or(user);
        self.0.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
            let fields = fields(line)?;
            let wanted = [host.as_str(), port.as_str(), database, user];
            let fits = fields.iter().zip(wanted).all(|((field, is_any), wanted)| *is_any || field.as_str() == wanted);
            fits.then(|| fields[4].0.clone())
        })
    }
}

/// The five fields of a line, each with whether it is a bare `*`.
fn fields(line: &str) -> Option<[(Zeroizing<String>, bool); 5]> {
    // One of them is a password: none may grow.
    let mut fields: [_; 5] = std::array::from_fn(|_| Zeroizing::new(String::with_capacity(line.len())));
    let mut is_escaped = [false; 5];
    let (mut at, mut characters) = (0, line.chars());
    while let Some(character) = characters.next() {
        match character {
            ':' if at < 4 => at += 1,
            '\\' => {
                is_escaped[at] = true;
                fields[at].extend(characters.next());
            }
            other => fields[at].push(other),
        }
    }
    let mut is_escaped = is_escaped.into_iter();
    (at == 4).then(|| {
        fields.map(|field| {
            let is_escaped = is_escaped.next().unwrap_or_default();
            let is_any = *field == "*" && !is_escaped;
            (field, is_any)
        })
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn password(lines: &str, url: &str) -> Option<String> {
        Passwords(Zeroizing::new(lines.to_owned())).password_of(&url.parse().unwrap()).map(|found| found.to_string())
    }

    #[test]
    fn the_first_line_that_fits_has_the_password() {
        let lines = "# host:port:database:user:password\nbroken\ndb:5432:doorward:ann:one\n*:*:*:ann:a\\:b\\\\c\n\
                     db:*:*:*:three:four";
        for (url, expected) in [
            ("postgres://ann@db/doorward", Some("one")),
            ("postgres://ann@db:5433/doorward", Some("a:b\\c")),
            ("postgres://bob@db:1/other", Some("three:four")),
            ("postgres://bob@elsewhere/other", None),
        ] {
            assert_eq!(password(lines, url).as_deref(), expected, "{url}");
        }
        assert_eq!(password("\\*:*:*:*:x", "postgres://ann@db/doorward"), None, "an escaped star is a star");
        assert_eq!(password("db:\\*:*:*:x", "postgres://ann@db/doorward"), None, "in every field");
        assert_eq!(password("\\:\\:1:*:*:ann:x", "postgres://ann@[::1]/doorward").as_deref(), Some("x"));
    }

    #[test]
    fn a_file_that_others_may_read_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pgpass");
        assert!(read(&path).0.is_empty());
        fs::write(&path, "*:*:*:*:x").unwrap();
        for (mode, is_read) in [(0o600, true), (0o640, false), (0o604, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(!read(&path).0.is_empty(), is_read, "{mode:o}");
        }
    }
}
