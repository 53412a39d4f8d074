//! The server's life: open, bind, serve, drain, end.

mod announce;
mod connection;
mod files;
mod front;
mod listen;
mod refusals;
mod roster;
mod routes;
mod tls;
mod workers;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::actions::{audit, delivery, errands, failures, first_admin, housekeeping, keys};
use crate::app::{App, Presence};
use crate::clock::Clock;
use crate::config::Settings;
use crate::http::mount::Route;
use crate::telemetry;

/// How long between two sweeps of what is over, and between two batches of one.
const SWEEP_PERIOD: Duration = Duration::from_mins(1);
const SWEEP_PAUSE: Duration = Duration::from_millis(200);

/// How `serve` starts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start {
    /// Go on with new keys where the database's own are lost.
    pub new_keys: bool,
}

/// Runs the server until it is told to stop (SIGTERM, SIGINT), and answers what is in flight.
///
/// # Errors
///
/// A sentence that says why it cannot start and how to mend it.
pub async fn run(settings: Settings, start: Start) -> anyhow::Result<()> {
    telemetry::log_panics();
    files::raise_limit();
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be listened for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be listened for")?;
    // At a limit on the size of files this would end the process; where it is handled, the write
    // fails as on a full disk.
    let _file_size = signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).context("SIGXFSZ cannot be listened for")?;
    let server = Running::start(settings, start, Clock::System).await?;
    announce::listening(server.app(), server.address())?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: answering what is in flight"),
        _ = interrupt.recv() => tracing::info!("SIGINT: answering what is in flight"),
    }
    tokio::select! {
        ended = server.stop() => ended,
        _ = terminate.recv() => Err(anyhow!("a second SIGTERM: not all that was in flight was answered")),
        _ = interrupt.recv() => Err(anyhow!("a second SIGINT: not all that was in flight was answered")),
    }
}

/// A server that listens.
pub struct Running {
    app: App,
    address: SocketAddr,
    listening: listen::Listening,
    stop: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
}

impl Running {
    /// Binds, opens the data directory, makes the first administrator, and serves.
    ///
    /// # Errors
    ///
    /// A sentence that says why it cannot start and how to mend it.
    pub async fn start(mut settings: Settings, start: Start, clock: Clock) -> anyhow::Result<Self> {
        let socket = listen::bind(settings.listen)?;
        let address = socket.local_addr().context("the address cannot be read")?;
        // Port 0 is a port by now: links and tokens name the real one.
        settings.listen = address;
        let public_url = settings.effective_public_url();
        let presence = if start.new_keys { Presence::MadeWithNewKeys } else { Presence::Made };
        let (app, errands) = App::open(settings, public_url, clock, presence).await?;
        let first = first_admin::ensure(&app).await.map_err(announce::explain)?;
        // Before the first request: who sees the server answer finds the secrets where they are kept.
        announce::first_admin(&app, first)?;
        let (stop, stopped) = watch::channel(false);
        let listening = listen::serve(socket, &app, stopped.clone()).await?;
        let workers = vec![
            tokio::spawn(errands::run(app.clone(), errands, stopped.clone())),
            tokio::spawn(keys::follow(app.clone(), stopped.clone())),
            tokio::spawn(failures::share(app.clone(), stopped.clone())),
            tokio::spawn(audit::keep(app.clone(), stopped.clone())),
            tokio::spawn(delivery::deliver(app.clone(), stopped.clone())),
            tokio::spawn(keep_house(app.clone(), stopped)),
        ];
        Ok(Self { app, address, listening, stop, workers })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it runs.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Every route that it serves.
    #[must_use]
    pub fn routes(&self) -> Vec<Route> {
        routes::list(&self.app)
    }

    /// Takes no more connections, answers what is in flight, and ends.
    ///
    /// # Errors
    ///
    /// That the listener had failed.
    pub async fn stop(self) -> anyhow::Result<()> {
        let ended = self.listening.drain(self.app.settings().http.shutdown_grace).await;
        self.stop.send_replace(true);
        for worker in self.workers {
            worker.await.context("a worker failed")?;
        }
        // What the others did last is part of it.
        audit::finish(&self.app).await;
        ended
    }
}

/// Sweeps now and then until told to stop.
async fn keep_house(app: App, mut stop: watch::Receiver<bool>) {
    let mut pause = SWEEP_PERIOD;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        pause = match housekeeping::sweep(&app).await {
            Ok(true) => SWEEP_PAUSE,
            Ok(false) => SWEEP_PERIOD,
            Err(error) => {
                tracing::warn!(%error, "what is over could not be swept away");
                SWEEP_PERIOD
            }
        };
    }
}
