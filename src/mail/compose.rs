//! From what a mail says to the bytes that are sent: heads, addresses, encodings.

use std::time::{Duration, UNIX_EPOCH};

use lettre::address::Envelope;
use lettre::message::header::{ContentTransferEncoding, ContentType, MIME_VERSION_1_0};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use zeroize::Zeroizing;

use super::letter::Mail;
use super::templates::Text;
use crate::clock::Timestamp;
use crate::domain::error::{Error, Result};
use crate::domain::user::Email;
use crate::secret::{ExposeSecret, Secret, random};

/// The longest line that RFC 5322 lets a mail have, in bytes without its line end.
const LINE_MAX_BYTES: usize = 998;

/// One mail as it leaves. Shows nothing of itself in logs.
pub struct Letter {
    /// What its file is named by; names sort by time.
    pub(super) name: String,
    to: String,
    bytes: Zeroizing<Vec<u8>>,
    created_at: Timestamp,
    expires_at: Timestamp,
}

impl Letter {
    /// When it was written.
    #[must_use]
    pub const fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// When what it says is over.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Whom it is for.
    #[must_use]
    pub fn to(&self) -> &str {
        &self.to
    }

    /// The whole message.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Recipient and message as one text, to be kept sealed.
    #[must_use]
    pub fn packed(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([self.to.as_bytes(), b"\n", &self.bytes].concat())
    }
}

/// A packed mail again: recipient and message.
#[must_use]
pub fn unpacked(packed: &Secret) -> Option<(&str, &[u8])> {
    packed.expose_secret().split_once('\n').map(|(to, message)| (to, message.as_bytes()))
}

/// Puts a mail together.
pub(super) fn letter(from: &Mailbox, mail: &Mail, text: &Text, now: Timestamp) -> Result<Letter> {
    let name = format!("{}-{:016x}", sortable(now), u64::from_be_bytes(random()));
    let to = recipient(&mail.to)?;
    let message = message(from, &to, text, now, &name)?;
    let bytes = Zeroizing::new(message.formatted());
    let expires_at = now.plus(mail.lifetime());
    Ok(Letter { name, to: mail.to.clone(), bytes, created_at: now, expires_at })
}

/// `20261122T180000.123456Z`: names in this form sort by time.
fn sortable(now: Timestamp) -> String {
    let millis = now.rfc3339().replace(['-', ':', 'Z'], "");
    format!("{millis}{:03}Z", now.micros().rem_euclid(1_000))
}

fn message(from: &Mailbox, to: &Address, text: &Text, now: Timestamp, name: &str) -> Result<Message> {
    let date = UNIX_EPOCH + Duration::from_secs(u64::try_from(now.seconds()).unwrap_or(0));
    let refused = |error| Error::Internal(format!("a mail could not be composed: {error}"));
    let envelope = Envelope::new(Some(from.email.clone()), vec![to.clone()]).map_err(refused)?;
    let part = |kind, text: &Secret| SinglePart::builder().header(kind).body(body(text.expose_secret()));
    // The last one is what is preferred (RFC 2046, 5.1.4).
    let parts = MultiPart::alternative()
        .singlepart(part(ContentType::TEXT_PLAIN, &text.plain))
        .singlepart(part(ContentType::TEXT_HTML, &text.html));
    Message::builder()
        .envelope(envelope)
        .from(from.clone())
        .to(to.clone().into())
        .subject(text.subject.as_str())
        .date(date)
        .message_id(Some(format!("<{name}@{}>", from.email.domain())))
        .header(MIME_VERSION_1_0)
        .multipart(parts)
        .map_err(refused)
}

/// The stored address and nothing else: what passes here holds no space, line end or quote, so
/// it can be neither two addresses nor another header (CVE-2023-7028). The domain's rule decides,
/// not the mail library's, which refuses some letters outside ASCII that users may have.
pub(super) fn recipient(address: &str) -> Result<Address> {
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
