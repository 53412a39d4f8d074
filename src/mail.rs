//! Mails to users, written as `.eml` files into the outbox, from where the operator's own mail
//! system takes them. Knows what a mail says; not who may ask for one, nor how its link was made.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use lettre::address::Envelope;
use lettre::message::header::{ContentTransferEncoding, ContentType, MIME_VERSION_1_0};
use lettre::message::{Body, Mailbox};
use lettre::{Address, Message};

use crate::clock::{Clock, Timestamp};
use crate::domain::error::{Error, Result};
use crate::domain::user::Email;
use crate::secret::{ExposeSecret, Secret, random};

const PASSWORD_RESET: &str = include_str!("../templates/mail/password_reset.txt");
const ADDRESS_VERIFICATION: &str = include_str!("../templates/mail/address_verification.txt");

/// The longest line that RFC 5322 lets a mail have, in bytes without its line end.
const LINE_MAX_BYTES: usize = 998;

/// One mail to one user. Shows nothing of itself in logs.
pub struct Mail {
    to: String,
    subject: String,
    text: Secret,
}

impl Mail {
    /// The link with which to choose a new password, good for so many minutes.
    #[must_use]
    pub fn password_reset(to: &str, link: &Secret, minutes: u64) -> Self {
        Self::fill(PASSWORD_RESET, to, link, &counted(minutes, "minute"))
    }

    /// The link that shows the address to be its reader's, good for so many hours.
    #[must_use]
    pub fn address_verification(to: &str, link: &Secret, hours: u64) -> Self {
        Self::fill(ADDRESS_VERIFICATION, to, link, &counted(hours, "hour"))
    }

    fn fill(template: &str, to: &str, link: &Secret, time: &str) -> Self {
        let link = link.expose_secret();
        let host = host(link);
        let (subject, text) = template.split_once("\n\n").expect("a template is a subject, an empty line, a text");
        let subject = subject.trim_start_matches("Subject: ").replace("{host}", host);
        let text = text.replace("{host}", host).replace("{time}", time);
        // Put together at once: a text that grows leaves copies of the link behind.
        let (before, after) = text.split_once("{link}").expect("a template has one place for the link");
        let text = [before, link, after].concat();
        Self { to: to.to_owned(), subject, text: Secret::from(text) }
    }
}

fn counted(number: u64, unit: &str) -> String {
    if number == 1 { format!("1 {unit}") } else { format!("{number} {unit}s") }
}

