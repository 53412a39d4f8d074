//! From the settings to the place of the database.

use std::path::{Path, PathBuf};

use super::OpenError;
use crate::config::{Database, Encryption, Postgres, Settings};
use crate::store::{Location, Roots, Target, Trust, tls};

/// The file in the data directory, where none is named.
const FILE: &str = "doorward.db";

/// Where the store of these settings is.
pub(super) fn location(settings: &Settings) -> Result<Location, OpenError> {
    match &settings.database {
        Database::Sqlite(path) => Ok(Location::Sqlite(file(path.as_deref(), settings))),
        Database::Postgres(postgres) => target(postgres).map(|target| Location::Postgres(Box::new(target))),
    }
}

/// The same for people, without a password, and wherever they stand.
pub(super) fn shown(settings: &Settings) -> String {
    match &settings.database {
        Database::Sqlite(path) => {
            let file = file(path.as_deref(), settings);
            format!("sqlite:{}", std::path::absolute(&file).unwrap_or(file).display())
        }
        Database::Postgres(postgres) => postgres.shown(),
    }
}

/// The file of the embedded engine.
pub(super) fn file(named: Option<&Path>, settings: &Settings) -> PathBuf {
    named.map_or_else(|| settings.data_dir.join(FILE), Path::to_owned)
}

fn target(postgres: &Postgres) -> Result<Target, OpenError> {
    let roots = || postgres.root_certificate.clone().map_or(Roots::System, Roots::File);
    let trust = match postgres.encryption {
        Encryption::Disable => None,
        Encryption::Prefer => Some(Trust::Anybody),
        Encryption::Require if postgres.root_certificate.is_none() => Some(Trust::Anybody),
        Encryption::Require | Encryption::VerifyCa => Some(Trust::Issuer(roots())),
        Encryption::VerifyFull => Some(Trust::Host(roots())),
    };
    if postgres.is_remote() && postgres.encryption != Encryption::VerifyFull {
        tracing::warn!(
            "nothing proves that the PostgreSQL on the network is the right one: give database_url \
             sslmode=verify-full"
        );
    }
    Ok(Target {
        hosts: postgres.hosts.clone(),
        tls: trust.as_ref().map(tls).transpose().map_err(OpenError::new)?,
        connections: postgres.connections,
        connect_timeout: postgres.connect_timeout,
        statement_timeout: postgres.statement_timeout,
    })
}
