//! Another address for a user, once its owner has said so: a link goes to the new address, and until it is followed the
//! old one stays in force. Whether anybody has the new one, neither an answer nor its time tells.

use super::post::Post;
use super::recovery::{self, canonical_email, draft, hash_in, within_limits};
use super::{account, credentials, users};
use crate::app::{App, EmailWish, Errand};
use crate::domain::audit::{Action, Event};
use crate::domain::caller::{Actor, Caller};
use crate::domain::error::{Error, Result, Unauthenticated};
use crate::domain::password::Password;
use crate::domain::user::{Email, LoginName, User};
use crate::mail::Mail;
use crate::secret::ExposeSecret;
use crate::store::{self, MailSecret, Pledge, Purpose, Tx, UserChange};

/// Asks for another address of one's own: a mail goes there. Always the same answer, whoever has that address; a newer
/// request takes the place of an older one.
///
/// # Errors
///
/// [`Error::Invalid`] where it is the address already, [`Error::ReauthenticationRequired`],
/// [`Error::WrongCurrentPassword`], [`Error::TooMany`]; [`Error::Busy`] where too many mails wait to be written.
pub async fn request(app: &App, actor: &Actor, email: Email, current_password: Option<Password>) -> Result<()> {
    let event = actor.event(Action::EmailChangeRequested);
    app.audit().note(&event, ask(app, actor, email, current_password).await)
}

async fn ask(app: &App, actor: &Actor, email: Email, current_password: Option<Password>) -> Result<()> {
    let user = credentials::user(app, &actor.caller).await?;
    if user.email.as_deref() == Some(email.as_str()) {
        return Err(Error::invalid("email", "is the address already"));
    }
    account::prove_oneself(app, actor, &user, current_password).await?;
    let attempt = app.throttle().mail(&email, actor.origin.address)?;
    let (user, credential_version) = (user.id, user.credential_version);
    let wish = EmailWish { actor: actor.clone(), user, credential_version, email };
    app.leave(Errand::EmailChange(Box::new(wish))).inspect_err(|_| attempt.withdraw())
}

/// Sends the mail that was asked for, where it may be; nobody waits for what becomes of it.
pub(super) async fn mail(app: &App, wish: EmailWish) {
    let event = wish.actor.event(Action::EmailChangeRequested);
    if let Err(error) = app.audit().note(&event, mail_link(app, &event, wish).await) {
        tracing::error!(%error, "a mail about a change of address could not be written");
    }
}

async fn mail_link(app: &App, event: &Event, wish: EmailWish) -> Result<()> {
    let EmailWish { actor, user, credential_version, email } = wish;
    let event = event.clone().about_user(user);
    let reads = app.store().reads();
    let holder = store::users::account_by_login(&reads, &LoginName::Email(email.clone())).await?;
    let is_taken = holder.is_some_and(|holder| holder.user.id != user);
    let user = users::reread(&reads, user).await?;
    let (secret, new) = draft(app, &user, Purpose::EmailChange);
    let link = app.settings().email_change_link(app.public_url()).with_token(secret.expose_secret()).into();
    let lifetime = app.settings().mail.email_change_lifetime;
    // Where another has the address nobody gets the secret, and everything else is as where nobody has it.
    let sent =
        if is_taken { Post::default() } else { Post::of(app, &Mail::email_change(email.as_str(), link, lifetime))? };
    let another = Some((email.as_str().to_owned(), credential_version));
    let new = MailSecret { email_key: email.canonical().to_owned(), another, ..new };
    let post = sent.clone();
    credentials::write_as_oneself(app, &actor, async move |tx: &Tx<'_>| {
        let user = users::reread(tx, new.user_id).await?;
        if !user.is_active() || user.credential_version != credential_version {
            return Err(Error::Unauthenticated(Unauthenticated::Ended));
        }
        store::mail_secrets::delete_of_purpose(tx, user.id, Purpose::EmailChange).await?;
        store::mail_secrets::insert(tx, &new).await?;
        tx.audit(event);
        post.enqueue(tx).await
    })
    .await?;
    sent.dispatch(app).await
}

