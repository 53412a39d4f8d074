//! Who works on the data directory: the application opened for one command, the operator's power,
//! and where the results go.

use super::message::{Failure, Subject, about};
use super::output::Output;
use crate::actions::{audit, users};
use crate::app::{App, Presence};
use crate::clock::Clock;
use crate::config::{LogFormat, Settings};
use crate::domain::caller::Actor;
use crate::domain::user::{User, UserRef};
use crate::telemetry;

/// What a command works with.
pub(super) struct Operator {
    pub(super) app: App,
    pub(super) actor: Actor,
    pub(super) output: Output,
}

impl Operator {
    /// The user that was named, by email, username or id.
    pub(super) async fn user(&self, login: &str) -> Result<User, Failure> {
        users::get(&self.app, &self.actor.caller, &UserRef::parse(login)).await.map_err(about(Subject::User(login)))
    }
}

/// Opens the data directory and runs one command on it.
pub(super) fn run(
    settings: Settings,
    output: Output,
    command: impl AsyncFnOnce(&Operator) -> Result<(), Failure>,
) -> Result<(), Failure> {
    // The result is what the operator came for: only warnings go beside it.
    log("warn", settings.log.format)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Refused(format!("the command cannot start: {error}")))?;
    runtime.block_on(async {
        let public_url = settings.effective_public_url();
        let (app, _) = App::open(settings, public_url, Clock::System, Presence::Required).await?;
        let operator = Operator { app, actor: Actor::operator(), output };
        let done = command(&operator).await;
        // Nobody does that later here. Where both fail, the command's own failure says more.
        let noted = audit::write_refusals(&operator.app).await;
        match (done, noted) {
            (Ok(()), Ok(())) => Ok(()),
            (Err(failure), _) => Err(failure),
            (Ok(()), Err(error)) => {
                Err(Failure::Refused(format!("what was refused cannot be written into the audit log: {error}")))
            }
        }
    })
}

/// Sends the log to standard error.
pub(super) fn log(filter: &str, format: LogFormat) -> Result<(), Failure> {
    let format = match format {
        LogFormat::Text => telemetry::Format::Text,
        LogFormat::Json => telemetry::Format::Json,
    };
    telemetry::init(filter, format).map_err(|error| Failure::usage(error.to_string()))
}
