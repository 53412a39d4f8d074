//! `doorward session`: who is signed in, and the end of it.

use serde::Serialize;

use super::arguments::SessionCommand;
use super::message::{Failure, Subject, about};
use super::operator::Operator;
use crate::actions::sessions;
use crate::domain::id::SessionId;
use crate::domain::session::Session;
use crate::domain::user::UserRef;

/// A session. The names of the fields are a promise to programs.
#[derive(Serialize)]
struct SessionShape<'s> {
    id: String,
    user_id: String,
    dialect: &'static str,
    address: Option<&'s str>,
    user_agent: Option<&'s str>,
    created_at: String,
    last_used_at: String,
    expires_at: String,
}

impl<'s> SessionShape<'s> {
    fn new(session: &'s Session) -> Self {
        Self {
            id: session.id.to_string(),
            user_id: session.user_id.to_string(),
            dialect: session.dialect.as_str(),
            address: session.address.as_deref(),
            user_agent: session.user_agent.as_deref(),
            created_at: session.created_at.rfc3339(),
            last_used_at: session.last_used_at.rfc3339(),
            expires_at: session.expires_at.rfc3339(),
        }
    }

    fn row(&self) -> [String; 7] {
        [
            self.id.clone(),
            self.dialect.to_owned(),
            self.created_at.clone(),
            self.last_used_at.clone(),
            self.expires_at.clone(),
            self.address.unwrap_or_default().to_owned(),
            self.user_agent.unwrap_or_default().to_owned(),
        ]
    }
}

pub(super) async fn run(operator: &Operator, command: SessionCommand) -> Result<(), Failure> {
    match command {
        SessionCommand::List(who) => list(operator, &who.login).await,
        SessionCommand::Revoke { user: Some(login), .. } => revoke_all(operator, &login).await,
        SessionCommand::Revoke { id: Some(id), .. } => revoke(operator, id).await,
        SessionCommand::Revoke { .. } => Err(Failure::usage("name a session's id, or a user with --user")),
    }
}

async fn list(operator: &Operator, login: &str) -> Result<(), Failure> {
    let id = UserRef::Id(operator.user(login).await?.id);
    let listed =
        sessions::list(&operator.app, &operator.actor.caller, &id).await.map_err(about(Subject::User(login)))?;
    let shapes: Vec<_> = listed.iter().map(SessionShape::new).collect();
    let empty = format!("{login:?} is signed in nowhere: a session begins when the user signs in");
    let header = ["ID", "DIALECT", "CREATED", "LAST USED", "EXPIRES", "ADDRESS", "USER AGENT"];
    operator.output.list(&shapes, header, SessionShape::row, &empty)
}

async fn revoke(operator: &Operator, id: SessionId) -> Result<(), Failure> {
    sessions::revoke(&operator.app, &operator.actor, id).await.map_err(about(Subject::Session(id)))?;
    operator.output.done(&serde_json::json!({ "ended": 1 }), &format!("session {id} is over"))
}

async fn revoke_all(operator: &Operator, login: &str) -> Result<(), Failure> {
    let id = UserRef::Id(operator.user(login).await?.id);
    let ended = sessions::revoke_all(&operator.app, &operator.actor, &id).await;
    let ended = ended.map_err(about(Subject::User(login)))?;
    let document = serde_json::json!({ "ended": ended });
    operator.output.done(&document, &format!("{login:?} is signed in nowhere now; sessions ended: {ended}"))
}
