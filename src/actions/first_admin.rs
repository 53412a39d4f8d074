//! The first administrator: made once, on an empty store, never by registration.

use super::tokens::Draft;
use super::{policy, sign_up};
use crate::app::{App, SuperUser};
use crate::domain::audit::{Action, Event};
use crate::domain::error::Result;
use crate::domain::password::{NewPassword, Password, PasswordHash};
use crate::domain::permission::Permissions;
use crate::domain::token::{ApiTokenSecret, SingleUseSecret};
use crate::domain::user::{LoginName, Username};
use crate::guard::hash_gate::Verdict;
use crate::secret::{ExposeSecret, Secret, random};
use crate::store::{self, Tx};

/// What a start found or made.
pub enum FirstAdmin {
    /// There were users already; where the configuration says something else, sentences about it.
    Exists(Vec<String>),
    /// The administrator was made.
    Made {
        /// The name to sign in with.
        login: String,
        /// The password, where it was made up here: to be shown once.
        password: Option<Secret>,
        /// The API token, where it was made up here: to be shown once.
        token: Option<Secret>,
    },
}

/// Makes the first administrator on an empty store, from the configuration where it says one and
/// from randomness where it does not.
///
/// # Errors
///
/// [`crate::domain::error::Error::Invalid`] where the configured password breaks the policy.
pub async fn ensure(app: &App) -> Result<FirstAdmin> {
    let wanted = &app.settings().super_user;
    if store::users::any(&app.store().reads()).await? {
        return Ok(FirstAdmin::Exists(differences(app, wanted).await?));
    }
    let username = match (&wanted.username, &wanted.email) {
        (None, None) => Username::parse("admin").ok(),
        (username, _) => username.clone(),
    };
    let made_up = wanted.password.is_none().then(|| SingleUseSecret::from_bytes(random()).to_text());
    let hash = match (&wanted.password, &made_up) {
        (Some(secret), _) | (None, Some(secret)) => Some(hash(app, wanted, secret).await?),
        (None, None) => None,
    };
    let mut new = sign_up::blank(app, wanted.email.clone(), username, hash);
    new.permissions = Permissions::of_administrator();
    // The operator vouches for the address: a reset need not doubt the configured token.
    new.email_verified_at = new.email.is_some().then_some(new.created_at);
    let secret = wanted.token.clone().unwrap_or_else(|| ApiTokenSecret::generate(random));
    let mut draft = Draft::with_secret(app, new.id, secret)?;
    draft.token.admin = true;
    "first administrator".clone_into(&mut draft.token.name);
    let made = app
        .store()
        .write(async move |tx: &Tx<'_>| {
            // Two servers may start at once on one empty store.
            store::counters::hold(tx, store::counters::ADMINISTRATORS).await?;
            if store::users::any(tx).await? {
                return Ok(None);
            }
            let user = sign_up::insert(tx, &new).await?;
            tx.audit(Event::by_server(Action::FirstAdminMade).about_user(new.id));
            tx.audit(Event::by_server(Action::TokenCreated).about(draft.token.id).of(new.id).with("admin"));
            Ok(Some((user, draft.insert(tx).await?)))
        })
        .await?;
    let Some((user, created)) = made else { return Ok(FirstAdmin::Exists(Vec::new())) };
    let token = wanted.token.is_none().then_some(created.secret);
    Ok(FirstAdmin::Made { login: user.login().to_owned(), password: made_up, token })
}

async fn hash(app: &App, wanted: &SuperUser, secret: &Secret) -> Result<PasswordHash> {
    let refused = |reason| crate::domain::error::Error::invalid("super_user.password", reason);
    let password = Password::parse(secret.expose_secret()).map_err(refused)?;
    let password = if wanted.allow_weak {
        NewPassword::without_policy(password)
    } else {
        policy::check(password, wanted.email.as_ref(), wanted.username.as_ref(), "super_user.password")?
    };
    app.gate().hash(password).await
}

/// Later starts change nothing; they say where the configuration differs.
async fn differences(app: &App, wanted: &SuperUser) -> Result<Vec<String>> {
    let mut differences = Vec::new();
    let reads = app.store().reads();
    if let Some(token) = &wanted.token {
        let hash = app.keyring().api_token_hash(token.expose_secret());
        if store::tokens::find_by_hash(&reads, hash).await?.is_none() {
            differences.push(
                "super_user.token is no token of this store: it was set or changed after the first start, or deleted"
                    .to_owned(),
            );
        }
    }
    let logins = [
        ("super_user.email", wanted.email.clone().map(LoginName::Email)),
        ("super_user.username", wanted.username.clone().map(LoginName::Username)),
    ];
    let mut account = None;
    for (key, login) in logins.into_iter().filter_map(|(key, login)| Some((key, login?))) {
        match store::users::account_by_login(&reads, &login).await? {
            Some(found) => account = Some(found),
            None => differences.push(format!("{key} names no user of this store: it counts at the first start only")),
        }
    }
    if let (Some(secret), Some(account)) = (&wanted.password, account)
        && let Ok(password) = Password::parse(secret.expose_secret())
    {
        let stored = account.password.as_deref().and_then(PasswordHash::parse);
        if matches!(app.gate().verify(password, stored).await?, Verdict::Wrong) {
            differences.push(
                "super_user.password is not the password of that user: it counts at the first start only".to_owned(),
            );
        }
    }
    Ok(differences)
}
