//! The rows of the table: each measures its figures and holds them against their targets.

mod ask;
mod footprint;
mod growth;
mod passwords;
mod postgres;
mod refresh;

pub(crate) use growth::run as growth;
pub(crate) use postgres::ROWS as POSTGRES;

use crate::bench::Bench;
use crate::table::Line;

/// What one row needs to be run.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&mut Bench) -> anyhow::Result<Vec<Line>>,
}

/// All rows, in the order of the table.
pub(crate) const ALL: [Row; 11] = [
    Row { name: "iron", run: ask::iron },
    Row { name: "jwt", run: ask::jwt },
    Row { name: "million", run: ask::million },
    Row { name: "revocations", run: ask::revocations },
    Row { name: "logins", run: passwords::logins },
    Row { name: "calm", run: passwords::calm },
    Row { name: "overload", run: passwords::overload },
    Row { name: "refresh", run: refresh::refresh },
    Row { name: "memory", run: footprint::memory },
    Row { name: "start", run: footprint::start },
    Row { name: "size", run: footprint::size },
];
