//! The mail server: one mail at a time is handed over, step by step, each within a time. Connections that went well are
//! kept for the next mail until they are hung up.

mod undelivered;

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use rustls::RootCertStore;
use tokio::time::{sleep, timeout};

pub use self::undelivered::{Step, Undelivered};
use super::Unusable;
use super::compose::recipient;
use crate::secret::{ExposeSecret, Secret};

/// How many steps' time a whole mail may take: a server that answers each step at the last moment sends none.
const STEPS_TIME: u32 = 3;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(500);
/// How many connections are kept between two mails, and how long.
const KEPT_MAX: usize = 4;
const KEPT_FOR: Duration = Duration::from_secs(5);

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// It begins in clear, and nothing is said before it is encrypted.
    StartTls,
    /// From the first byte.
    Tls,
    /// Never.
    Nothing,
}

/// Where the server is, and what it takes to get in.
pub struct Server {
    /// A name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub security: Security,
    /// Name and password.
    pub login: Option<(String, Secret)>,
    /// How long each step may take.
    pub timeout: Duration,
    /// Whom certificates are believed from, beside those whom the system believes; PEM.
    pub ca_file: Option<PathBuf>,
}

/// The way to the server.
pub struct Smtp {
    server: Server,
    tls: Option<TlsParameters>,
    from: Address,
    hello: ClientId,
    kept: Mutex<Vec<Kept>>,
}

/// A connection that went well, and since when nobody uses it.
struct Kept {
    connection: AsyncSmtpConnection,
    since: Instant,
}

impl Smtp {
    /// Reads whom to believe. `me` is the host, and maybe port, that this machine says it is.
    pub(super) fn new(server: Server, from: &Address, me: &str) -> Result<Self, Unusable> {
        let tls = match server.security {
            Security::StartTls | Security::Tls => Some(tls(&server)?),
            Security::Nothing => None,
        };
        Ok(Self { server, tls, from: from.clone(), hello: hello(me), kept: Mutex::default() })
    }

