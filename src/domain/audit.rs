//! Events of the audit log: who did what to whom, from where, by what right, with what result. An event
//! holds ids and fixed words only: never an email, a name, a secret, or a text that a client chose, but
//! for the user agent.

mod means;

use std::borrow::Cow;
use std::net::IpAddr;

pub use self::means::{Means, Subject};
use crate::domain::caller::{Actor, Credential, Origin};
use crate::domain::error::{Error, Result};
use crate::domain::id::UserId;
use crate::domain::user::UserRef;

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// All of them, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word that is kept and shown.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// Reads such a word.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text)
            }
        }
    };
}

words! {
    /// What was done, or asked for.
    Action {
        /// A session began by a password.
        SignIn "sign_in",
        /// Somebody registered, and a session began.
        SignUp "sign_up",
        /// The user ended a session of their own.
        SignOut "sign_out",
        /// A refresh token was shown. What succeeds is not recorded: the session says when it was last used.
        SessionRefreshed "session.refreshed",
        /// A refresh token was used a second time, and its session is over.
        SessionReused "session.refresh_reused",
        /// A session began without a sign-in: at a change of password in place of all others, or at another proof of it in
        /// place of the one that asks.
        SessionBegan "session.began",
        /// An administrator ended a session.
        SessionEnded "session.ended",
        /// An administrator ended all sessions of a user.
        UserSessionsEnded "user.sessions_ended",
        /// A user ended all sessions of their own but the one that asked.
        OtherSessionsEnded "user.other_sessions_ended",
        /// An API token was made.
        TokenCreated "token.created",
        /// An API token was deleted.
        TokenDeleted "token.deleted",
        /// A credential was shown for a change and is over, or was not looked up: too much had failed from there.
        TokenShown "token.shown",
        /// A form of the console was sent by somebody who is no administrator.
        ConsoleUsed "console.used",
        /// An administrator made a user.
        UserCreated "user.created",
        /// What only administrators set was changed, or the name and the text about oneself.
        UserUpdated "user.updated",
        /// The username was changed.
        UsernameChanged "user.username_changed",
        /// The address was changed.
        EmailChanged "user.email_changed",
        /// A secret that gives the user another address was made.
        EmailChangeRequested "email.change_requested",
        /// The password was changed; all sessions ended.
        PasswordChanged "user.password_changed",
        /// The user may sign in again.
        UserEnabled "user.enabled",
        /// The user may sign in no more; all sessions ended.
        UserDisabled "user.disabled",
        /// The user was deleted, with everything that was theirs.
        UserDeleted "user.deleted",
        /// A permission was given.
        PermissionGranted "permission.granted",
        /// A permission was taken away.
        PermissionTaken "permission.taken",
        /// A project was made.
        ProjectCreated "project.created",
        /// A project was changed.
        ProjectUpdated "project.updated",
        /// A project was deleted.
        ProjectDeleted "project.deleted",
        /// A project was shared with a user.
        ProjectShared "project.shared",
        /// That was taken back.
        ProjectUnshared "project.unshared",
        /// A secret that sets a new password was made.
        ResetRequested "password.reset_requested",
        /// A new password was set by such a secret; all sessions ended.
        PasswordReset "password.reset",
        /// A secret that proves an address was made.
        VerificationRequested "email.verification_requested",
        /// An address was proven.
        EmailVerified "email.verified",
        /// Mails that wait were made due.
        MailsHurried "mails.hurried",
        /// New keys came into use.
        KeysRotated "keys.rotated",
        /// Keys were let go that nothing alive depended on.
        KeysRetired "keys.retired",
        /// The keys were sealed under another secret.
        KeysResealed "keys.resealed",
        /// The first start made the first administrator.
        FirstAdminMade "first_admin.made",
        /// More was refused than could be noted one by one.
        RefusalsLost "audit.refusals_lost",
    }
}

words! {
    /// Why something was refused.
    Reason {
        /// Login name and password do not belong together, whatever the cause.
        WrongCredentials "wrong_credentials",
        /// The current password that a change asks for is wrong.
        WrongCurrentPassword "wrong_current_password",
        /// The change needs the current password, or a fresh session.
        ReauthenticationRequired "reauthentication_required",
        /// The credential was over before the change was made.
        CredentialEnded "credential_ended",
        /// Known, but not allowed to do this.
        Forbidden "forbidden",
        /// Not there, or not for this caller to know.
        NotFound "not_found",
        /// Another user holds that email or username.
        Taken "taken",
        /// It was the last active administrator.
        LastAdministrator "last_administrator",
        /// A single-use or refresh token that is forged, used, ended or out of date.
        BadToken "bad_token",
        /// A refresh token that had been used before.
        Reused "reused",
        /// Only administrators make users here.
        RegistrationClosed "registration_closed",
        /// Too many failures before.
        Throttled "throttled",
        /// More refusals than were noted one by one.
        Overflow "overflow",
    }
}

impl Reason {
    /// The reason where an error is a refusal: not a mistyped input, and no fault of the server.
    #[must_use]
    pub const fn of(error: &Error) -> Option<Self> {
        match error {
            Error::WrongCredentials => Some(Self::WrongCredentials),
            Error::WrongCurrentPassword => Some(Self::WrongCurrentPassword),
            Error::ReauthenticationRequired => Some(Self::ReauthenticationRequired),
            Error::Unauthenticated(_) => Some(Self::CredentialEnded),
            Error::Forbidden(_) => Some(Self::Forbidden),
            Error::NotFound => Some(Self::NotFound),
            Error::Taken(_) => Some(Self::Taken),
            Error::LastAdministrator => Some(Self::LastAdministrator),
            Error::BadToken => Some(Self::BadToken),
            Error::TooMany(_) => Some(Self::Throttled),
            Error::Invalid(_) | Error::Busy(_) | Error::Unavailable(_) | Error::Internal(_) => None,
        }
    }
}

