//! Ways back into an account: reset links and proofs of an address. A secret is single-use, and
//! whether an address is known shows neither in an answer nor in its time.

use aws_lc_rs::digest;

use super::post::Post;
use super::{credentials, policy, users};
use crate::app::{App, Errand};
use crate::clock::Timestamp;
use crate::domain::audit::{Action, Event, Means, Reason};
use crate::domain::caller::{Actor, Origin};
use crate::domain::error::{Error, Result};
use crate::domain::id::UserId;
use crate::domain::password::Password;
use crate::domain::token::SingleUseSecret;
use crate::domain::user::{Email, LoginName, User, UserRef};
use crate::mail::Mail;
use crate::secret::{ExposeSecret, Secret, random};
use crate::store::{self, MailSecret, Pledge, Purpose, Reads, Tx, UserChange};

/// Asks for a reset mail. Always the same answer, at once; the work is done after it.
///
/// # Errors
///
/// [`Error::TooMany`] where too many were asked for, whether or not the address is known;
/// [`Error::Busy`] where too many wait, whoever asks.
pub fn forgot_password(app: &App, email: Email, origin: &Origin) -> Result<()> {
    let event = origin.event(Action::ResetRequested);
    let attempt = app.audit().note(&event, app.throttle().mail(&email, origin.address))?;
    app.leave(Errand::PasswordReset(email, origin.clone())).inspect_err(|_| attempt.withdraw())
}

/// Sends the mail that was asked for, where there is such a user; nobody waits for what becomes of it.
pub(super) async fn mail(app: &App, email: Email, origin: &Origin) {
    if let Err(error) = mail_reset(app, email, origin).await {
        tracing::error!(%error, "a reset mail could not be written");
    }
}

async fn mail_reset(app: &App, email: Email, origin: &Origin) -> Result<()> {
    let account = store::users::account_by_login(&app.store().reads(), &LoginName::Email(email)).await?;
    let (event, user) = (origin.event(Action::ResetRequested), account.map(|account| account.user));
    let event = event.of(user.as_ref().map(|user| user.id));
    let Some(user) = user.filter(User::is_active) else {
        app.audit().refused(event.refused(Reason::NotFound));
        return Ok(());
    };
    let Some(address) = user.email.as_deref() else { return Ok(()) };
    let (secret, new) = draft(app, &user, Purpose::Reset);
    let link = app.settings().reset_link(app.public_url()).with_token(secret.expose_secret()).into();
    let post = Post::of(app, &Mail::password_reset(address, link, app.settings().mail.reset_lifetime))?;
    remember(app, new, event, &post).await?;
    post.dispatch(app).await
}

/// A new secret for a user, and its hash to be kept, bound to the address that the user has now.
pub(super) fn draft(app: &App, user: &User, purpose: Purpose) -> (Secret, MailSecret) {
    let secret = SingleUseSecret::from_bytes(random());
    let (now, mail) = (app.now(), &app.settings().mail);
    let lifetime = match purpose {
        Purpose::Reset => mail.reset_lifetime,
        Purpose::Verification => mail.verification_lifetime,
        Purpose::EmailChange => mail.email_change_lifetime,
    };
    let new = MailSecret {
        secret_hash: hash_of(&secret),
        user_id: user.id,
        purpose,
        email_key: canonical_email(user),
        created_at: now,
        expires_at: now.plus(lifetime),
        another: None,
    };
    (secret.to_text(), new)
}

/// Keeps a secret's hash, with the mails that carry it.
async fn remember(app: &App, new: MailSecret, event: Event, post: &Post) -> Result<()> {
    let post = post.clone();
    app.store()
        .write(async move |tx: &Tx<'_>| {
            // The address may have been changed, or the user deleted, since it was looked up.
            let user = users::reread(tx, new.user_id).await?;
            if !new.email_key.is_empty() && new.email_key != canonical_email(&user) {
                return Err(Error::NotFound);
            }
            tx.audit(event.about_user(user.id));
            store::mail_secrets::insert(tx, &new).await?;
            post.enqueue(tx).await
        })
        .await
}

/// What a token is kept as; a text that is none was never mailed.
pub(super) fn hash_in(token: &str) -> Result<[u8; 32]> {
    SingleUseSecret::parse(token).as_ref().map(hash_of).ok_or(Error::BadToken)
}

fn hash_of(secret: &SingleUseSecret) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref());
    hash
}

