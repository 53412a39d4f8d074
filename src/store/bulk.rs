//! Inserts many rows at once, in transactions of some hundreds, by the same functions that insert
//! one. What measurements are taken on is filled so; it checks nothing that an action would have checked before.

use std::sync::Arc;

use super::{NewSession, NewToken, NewUser, Store, Tx, projects, sessions, shares, tokens, users};
use crate::clock::Timestamp;
use crate::domain::error::Result;
use crate::domain::id::{ProjectId, UserId};
use crate::domain::project::Project;
use crate::domain::token::ApiToken;

/// How many rows share a transaction: few enough that a request beside it does not wait for long.
const CHUNK: usize = 500;

/// One row to be inserted.
pub enum Row {
    /// A user.
    User(Box<NewUser>),
    /// An API token of this server's form, and the keyed hash of its secret.
    Token(Box<ApiToken>, [u8; 32]),
    /// A project.
    Project(Box<Project>),
    /// The user whom a project is shared with.
    Share(ProjectId, UserId),
    /// A session.
    Session(Box<NewSession<'static>>),
    /// A session that ended at this moment.
    EndedSession(Box<NewSession<'static>>, Timestamp),
}

/// Inserts the rows in their order; how many there were. A row may need those before it: a token
/// its user. Of a fault, the chunks before the one with it stay.
///
/// # Errors
///
/// What the first row that cannot be inserted meets, or that the store cannot be used.
pub async fn insert(store: &Store, rows: impl IntoIterator<Item = Row>) -> Result<u64> {
    let mut rows = rows.into_iter();
    let mut count = 0;
    loop {
        let chunk: Arc<Vec<Row>> = Arc::new(rows.by_ref().take(CHUNK).collect());
        if chunk.is_empty() {
            return Ok(count);
        }
        count += chunk.len() as u64;
        store
            .write(async move |tx: &Tx<'_>| {
                for row in chunk.iter() {
                    insert_one(tx, row).await?;
                }
                Ok(())
            })
            .await?;
    }
}

async fn insert_one(tx: &Tx<'_>, row: &Row) -> Result<()> {
    match row {
        Row::User(user) => users::insert(tx, user).await,
        Row::Token(token, secret_hash) => {
            let new = NewToken { token, secret_hash: *secret_hash, foreign_form: false, sealed: None };
            tokens::insert(tx, &new).await
        }
        Row::Project(project) => projects::insert(tx, project).await,
        Row::Share(project, user) => shares::insert(tx, *project, *user).await.map(drop),
        Row::Session(session) => sessions::insert(tx, session).await,
        Row::EndedSession(session, at) => {
            sessions::insert(tx, session).await?;
            sessions::end(tx, session.id, *at).await.map(drop)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;
    use crate::domain::error::Error;
    use crate::domain::id::{SessionId, TokenId};
    use crate::domain::permission::Permissions;
    use crate::domain::project::Counters;
    use crate::domain::session::Dialect;
    use crate::domain::user::{Email, JsonObject, Status};
    use crate::secret::random;
    use crate::store::{Commits, Location, Schema};

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    async fn open(directory: &tempfile::TempDir) -> Store {
        Store::open(
            Location::Sqlite(directory.path().join("doorward.db")),
            Schema::Made,
            Commits { clock: Clock::System, on_commit: Arc::new(|_| ()), group: 128 },
        )
        .await
        .unwrap()
    }

    fn user(number: usize) -> NewUser {
        NewUser {
            id: UserId::generate(NOW, random()),
            email: Some(Email::parse(&format!("ann{number}@example.com")).unwrap()),
            username: None,
            name: None,
            bio: None,
            password: None,
            status: Status::Active,
            permissions: Permissions::of_new_user(),
            flags: JsonObject::new(),
            plan_worker: JsonObject::new(),
            email_verified_at: None,
            created_at: NOW,
        }
    }

    fn token(user_id: UserId) -> ApiToken {
        ApiToken {
            id: TokenId::generate(NOW, random()),
            user_id,
            kind: String::new(),
            name: String::new(),
            admin: false,
            head: "dwt_".to_owned(),
            tail: "tail".to_owned(),
            expires_at: None,
            created_at: NOW,
        }
    }

    fn project(user_id: UserId) -> Project {
        Project {
            id: ProjectId::generate(NOW, random()),
            user_id,
            name: "a project".to_owned(),
            kind: String::new(),
            partner: String::new(),
            status: "active".to_owned(),
            counters: Counters::default(),
            hourly_time: NOW,
            flags: BTreeMap::new(),
            created_at: NOW,
        }
    }

    fn session(user_id: UserId) -> NewSession<'static> {
        NewSession {
            id: SessionId::generate(NOW, random()),
            user_id,
            dialect: Dialect::Rest,
            created_at: NOW,
            expires_at: NOW.plus(Duration::from_hours(24)),
            key_id: 1,
            address: None,
            user_agent: None,
        }
    }

    #[tokio::test]
    async fn rows_of_every_kind_are_found_as_if_they_had_been_inserted_one_by_one() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory).await;
        let (owner, guest) = (user(1), user(2));
        let (owner_id, guest_id) = (owner.id, guest.id);
        let (token, project, live, ended) = (token(owner_id), project(owner_id), session(owner_id), session(owner_id));
        let (token_id, project_id, live_id, ended_id) = (token.id, project.id, live.id, ended.id);
        let rows = [
            Row::User(Box::new(owner)),
            Row::User(Box::new(guest)),
            Row::Token(Box::new(token), [7; 32]),
            Row::Project(Box::new(project)),
            Row::Share(project_id, guest_id),
            Row::Session(Box::new(live)),
            Row::EndedSession(Box::new(ended), NOW),
        ];
        assert_eq!(insert(&store, rows).await.unwrap(), 7);
        let reads = store.reads();
        assert!(users::find(&reads, guest_id).await.unwrap().is_some());
        let hit = tokens::find_by_hash(&reads, [7; 32]).await.unwrap().unwrap();
        assert_eq!((hit.id, hit.holder.id), (token_id, owner_id));
        assert_eq!(projects::find_owner(&reads, project_id).await.unwrap(), Some(owner_id));
        assert_eq!(shares::list(&reads, project_id).await.unwrap(), [guest_id]);
        assert_eq!(sessions::find(&reads, live_id).await.unwrap().unwrap().ended_at, None);
        assert_eq!(sessions::find(&reads, ended_id).await.unwrap().unwrap().ended_at, Some(NOW));
    }

    #[tokio::test]
    async fn a_fault_undoes_its_own_chunk_and_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory).await;
        let users: Vec<_> = (0..CHUNK + 2).map(user).collect();
        let (kept, undone) = (users[0].id, users[CHUNK].id);
        let mut rows: Vec<_> = users.into_iter().map(|user| Row::User(Box::new(user))).collect();
        rows.push(Row::User(Box::new(user(0))));
        assert!(matches!(insert(&store, rows).await, Err(Error::Taken("email"))));
        assert!(super::users::find(&store.reads(), kept).await.unwrap().is_some());
        assert!(super::users::find(&store.reads(), undone).await.unwrap().is_none());
    }
}
