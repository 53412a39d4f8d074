//! Everything that is kept about a user, for that user: what data protection calls a copy. Never a
//! password's hash or a secret, and of others no more than the user can see anyway.

mod shapes;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::shapes::{audit_row, project, session, token, user_fields};
use crate::app::App;
use crate::clock::Timestamp;
use crate::domain::caller::Caller;
use crate::domain::error::{Error, Result, Unauthenticated};
use crate::domain::id::{ID_BYTES, ProjectId, SessionId, TokenId, UserId};
use crate::store::users::search::FOUND_AT_ONCE;
use crate::store::{self, Filter, Order, Reads, Record, Whose};

/// How many rows of each kind there are at the most, the newest ones: whatever somebody has heaped up, a
/// copy takes a bounded memory. The statements say one more themselves.
pub const LIMIT: usize = 10_000;

/// Everything that is kept about the caller, as one JSON object. `left_out` names the lists that have more
/// than [`LIMIT`] rows, of which the newest are there.
///
/// # Errors
///
/// [`Error::Forbidden`] for the operator, who is no user; [`Error::Unauthenticated`] where the user was
/// deleted this very moment; [`Error::Busy`] where others are being made.
pub async fn own_data(app: &App, caller: &Caller) -> Result<Value> {
    let (user, now) = (caller.require_user()?, app.now());
    let _leave = app.export()?;
    app.store().aside(async move |reads| collect(reads, user, now).await).await
}

async fn collect(reads: &Reads<'_>, id: UserId, now: Timestamp) -> Result<Value> {
    let account = store::users::account(reads, id).await?;
    let account = account.ok_or(Error::Unauthenticated(Unauthenticated::UserGone))?;
    let mut left_out = LeftOut::default();
    let sessions = async |from| store::sessions::newest_of_user(reads, id, from).await;
    let sessions = newest(SessionId::from_bytes(NEWEST), sessions, |session| session.id).await?;
    let tokens = async |from| store::tokens::newest(reads, Some(id), from).await;
    let tokens = newest(TokenId::from_bytes(NEWEST), tokens, |token| token.id).await?;
    let secrets = store::mail_secrets::list(reads, id).await?;
    let networks = store::known_networks::list(reads, id).await?;
    let audit_log = audit_rows(reads, id).await?;
    Ok(json!({
        "at": now.rfc3339(),
        "user": user_fields(&account),
        "sessions": left_out.cut("sessions", sessions, session),
        "api_tokens": left_out.cut("api_tokens", tokens, token),
        "mailed_secrets": left_out.cut("mailed_secrets", secrets, |(purpose, created_at, expires_at, email)| json!({
            "purpose": purpose, "created_at": created_at.rfc3339(), "expires_at": expires_at.rfc3339(),
            "new_email": email,
        })),
        "projects": projects(reads, id, &mut left_out).await?,
        "shared_with_me": shared_with(reads, id, &mut left_out).await?,
        "known_networks": left_out.cut("known_networks", networks, |(network, at)| json!({
            "network": network.to_string(), "at": at.rfc3339(),
        })),
        "audit_log": left_out.cut("audit_log", audit_log, |row| audit_row(row, id)),
        "left_out": left_out.0,
        "limit": LIMIT,
    }))
}

/// The lists that have more rows than are given.
#[derive(Default)]
struct LeftOut(Vec<&'static str>);

impl LeftOut {
    /// At most [`LIMIT`] of the rows, each in its shape.
    fn cut<T>(&mut self, list: &'static str, rows: Vec<T>, shape: impl Fn(&T) -> Value) -> Vec<Value> {
        if rows.len() > LIMIT {
            self.0.push(list);
        }
        rows.into_iter().take(LIMIT).map(|row| shape(&row)).collect()
    }
}

const NEWEST: [u8; ID_BYTES] = [u8::MAX; ID_BYTES];

/// Asks page after page, until there is no more or more than [`LIMIT`].
async fn newest<T, I: Copy>(
    mut from: I,
    page: impl AsyncFn(I) -> Result<Vec<T>>,
    id: impl Fn(&T) -> I,
) -> Result<Vec<T>> {
    let mut rows = Vec::new();
    loop {
        let mut found = page(from).await?;
        // The last one of a full page is the first one of the next.
        let next = if found.len() == FOUND_AT_ONCE { found.pop() } else { None };
        rows.append(&mut found);
        match next {
            Some(next) if rows.len() < LIMIT => from = id(&next),
            next => {
                rows.extend(next);
                return Ok(rows);
            }
        }
    }
}

/// The user's own projects, with those whom they are shared with.
async fn projects(reads: &Reads<'_>, id: UserId, left_out: &mut LeftOut) -> Result<Vec<Value>> {
    let page = async |from| store::projects::newest(reads, Some(id), from).await;
    let projects = newest(ProjectId::from_bytes(NEWEST), page, |project| project.id).await?;
    let shares = store::shares::list_of_owner(reads, id).await?;
    if shares.len() > LIMIT {
        left_out.0.push("shares");
    }
    let mut shared_with: BTreeMap<ProjectId, Vec<Value>> = BTreeMap::new();
    for (project, user, name) in shares.into_iter().take(LIMIT) {
        shared_with.entry(project).or_default().push(json!({ "id": user.to_string(), "name": name }));
    }
    Ok(left_out.cut("projects", projects, |it| project(it, shared_with.get(&it.id).map_or(&[], Vec::as_slice))))
}

async fn shared_with(reads: &Reads<'_>, id: UserId, left_out: &mut LeftOut) -> Result<Vec<Value>> {
    let shared = store::shares::list_with_user(reads, id).await?;
    Ok(left_out.cut("shared_with_me", shared, |it| {
        json!({
            "id": it.project.to_string(),
            "name": it.name,
            "owner": { "id": it.owner.to_string(), "name": it.owner_name },
        })
    }))
}

/// The rows of the audit log that concern a user or say what they did, newest first.
async fn audit_rows(reads: &Reads<'_>, id: UserId) -> Result<Vec<Record>> {
    let mut rows = Vec::new();
    for whose in [Whose::Concerning(id), Whose::DoneBy(id)] {
        let filter = Filter { whose, ..Filter::default() };
        rows.append(&mut store::audit::list(reads, &filter, (Order::NewestFirst, None), LIMIT + 1).await?);
    }
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.seq));
    rows.dedup_by_key(|row| row.seq);
    Ok(rows)
}