pub(super) fn canonical_email(user: &User) -> String {
    user.names().0.map(|email| email.canonical().to_owned()).unwrap_or_default()
}

/// A reset link for an operator or administrator to hand over. It proves no address.
///
/// # Errors
///
/// [`Error::Forbidden`] without administrator power, [`Error::NotFound`] where there is no such user.
pub async fn reset_link(app: &App, actor: &Actor, user: &UserRef) -> Result<Secret> {
    let event = actor.event(Action::ResetRequested).about_named(user);
    app.audit().note(&event, make_link(app, actor, user).await)
}

async fn make_link(app: &App, actor: &Actor, user: &UserRef) -> Result<Secret> {
    actor.caller.require_admin()?;
    let user = users::get(app, &actor.caller, user).await?;
    let unaddressed = User { email: None, ..user };
    let (secret, new) = draft(app, &unaddressed, Purpose::Reset);
    remember(app, new, actor.event(Action::ResetRequested), &Post::default()).await?;
    Ok(app.settings().reset_link(app.public_url()).with_token(secret.expose_secret()).into())
}

/// Sets a new password on the strength of a reset secret: ends all sessions and pending secrets,
/// and where the address had never been proven, API tokens too, since a stranger may have made
/// them.
///
/// # Errors
///
/// [`Error::Invalid`] for a password that the policy refuses, which leaves the secret usable;
/// [`Error::BadToken`] where the secret is forged, used or over; [`Error::TooMany`].
pub async fn reset_password(app: &App, token: &str, password: Password, origin: &Origin) -> Result<()> {
    let event = origin.event(Action::PasswordReset).shown(Means::ResetSecret);
    app.audit().note(&event, reset(app, &event, origin, token, password).await)
}

async fn reset(app: &App, event: &Event, origin: &Origin, token: &str, password: Password) -> Result<()> {
    let secret_hash = hash_in(token)?;
    within_limits(app, origin, set_new_password(app, (event, origin), secret_hash, password)).await
}

/// Counts a secret that is not known as a failure of whoever shows it.
pub(super) async fn within_limits<T>(
    app: &App,
    origin: &Origin,
    consuming: impl Future<Output = Result<T>>,
) -> Result<T> {
    let attempt = app.throttle().look_up(origin.address)?;
    let consumed = consuming.await;
    if !matches!(consumed, Err(Error::BadToken)) {
        attempt.withdraw();
    }
    consumed
}

async fn set_new_password(
    app: &App,
    (event, origin): (&Event, &Origin),
    secret_hash: [u8; 32],
    password: Password,
) -> Result<()> {
    let now = app.now();
    let (user, _) = holder(&app.store().reads(), secret_hash, Purpose::Reset, now).await?.ok_or(Error::BadToken)?;
    let (email, username) = user.names();
    let password = policy::check(password, email.as_ref(), username.as_ref(), "password")?;
    let hash = app.gate().hash(password).await?;
    let event = event.clone().by(user.id, Means::ResetSecret).about_user(user.id);
    let notice = Post::notice(app, &user, origin, Mail::password_changed);
    let post = notice.clone();
    app.store()
        .write(async move |tx: &Tx<'_>| {
            // The user before the secret, as everybody has it: two that held one each would wait for each other.
            let id = user.id;
            let user = store::users::find(tx, id).await?.ok_or(Error::BadToken)?;
            let consumed = store::mail_secrets::consume(tx, secret_hash, Purpose::Reset, now).await?;
            let email_key = consumed.ok_or(Error::BadToken)?.email_key;
            // The address may have been changed while a mail to the old one was on its way.
            let is_for_another_address = !email_key.is_empty() && email_key != canonical_email(&user);
            if !user.is_active() || is_for_another_address {
                return Err(Error::BadToken);
            }
            // Where there is an address that nobody has proven, a stranger may have made the tokens.
            if user.email.is_some() && user.email_verified_at.is_none() {
                store::tokens::delete_of_user(tx, id).await?;
            }
            if !email_key.is_empty() {
                store::users::update(tx, id, UserChange::Verified, now).await?;
            }
            tx.audit(event);
            users::replace_password(tx, id, hash.as_str(), now).await?;
            post.enqueue(tx).await
        })
        .await?;
    notice.dispatch_or_log(app).await;
    Ok(())
}

