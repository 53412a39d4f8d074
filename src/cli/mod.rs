//! The command line: the server's start, and everything that an operator does on the data
//! directory, also while the server runs. Translates arguments to actions and results to text;
//! decides nothing about users, tokens or projects.

mod arguments;
mod audit;
mod config;
mod keys;
mod mail;
mod message;
mod migrate;
mod operator;
mod output;
mod password;
mod progress;
mod project;
mod serve;
mod session;
mod token;
mod user;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use clap_complete::Shell;

use self::arguments::{Arguments, Command, ConfigCommand, Global};
use self::message::Failure;
use self::output::Output;
use crate::config::{Overrides, Settings, Sources, environment, pgpass};

/// Runs what the process's arguments ask for. The exit code is 0 for done, 1 for a thing that
/// could not be done, 2 for wrong usage or a faulty configuration.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Who closed the pipe does not want to read it.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match dispatch(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn dispatch(Arguments { global, command }: Arguments) -> Result<(), Failure> {
    let output = Output::new(global.json);
    match command {
        Command::Serve(start) => serve::run(load(&global)?, &start),
        Command::Config { command: ConfigCommand::Check } => config::check(&load(&global)?, output),
        Command::Migrate(arguments) => migrate::run(&global, arguments, output),
        Command::Completions { shell } => completions(shell),
        Command::User { command } => {
            operator::run(load(&global)?, output, async |operator| user::run(operator, command).await)
        }
        Command::Token { command } => {
            operator::run(load(&global)?, output, async |operator| token::run(operator, command).await)
        }
        Command::Session { command } => {
            operator::run(load(&global)?, output, async |operator| session::run(operator, command).await)
        }
        Command::Keys { command } => {
            operator::run(load(&global)?, output, async |operator| keys::run(operator, command).await)
        }
        Command::Mail { command } => {
            operator::run(load(&global)?, output, async |operator| mail::run(operator, command).await)
        }
        Command::Audit { command } => {
            operator::run(load(&global)?, output, async |operator| audit::run(operator, command).await)
        }
        Command::Project { command } => {
            operator::run(load(&global)?, output, async |operator| project::run(operator, command).await)
        }
    }
}

fn load(global: &Global) -> Result<Settings, Failure> {
    load_with(global, global.overrides())
}

fn load_with(global: &Global, overrides: Overrides) -> Result<Settings, Failure> {
    let environment = environment()?;
    let sources = Sources { file: global.config.clone(), environment, overrides, pgpass: pgpass() };
    Ok(Settings::load(&sources)?)
}

fn completions(shell: Shell) -> Result<(), Failure> {
    // Written here first: the generator panics on a pipe that was closed.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "doorward", &mut script);
    output::bytes(&script)
}
