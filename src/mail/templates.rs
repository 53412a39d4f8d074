//! What mails say: templates that are built in, in each language, and those of the operator's that take their place.
//! A link is put in last, into a text that is made at once: one that grows leaves copies of the link behind.

mod folder;

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use minijinja::{Environment, UndefinedBehavior, context};

use super::Unusable;
use super::letter::{self, Mail, Topic};
use super::words::Language;
use crate::clock::Timestamp;
use crate::domain::error::{Error, Result};
use crate::secret::{ExposeSecret, Secret};

/// Stands for the link while a template is filled. No filter and no escaping changes it.
const LINK: &str = "doorwardLinkPlaceE1b7f0c2d94a";
const SUBJECT: &str = "Subject: ";

macro_rules! built_in {
    ($language:literal: $($name:literal)*) => {
        &[
            ("_layout.html", include_str!("../../templates/mail/_layout.html")),
            ("_button.html", include_str!("../../templates/mail/_button.html")),
            $(
                (concat!($name, ".txt"), include_str!(concat!("../../templates/mail/", $language, "/", $name, ".txt"))),
                (concat!($name, ".html"), include_str!(concat!("../../templates/mail/", $language, "/", $name, ".html"))),
            )*
        ]
    };
    ($language:literal) => {
        built_in!($language: "password_reset" "address_verification" "email_change" "password_changed" "email_changed"
            "test")
    };
}

type Files = &'static [(&'static str, &'static str)];

const ENGLISH: Files = built_in!("en");
const GERMAN: Files = built_in!("de");

/// The templates of all mails, in one language.
pub(super) struct Templates {
    environment: Environment<'static>,
    language: Language,
}

/// What one mail says.
pub(super) struct Text {
    pub(super) subject: String,
    pub(super) plain: Secret,
    pub(super) html: Secret,
}

impl Templates {
    /// Those that are built in, but for those that the operator's folder has.
    pub(super) fn open(folder: Option<&Path>, language: Language) -> Result<Self, Unusable> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let files = match language {
            Language::English => ENGLISH,
            Language::German => GERMAN,
        };
        for (name, source) in files {
            environment.add_template(name, source).map_err(|error| Unusable::Template(error.to_string()))?;
        }
        let templates = match folder {
            None => Self { environment, language },
            Some(folder) => {
                for (name, source) in folder::read(folder)? {
                    environment.add_template_owned(name, source).map_err(|error| fault(Some(folder), &error))?;
                }
                Self { environment, language }
            }
        };
        for topic in Topic::ALL {
            templates.try_out(topic, folder)?;
        }
        Ok(templates)
    }

    /// Fills a mail's templates.
    pub(super) fn render(&self, mail: &Mail, host: &str, now: Timestamp) -> Result<Text> {
        let link = mail.link.as_ref().map(ExposeSecret::expose_secret);
        let host = link.map_or(host, letter::host);
        let broken = |error: &minijinja::Error| Error::Internal(format!("a mail's template cannot be filled: {error}"));
        let plain = self.fill(mail.topic, "txt", host, mail.lifetime(), now).map_err(|error| broken(&error))?;
        let html = self.fill(mail.topic, "html", host, mail.lifetime(), now).map_err(|error| broken(&error))?;
        let (subject, plain) = split(&plain)
            .ok_or_else(|| Error::Internal(format!("the template of {} has no subject", mail.topic.name())))?;
        let link = link.unwrap_or_default();
        let html = put_in(&html, &Secret::from(escaped(link).as_str()));
        Ok(Text { subject: subject.to_owned(), plain: put_in(plain, &Secret::from(link)), html })
    }

    fn fill(
        &self,
        topic: Topic,
        part: &str,
        host: &str,
        span: Duration,
        now: Timestamp,
    ) -> Result<String, minijinja::Error> {
        let template = self.environment.get_template(&format!("{}.{part}", topic.name()))?;
        let language = match self.language {
            Language::English => "en",
            Language::German => "de",
        };
        let common = context! { language, host, moment => self.language.moment(now) };
        if topic.has_link() {
            template.render(context! { link => LINK, time => self.language.span(span), ..common })
        } else {
            template.render(common)
        }
    }

    /// Fills a mail's templates for nobody: what is wrong with them is told at the start.
    fn try_out(&self, topic: Topic, folder: Option<&Path>) -> Result<(), Unusable> {
        for part in ["txt", "html"] {
            let told = |mend: &str| {
                let file = format!("{}.{part}", topic.name());
                let file = folder.map_or_else(|| file.clone().into(), |folder| folder.join(&file));
                Unusable::Template(format!("{}, line 1: {mend}", file.display()))
            };
            let filled = self
                .fill(topic, part, "id.example.com", Duration::from_hours(1), Timestamp::from_seconds(0))
                .map_err(|error| fault(folder, &error))?;
            if part == "txt" && split(&filled).is_none() {
                return Err(told("must begin with a line `Subject: …` and an empty one"));
            }
            if topic.has_link() && !filled.contains(LINK) {
                return Err(told("has no link: write {{ link }} where it shall stand"));
            }
        }
        Ok(())
    }
}

/// Subject and text of what a template became. The subject is one line that steers nothing.
fn split(filled: &str) -> Option<(&str, &str)> {
    let (subject, text) = filled.strip_prefix(SUBJECT)?.split_once('\n')?;
    let subject = subject.trim();
    let text = text.strip_prefix('\n').or_else(|| text.strip_prefix("\r\n"))?;
    (!subject.is_empty() && !subject.chars().any(char::is_control)).then_some((subject, text))
}

/// A text with the link in all its places.
fn put_in(text: &str, link: &Secret) -> Secret {
    let link = link.expose_secret();
    let places = text.matches(LINK).count();
    let mut whole = String::with_capacity(text.len() + places * link.len() - places * LINK.len());
    for (number, piece) in text.split(LINK).enumerate() {
        if number > 0 {
            whole.push_str(link);
        }
        whole.push_str(piece);
    }
    Secret::from(whole)
}

/// A link as HTML has it, in an attribute as in a text.
fn escaped(link: &str) -> zeroize::Zeroizing<String> {
    let mut escaped = zeroize::Zeroizing::new(String::with_capacity(6 * link.len()));
    for c in link.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// What is wrong with a template: file, line, and the engine's own sentence.
fn fault(folder: Option<&Path>, error: &minijinja::Error) -> Unusable {
    // Of a template within a template, the inner one is to be mended.
    let mut inner = error;
    while let Some(source) = inner.source().and_then(|source| source.downcast_ref()) {
        inner = source;
    }
    let name = inner.name().or(error.name()).unwrap_or("a template");
    let file = folder.map_or_else(|| name.into(), |folder| folder.join(name));
    let line = inner.line().or(error.line()).unwrap_or(1);
    let what = inner.detail().map_or_else(|| inner.kind().to_string(), str::to_owned);
    Unusable::Template(format!("{}, line {line}: {what}; docs/mail.md tells what templates may hold", file.display()))
}

#[cfg(test)]
mod tests;
