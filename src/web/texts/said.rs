//! Texts with something filled in, and what is said of errors: the same in every language.

use std::borrow::Borrow;
use std::time::Duration;

use super::Texts;
use crate::domain::error::Error;
use crate::domain::session::Dialect;
use crate::web::status::NO_COOKIE;

fn fill(text: &str, values: &[&str]) -> String {
    let mut values = values.iter();
    let mut parts = text.split("{}");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        filled.push_str(values.next().unwrap_or(&""));
        filled.push_str(part);
    }
    filled
}

impl Texts {
    pub(in crate::web) fn sign_in_lead(&self, title: &str) -> String {
        fill(self.sign_in_lead, &[title])
    }

    pub(in crate::web) fn delete_token_lead(&self, name: &str) -> String {
        fill(self.delete_token_lead, &[name])
    }

    pub(in crate::web) fn delete_project_text(&self, name: &str) -> String {
        fill(self.delete_project_text, &[name])
    }

    pub(in crate::web) fn type_to_confirm(&self, name: &str) -> String {
        fill(self.type_to_confirm, &[name])
    }

    pub(in crate::web) fn take_away(&self, permission: &str) -> String {
        fill(self.take_away, &[permission])
    }

    pub(in crate::web) fn disable_user(&self, login: &str) -> String {
        fill(self.disable_user, &[login])
    }

    pub(in crate::web) fn delete_user(&self, login: &str) -> String {
        fill(self.delete_user, &[login])
    }

    pub(in crate::web) fn chart_description(&self, sign_ins: impl Borrow<u64>, refused: impl Borrow<u64>) -> String {
        fill(self.chart_description, &[&self.number(sign_ins), &self.number(refused)])
    }

    pub(in crate::web) fn chart_hour(
        &self,
        hour: &str,
        sign_ins: impl Borrow<u64>,
        refused: impl Borrow<u64>,
    ) -> String {
        fill(self.chart_hour, &[hour, &self.number(sign_ins), &self.number(refused)])
    }

    pub(in crate::web) fn count_of_sessions(&self, count: usize) -> String {
        self.counted(self.count_of_sessions, count as u64)
    }

    pub(in crate::web) fn shown(&self, count: usize) -> String {
        self.counted(self.shown, count as u64)
    }

    pub(in crate::web) fn mails_wait(&self, count: usize) -> String {
        self.counted(self.mails_wait, count as u64)
    }

    pub(in crate::web) fn disabled_users(&self, count: impl Borrow<u64>) -> String {
        self.counted(self.disabled_users, *count.borrow())
    }

    fn counted(&self, [one, many]: [&str; 2], count: u64) -> String {
        fill(if count == 1 { one } else { many }, &[&self.number(count)])
    }