/// One event, without its time: that is when it is recorded. Two that are equal happened twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// What was done, or asked for.
    pub action: Action,
    /// Why it was refused, where it was.
    pub refused: Option<Reason>,
    /// Who did it, where that is proven.
    pub actor: Option<UserId>,
    /// By what right.
    pub means: Means,
    /// What it was done to.
    pub subject: Option<Subject>,
    /// The user whom it concerns: whose account, token, session or project it is.
    pub user: Option<UserId>,
    /// What exactly: names of fields, or the permission; never a value.
    pub detail: Option<Cow<'static, str>>,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The client's name of itself; never trusted.
    pub user_agent: Option<String>,
    /// The dialect, or `cli`, or `server`.
    pub via: &'static str,
}

impl Event {
    /// Something that the server does by itself.
    #[must_use]
    pub fn by_server(action: Action) -> Self {
        Origin::default().event(action)
    }

    /// What it is done to.
    #[must_use]
    pub fn about(self, subject: impl Into<Subject>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }

    /// The user whom it concerns, where one is known.
    #[must_use]
    pub fn of(self, user: impl Into<Option<UserId>>) -> Self {
        Self { user: user.into(), ..self }
    }

    /// A user as what it is done to.
    #[must_use]
    pub fn about_user(self, user: UserId) -> Self {
        self.about(user).of(user)
    }

    /// A user as what it is done to, where they are named by their id: a name may be anybody's.
    #[must_use]
    pub fn about_named(self, user: &UserRef) -> Self {
        match user {
            UserRef::Id(id) => self.about_user(*id),
            UserRef::Login(_) => Self { user: None, ..self },
        }
    }

    /// Who it turned out to be, and by what; whom it concerns, too.
    #[must_use]
    pub fn by(self, user: UserId, means: Means) -> Self {
        Self { actor: Some(user), means, user: Some(user), ..self }
    }

    /// What was shown, where it proves nobody.
    #[must_use]
    pub fn shown(self, means: Means) -> Self {
        Self { means, ..self }
    }

    /// What exactly: names of fields, separated by commas.
    #[must_use]
    pub fn with(self, detail: impl Into<Cow<'static, str>>) -> Self {
        let detail = Some(detail.into()).filter(|detail| !detail.is_empty());
        Self { detail, ..self }
    }

    /// The same event under another action: asker, subject and user stay, the detail goes.
    #[must_use]
    pub fn also(&self, action: Action) -> Self {
        Self { action, detail: None, ..self.clone() }
    }

    /// That it was refused.
    #[must_use]
    pub fn refused(self, reason: Reason) -> Self {
        Self { refused: Some(reason), ..self }
    }

    /// The event of an outcome that is a refusal.
    #[must_use]
    pub fn of_refusal<T>(&self, outcome: &Result<T>) -> Option<Self> {
        let reason = outcome.as_ref().err().and_then(Reason::of)?;
        Some(self.clone().refused(reason))
    }
}

impl Origin {
    /// Something that is asked from here, by nobody known.
    #[must_use]
    pub fn event(&self, action: Action) -> Event {
        Event {
            action,
            refused: None,
            actor: None,
            means: Means::Nothing,
            subject: None,
            user: None,
            detail: None,
            address: self.address,
            user_agent: self.user_agent.clone(),
            via: self.dialect.map_or("server", super::session::Dialect::as_str),
        }
    }
}

impl Actor {
    /// Something that this caller asks for; it concerns themselves until something else is said.
    #[must_use]
    pub fn event(&self, action: Action) -> Event {
        let user = self.caller.require_user().ok();
        let event = self.origin.event(action);
        let via = if self.caller.credential() == Credential::Operator { "cli" } else { event.via };
        Event { actor: user, means: self.caller.credential().into(), user, via, ..event }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_word_is_read_back_and_stands_for_one_thing() {
        let actions: HashSet<_> = Action::ALL.iter().map(|action| action.as_str()).collect();
        assert_eq!(actions.len(), Action::ALL.len());
        assert!(Action::ALL.iter().all(|action| Action::parse(action.as_str()) == Some(*action)));
        assert!(Reason::ALL.iter().all(|reason| Reason::parse(reason.as_str()) == Some(*reason)));
        assert_eq!(Action::parse("sign_in "), None);
    }

    #[test]
    fn what_the_operator_and_the_server_do_is_told_apart() {
        let operator = Actor::operator().event(Action::UserDeleted);
        assert_eq!((operator.via, operator.means, operator.actor), ("cli", Means::Operator, None));
        let server = Event::by_server(Action::KeysRetired);
        assert_eq!((server.via, server.means), ("server", Means::Nothing));
    }

    #[test]
    fn a_mistyped_input_and_a_fault_are_no_refusals() {
        let event = Event::by_server(Action::SignIn);
        assert_eq!(event.of_refusal::<()>(&Err(Error::invalid("email", "is required"))), None);
        assert_eq!(event.of_refusal::<()>(&Err(Error::Internal(String::new()))), None);
        let refused = event.of_refusal::<()>(&Err(Error::WrongCredentials)).unwrap();
        assert_eq!(refused.refused, Some(Reason::WrongCredentials));
    }
}
