//! The section `pages`: what people see in a browser.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::reader::Reader;
use super::sections::DialectSettings;
use super::values::Prefix;
use crate::domain::session::Lifetimes;

const IDLE: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(24 * 30);
const SESSION: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(24 * 30);
const TITLE_MAX_CHARACTERS: usize = 60;

/// The account pages and the console.
#[derive(Clone, Debug)]
pub struct Pages {
    /// What they have in common with the dialects.
    pub dialect: DialectSettings,
    /// After how long without a request a session is over.
    pub idle_lifetime: Duration,
    /// What the pages call this server.
    pub title: String,
}

impl Pages {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let session = reader.duration("pages.session_lifetime", SESSION);
        let idle_lifetime = reader.duration("pages.idle_lifetime", IDLE);
        if idle_lifetime > session {
            reader.fault("pages.idle_lifetime", "must not be longer than pages.session_lifetime");
        }
        let dialect = DialectSettings {
            enabled: reader.boolean("pages.enabled"),
            // Their cookie is bound to the whole host, so that no other path of it can set it.
            prefix: Prefix::none(),
            query_token: false,
            // No access token is given out, so none outlives its session.
            lifetimes: Lifetimes { access: Duration::ZERO, session },
        };
        Self { dialect, idle_lifetime, title: reader.text("pages.title", title) }
    }
}

fn title(text: &str) -> Result<String, String> {
    let characters = text.chars().count();
    if text.trim().is_empty() || characters > TITLE_MAX_CHARACTERS || text.chars().any(char::is_control) {
        return Err(format!("must be 1 to {TITLE_MAX_CHARACTERS} characters, none of them a control character"));
    }
    Ok(text.trim().to_owned())
}
