//! API tokens.

use super::{credentials, users};
use crate::app::App;
use crate::clock::Timestamp;
use crate::domain::audit::{Action, Event};
use crate::domain::caller::{Actor, Caller};
use crate::domain::error::{Error, Result};
use crate::domain::id::{TokenId, UserId};
use crate::domain::token::{ApiToken, ApiTokenSecret, ends};
use crate::domain::user::{User, UserRef};
use crate::secret::{ExposeSecret, Secret, random};
use crate::store::{self, NewToken, Tx};

/// What somebody says of a new token.
#[derive(Default)]
pub struct CreateToken {
    /// A free text.
    pub name: String,
    /// A free text, `type` on the wire.
    pub kind: String,
    /// Whose it shall be; the caller's own where absent.
    pub user: Option<UserRef>,
    /// Whether it carries administrator power.
    pub admin: bool,
    /// When it is over, if ever.
    pub expires_at: Option<Timestamp>,
}

/// A token and its secret, which is shown this one time.
pub struct Created {
    /// What is kept of it.
    pub token: ApiToken,
    /// The secret.
    pub secret: Secret,
}

/// Makes a token.
///
/// # Errors
///
/// [`Error::Forbidden`] for another's or an admin token without administrator power,
/// [`Error::NotFound`] where there is no such user.
pub async fn create(app: &App, actor: &Actor, input: CreateToken) -> Result<Created> {
    let event = actor.event(Action::TokenCreated).with(if input.admin { "admin" } else { "" });
    app.audit().note(&event, make(app, actor, event.clone(), input).await)
}

async fn make(app: &App, actor: &Actor, event: Event, input: CreateToken) -> Result<Created> {
    let owner = owner(app, &actor.caller, input.user.as_ref()).await?;
    if input.admin && !actor.caller.is_admin() {
        return Err(Error::Forbidden("only an administrator makes tokens with administrator power"));
    }
    if input.expires_at.is_some_and(|expires_at| expires_at <= app.now()) {
        return Err(Error::invalid("expires_at", "must lie in the future"));
    }
    let mut draft = Draft::new(app, owner)?;
    draft.token.name = input.name;
    draft.token.kind = input.kind;
    draft.token.admin = input.admin;
    draft.token.expires_at = input.expires_at;
    credentials::write_as(app, actor, async move |tx: &Tx<'_>| {
        users::reread(tx.shared(), owner).await?;
        tx.audit(event.about(draft.token.id).of(owner));
        draft.insert(tx).await
    })
    .await
}

async fn owner(app: &App, caller: &Caller, wanted: Option<&UserRef>) -> Result<UserId> {
    let Some(wanted) = wanted else { return caller.require_user() };
    if caller.is_admin() {
        return Ok(users::get(app, caller, wanted).await?.id);
    }
    // Whether the other user exists is not for this caller to know.
    let own = users::find(&app.store().reads(), wanted).await?.filter(|user| caller.is(user.id));
    own.map(|user| user.id).ok_or(Error::Forbidden("only an administrator may name another user"))
}

/// A token on its way into a transaction.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) token: ApiToken,
    secret_hash: [u8; 32],
    foreign_form: bool,
    sealed: Option<Vec<u8>>,
    secret: Secret,
}

impl Draft {
    /// A fresh secret of this server's form.
    pub(super) fn new(app: &App, user_id: UserId) -> Result<Self> {
        Self::with_secret(app, user_id, ApiTokenSecret::generate(random))
    }

    /// A secret that was chosen elsewhere.
    pub(super) fn with_secret(app: &App, user_id: UserId, secret: Secret) -> Result<Self> {
        let now = app.now();
        let id = TokenId::generate(now, App::entropy());
        let text = secret.expose_secret();
        let (head, tail) = ends(text);
        let token = ApiToken {
            id,
            user_id,
            kind: String::new(),
            name: String::new(),
            admin: false,
            head: head.to_owned(),
            tail: tail.to_owned(),
            expires_at: None,
            created_at: now,
        };
        let reveal = app.settings().iron.reveal_tokens;
        let sealed = reveal.then(|| app.keyring().seal(text.as_bytes(), id.as_bytes())).transpose()?;
        let secret_hash = app.keyring().api_token_hash(text);
        let foreign_form = !ApiTokenSecret::is_well_formed(text);
        Ok(Self { token, secret_hash, foreign_form, sealed, secret })
    }

    pub(super) async fn insert(self, tx: &Tx<'_>) -> Result<Created> {
        let new = NewToken {
            token: &self.token,
            secret_hash: self.secret_hash,
            foreign_form: self.foreign_form,
            sealed: self.sealed.as_deref(),
        };
        store::tokens::insert(tx, &new).await?;
        Ok(Created { token: self.token, secret: self.secret })
    }
}

/// The tokens of the caller, or of another user for an administrator.
///
/// # Errors
///
/// [`Error::Forbidden`] for another's without administrator power, [`Error::NotFound`].
pub async fn list(app: &App, caller: &Caller, user: Option<&UserRef>) -> Result<Vec<ApiToken>> {
    let owner = owner(app, caller, user).await?;
    store::tokens::list_of_user(&app.store().reads(), owner).await
}

/// A token of the caller's, or any for an administrator.
///
/// # Errors
///
/// [`Error::NotFound`] where there is none that the caller may know of.
pub async fn get(app: &App, caller: &Caller, id: TokenId) -> Result<ApiToken> {
    let token = store::tokens::find(&app.store().reads(), id).await?;
    token.filter(|token| caller.is_admin() || caller.is(token.user_id)).ok_or(Error::NotFound)
}

/// Deletes a token of the caller's, or any for an administrator.
///
/// # Errors
///
/// [`Error::NotFound`] where there is none that the caller may know of.
pub async fn delete(app: &App, actor: &Actor, id: TokenId) -> Result<()> {
    let event = actor.event(Action::TokenDeleted).about(id);
    app.audit().note(&event, take_away(app, actor, event.clone(), id).await)
}

async fn take_away(app: &App, actor: &Actor, event: Event, id: TokenId) -> Result<()> {
    let owner = get(app, &actor.caller, id).await?.user_id;
    credentials::write_as(app, actor, async move |tx: &Tx<'_>| {
        tx.audit(event.of(owner));
        if store::tokens::delete(tx, id).await? { Ok(()) } else { Err(Error::NotFound) }
    })
    .await
}

/// The live tokens of a user in clear, where the operator wants them to be read back and the
/// caller is that user or an administrator; else none.
///
/// # Errors
///
/// That the store cannot answer.
pub async fn reveal(app: &App, caller: &Caller, user: &User) -> Result<Vec<Secret>> {
    if !app.settings().iron.reveal_tokens || !(caller.is_admin() || caller.is(user.id)) {
        return Ok(Vec::new());
    }
    let sealed = store::tokens::list_sealed(&app.store().reads(), user.id, app.now()).await?;
    // A credential without administrator power must not read one that has it.
    let readable = sealed.iter().filter(|(_, admin, _)| !admin || caller.is_admin());
    Ok(readable.filter_map(|(id, _, sealed)| app.keyring().open(sealed, id.as_bytes())).collect())
}
