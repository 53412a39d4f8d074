//! Hands mails over to the mail server: several at a time, each claimed before, so that of several servers on one
//! database one sends it; again and again, ever more seldom, until the server takes it or it is over. No request waits.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::app::App;
use crate::clock::Timestamp;
use crate::domain::error::Result;
use crate::mail::smtp::Undelivered;
use crate::mail::unpacked;
use crate::secret::unique;
use crate::store::{self, ClaimedMail, Tx};

/// How many mails are handed over at once.
const LANES: usize = 4;
/// How often to look for what others left: other servers, the command line, whoever ended in the middle.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Where another was faster, there may be more.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How much longer than the longest attempt nobody else touches a mail.
const MARGIN: Duration = Duration::from_secs(5);
/// How long what is being handed over may take once the server stops: it waits in the database, and is sent later.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// The first pause after a failure, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// Sends mails until told to stop.
pub async fn deliver(app: App, mut stop: watch::Receiver<bool>) {
    if app.mailer().smtp().is_none() {
        return;
    }
    let mut sending = JoinSet::new();
    let mut is_failing = false;
    loop {
        let pause = match begin(&app, &mut sending).await {
            Ok(pause) => {
                is_failing = false;
                pause
            }
            Err(error) => {
                if !is_failing {
                    tracing::warn!(%error, "mails that wait cannot be read");
                }
                is_failing = true;
                LOOK_EVERY
            }
        };
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            () = app.mailer().woken(), if sending.len() < LANES => {}
            Some(_) = sending.join_next() => {}
            () = sleep(pause) => {}
        }
    }
    // Whatever is not done by then has not been taken, or is sent once more.
    let _ = timeout(STOP_GRACE, async { while sending.join_next().await.is_some() {} }).await;
    if let Some(smtp) = app.mailer().smtp() {
        smtp.hang_up().await;
    }
}

/// Begins to send what is due, as far as there is room; how long until there may be more.
async fn begin(app: &App, sending: &mut JoinSet<()>) -> Result<Duration> {
    let Some(smtp) = app.mailer().smtp() else { return Ok(LOOK_EVERY) };
    while sending.len() < LANES {
        let now = app.now();
        match store::mails::next(&app.store().reads()).await? {
            Some(next) if next.due_at <= now && next.expires_at <= now => {
                park(app, now).await?;
                continue;
            }
            Some(next) if next.due_at <= now => {}
            later => {
                if sending.is_empty() {
                    smtp.tidy().await;
                }
                return Ok(later.map_or(LOOK_EVERY, |next| next.due_at.since(now).min(LOOK_EVERY)));
            }
        }
        let until = now.plus(smtp.longest() + MARGIN);
        let claimed = app.store().write(async move |tx: &Tx<'_>| store::mails::claim(tx, now, until).await).await?;
        let Some(mail) = claimed else { return Ok(LOOK_AGAIN) };
        sending.spawn(send(app.clone(), mail));
    }
    Ok(LOOK_EVERY)
}

/// Gives up what is over: it stays until it is swept, because a clock that was set would have it lost.
async fn park(app: &App, now: Timestamp) -> Result<()> {
    let parked = app.store().write(async move |tx: &Tx<'_>| store::mails::park(tx, now).await).await?;
    if parked > 0 {
        let given_up = app.mailer().give_up(parked);
        tracing::error!(mails = parked, failure = "over", given_up, "mails were given up");
    }
    Ok(())
}

/// Tries once, and writes down what became of it.
async fn send(app: App, mail: ClaimedMail) {
    let (id, attempt) = (mail.id, mail.attempts);
    let settled = match hand_over(&app, &mail).await {
        Ok(()) => {
            tracing::info!(mail = %id, attempt, "mail sent");
            forget(&app, &mail).await
        }
        Err(why) if why.is_final => {
            give_up(&app, &mail, &why.word);
            forget(&app, &mail).await
        }
        Err(why) => postpone(&app, &mail, &why.word).await,
    };
    if let Err(error) = settled {
        tracing::error!(mail = %id, attempt, %error, "what became of a mail cannot be kept: it may be sent again");
    }
}

/// Why a mail was not sent, in words that name nobody.
struct Failure {
    word: String,
    is_final: bool,
}

impl From<Undelivered> for Failure {
    fn from(why: Undelivered) -> Self {
        Self { word: why.word(), is_final: why.is_final() }
    }
}

async fn hand_over(app: &App, mail: &ClaimedMail) -> Result<(), Failure> {
    // Sealed under keys that are gone: nobody will ever read it.
    let lost = || Failure { word: "sealed under other keys".to_owned(), is_final: true };
    let packed = app.keyring().open(&mail.sealed, mail.id.as_bytes()).ok_or_else(lost)?;
    let (to, message) = unpacked(&packed).ok_or_else(lost)?;
    let Some(smtp) = app.mailer().smtp() else {
        return Err(Failure { word: "no mail server".to_owned(), is_final: false });
    };
    smtp.send(to, message).await?;
    Ok(())
}

async fn forget(app: &App, mail: &ClaimedMail) -> Result<()> {
    let id = mail.id;
    app.store().write(async move |tx: &Tx<'_>| store::mails::delete(tx, id).await).await
}

async fn postpone(app: &App, mail: &ClaimedMail, word: &str) -> Result<()> {
    let (id, attempt) = (mail.id, mail.attempts);
    let due = app.now().plus(pause(attempt, u16::from_ne_bytes(unique())));
    let due = if due < mail.expires_at {
        tracing::warn!(mail = %id, attempt, failure = word, next_try = %due.rfc3339(), "a mail could not be sent");
        due
    } else {
        // It stays until it is swept, for an operator who mends the server before.
        give_up(app, mail, word);
        store::mails::NEVER
    };
    let word = word.to_owned();
    app.store().write(async move |tx: &Tx<'_>| store::mails::postpone(tx, id, attempt, due, &word).await).await
}

fn give_up(app: &App, mail: &ClaimedMail, word: &str) {
    let given_up = app.mailer().give_up(1);
    tracing::error!(mail = %mail.id, attempt = mail.attempts, failure = word, given_up, "a mail was given up");
}

/// How long after the attempt of this number the next one comes: twice as long each time, a fifth more or less, so
/// that what failed together does not come back together.
fn pause(attempt: i64, chance: u16) -> Duration {
    let doublings = attempt.clamp(1, 16) - 1;
    let whole = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    whole.mul_f64(0.8 + 0.4 * f64::from(chance) / f64::from(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour_and_differ_by_a_fifth() {
        // A little less than the middle.
        let middle = |attempt| pause(attempt, u16::MAX / 2).as_secs() + 1;
        let pauses: Vec<_> = (1..=9).map(middle).collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 900, 900]);
        assert_eq!(middle(i64::MAX), 900);
        assert_eq!((pause(1, 0), pause(1, u16::MAX)), (Duration::from_secs(8), Duration::from_secs(12)));
        assert_eq!(pause(0, 0), Duration::from_secs(8));
    }
}