    /// A number as it is written, `1,204,331`.
    pub(in crate::web) fn number(&self, number: impl Borrow<u64>) -> String {
        let digits = number.borrow().to_string();
        let mut written = String::with_capacity(digits.len() + digits.len() / 3);
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                written.push(self.thousands);
            }
            written.push(digit);
        }
        written
    }

    /// What was done just before, by the word in an address.
    pub(in crate::web) fn notice(&self, done: &str) -> Option<&'static str> {
        self.notices.iter().find(|(word, _)| *word == done).map(|(_, notice)| *notice)
    }

    /// What is wrong with a field; what has no words here is said as the server has it.
    pub(in crate::web) fn fault(&self, message: &str) -> String {
        let found = self.faults.iter().find(|(fault, _)| *fault == message).map(|(_, said)| *said);
        let common = message.contains("common").then_some(self.common_password);
        found.or(common).unwrap_or(message).to_owned()
    }

    /// What a field is called where its fault is told elsewhere.
    pub(in crate::web) fn field(&self, name: &str) -> &'static str {
        match name {
            "login" => self.email_or_username,
            "password" => self.password,
            "confirm" => self.new_password_again,
            "current_password" => self.current_password,
            "email" => self.email,
            "username" => self.username,
            "bio" => self.bio,
            "expires" => self.expires,
            "give" | "take" => self.give_permission,
            "flags" => self.flags,
            "user" => self.email_username_or_id,
            "since" => self.since,
            "typed" => self.confirmation,
            "action" => self.action,
            _ => self.name,
        }
    }

    /// Where a session began.
    pub(in crate::web) const fn door(&self, dialect: Dialect) -> &'static str {
        self.doors[dialect as usize]
    }

    /// A heading and a sentence about an error.
    pub(in crate::web) fn failure(&self, error: &Error) -> (&'static str, String) {
        let all = &self.failures;
        let (heading, text) = match error {
            Error::Invalid(_) | Error::WrongCurrentPassword | Error::BadToken => all.bad_input,
            Error::WrongCredentials | Error::Unauthenticated(_) => all.wrong_credentials,
            Error::Forbidden(NO_COOKIE) => all.no_cookie,
            Error::Forbidden(_) | Error::ReauthenticationRequired => all.forbidden,
            Error::NotFound => all.not_found,
            Error::Taken(_) => all.taken_page,
            Error::LastAdministrator => all.last_administrator,
            Error::TooMany(wait) => return (all.too_many.0, fill(all.too_many.1, &[&self.span(*wait)])),
            Error::Busy(_) => all.busy,
            Error::Unavailable(_) => all.unavailable,
            Error::Internal(_) => all.broken,
        };
        (heading, text.to_owned())
    }

    /// A length of time, rounded up.
    fn span(&self, span: Duration) -> String {
        let seconds = span.as_secs() + u64::from(span.subsec_nanos() > 0);
        let [second, seconds_, minute, minutes] = self.span;
        if seconds <= 90 {
            return self.counted([second, seconds_], seconds.max(1));
        }
        self.counted([minute, minutes], seconds.div_ceil(60))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DE, EN};
    use super::*;
    use crate::domain::password::{NewPassword, Password};
    use crate::domain::permission::Permission;
    use crate::domain::project::{ProjectName, parse_label};
    use crate::domain::user::{Bio, DisplayName, Email, Username};

    #[test]
    fn both_languages_have_the_same_notices_and_faults() {
        let words = |texts: &Texts| texts.notices.iter().map(|(word, _)| *word).collect::<Vec<_>>();
        assert_eq!(words(&EN), words(&DE));
        let faults = |texts: &Texts| texts.faults.iter().map(|(fault, _)| *fault).collect::<Vec<_>>();
        assert_eq!(faults(&EN), faults(&DE));
    }

    #[test]
    fn each_text_has_as_many_places_in_both_languages() {
        let filled: [fn(&Texts) -> &'static str; 9] = [
            |t| t.sign_in_lead,
            |t| t.delete_token_lead,
            |t| t.delete_project_text,
            |t| t.type_to_confirm,
            |t| t.take_away,
            |t| t.disable_user,
            |t| t.delete_user,
            |t| t.chart_description,
            |t| t.chart_hour,
        ];
        for text in filled {
            assert_eq!(text(&EN).matches("{}").count(), text(&DE).matches("{}").count(), "{}", text(&EN));
        }
        assert_eq!(EN.times.split('|').count(), DE.times.split('|').count());
        assert_eq!(EN.delete_user("ann@example.com"), "Delete ann@example.com");
        assert_eq!(DE.number(1_204_331_u64), "1.204.331");
        assert_eq!(EN.number(1_204_331_u64), "1,204,331");
    }

    #[test]
    fn whatever_a_field_may_be_told_has_words_in_both_languages() {
        let long = "a".repeat(2_001);
        let new_password = |text: &str| NewPassword::parse(Password::parse(text).unwrap(), &["ann@example.com"]).err();
        let mut faults = vec![new_password("short"), new_password("password"), new_password("ann@example.com")];
        faults.push(Password::parse(&long).err());
        for text in ["", " a", "a@b", "a\u{7}", "0123456789abcdef01234567", "\u{200b}", &long] {
            faults.push(Username::parse(text).err());
        }
        faults.extend([Email::parse("x").err(), DisplayName::parse("").err(), DisplayName::parse("a\nb").err()]);
        faults.extend([Bio::parse(&long).err(), Bio::parse("a\0").err(), Permission::parse("a b").err()]);
        faults.extend([ProjectName::parse("").err(), ProjectName::parse("a\nb").err(), parse_label(&long).err()]);
        for fault in faults.into_iter().flatten() {
            for t in [&EN, &DE] {
                assert_ne!(t.fault(&fault), fault);
            }
        }
    }

    #[test]
    fn a_wait_is_said_in_seconds_and_then_in_minutes() {
        assert_eq!(EN.span(Duration::from_millis(1)), "1 second");
        assert_eq!(EN.span(Duration::from_mins(1)), "60 seconds");
        assert_eq!(DE.span(Duration::from_secs(91)), "2 Minuten");
    }
}
