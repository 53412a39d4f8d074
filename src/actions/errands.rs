//! What is done after its answer, one after the other.

use tokio::sync::watch;

use super::{email_change, recovery};
use crate::app::{App, Errand, Errands};

/// Runs errands until told to stop and all that wait are done.
pub async fn run(app: App, mut errands: Errands, mut stop: watch::Receiver<bool>) {
    let mut closing = false;
    loop {
        let errand = tokio::select! {
            errand = errands.next() => errand,
            () = told(&mut stop), if !closing => {
                errands.close();
                closing = true;
                continue;
            }
        };
        match errand {
            Some(Errand::PasswordReset(email, origin)) => recovery::mail(&app, email, &origin).await,
            Some(Errand::EmailChange(wish)) => email_change::mail(&app, *wish).await,
            None => return,
        }
    }
}

async fn told(stop: &mut watch::Receiver<bool>) {
    // An error means that nobody is left to tell: as good as being told.
    let _ = stop.wait_for(|stop| *stop).await.is_ok();
}
