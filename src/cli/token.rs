//! `doorward token`: makes, lists and deletes API tokens.

use serde::Serialize;

use super::arguments::{AddToken, TokenCommand};
use super::message::{Failure, Subject, about};
use super::operator::Operator;
use super::output;
use crate::actions::tokens::{self, CreateToken};
use crate::clock::Timestamp;
use crate::domain::id::TokenId;
use crate::domain::token::ApiToken;
use crate::domain::user::UserRef;
use crate::secret::ExposeSecret;

/// A token, without its secret. The names of the fields are a promise to programs.
#[derive(Serialize)]
struct TokenShape<'t> {
    id: String,
    user_id: String,
    name: &'t str,
    r#type: &'t str,
    admin: bool,
    /// The secret's first and last characters.
    hint: String,
    expires_at: Option<String>,
    created_at: String,
}

/// A new token with its secret.
#[derive(Serialize)]
struct NewTokenShape<'t> {
    #[serde(flatten)]
    token: TokenShape<'t>,
    secret: &'t str,
}

impl<'t> TokenShape<'t> {
    fn new(token: &'t ApiToken) -> Self {
        Self {
            id: token.id.to_string(),
            user_id: token.user_id.to_string(),
            name: &token.name,
            r#type: &token.kind,
            admin: token.admin,
            hint: format!("{}…{}", token.head, token.tail),
            expires_at: token.expires_at.map(Timestamp::rfc3339),
            created_at: token.created_at.rfc3339(),
        }
    }

    fn row(&self) -> [String; 7] {
        [
            self.id.clone(),
            self.name.to_owned(),
            self.r#type.to_owned(),
            if self.admin { "yes" } else { "no" }.to_owned(),
            self.hint.clone(),
            self.expires_at.clone().unwrap_or_else(|| "never".to_owned()),
            self.created_at.clone(),
        ]
    }
}

pub(super) async fn run(operator: &Operator, command: TokenCommand) -> Result<(), Failure> {
    match command {
        TokenCommand::Add(wanted) => add(operator, wanted).await,
        TokenCommand::List(who) => list(operator, &who.login).await,
        TokenCommand::Delete { id } => delete(operator, id).await,
    }
}

async fn add(operator: &Operator, wanted: AddToken) -> Result<(), Failure> {
    let login = &wanted.who.login;
    let user = operator.user(login).await?;
    let expires_at = wanted.expires_at.or_else(|| Some(operator.app.now().plus(wanted.expires_in?)));
    let input = CreateToken {
        name: wanted.name,
        kind: wanted.kind,
        user: Some(UserRef::Id(user.id)),
        admin: wanted.admin,
        expires_at,
    };
    let created = tokens::create(&operator.app, &operator.actor, input).await.map_err(about(Subject::User(login)))?;
    if wanted.admin && !user.is_admin() {
        let remark = "the token has administrator power only while its user holds admin: `doorward user grant LOGIN \
                      admin` gives it";
        output::remark(remark);
    }
    let secret = created.secret.expose_secret();
    if operator.output.is_json() {
        return output::document(&NewTokenShape { token: TokenShape::new(&created.token), secret });
    }
    output::remark(&format!("token {} of {:?}; its secret is shown this one time:", created.token.id, login));
    output::line(secret)
}

async fn list(operator: &Operator, login: &str) -> Result<(), Failure> {
    let id = UserRef::Id(operator.user(login).await?.id);
    let listed =
        tokens::list(&operator.app, &operator.actor.caller, Some(&id)).await.map_err(about(Subject::User(login)))?;
    let shapes: Vec<_> = listed.iter().map(TokenShape::new).collect();
    let empty = format!("{login:?} has no API tokens: `doorward token add LOGIN` makes one");
    let header = ["ID", "NAME", "TYPE", "ADMIN", "SECRET", "EXPIRES", "CREATED"];
    operator.output.list(&shapes, header, TokenShape::row, &empty)
}

async fn delete(operator: &Operator, id: TokenId) -> Result<(), Failure> {
    tokens::delete(&operator.app, &operator.actor, id).await.map_err(about(Subject::Token(id)))?;
    let document = serde_json::json!({ "id": id.to_string() });
    operator.output.done(&document, &format!("token {id} is deleted"))
}
