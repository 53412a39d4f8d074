//! A database on PostgreSQL as one end of a move: one transaction, whose locks keep others from
//! writing until it ends.

use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use super::connect::{Connector, Target};
use super::failure::{Failure, Meaning};
use super::link::Link;
use super::value::type_of;
use super::{migrate, persist};
use crate::clock::Timestamp;
use crate::store::Schema;
use crate::store::sql::{Cells as _, Kind, Value};
use crate::store::transfer::{ALL, End, MoveError, Page, Table};

/// How long a server that is about to end, or a transaction, is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(50);
const LOCK_TIMEOUT: &str = "set lock_timeout = '5s'";
/// Texts are compared byte by byte, as SQLite does.
const TEXT_ORDER: &str = " collate \"C\"";
/// Others who work on this database: as the same user, or as servers and commands call themselves.
const OTHERS: &str = "select count(*) from pg_stat_activity where datname = current_database()
    and (usename = current_user or application_name = current_setting('application_name'))
    and pid <> pg_backend_pid()";
/// What gives the next event its number.
const SETTLE: &str =
    "select setval(pg_get_serial_sequence('audit_events', 'id'), greatest(max(id), 1)) from audit_events";

/// The connection.
pub(in crate::store) struct Held {
    link: Link,
    end: End,
}

impl Held {
    pub(in crate::store) async fn open(target: Target, end: End, now: Timestamp) -> Result<Self, MoveError> {
        let connector = Connector::new(target);
        let link = persist(&connector, || Link::open(&connector)).await?;
        let held = Self { link, end };
        if end == End::Origin {
            held.wait_until_alone().await?;
        }
        // From here on a statement may take as long as it takes.
        let schema = if end == End::Origin { Schema::Required } else { Schema::Made };
        migrate::run(&held.link, now, schema).await?;
        held.begin().await?;
        Ok(held)
    }

