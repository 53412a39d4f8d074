//! The rows of PostgreSQL, each beside the same on SQLite: one node and two, with everything on this
//! machine, the database included.

mod asked;
mod endings;
mod statements;
mod writes;

use super::Row;

/// All of them, in the order of their table.
pub(crate) const ROWS: [Row; 6] = [
    Row { name: "cached", run: asked::cached },
    Row { name: "uncached", run: asked::uncached },
    Row { name: "refresh", run: writes::refresh },
    Row { name: "logins", run: writes::logins },
    Row { name: "ending", run: endings::ending },
    Row { name: "statements", run: statements::statements },
];
