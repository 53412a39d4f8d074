//! `doorward migrate`: the store moves to another database, or stays where it was after all.

use serde::Serialize;

use super::arguments::{Global, MigrateArguments};
use super::message::Failure;
use super::operator::log;
use super::output::{self, Output};
use super::progress::ProgressLine;
use super::{load, load_with};
use crate::app::transfer::{self, Moved, Tally};
use crate::clock::Clock;
use crate::config::{Overrides, Settings};

/// What was moved. The names of the fields are a promise to programs.
#[derive(Serialize)]
struct MovedShape<'m> {
    from: &'m str,
    to: &'m str,
    was_there: bool,
    tables: Vec<TableShape<'m>>,
}

#[derive(Serialize)]
struct TableShape<'m> {
    table: &'static str,
    rows: u64,
    sha256: &'m str,
}

#[derive(Serialize)]
struct StayedShape {
    moved_to: Option<String>,
}

impl<'m> TableShape<'m> {
    fn new(tally: &'m Tally) -> Self {
        Self { table: tally.table, rows: tally.rows, sha256: &tally.sha256 }
    }

    fn row(&self) -> [String; 3] {
        [self.table.to_owned(), self.rows.to_string(), self.sha256.to_owned()]
    }
}

pub(super) fn run(global: &Global, arguments: MigrateArguments, output: Output) -> Result<(), Failure> {
    let settings = load(global)?;
    log("warn", settings.log.format)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Refused(format!("the command cannot start: {error}")))?;
    match arguments.to {
        None => runtime.block_on(stay(&settings, output)),
        Some(to) => {
            let there = load_with(global, Overrides { to: Some(to), ..global.overrides() })?;
            let moved = runtime.block_on(move_to(&settings, &there))?;
            report(&moved, output)
        }
    }
}

async fn move_to(here: &Settings, there: &Settings) -> Result<Moved, Failure> {
    let mut line = ProgressLine::new();
    let moved = transfer::transfer(here, there, Clock::System.now(), &mut |progress| line.tell(progress)).await;
    line.clear();
    Ok(moved?)
}

fn report(moved: &Moved, output: Output) -> Result<(), Failure> {
    let tables: Vec<_> = moved.tables.iter().map(TableShape::new).collect();
    if output.is_json() {
        let shape = MovedShape { from: &moved.from, to: &moved.to, was_there: moved.was_there, tables };
        return output::document(&shape);
    }
    output.list(&tables, ["TABLE", "ROWS", "SHA-256"], TableShape::row, "")?;
    let already = if moved.was_there { "is already" } else { "is now" };
    output::remark(&format!("the store {already} at {}, alike to the one at {}", moved.to, moved.from));
    match &moved.data_dir {
        Some(folder) => output::remark(&format!(
            "its keys are beside it: start the server with `--data-dir {}`, and with database_url where the file has \
             another name than doorward.db",
            folder.display()
        )),
        None => output::remark("start every server with that as database_url, and with the same secret_file"),
    }
    output::remark(
        "the old place still holds everything, keys included: delete its database and its keys once you are sure",
    );
    if !moved.is_known_as_before {
        output::remark(
            "neither public_url nor tokens.issuer is set: access tokens from before will be refused where the server \
             is called something else, until their sessions are refreshed",
        );
    }
    Ok(())
}

async fn stay(settings: &Settings, output: Output) -> Result<(), Failure> {
    let moved_to = transfer::stay(settings, Clock::System.now()).await?;
    let sentence = moved_to.as_ref().map_or_else(
        || "this store was not moved; nothing was changed".to_owned(),
        |place| format!("this store is in use again; stop every server at {place}, and delete what is there"),
    );
    output.done(&StayedShape { moved_to }, &sentence)
}
