//! Rows that are held by whoever works on what they stand for.

use super::Tx;
use super::sql::statements;
use crate::domain::error::{Error, Result};

/// Held by whoever decides about administrators: of two who take each other's power, the second sees
/// what the first did.
pub(crate) const ADMINISTRATORS: &str = "administrators";

statements! {
    HOLD: (String) -> () = "update counters set value = value + 1 where name = $1";
}

/// Keeps everybody else from holding the same until this transaction ends.
pub(crate) async fn hold(tx: &Tx<'_>, name: &str) -> Result<()> {
    match tx.execute(&HOLD, (name,)).await? {
        1 => Ok(()),
        _ => Err(Error::Internal(format!("the counter {name} is missing"))),
    }
}
