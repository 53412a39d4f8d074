//! The section of mails: who they are from, what their links lead to, and by which server they are sent.
//! Says nothing of how a mail looks or is sent.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::reader::Reader;
use super::secret_file;
use super::sections::{LIFETIME, path};
use super::values::{Link, Mailbox, choice, some_text};
use crate::secret::Secret;

/// A server that has not answered a step by then is taken for one that never will.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(5);

/// Mails.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Their sender.
    pub from: Mailbox,
    /// The link of a password reset.
    pub reset_url: Option<Link>,
    /// The link of a verification.
    pub verify_url: Option<Link>,
    /// The link that confirms another address.
    pub email_change_url: Option<Link>,
    /// How long a reset link works.
    pub reset_lifetime: Duration,
    /// How long a verification link works.
    pub verification_lifetime: Duration,
    /// How long a link works that confirms another address.
    pub email_change_lifetime: Duration,
    /// Whether users are told of what became of their password and address.
    pub notices: bool,
    /// What mails are written in.
    pub language: Language,
    /// A folder with the operator's own templates.
    pub templates: Option<PathBuf>,
    /// By whom they are sent; without it they are written as files.
    pub smtp: Option<Smtp>,
}

impl Mail {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            from: reader.text("mail.from", Mailbox::parse),
            reset_url: reader.optional("mail.reset_url", Link::parse),
            verify_url: reader.optional("mail.verify_url", Link::parse),
            email_change_url: reader.optional("mail.email_change_url", Link::parse),
            reset_lifetime: reader.duration("mail.reset_lifetime", LIFETIME),
            verification_lifetime: reader.duration("mail.verification_lifetime", LIFETIME),
            email_change_lifetime: reader.duration("mail.email_change_lifetime", LIFETIME),
            notices: reader.boolean("mail.notices"),
            language: Language::read(reader),
            templates: reader.optional("mail.templates", path),
            smtp: Smtp::read(reader),
        }
    }
}

/// What mails are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// German.
    German,
}

impl Language {
    fn read(reader: &mut Reader) -> Self {
        reader.text("mail.language", |text| choice(text, &[("en", Self::English), ("de", Self::German)]))
    }
}

/// The server that takes mails, and what it takes to get in.
#[derive(Clone, Debug)]
pub struct Smtp {
    /// A name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub security: Security,
    /// The name and password that it asks for.
    pub login: Option<(String, Secret)>,
    /// How long it may take for each step.
    pub timeout: Duration,
    /// Whom certificates are believed from, beside those whom the system believes; PEM.
    pub ca_file: Option<PathBuf>,
}

/// How a connection to the mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// It begins in clear, and nothing is said before it is encrypted.
    StartTls,
    /// From the first byte.
    Tls,
    /// Never.
    Nothing,
}

impl Security {
    fn read(reader: &mut Reader) -> Self {
        let words = [("starttls", Self::StartTls), ("tls", Self::Tls), ("none", Self::Nothing)];
        reader.text("mail.smtp.security", |text| choice(text, &words))
    }

    /// Where servers listen that are spoken to in this way.
    const fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::Nothing => 25,
        }
    }
}

impl Smtp {
    /// Whether the server is this machine.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }

    fn read(reader: &mut Reader) -> Option<Self> {
        const HOST: &str = "mail.smtp.host";
        let is_wanted = reader.is_given(HOST);
        let host = reader.optional(HOST, host);
        let port = reader.optional_integer("mail.smtp.port", 1..=65_535);
        let security = Security::read(reader);
        let login = login(reader);
        let timeout = reader.duration("mail.smtp.timeout", TIMEOUT);
        let ca_file = reader.optional("mail.smtp.ca_file", path);
        for key in ["port", "username", "password", "password_file", "ca_file"] {
            let name = format!("mail.smtp.{key}");
            if !is_wanted && reader.is_given(&name) {
                reader.fault(&name, "\"mail.smtp.host\" is missing: without it no mail is sent by SMTP");
                return None;
            }
        }
        let smtp = Self { host: host?, port: port.unwrap_or(security.port()), security, login, timeout, ca_file };
        if smtp.login.is_some() && smtp.security == Security::Nothing && !smtp.is_here() {
            reader.fault(
                "mail.smtp.security",
                "\"none\" would send the password over the network in clear: take \"starttls\" or \"tls\"",
            );
        }
        Some(smtp)
    }
}

/// Name and password, both or neither.
fn login(reader: &mut Reader) -> Option<(String, Secret)> {
    const USERNAME: &str = "mail.smtp.username";
    const PASSWORD: &str = "mail.smtp.password";
    let file = format!("{PASSWORD}_file");
    let has_name = reader.is_given(USERNAME);
    let has_password = reader.is_given(PASSWORD) || reader.is_given(&file);
    let username = reader.optional(USERNAME, some_text);
    let password = secret_file::given(reader, PASSWORD, |_| None);
    match (has_name, has_password) {
        (true, false) => {
            reader.fault(USERNAME, "\"mail.smtp.password\" or \"mail.smtp.password_file\" is missing: set it too");
        }
        (false, true) => {
            let name = if reader.is_given(PASSWORD) { PASSWORD } else { &file };
            reader.fault(name, "\"mail.smtp.username\" is missing: set both or none");
        }
        (true, true) | (false, false) => {}
    }
    username.zip(password)
}

/// A name as DNS and certificates spell it, or an address.
fn host(text: &str) -> Result<String, String> {
    let fault = || "must be a host name such as smtp.example.com, or an address, without a port".to_owned();
    let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    rustls::pki_types::ServerName::try_from(text).map(|_| text.to_owned()).map_err(|_| fault())
}
