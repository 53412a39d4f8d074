//! `doorward keys`: the keys that vouch for tokens.

use serde::Serialize;

use super::arguments::KeysCommand;
use super::message::Failure;
use super::operator::Operator;
use crate::actions::keys::{self, KeyInfo, Rotation};
use crate::config::ClusterSecret;

/// A key. The names of the fields are a promise to programs.
#[derive(Serialize)]
struct KeyShape<'k> {
    id: &'k str,
    signs: &'static str,
    algorithm: &'static str,
    created_at: String,
    used_from: String,
    current: bool,
}

impl<'k> KeyShape<'k> {
    fn new(key: &'k KeyInfo) -> Self {
        Self {
            id: &key.id,
            signs: key.signs,
            algorithm: key.algorithm,
            created_at: key.created_at.rfc3339(),
            used_from: key.used_from.rfc3339(),
            current: key.is_current,
        }
    }

    fn row(&self) -> [String; 6] {
        let current = if self.current { "yes" } else { "" };
        [self.id, self.signs, self.algorithm, &self.created_at, &self.used_from, current].map(str::to_owned)
    }
}

async fn reseal(operator: &Operator, secret: ClusterSecret) -> Result<(), Failure> {
    let resealed = keys::reseal(&operator.app, &operator.actor, secret).await;
    resealed.map_err(|error| Failure::Refused(error.to_string()))?;
    let document = serde_json::json!({ "resealed": true });
    operator.output.done(&document, "the keys are sealed under the new secret; restart every node with it")
}

pub(super) async fn run(operator: &Operator, command: KeysCommand) -> Result<(), Failure> {
    let (app, actor) = (&operator.app, &operator.actor);
    let listed = match command {
        KeysCommand::List => keys::list(app, &actor.caller).await,
        KeysCommand::Rotate { compromised: true } => keys::rotate(app, actor, Rotation::Compromised).await,
        KeysCommand::Rotate { compromised: false } => keys::rotate(app, actor, Rotation::Routine).await,
        KeysCommand::Reseal { secret_file } => return reseal(operator, secret_file).await,
    };
    let listed = listed.map_err(|error| Failure::Refused(error.to_string()))?;
    let shapes: Vec<_> = listed.iter().map(KeyShape::new).collect();
    let header = ["ID", "SIGNS", "ALGORITHM", "CREATED", "USED FROM", "CURRENT"];
    operator.output.list(&shapes, header, KeyShape::row, "there are no keys")
}