    /// A server that went on would write to what was left behind.
    async fn wait_until_alone(&self) -> Result<(), MoveError> {
        let begun = Instant::now();
        loop {
            match self.one(OTHERS, &[]).await {
                // An engine that does not tell has to be believed.
                Err(failure) if failure.meaning == Meaning::Refused => return Ok(()),
                Ok(Some(0) | None) => return Ok(()),
                Ok(Some(others)) if begun.elapsed() > PATIENCE => {
                    return Err(MoveError::new(format!(
                        "the database is in use ({others} connections): stop every server on it, and wait until no \
                         command runs"
                    )));
                }
                Ok(Some(_)) => sleep(PAUSE).await,
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    /// One moment is read. The locks come first, so that what others were writing is part of it.
    async fn begin(&self) -> Result<(), MoveError> {
        let (isolation, mode) = match self.end {
            End::Origin => ("repeatable read", "share row exclusive"),
            End::Destination => ("read committed", "exclusive"),
        };
        let begin = format!("begin isolation level {isolation}");
        let names = ALL.iter().map(|table| table.name).collect::<Vec<_>>().join(", ");
        // An engine that lacks it waits for as long as it waits.
        let _ = self.link.command_unbounded(LOCK_TIMEOUT).await;
        self.link.command_unbounded(&begin).await?;
        // Who starts meanwhile reads at once where the store is: nobody reads that until it is settled.
        let turnstile = if self.end == End::Origin { "; lock table meta in access exclusive mode" } else { "" };
        match self.link.command_unbounded(&format!("lock table {names} in {mode} mode{turnstile}")).await {
            Ok(()) if self.end == End::Origin => self.refuse_newcomers().await,
            Ok(()) => Ok(()),
            Err(failure) if failure.meaning == Meaning::Refused => {
                tracing::warn!(cause = %failure.cause, "nothing keeps others from writing meanwhile: stop them");
                self.link.command_unbounded("rollback").await?;
                Ok(self.link.command_unbounded(&begin).await?)
            }
            Err(failure) => Err(MoveError::new(format!(
                "the database is in use ({}): stop every server on it, and wait for every other move",
                failure.cause
            ))),
        }
    }

    /// Who came between the look for others and the locks has read already that this is the place.
    async fn refuse_newcomers(&self) -> Result<(), MoveError> {
        self.link.command_unbounded("select pg_stat_clear_snapshot()").await?;
        match self.one(OTHERS, &[]).await? {
            Some(1..) => Err(MoveError::new(
                "a server or a command began to use the database in this moment: stop it, and move again",
            )),
            _ => Ok(()),
        }
    }

    pub(in crate::store) async fn commit(self) -> Result<(), MoveError> {
        if self.end == End::Destination {
            // What finds the ways to rows should know of them from the first request on. It does without.
            let analyzed = self.link.command_unbounded("savepoint plans; analyze").await;
            let over = if analyzed.is_ok() { "release savepoint plans" } else { "rollback to savepoint plans" };
            self.link.command_unbounded(over).await?;
        }
        Ok(self.link.command_unbounded("commit").await?)
    }

    async fn rows(&self, text: &str, values: &[(Value<'_>, Kind)]) -> Result<Vec<tokio_postgres::Row>, Failure> {
        let typed = values.iter().map(|(value, kind)| (value as &(dyn ToSql + Sync), type_of(*kind)));
        Ok(self.link.client().query_typed(text, &typed.collect::<Vec<_>>()).await?)
    }

    async fn one(&self, text: &str, values: &[(Value<'_>, Kind)]) -> Result<Option<i64>, Failure> {
        let rows = self.rows(text, values).await?;
        Ok(rows.first().and_then(|row| if let Some(Value::Integer(found)) = row.cell(0) { Some(found) } else { None }))
    }

    pub(in crate::store) async fn number(&self, text: &str) -> Result<i64, MoveError> {
        let found = self.one(text, &[]).await?;
        found.ok_or_else(|| MoveError::new(format!("PostgreSQL answers no number: {text}")))
    }

    pub(in crate::store) async fn text(&self, text: &str, value: &str) -> Result<Option<String>, MoveError> {
        let rows = self.rows(text, &[(Value::Text(value), Kind::Text)]).await?;
        Ok(rows.first().and_then(|row| match row.cell(0) {
            Some(Value::Text(found)) => Some(found.to_owned()),
            _ => None,
        }))
    }

    /// All values are texts.
    pub(in crate::store) async fn execute(&self, text: &str, values: &[Value<'_>]) -> Result<(), MoveError> {
        let values: Vec<_> = values.iter().map(|value| (*value, Kind::Text)).collect();
        Ok(self.rows(text, &values).await.map(drop)?)
    }

    pub(in crate::store) async fn page(&self, table: &Table, last: Option<&Page>) -> Result<Page, MoveError> {
        let key = last.map(|last| last.last_key(table)).unwrap_or_default();
        let key: Vec<_> = key.into_iter().zip(table.kinds()).collect();
        let mut page = Page::of(table);
        for row in self.rows(&table.select(last.is_none(), TEXT_ORDER), &key).await? {
            page.take(table, &row)?;
        }
        Ok(page)
    }

    pub(in crate::store) async fn insert(&self, table: &Table, page: &Page) -> Result<(), MoveError> {
        refuse_nul(table, page)?;
        let copied = self.copy(table, page).await;
        copied.map_err(|failure| MoveError::new(format!("the table {}: {}", table.name, failure.cause)))
    }

    async fn copy(&self, table: &Table, page: &Page) -> Result<(), Failure> {
        let types: Vec<Type> = table.kinds().map(type_of).collect();
        let sink = self.link.client().copy_in(&table.copy()).await?;
        let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
        for row in page.rows() {
            writer.as_mut().write_raw(row).await?;
        }
        Ok(writer.finish().await.map(drop)?)
    }

    /// New events are numbered behind those that were copied.
    pub(in crate::store) async fn settle_identities(&self) -> Result<(), MoveError> {
        Ok(self.rows(SETTLE, &[]).await.map(drop)?)
    }
}

/// PostgreSQL keeps no text with a NUL character, and says neither where it is nor what it is.
fn refuse_nul(table: &Table, page: &Page) -> Result<(), MoveError> {
    for row in page.rows() {
        for (value, (column, _)) in row.zip(table.columns) {
            if matches!(value, Value::Text(text) if text.contains('\0')) {
                return Err(MoveError::new(format!(
                    "a text in the column {column} of the table {} holds a NUL character, which PostgreSQL does not \
                     keep: change that text first",
                    table.name
                )));
            }
        }
    }
    Ok(())
}