/// The active user whose secret this is, and what it is good for, where it is not over.
pub(super) async fn holder(
    reads: &Reads<'_>,
    secret_hash: [u8; 32],
    purpose: Purpose,
    now: Timestamp,
) -> Result<Option<(User, Pledge)>> {
    let Some(pledge) = store::mail_secrets::find(reads, secret_hash, purpose, now).await? else { return Ok(None) };
    let user = store::users::find(reads, pledge.user_id).await?.filter(User::is_active);
    Ok(user.map(|user| (user, pledge)))
}

/// Whose password a reset secret would change now: their email or username. Only looks.
///
/// # Errors
///
/// That the store cannot be used.
pub async fn whose_reset(app: &App, token: &str) -> Result<Option<String>> {
    let found = look(app, token, Purpose::Reset).await?;
    let found = found.filter(|(user, it)| it.email_key.is_empty() || it.email_key == canonical_email(user));
    Ok(found.map(|(user, _)| user.login().to_owned()))
}

/// Whether a secret that proves an address would work now. Only looks.
///
/// # Errors
///
/// That the store cannot be used.
pub async fn check_verification(app: &App, token: &str) -> Result<bool> {
    let found = look(app, token, Purpose::Verification).await?;
    Ok(found.is_some_and(|(user, it)| it.email_key == canonical_email(&user)))
}

/// What a token is good for, and for whom.
pub(super) async fn look(app: &App, token: &str, purpose: Purpose) -> Result<Option<(User, Pledge)>> {
    let Ok(secret_hash) = hash_in(token) else { return Ok(None) };
    holder(&app.store().reads(), secret_hash, purpose, app.now()).await
}

/// Mails the caller a link that proves their address.
///
/// # Errors
///
/// [`Error::Invalid`] where the caller has no address.
pub async fn send_verification(app: &App, actor: &Actor) -> Result<()> {
    let user = credentials::user(app, &actor.caller).await?;
    let address = user.email.as_deref().ok_or_else(|| Error::invalid("email", "is not set; set one first"))?;
    let (email, _) = user.names();
    let email = email.ok_or_else(|| Error::Internal("a stored address is none".to_owned()))?;
    let event = actor.event(Action::VerificationRequested);
    let attempt = app.audit().note(&event, app.throttle().mail(&email, actor.origin.address))?;
    let sent = mail_verification(app, &user, address, event).await;
    if sent.as_ref().is_err_and(Error::is_no_answer) {
        attempt.withdraw();
    }
    sent
}

async fn mail_verification(app: &App, user: &User, address: &str, event: Event) -> Result<()> {
    let (secret, new) = draft(app, user, Purpose::Verification);
    let link = app.settings().verify_link(app.public_url()).with_token(secret.expose_secret()).into();
    let post = Post::of(app, &Mail::address_verification(address, link, app.settings().mail.verification_lifetime))?;
    remember(app, new, event, &post).await?;
    post.dispatch(app).await
}

/// Takes the proof of the caller's own address.
///
/// # Errors
///
/// [`Error::BadToken`] where it is forged, used, over, another's or for another address.
pub async fn verify_email(app: &App, actor: &Actor, token: &str) -> Result<()> {
    let event = actor.event(Action::EmailVerified);
    app.audit().note(&event, verify(app, actor, event.clone(), token).await)
}

async fn verify(app: &App, actor: &Actor, event: Event, token: &str) -> Result<()> {
    let secret_hash = hash_in(token)?;
    within_limits(app, &actor.origin, take_proof(app, actor, event, secret_hash)).await
}

async fn take_proof(app: &App, actor: &Actor, event: Event, secret_hash: [u8; 32]) -> Result<()> {
    let (caller_id, now): (UserId, _) = (actor.caller.require_user()?, app.now());
    credentials::write_as_oneself(app, actor, async move |tx: &Tx<'_>| {
        let consumed = store::mail_secrets::consume(tx, secret_hash, Purpose::Verification, now).await?;
        let pledge = consumed.filter(|pledge| pledge.user_id == caller_id).ok_or(Error::BadToken)?;
        prove(tx, &pledge, event, now).await
    })
    .await
}

/// Writes down that the address is proven, where it is still the one that the secret was sent to.
async fn prove(tx: &Tx<'_>, pledge: &Pledge, event: Event, now: Timestamp) -> Result<()> {
    let user = users::reread(tx, pledge.user_id).await?;
    if canonical_email(&user) != pledge.email_key {
        return Err(Error::BadToken);
    }
    tx.audit(event.about_user(user.id));
    store::users::update(tx, user.id, UserChange::Verified, now).await
}