    /// The longest that handing over one mail takes, whatever the server does.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.server.timeout * STEPS_TIME
    }

    /// What the server is called in messages.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}:{}", self.server.host, self.server.port)
    }

    /// Hands one mail over; what the server said when it took it.
    ///
    /// # Errors
    ///
    /// [`Undelivered`], with the step that failed and why.
    pub async fn send(&self, to: &str, message: &[u8]) -> Result<String, Undelivered> {
        let to = recipient(to).map_err(|_| Undelivered::unwritable())?;
        timeout(self.longest(), self.hand_over(&to, message)).await.unwrap_or_else(|_| Err(Undelivered::late(None)))
    }

    /// Ends the connections that are kept for longer than a while.
    pub async fn tidy(&self) {
        let (idle, kept) = std::mem::take(&mut *self.kept()).into_iter().partition(|it| it.since.elapsed() > KEPT_FOR);
        self.kept().extend::<Vec<_>>(kept);
        part(idle).await;
    }

    /// Ends all connections that are kept.
    pub async fn hang_up(&self) {
        let kept = std::mem::take(&mut *self.kept());
        part(kept).await;
    }

    async fn hand_over(&self, to: &Address, message: &[u8]) -> Result<String, Undelivered> {
        // Not in one expression: the guard would be held across the await.
        let kept = self.kept().pop();
        let used = match kept {
            Some(Kept { connection, .. }) => match self.say(connection, to, message).await {
                // The server closed it meanwhile: nothing was said yet.
                Err(undelivered) if undelivered.is_of_a_closed_connection() => None,
                said => Some(said),
            },
            None => None,
        };
        let said = match used {
            Some(said) => said,
            None => self.say(self.connect().await?, to, message).await,
        };
        let (connection, answer) = said?;
        let mut kept = self.kept();
        if kept.len() < KEPT_MAX {
            kept.push(Kept { connection, since: Instant::now() });
        }
        Ok(told(&answer))
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Undelivered> {
        let Server { host, port, security, login, .. } = &self.server;
        let wrapper = self.tls.clone().filter(|_| *security == Security::Tls);
        let limit = Some(self.server.timeout);
        let connecting = AsyncSmtpConnection::connect_tokio1((host.as_str(), *port), limit, &self.hello, wrapper, None);
        let mut connection = self.step(Step::Connect, connecting).await?;
        if let (Security::StartTls, Some(tls)) = (security, &self.tls) {
            self.step(Step::Tls, connection.starttls(tls.clone(), &self.hello)).await?;
        }
        if let Some((name, password)) = login {
            let credentials = Credentials::new(name.clone(), password.expose_secret().to_owned());
            self.step(Step::Login, connection.auth(DEFAULT_MECHANISMS, &credentials)).await?;
        }
        Ok(connection)
    }

    async fn say(
        &self,
        mut connection: AsyncSmtpConnection,
        to: &Address,
        message: &[u8],
    ) -> Result<(AsyncSmtpConnection, Response), Undelivered> {
        let mut options = Vec::new();
        let server = connection.server_info();
        // RFC 6531: letters beyond ASCII, in addresses and in heads.
        if !message.is_ascii() || !AsRef::<str>::as_ref(to).is_ascii() {
            if !server.supports_feature(Extension::SmtpUtfEight) {
                return Err(Undelivered::unsupported());
            }
            options = vec![MailParameter::SmtpUtfEight, MailParameter::Body(MailBodyParameter::EightBitMime)];
        }
        self.step(Step::Sender, connection.command(Mail::new(Some(self.from.clone()), options))).await?;
        self.step(Step::Recipient, connection.command(Rcpt::new(to.clone(), Vec::new()))).await?;
        self.step(Step::Message, connection.command(Data)).await?;
        let answer = self.step(Step::Message, connection.message(message)).await?;
        Ok((connection, answer))
    }

    async fn step<T>(&self, step: Step, doing: impl Future<Output = Result<T, Error>>) -> Result<T, Undelivered> {
        match timeout(self.server.timeout, doing).await {
            Ok(done) => done.map_err(|error| Undelivered::of(step, &error)),
            Err(_) => Err(Undelivered::late(Some(step))),
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says goodbye. However the server answers, the connections go.
async fn part(kept: Vec<Kept>) {
    for mut kept in kept {
        tokio::select! {
            _ = kept.connection.quit() => {}
            () = sleep(GOODBYE) => {}
        }
    }
}

/// An answer in one line.
fn told(answer: &Response) -> String {
    let text = answer.message().collect::<Vec<_>>().join(" ");
    format!("{} {text}", answer.code())
}

/// What this machine calls itself: RFC 5321 wants a name that leads here, or an address.
fn hello(me: &str) -> ClientId {
    let host = match me.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => me,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse() {
        Ok(std::net::IpAddr::V4(address)) => ClientId::Ipv4(address),
        Ok(std::net::IpAddr::V6(address)) => ClientId::Ipv6(address),
        Err(_) => idna::domain_to_ascii_strict(host).map_or_else(|_| ClientId::default(), ClientId::Domain),
    }
}

/// The client's side of TLS: who the system believes, and who `ca_file` holds.
fn tls(server: &Server) -> Result<TlsParameters, Unusable> {
    let unusable = |what: &dyn std::fmt::Display| Unusable::Server(format!("TLS to the mail server: {what}"));
    let mut builder = TlsParameters::builder(server.host.clone());
    if let Some(path) = &server.ca_file {
        let told = |what: &dyn std::fmt::Display| {
            Unusable::Server(format!("mail.smtp.ca_file {} cannot be used ({what}): name a PEM file", path.display()))
        };
        let pem = fs::read(path).map_err(|error| told(&error))?;
        require_certificates(&pem).map_err(|what| told(&what))?;
        builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| told(&error))?);
    }
    builder.build().map_err(|error| unusable(&error))
}

/// The library takes a file without any certificate, too.
fn require_certificates(pem: &[u8]) -> Result<(), String> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() { Err("it holds no certificate".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_called_by_what_it_is_reached_by() {
        let called = |me: &str| hello(me).to_string();
        assert_eq!(called("id.example.com"), "id.example.com");
        assert_eq!(called("id.example.com:8443"), "id.example.com");
        assert_eq!(called("b\u{fc}cher.example"), "xn--bcher-kva.example");
        assert_eq!(called("192.0.2.1:80"), "[192.0.2.1]");
        assert_eq!(called("[2001:db8::1]:8090"), "[IPv6:2001:db8::1]");
        assert_eq!(called("a_b\r\nQUIT"), "[127.0.0.1]");
    }

    #[test]
    fn a_file_without_certificates_is_refused_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        for held in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            fs::write(&path, held).unwrap();
            let server = Server {
                host: "localhost".to_owned(),
                port: 1,
                security: Security::Tls,
                login: None,
                timeout: Duration::from_secs(1),
                ca_file: Some(path.clone()),
            };
            let told = tls(&server).err().expect("it is refused").to_string();
            assert!(told.contains("ca.pem") && told.contains("name a PEM file"), "{held:?}: {told}");
        }
    }
}
