//! API tokens. The secret itself is never here: only the keyed hash that finds it and, where the
//! operator wants tokens to be read back, a sealed copy.

use super::sql::{row, statements};
use super::{Change, Reads, Tx};
use crate::clock::Timestamp;
use crate::domain::caller::Principal;
use crate::domain::error::Result;
use crate::domain::id::{TokenId, UserId};
use crate::domain::token::ApiToken;
use crate::domain::user::Status;

macro_rules! columns {
    () => {
        "id, user_id, kind, name, admin, head, tail, expires_at, created_at"
    };
}

statements! {
    BY_HASH: ([u8; 32]) -> HitRow = "select tokens.id, tokens.user_id, tokens.admin, tokens.expires_at, users.status,
            users.admin
        from tokens join users on users.id = tokens.user_id where tokens.secret_hash = $1";
    BY_ID: (TokenId) -> ApiToken = concat!("select ", columns!(), " from tokens where id = $1");
    OF_USER: (UserId) -> ApiToken = concat!("select ", columns!(), " from tokens where user_id = $1 order by id");
    NEWEST: (TokenId) -> ApiToken =
        concat!("select ", columns!(), " from tokens where id <= $1 order by id desc limit 101");
    NEWEST_OF_USER: (UserId, TokenId) -> ApiToken = concat!("select ", columns!(), " from tokens
        where user_id = $1 and id <= $2 order by id desc limit 101");
    COUNT: () -> (i64,) = "select count(*) from tokens";
    SEALED: (UserId, Timestamp) -> (TokenId, bool, Vec<u8>) = "select id, admin, sealed from tokens
        where user_id = $1 and sealed is not null and (expires_at is null or expires_at > $2) order by id";
    FOREIGN: () -> ([u8; 32],) = "select secret_hash from tokens where foreign_form = true";
    INSERT: (
        TokenId, UserId, [u8; 32], bool, String, String, bool, String, String, Option<Vec<u8>>, Option<Timestamp>,
        Timestamp
    ) -> () = "insert into tokens (id, user_id, secret_hash, foreign_form, kind, name, admin, head, tail, sealed,
            expires_at, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    DELETE: (TokenId) -> ([u8; 32], bool) =
        "delete from tokens where id = $1 returning secret_hash, foreign_form";
    DELETE_OF_USER: (UserId) -> (bool,) = "delete from tokens where user_id = $1 returning foreign_form";
    SWEEP: (Timestamp) -> () = "delete from tokens where id in (
        select id from tokens where expires_at < $1 order by expires_at limit 500)";
}

row! {
    struct HitRow {
        id: TokenId,
        user_id: UserId,
        admin: bool,
        expires_at: Option<Timestamp>,
        user_status: Status,
        user_admin: bool,
    }
}

row! {
    ApiToken {
        id: TokenId,
        user_id: UserId,
        kind: String,
        name: String,
        admin: bool,
        head: String,
        tail: String,
        expires_at: Option<Timestamp>,
        created_at: Timestamp,
    }
}

/// What a look-up by secret finds: all that it takes to answer for the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenHit {
    /// The token.
    pub id: TokenId,
    /// Whether it carries its user's administrator power.
    pub admin: bool,
    /// When it is over, if ever.
    pub expires_at: Option<Timestamp>,
    /// Whose it is.
    pub holder: Principal,
    /// Whether that user may sign in.
    pub holder_is_active: bool,
}

/// A token to be inserted.
pub struct NewToken<'n> {
    /// What is shown of it.
    pub token: &'n ApiToken,
    /// The keyed hash of its secret.
    pub secret_hash: [u8; 32],
    /// Whether the secret has another form than this server's own.
    pub foreign_form: bool,
    /// The secret under a key of this server, where it may be read back.
    pub sealed: Option<&'n [u8]>,
}

pub(crate) async fn find_by_hash(reads: &Reads<'_>, secret_hash: [u8; 32]) -> Result<Option<TokenHit>> {
    let row = reads.first(&BY_HASH, (secret_hash,)).await?;
    Ok(row.map(|row| TokenHit {
        id: row.id,
        admin: row.admin,
        expires_at: row.expires_at,
        holder: Principal { id: row.user_id, is_admin: row.user_admin },
        holder_is_active: row.user_status == Status::Active,
    }))
}

pub(crate) async fn find(reads: &Reads<'_>, id: TokenId) -> Result<Option<ApiToken>> {
    reads.first(&BY_ID, (id,)).await
}

pub(crate) async fn list_of_user(reads: &Reads<'_>, user: UserId) -> Result<Vec<ApiToken>> {
    reads.all(&OF_USER, (user,)).await
}

/// The next [`super::users::search::FOUND_AT_ONCE`] tokens from `from` on, of a user or of all, the newest
/// first.
pub(crate) async fn newest(reads: &Reads<'_>, user: Option<UserId>, from: TokenId) -> Result<Vec<ApiToken>> {
    match user {
        Some(user) => reads.all(&NEWEST_OF_USER, (user, from)).await,
        None => reads.all(&NEWEST, (from,)).await,
    }
}

/// How many tokens there are.
pub(crate) async fn count(reads: &Reads<'_>) -> Result<u64> {
    reads.count(&COUNT, ()).await
}

/// The sealed secrets of a user's live tokens, each with the id it is bound to and whether it
/// carries administrator power.
pub(crate) async fn list_sealed(
    reads: &Reads<'_>,
    user: UserId,
    now: Timestamp,
) -> Result<Vec<(TokenId, bool, Vec<u8>)>> {
    reads.all(&SEALED, (user, now)).await
}

/// The hashes of all tokens of foreign form: few.
pub(crate) async fn list_foreign(reads: &Reads<'_>) -> Result<Vec<[u8; 32]>> {
    Ok(reads.all(&FOREIGN, ()).await?.into_iter().map(|(hash,)| hash).collect())
}

pub(crate) async fn insert(tx: &Tx<'_>, new: &NewToken<'_>) -> Result<()> {
    let token = new.token;
    tx.execute(
        &INSERT,
        (
            token.id,
            token.user_id,
            new.secret_hash,
            new.foreign_form,
            &token.kind,
            &token.name,
            token.admin,
            &token.head,
            &token.tail,
            new.sealed,
            token.expires_at,
            token.created_at,
        ),
    )
    .await?;
    if new.foreign_form {
        tx.record(Change::ForeignTokens);
    }
    Ok(())
}

/// Deletes a token; false where there is none.
pub(crate) async fn delete(tx: &Tx<'_>, id: TokenId) -> Result<bool> {
    let Some((hash, foreign_form)) = tx.first(&DELETE, (id,)).await? else { return Ok(false) };
    tx.record(Change::Token(hash));
    if foreign_form {
        tx.record(Change::ForeignTokens);
    }
    Ok(true)
}

/// Deletes all of a user's tokens; how many there were. That the user changed tells the caches of each.
pub(crate) async fn delete_of_user(tx: &Tx<'_>, user: UserId) -> Result<usize> {
    let deleted = tx.all(&DELETE_OF_USER, (user,)).await?;
    tx.record(Change::User(user));
    if deleted.iter().any(|(foreign_form,)| *foreign_form) {
        tx.record(Change::ForeignTokens);
    }
    Ok(deleted.len())
}

/// Deletes some tokens that expired before `before`, at most [`super::SWEPT_AT_ONCE`]; how many there were.
pub(crate) async fn sweep(tx: &Tx<'_>, before: Timestamp) -> Result<u64> {
    tx.execute(&SWEEP, (before,)).await
}