/// Host and port of a link.
fn host(link: &str) -> &str {
    let rest = link.split_once("://").map_or(link, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

/// Why mails cannot be sent from here.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The sender is not `ann@example.com` or `Ann <ann@example.com>`.
    #[error("the sender of mails must be one address, such as Doorward <doorward@example.com>")]
    Sender,
    /// The directory cannot be made, or not be closed to others.
    #[error("the outbox {} cannot be used", .0.display())]
    Directory(PathBuf, #[source] io::Error),
}

/// Sends mails. Cheap to clone.
#[derive(Clone)]
pub struct Mailer(Arc<Outbox>);

struct Outbox {
    directory: PathBuf,
    from: Mailbox,
    clock: Clock,
}

impl Mailer {
    /// Writes each mail as a file into `directory`, which is made where it is absent and closed
    /// to other users of the machine.
    ///
    /// # Errors
    ///
    /// [`Unusable`], where `from` is no address or the directory cannot be made.
    pub fn outbox(directory: PathBuf, from: &str, clock: Clock) -> Result<Self, Unusable> {
        if from.chars().any(char::is_control) {
            return Err(Unusable::Sender);
        }
        let from = from.parse().map_err(|_| Unusable::Sender)?;
        make_private(&directory).map_err(|error| Unusable::Directory(directory.clone(), error))?;
        Ok(Self(Arc::new(Outbox { directory, from, clock })))
    }

    /// Sends one mail; it is on disk when this returns. Call it after the commit it tells of.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] where the file cannot be kept, [`Error::Internal`] where the address cannot be
    /// written to.
    pub async fn send(&self, mail: Mail) -> Result<()> {
        let outbox = Arc::clone(&self.0);
        let file = tokio::task::spawn_blocking(move || outbox.keep(&mail))
            .await
            .map_err(|error| Error::Internal(format!("a mail was not written: {error}")))??;
        tracing::info!(file, "mail written to the outbox");
        Ok(())
    }
}

impl Outbox {
    /// Writes one mail, and gives the name of its file.
    fn keep(&self, mail: &Mail) -> Result<String> {
        let now = self.clock.now();
        let id = format!("{}-{:016x}", sortable(now), u64::from_be_bytes(random()));
        let name = format!("{id}.eml");
        let message = compose(&self.from, mail, now, &id)?;
        write_private(&self.directory, &name, &message.formatted())
            .map_err(|error| Error::Unavailable(format!("a mail was not written to the outbox: {error}")))?;
        Ok(name)
    }
}

/// `20261122T180000.123456Z`: names in this form sort by time.
fn sortable(now: Timestamp) -> String {
    let millis = now.rfc3339().replace(['-', ':', 'Z'], "");
    format!("{millis}{:03}Z", now.micros().rem_euclid(1_000))
}

fn compose(from: &Mailbox, mail: &Mail, now: Timestamp, id: &str) -> Result<Message> {
    let to = recipient(&mail.to)?;
    let date = UNIX_EPOCH + Duration::from_secs(u64::try_from(now.seconds()).unwrap_or(0));
    let refused = |error| Error::Internal(format!("a mail could not be composed: {error}"));
    let envelope = Envelope::new(Some(from.email.clone()), vec![to.clone()]).map_err(refused)?;
    Message::builder()
        .envelope(envelope)
        .from(from.clone())
        .to(to.into())
        .subject(mail.subject.as_str())
        .date(date)
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        .header(MIME_VERSION_1_0)
        .header(ContentType::TEXT_PLAIN)
        .body(body(mail.text.expose_secret()))
        .map_err(refused)
}

/// The stored address and nothing else: what passes here holds no space, line end or quote, so
/// it can be neither two addresses nor another header (CVE-2023-7028). The domain's rule decides,
/// not the mail library's, which refuses some letters outside ASCII that users may have.
fn recipient(address: &str) -> Result<Address> {
    Email::parse(address)
        .ok()
        .and_then(|email| email.as_str().rsplit_once('@').map(|(user, domain)| Address::new_dangerous(user, domain)))
        .ok_or_else(|| Error::Internal("a stored address cannot be written to".to_owned()))
}

/// ASCII is left as it is, so that the link in the file can be read and copied.
fn body(text: &str) -> Body {
    if text.is_ascii() && text.lines().all(|line| line.len() <= LINE_MAX_BYTES) {
        let lines = text.lines().flat_map(|line| [line, "\r\n"]).collect::<String>();
        Body::dangerous_pre_encoded(lines.into_bytes(), ContentTransferEncoding::SevenBit)
    } else {
        Body::new(text.to_owned())
    }
}

fn make_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    fs::set_permissions(directory, Permissions::from_mode(0o700))
}

/// Puts the file in place whole or not at all: who watches the directory never reads half a mail.
fn write_private(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = directory.join(format!(".{name}.unfinished"));
    let outcome = write_new(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, directory.join(name)));
    if outcome.is_err() {
        // The first error is the one to tell of.
        let _ = fs::remove_file(&unfinished);
    }
    outcome?;
    File::open(directory)?.sync_all()
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const LINK: &str = "https://auth.example.org:8443/reset?token=7Zc2mW0q9sXv4LrT8bNk1HdYpQeJgUoA5iFxRt6MyCw";
    const NOON: Timestamp = Timestamp::from_micros(1_795_348_800_123_456);

    fn mailer(directory: &Path) -> Mailer {
        Mailer::outbox(directory.to_owned(), "Doorward <doorward@example.org>", Clock::manual(NOON)).unwrap()
    }

    fn link() -> Secret {
        Secret::from(LINK)
    }

    fn only_file(directory: &Path) -> PathBuf {
        let files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    async fn sent(mail: Mail) -> String {
        let home = tempfile::tempdir().unwrap();
        mailer(home.path()).send(mail).await.unwrap();
        fs::read_to_string(only_file(home.path())).unwrap()
    }

    #[tokio::test]
    async fn a_mail_is_a_private_file_in_a_private_directory() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("outbox");
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
        mailer(&directory).send(Mail::password_reset("ann@example.com", &link(), 10)).await.unwrap();
        let file = only_file(&directory);
        assert_eq!(mode(&directory), 0o700);
        assert_eq!(mode(&file), 0o600);
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(name.starts_with("20261122T120000.123456Z-"), "{name}");
        assert_eq!(file.extension().unwrap(), "eml");
    }

    #[tokio::test]
    async fn a_reset_mail_has_the_headers_of_a_mail_and_its_link_on_one_line() {
        let mail = sent(Mail::password_reset("ann@example.com", &link(), 10)).await;
        let (head, text) = mail.split_once("\r\n\r\n").unwrap();
        for line in [
            "From: \"Doorward\" <doorward@example.org>",
            "To: ann@example.com",
            "Subject: Choose a new password at auth.example.org:8443",
            "Date: Sun, 22 Nov 2026 12:00:00 +0000",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: 7bit",
        ] {
            assert!(
                head.split("\r\n").any(|found| found.replace('"', "") == line.replace('"', "")),
                "{line} in {head}"
            );
        }
        let id = head.split("\r\n").find_map(|line| line.strip_prefix("Message-ID: ")).unwrap();
        assert!(id.starts_with('<') && id.ends_with("@example.org>"), "{id}");
        assert!(text.split("\r\n").any(|line| line == LINK), "{text}");
        assert!(text.contains("within 10 minutes") && text.contains("auth.example.org"), "{text}");
        assert!(!text.contains('{') && !mail.replace("\r\n", "").contains(['\r', '\n']), "{mail:?}");
    }

    #[tokio::test]
    async fn a_verification_mail_says_how_long_its_link_lives() {
        let mail = sent(Mail::address_verification("ann@example.com", &link(), 24)).await;
        assert!(mail.contains(LINK) && mail.contains("within 24 hours"), "{mail}");
        assert!(sent(Mail::address_verification("ann@example.com", &link(), 1)).await.contains("within 1 hour:"));
    }

    #[tokio::test]
    async fn text_outside_ascii_is_encoded() {
        let link = Secret::from("https://bücher.example/reset?token=abc");
        let mail = sent(Mail::password_reset("ann@example.com", &link, 10)).await;
        assert!(mail.is_ascii(), "{mail}");
        assert!(mail.contains("Content-Transfer-Encoding: quoted-printable"), "{mail}");
        assert!(mail.contains("https://b=C3=BCcher.example/reset?token=3Dabc\r\n"), "{mail}");
    }

    #[tokio::test]
    async fn mail_goes_to_the_stored_address_letter_by_letter() {
        for address in ["Ann.Lee+tag@Example.com", "ren\u{e9}@example.com", "rene\u{301}@b\u{fc}cher.example"] {
            let mail = sent(Mail::password_reset(address, &link(), 10)).await;
            let to: Vec<_> = mail.split("\r\n").filter(|line| line.to_lowercase().starts_with("to:")).collect();
            assert_eq!(to, [format!("To: {address}")]);
        }
    }

    #[tokio::test]
    async fn what_is_not_one_bare_address_gets_no_mail() {
        let home = tempfile::tempdir().unwrap();
        let mailer = mailer(home.path());
        for address in [
            "ann@example.com\r\nBcc: eve@example.net",
            "ann@example.com\n",
            "\r\nann@example.com",
            "ann\r@example.com",
            "\"ann\r\n\"@example.com",
            "ann@example.com, eve@example.net",
            "ann@example.com,eve@example.net",
            "ann@example.com;eve@example.net",
            "Ann <ann@example.com>",
            "<ann@example.com>",
            "ann",
            "",
        ] {
            let error = mailer.send(Mail::password_reset(address, &link(), 10)).await.unwrap_err();
            assert!(matches!(&error, Error::Internal(text) if !text.contains("example")), "{address:?}: {error:?}");
        }
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_sender_that_is_no_address_is_refused() {
        let home = tempfile::tempdir().unwrap();
        for from in ["", "doorward", "a@example.org\r\nBcc: eve@example.net", "A\r\nB <a@example.org>"] {
            let made = Mailer::outbox(home.path().to_owned(), from, Clock::System);
            assert!(matches!(made, Err(Unusable::Sender)), "{from:?}");
        }
    }

    #[test]
    fn a_sender_may_have_a_name_and_be_of_this_machine() {
        let home = tempfile::tempdir().unwrap();
        for from in ["Doorward <no-reply@localhost>", "no-reply@localhost", "Türöffner AG <tür@bücher.example>"] {
            assert!(Mailer::outbox(home.path().to_owned(), from, Clock::System).is_ok(), "{from:?}");
        }
    }

    #[tokio::test]
    async fn a_directory_that_is_gone_is_an_error_that_tells_nothing_secret() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("outbox");
        let mailer = mailer(&directory);
        fs::remove_dir(&directory).unwrap();
        let error = mailer.send(Mail::password_reset("ann@example.com", &link(), 10)).await.unwrap_err();
        assert!(!format!("{error:?}").contains("ann@example.com"), "{error:?}");
    }

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn the_log_names_the_file_and_neither_link_nor_address() {
        let captured = Captured::default();
        let writer = captured.clone();
        let lines = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let _guard = tracing::subscriber::set_default(lines);
        let home = tempfile::tempdir().unwrap();
        mailer(home.path()).send(Mail::password_reset("ann@example.com", &link(), 10)).await.unwrap();
        let log = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
        let file = only_file(home.path());
        assert!(log.contains(file.file_name().unwrap().to_str().unwrap()), "{log}");
        assert!(!log.contains("7Zc2mW0q9s") && !log.contains("ann@example.com"), "{log}");
    }
}
