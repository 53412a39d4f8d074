//! A way to the database that can go dead: what is sent on it is taken and comes nowhere, and nobody
//! is told.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(super) struct Proxy {
    port: u16,
    is_dead: Arc<watch::Sender<bool>>,
    accepting: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Proxy {
    /// A way to this port of the same machine.
    pub(super) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let is_dead = Arc::new(watch::Sender::new(false));
        let own = listener.local_addr().unwrap().port();
        let accepting = tokio::spawn({
            let is_dead = Arc::clone(&is_dead);
            async move {
                while let Ok((near, _)) = listener.accept().await {
                    tokio::spawn(connect(near, port, is_dead.subscribe()));
                }
            }
        });
        Self { port: own, is_dead, accepting }
    }

    /// The URL by way of this proxy.
    pub(super) fn url(&self, url: &str, port: u16) -> String {
        url.replace(&format!(":{port}/"), &format!(":{}/", self.port))
    }

    /// Lets nothing through any more, in no direction, on connections old and new.
    pub(super) fn go_dead(&self) {
        self.is_dead.send_replace(true);
    }

    /// Lets everything through again. What was lost stays lost.
    pub(super) fn recover(&self) {
        self.is_dead.send_replace(false);
    }
}

async fn connect(near: TcpStream, port: u16, is_dead: watch::Receiver<bool>) {
    let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let (near, far) = (near.into_split(), far.into_split());
    let there = tokio::spawn(pass(near.0, far.1, is_dead.clone()));
    let back = tokio::spawn(pass(far.0, near.1, is_dead));
    let _ = tokio::join!(there, back);
}

async fn pass(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, is_dead: watch::Receiver<bool>) {
    let mut buffer = vec![0; 16 << 10];
    let mut has_lost = false;
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        // After a gap, what follows means nothing to the other side.
        has_lost |= *is_dead.borrow();
        if !has_lost && to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
