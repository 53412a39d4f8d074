//! What a start says: where it listens, what to try, and once, how the first administrator signs
//! in.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{IsTerminal as _, Write as _, stderr};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use zeroize::Zeroizing;

use crate::actions::first_admin::FirstAdmin;
use crate::app::{App, OpenError};
use crate::config::LogFormat;
use crate::domain::error::Error;
use crate::domain::session::Dialect;
use crate::secret::{ExposeSecret as _, Secret};

/// Where the secrets go that no terminal showed.
const FILE: &str = "first-admin.txt";

/// Says where the server listens and what to try.
pub(super) fn listening(app: &App, address: SocketAddr) -> anyhow::Result<()> {
    let url = app.public_url();
    let data = app.settings().data_dir.display();
    tracing::info!(%address, public_url = url, data_dir = %data, "listening");
    if app.settings().log.format == LogFormat::Json {
        return Ok(());
    }
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!(
        "doorward {version} listens on {address}, reached as {url}; its data is in {data}\nTry:  curl {url}/healthz\n"
    );
    let rest = app.settings().dialect(Dialect::Rest);
    if rest.enabled {
        let prefix = rest.prefix.as_str();
        let body = r#"{"name":"Ann","email":"ann@example.com","password":"correct horse","confirm":"correct horse"}"#;
        writeln!(text, "      curl {url}{prefix}/auth/register -H 'Content-Type: application/json' -d '{body}'")?;
    }
    // A log that cannot be written stops no server.
    let _ = say(&text);
    Ok(())
}

/// Shows what was made up for the first administrator, this one time.
pub(super) fn first_admin(app: &App, first: FirstAdmin) -> anyhow::Result<()> {
    let (login, password, token) = match first {
        FirstAdmin::Exists(differences) => {
            for difference in differences {
                tracing::warn!("{difference}");
            }
            return Ok(());
        }
        FirstAdmin::Made { login, password, token } => (login, password, token),
    };
    tracing::info!("the first administrator was made");
    // The whole capacity at once: a text that grows leaves copies of the secrets behind.
    let mut secrets = Zeroizing::new(String::with_capacity(1_024));
    for (name, secret) in [("password", password), ("API token", token)] {
        if let Some(secret) = secret {
            push(&mut secrets, name, &secret);
        }
    }
    if secrets.is_empty() {
        return Ok(());
    }
    let mut text = Zeroizing::new(String::with_capacity(4_096));
    write!(text, "The first administrator is {login}, shown this once:\n{}", secrets.as_str())?;
    if !login.contains('@') {
        text.push_str("  (a username signs in by the argon dialect; the others ask for an email)\n");
    }
    if stderr().is_terminal() {
        return say(&text);
    }
    let path = app.settings().data_dir.join(FILE);
    keep(&path, &text).with_context(|| {
        format!(
            "{} cannot be written, and so the secrets of the first administrator are lost: mend that, then set a \
             password with `doorward user passwd {login}`",
            path.display()
        )
    })?;
    tracing::info!(file = %path.display(), "how the first administrator signs in is in this file; delete it once read");
    Ok(())
}

/// Writes what nobody can be told again.
fn keep(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn push(text: &mut String, name: &str, secret: &Secret) {
    text.push_str("  ");
    text.push_str(name);
    text.push_str(": ");
    text.push_str(secret.expose_secret());
    text.push('\n');
}

fn say(text: &str) -> anyhow::Result<()> {
    stderr().write_all(text.as_bytes()).context("standard error cannot be written")
}

/// Why the first administrator cannot be made.
pub(super) fn explain(error: Error) -> anyhow::Error {
    match error {
        Error::Invalid(faults) => {
            let faults: Vec<_> = faults.iter().map(|fault| format!("{} {}", fault.field, fault.message)).collect();
            anyhow!("the first administrator cannot be made: {}", faults.join("; "))
        }
        error @ Error::Unavailable(_) => anyhow!("{}", OpenError::of_store(&error)),
        other => anyhow!("the first administrator cannot be made: {other}"),
    }
}
