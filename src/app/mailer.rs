//! From the settings to what mails are made of, and how they leave.

use super::OpenError;
use crate::clock::Clock;
use crate::config::{self, Settings};
use crate::mail::smtp::{Security, Server};
use crate::mail::{Language, Mailer, Setup, Way};

/// The folder in the data directory that mails are written into, where no server sends them.
const OUTBOX: &str = "outbox";

/// The mailer of these settings.
pub(super) fn open(settings: &Settings, public_url: &str, clock: Clock) -> Result<Mailer, OpenError> {
    let mail = &settings.mail;
    let setup = Setup {
        from: mail.from.to_string(),
        public_url: public_url.to_owned(),
        language: match mail.language {
            config::Language::English => Language::English,
            config::Language::German => Language::German,
        },
        templates: mail.templates.clone(),
        way: match &mail.smtp {
            None => Way::Outbox(settings.data_dir.join(OUTBOX)),
            Some(smtp) => Way::Smtp(server(smtp)),
        },
        clock,
    };
    Mailer::open(setup).map_err(OpenError::new)
}

fn server(smtp: &config::Smtp) -> Server {
    if smtp.security == config::Security::Nothing && !smtp.is_here() {
        tracing::warn!(
            "mail.smtp.security is \"none\": whoever is on the network may read every mail, and the links in it"
        );
    }
    Server {
        host: smtp.host.clone(),
        port: smtp.port,
        security: match smtp.security {
            config::Security::StartTls => Security::StartTls,
            config::Security::Tls => Security::Tls,
            config::Security::Nothing => Security::Nothing,
        },
        login: smtp.login.clone(),
        timeout: smtp.timeout,
        ca_file: smtp.ca_file.clone(),
    }
}
