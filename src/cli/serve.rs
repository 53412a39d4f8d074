//! `doorward serve`: the log, the runtime, then the server.

use super::arguments::ServeArguments;
use super::message::Failure;
use super::operator::log;
use crate::config::Settings;
use crate::server::{self, Start};

pub(super) fn run(settings: Settings, arguments: &ServeArguments) -> Result<(), Failure> {
    log(&settings.log.level, settings.log.format)?;
    // Requests are answered on threads of their own; this one takes clients and keeps house.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Refused(format!("the server cannot start: {error}")))?;
    let start = Start { new_keys: arguments.new_keys };
    runtime.block_on(server::run(settings, start)).map_err(|error| Failure::Refused(format!("{error:#}")))
}
