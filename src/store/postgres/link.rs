//! One connection, with the statements that were prepared on it. Everything that is awaited here has
//! an end: a connection that does not answer is given up.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row, Statement as Prepared};

use super::connect::{Connector, within};
use super::failure::{Failure, Meaning};
use super::value::type_of;
use crate::store::sql::{Kind, Parameters, Statement, Value};

/// How much longer than a statement may take its answer is waited for: the server, which cancels it,
/// comes first.
const MARGIN: Duration = Duration::from_secs(1);

/// What a look-up does to the row that it finds, until its transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::store) enum Lock {
    /// Nothing.
    None,
    /// Nobody else may change it.
    Share,
    /// Nobody else may change it, nor hold it.
    Update,
}

/// A statement and what goes into it, without its types.
#[derive(Clone, Copy)]
pub(super) struct Bound<'b> {
    pub(super) text: &'static str,
    pub(super) lock: Lock,
    pub(super) kinds: &'static [Kind],
    pub(super) values: &'b [Value<'b>],
}

impl<'b> Bound<'b> {
    pub(super) const fn of<P: Parameters, R>(statement: &Statement<P, R>, values: &'b [Value<'b>], lock: Lock) -> Self {
        Self { text: statement.text, lock, kinds: P::KINDS, values }
    }
}

/// One connection.
pub(super) struct Link {
    client: Client,
    driver: AbortHandle,
    statements: Mutex<HashMap<(&'static str, Lock), Prepared>>,
    is_broken: AtomicBool,
    patience: Duration,
    /// Told when it ends, and when something is heard on it.
    noticed: Arc<Notify>,
}

impl Drop for Link {
    fn drop(&mut self) {
        if self.is_broken.load(Ordering::Acquire) {
            // Who does not answer will not hear a good-bye either.
            self.driver.abort();
        }
    }
}

impl Link {
    /// A new connection, driven by the runtime of this thread.
    pub(super) async fn open(connector: &Connector) -> Result<Self, Failure> {
        let noticed = Arc::new(Notify::new());
        let (client, driver) = connector.connect(&noticed).await?;
        let told = Arc::clone(&noticed);
        let driver = tokio::spawn(async move {
            driver.await;
            told.notify_one();
        });
        let statement_timeout = connector.target().statement_timeout;
        let link = Self {
            client,
            driver: driver.abort_handle(),
            statements: Mutex::default(),
            is_broken: AtomicBool::new(false),
            patience: statement_timeout + MARGIN,
            noticed,
        };
        link.set_up(statement_timeout).await?;
        Ok(link)
    }

    async fn set_up(&self, statement_timeout: Duration) -> Result<(), Failure> {
        let millis = statement_timeout.as_millis();
        self.command(&format!(
            "set statement_timeout = '{millis}ms'; set idle_in_transaction_session_timeout = '{millis}ms'"
        ))
        .await?;
        // An engine that lacks one of these does without.
        for setting in ["set plan_cache_mode = force_generic_plan", "set jit = off"] {
            match self.command(setting).await {
                Err(failure) if failure.meaning == Meaning::Lost => return Err(failure),
                _ => {}
            }
        }
        Ok(())
    }

    /// Has the server give up what it does not answer, and waits a little for it to do so. A commit that
    /// waits for a standby would go on waiting for ever, with all that it holds.
    pub(super) async fn give_up(&self, connector: &Connector) {
        if !self.client.is_closed() && connector.cancel(&self.client.cancel_token()).await.is_ok() {
            // What is sent behind it is answered once the server is done with it.
            let _ = within(MARGIN, self.client.batch_execute("rollback")).await;
        }
    }

    /// Whether it can be used.
    pub(super) fn is_open(&self) -> bool {
        !self.client.is_closed() && !self.is_broken.load(Ordering::Acquire)
    }

    /// Waits until something is heard on it, or it ends.
    pub(super) async fn notice(&self) {
        self.noticed.notified().await;
    }

    /// The connection itself, for what a move does on it.
    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Runs commands without values, which give nothing.
    pub(super) async fn command(&self, text: &str) -> Result<(), Failure> {
        self.patiently(self.client.batch_execute(text)).await
    }

    /// Like [`Link::command`], without an end to how long it takes.
    pub(super) async fn command_unbounded(&self, text: &str) -> Result<(), Failure> {
        Ok(self.client.batch_execute(text).await?)
    }

    /// The rows of a statement.
    pub(super) async fn rows(&self, bound: Bound<'_>) -> Result<Vec<Row>, Failure> {
        let statement = self.prepared(bound).await?;
        self.patiently(async { self.client.query_raw(&statement, bound.values.iter()).await?.try_collect().await })
            .await
    }

    /// How many rows a statement changed.
    pub(super) async fn execute(&self, bound: Bound<'_>) -> Result<u64, Failure> {
        let statement = self.prepared(bound).await?;
        self.patiently(self.client.execute_raw(&statement, bound.values.iter())).await
    }

    /// The statement as this connection knows it.
    pub(super) async fn prepared(&self, bound: Bound<'_>) -> Result<Prepared, Failure> {
        let key = (bound.text, bound.lock);
        if let Some(known) = self.statements.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let types: Vec<Type> = bound.kinds.iter().map(|kind| type_of(*kind)).collect();
        let text = locking(bound.text, bound.lock);
        let statement = self.patiently(self.client.prepare_typed(&text, &types)).await?;
        self.statements.lock().unwrap_or_else(PoisonError::into_inner).insert(key, statement.clone());
        Ok(statement)
    }

    async fn patiently<T>(&self, work: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Failure> {
        let done = within(self.patience, work).await;
        if matches!(&done, Err(failure) if failure.meaning == Meaning::Lost) {
            self.is_broken.store(true, Ordering::Release);
            self.noticed.notify_one();
        }
        done
    }
}

/// A look-up that holds the row of the table that it selects from, but not those that it joins.
pub(in crate::store) fn locking(text: &str, lock: Lock) -> String {
    let strength = match lock {
        Lock::None => return text.to_owned(),
        Lock::Share => "share",
        Lock::Update => "update",
    };
    let mut words = text.split_whitespace().skip_while(|word| *word != "from").skip(1);
    match words.next().filter(|_| text.starts_with("select")) {
        Some(table) => format!("{text} for {strength} of {table}"),
        // What changes rows holds them anyway.
        None => text.to_owned(),
    }
}
