//! Mails as files: what is in them, whom they go to, and what nobody learns of them.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::clock::Timestamp;
use crate::secret::Secret;

const LINK: &str = "https://auth.example.org:8443/reset?token=7Zc2mW0q9sXv4LrT8bNk1HdYpQeJgUoA5iFxRt6MyCw";
const NOON: Timestamp = Timestamp::from_micros(1_795_348_800_123_456);
const MINUTES: Duration = Duration::from_mins(10);

fn setup(directory: &Path, from: &str) -> Setup {
    Setup {
        from: from.to_owned(),
        public_url: "https://auth.example.org:8443".to_owned(),
        language: Language::English,
        templates: None,
        way: Way::Outbox(directory.to_owned()),
        clock: Clock::manual(NOON),
    }
}

fn mailer(directory: &Path) -> Mailer {
    Mailer::open(setup(directory, "Doorward <doorward@example.org>")).unwrap()
}

fn reset(to: &str) -> Mail {
    Mail::password_reset(to, Secret::from(LINK), MINUTES)
}

async fn send(mailer: &Mailer, mail: Mail) -> Result<()> {
    mailer.keep(Arc::new(mailer.compose(&mail)?)).await
}

fn only_file(directory: &Path) -> PathBuf {
    let files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

async fn sent_in(language: Language, mail: Mail) -> String {
    let home = tempfile::tempdir().unwrap();
    let setup = Setup { language, ..setup(home.path(), "Doorward <doorward@example.org>") };
    send(&Mailer::open(setup).unwrap(), mail).await.unwrap();
    fs::read_to_string(only_file(home.path())).unwrap()
}

async fn sent(mail: Mail) -> String {
    sent_in(Language::English, mail).await
}

#[tokio::test]
async fn a_mail_is_a_private_file_in_a_private_directory() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("outbox");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
    send(&mailer(&directory), reset("ann@example.com")).await.unwrap();
    let file = only_file(&directory);
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&file), 0o600);
    let name = file.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name.starts_with("20261122T120000.123456Z-"), "{name}");
    assert_eq!(file.extension().unwrap(), "eml");
}

#[tokio::test]
async fn a_reset_mail_has_the_heads_of_a_mail_and_its_link_on_one_line_of_its_text() {
    let mail = sent(reset("ann@example.com")).await;
    let (head, parts) = mail.split_once("\r\n\r\n").unwrap();
    for line in [
        "From: \"Doorward\" <doorward@example.org>",
        "To: ann@example.com",
        "Subject: Choose a new password at auth.example.org:8443",
        "Date: Sun, 22 Nov 2026 12:00:00 +0000",
        "MIME-Version: 1.0",
    ] {
        assert!(head.split("\r\n").any(|found| found.replace('"', "") == line.replace('"', "")), "{line} in {head}");
    }
    assert!(head.contains("Content-Type: multipart/alternative;"), "{head}");
    let id = head.split("\r\n").find_map(|line| line.strip_prefix("Message-ID: ")).unwrap();
    assert!(id.starts_with('<') && id.ends_with("@example.org>"), "{id}");
    let (text, html) = parts.split_once("Content-Type: text/html; charset=utf-8").unwrap();
    assert!(text.contains("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit"), "{text}");
    assert!(text.split("\r\n").any(|line| line == LINK), "{text}");
    assert!(text.contains("within 10 minutes") && text.contains("auth.example.org"), "{text}");
    assert!(!text.contains('{') && !mail.replace("\r\n", "").contains(['\r', '\n']), "{mail:?}");
    assert_eq!(html.matches(&format!("href=\"{LINK}\"")).count(), 2, "{html}");
    assert!(html.contains(&format!(">{LINK}</a>")) && html.contains("<html lang=\"en\">"), "{html}");
    assert!(!html.contains("{{") && !html.contains("{%"), "{html}");
}

#[tokio::test]
async fn a_verification_mail_says_how_long_its_link_lives() {
    let verification = |hours| {
        let lifetime = Duration::from_hours(hours);
        sent(Mail::address_verification("ann@example.com", Secret::from(LINK), lifetime))
    };
    let mail = verification(24).await;
    assert!(mail.contains(LINK) && mail.contains("within 24 hours"), "{mail}");
    assert!(verification(1).await.contains("within 1 hour:"));
}

#[tokio::test]
async fn a_notice_says_when_and_carries_no_link() {
    for mail in [Mail::password_changed("ann@example.com"), Mail::email_changed("ann@example.com")] {
        let mail = sent(mail).await;
        assert!(mail.contains("2026-11-22 12:00 UTC") && mail.contains("auth.example.org:8443"), "{mail}");
        assert!(!mail.contains("href=") && !mail.contains("://"), "{mail}");
    }
}