/// The address that the caller asked for and has not confirmed yet.
///
/// # Errors
///
/// That the store cannot be used.
pub async fn pending(app: &App, caller: &Caller) -> Result<Option<String>> {
    let (user, now) = (caller.require_user()?, app.now());
    let secrets = store::mail_secrets::list(&app.store().reads(), user).await?;
    let live = secrets.into_iter().filter(|(_, _, expires_at, _)| now < *expires_at);
    Ok(live.filter_map(|(_, _, _, email)| email).next_back())
}

/// Whether a secret would give its user another address now. Only looks.
///
/// # Errors
///
/// That the store cannot be used.
pub async fn check(app: &App, token: &str) -> Result<bool> {
    let Some((user, pledge)) = recovery::look(app, token, Purpose::EmailChange).await? else { return Ok(false) };
    let Some(email) = wanted(&user, &pledge) else { return Ok(false) };
    let holder = store::users::account_by_login(&app.store().reads(), &LoginName::Email(email)).await?;
    Ok(holder.is_none_or(|holder| holder.user.id == user.id))
}

/// Makes the address that a secret was mailed to the caller's, and proven. What was mailed to the old one is worthless.
/// That a mail was read there is no proof of who asked for it: a stranger's account must not become its reader's.
///
/// # Errors
///
/// [`Error::BadToken`] where the secret is forged, used, over or another's, where the user's credentials changed since it
/// was asked for, or another has taken the address; [`Error::TooMany`].
pub async fn confirm(app: &App, actor: &Actor, token: &str) -> Result<()> {
    let event = actor.event(Action::EmailChanged);
    app.audit().note(&event, take(app, actor, &event, token).await)
}

async fn take(app: &App, actor: &Actor, event: &Event, token: &str) -> Result<()> {
    let secret_hash = hash_in(token)?;
    within_limits(app, &actor.origin, change(app, actor, event, secret_hash)).await
}

async fn change(app: &App, actor: &Actor, event: &Event, secret_hash: [u8; 32]) -> Result<()> {
    let now = app.now();
    let found = recovery::holder(&app.store().reads(), secret_hash, Purpose::EmailChange, now).await?;
    let own = found.filter(|(user, _)| actor.caller.is(user.id));
    let (user, pledge) = own.ok_or(Error::BadToken)?;
    let notice = if canonical_email(&user) == pledge.email_key {
        Post::default()
    } else {
        Post::notice(app, &user, &actor.origin, Mail::email_changed)
    };
    let event = event.clone().about_user(user.id);
    let post = notice.clone();
    credentials::write_as_oneself(app, actor, async move |tx: &Tx<'_>| {
        // The user before the secret, as everybody has it.
        let user = store::users::find(tx, user.id).await?.filter(User::is_active).ok_or(Error::BadToken)?;
        let consumed = store::mail_secrets::consume(tx, secret_hash, Purpose::EmailChange, now).await?;
        let email = consumed.and_then(|pledge| wanted(&user, &pledge)).ok_or(Error::BadToken)?;
        match store::users::update(tx, user.id, UserChange::Email(&email, Some(now)), now).await {
            Err(Error::Taken(_)) => return Err(Error::BadToken),
            updated => updated?,
        }
        store::mail_secrets::delete_of_user(tx, user.id).await?;
        tx.audit(event);
        post.enqueue(tx).await
    })
    .await?;
    notice.dispatch_or_log(app).await;
    Ok(())
}

/// The address that a secret gives a user, as long as nothing that proves the user changed since it was asked for.
fn wanted(user: &User, pledge: &Pledge) -> Option<Email> {
    let (email, version) = pledge.another.as_ref()?;
    let is_bound = pledge.user_id == user.id && *version == user.credential_version;
    Email::parse(email).ok().filter(|email| is_bound && email.canonical() == pledge.email_key)
}