#[tokio::test]
async fn mails_are_written_in_german_where_that_is_set() {
    let mail = sent_in(Language::German, reset("ann@example.com")).await;
    assert!(mail.is_ascii() && mail.contains("innerhalb von 10 Minuten"), "{mail}");
    assert!(mail.contains("Guten Tag,") && mail.contains("lang=3D\"de\""), "{mail}");
    assert!(mail.contains("Subject: Neues Passwort =?utf-8?"), "{mail}");
}

#[tokio::test]
async fn text_outside_ascii_is_encoded() {
    let link = Secret::from("https://bücher.example/reset?token=abc");
    let mail = sent(Mail::password_reset("ann@example.com", link, MINUTES)).await;
    assert!(mail.is_ascii(), "{mail}");
    assert!(mail.contains("Content-Transfer-Encoding: quoted-printable"), "{mail}");
    assert!(mail.contains("https://b=C3=BCcher.example/reset?token=3Dabc\r\n"), "{mail}");
}

#[tokio::test]
async fn a_link_cannot_leave_the_place_that_html_has_for_it() {
    let link = "https://a.example/?a=1&b='x'&token=abc";
    let mail = sent(Mail::password_reset("ann@example.com", Secret::from(link), MINUTES)).await;
    let (text, html) = mail.split_once("text/html").unwrap();
    assert!(text.contains(link), "{text}");
    assert_eq!(html.matches("https://a.example/?a=1&amp;b=&#39;x&#39;&amp;token=abc").count(), 3, "{html}");
}

#[tokio::test]
async fn mail_goes_to_the_stored_address_letter_by_letter() {
    for address in ["Ann.Lee+tag@Example.com", "ren\u{e9}@example.com", "rene\u{301}@b\u{fc}cher.example"] {
        let mail = sent(reset(address)).await;
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
        let error = mailer.compose(&reset(address)).err().expect("it is refused");
        assert!(matches!(&error, Error::Internal(text) if !text.contains("example")), "{address:?}: {error:?}");
    }
}

#[test]
fn a_sender_that_is_no_address_is_refused() {
    let home = tempfile::tempdir().unwrap();
    for from in ["", "doorward", "a@example.org\r\nBcc: eve@example.net", "A\r\nB <a@example.org>"] {
        let made = Mailer::open(setup(home.path(), from));
        assert!(matches!(made, Err(Unusable::Sender)), "{from:?}");
    }
}

#[test]
fn a_sender_may_have_a_name_and_be_of_this_machine() {
    let home = tempfile::tempdir().unwrap();
    for from in ["Doorward <no-reply@localhost>", "no-reply@localhost", "Türöffner AG <tür@bücher.example>"] {
        assert!(Mailer::open(setup(home.path(), from)).is_ok(), "{from:?}");
    }
}

#[test]
fn what_is_packed_to_be_sealed_is_unpacked_as_it_was() {
    let home = tempfile::tempdir().unwrap();
    let letter = mailer(home.path()).compose(&reset("ann@example.com")).unwrap();
    let packed = Secret::from(std::str::from_utf8(&letter.packed()).unwrap());
    let (to, message) = unpacked(&packed).unwrap();
    assert_eq!((to, message), ("ann@example.com", letter.bytes()));
    assert_eq!((letter.created_at(), letter.expires_at()), (NOON, NOON.plus(MINUTES)));
}

#[tokio::test]
async fn a_directory_that_is_gone_is_an_error_that_tells_nothing_secret() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("outbox");
    let mailer = mailer(&directory);
    fs::remove_dir(&directory).unwrap();
    let error = send(&mailer, reset("ann@example.com")).await.unwrap_err();
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
    // Before there is a subscriber: a line that is first written while one comes may be taken for one that nobody wants.
    let before = tempfile::tempdir().unwrap();
    send(&mailer(before.path()), reset("ann@example.com")).await.unwrap();
    let captured = Captured::default();
    let writer = captured.clone();
    let lines = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(lines);
    let home = tempfile::tempdir().unwrap();
    send(&mailer(home.path()), reset("ann@example.com")).await.unwrap();
    let log = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    let file = only_file(home.path());
    assert!(log.contains(file.file_name().unwrap().to_str().unwrap()), "{log}");
    assert!(!log.contains("7Zc2mW0q9s") && !log.contains("ann@example.com"), "{log}");
}
