//! HTTP/1.1 as the load generators speak it: a raw request, the head and the length of its answer.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The status of a GET on a connection of its own.
pub(crate) fn get(address: SocketAddr, path: &str) -> anyhow::Result<u16> {
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    read_status(&answer).context("no answer")
}

/// A POST with a JSON body.
pub(crate) fn post(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// One connection that is kept open.
pub(crate) struct Connection {
    stream: TcpStream,
    /// What was read and belongs to answers that were not asked for yet.
    unread: Vec<u8>,
}

/// An answer, as far as the figures need it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The server closes the connection after it.
    pub(crate) last: bool,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, unread: Vec::with_capacity(8 * 1024) })
    }

    /// Sends these bytes, which are one request or several.
    pub(crate) async fn send(&mut self, request: &[u8]) -> anyhow::Result<()> {
        Ok(self.stream.write_all(request).await?)
    }

    /// Reads the next answer whole.
    pub(crate) async fn receive(&mut self) -> anyhow::Result<Answer> {
        let head_end = loop {
            if let Some(at) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more().await?;
        };
        let head = &self.unread[..head_end];
        let status = read_status(head).context("what came is no HTTP answer")?;
        let last = header(head, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let length: usize = match header(head, "content-length") {
            Some(value) => value.parse()?,
            None => bail!("an answer without Content-Length cannot be measured"),
        };
        while self.unread.len() < head_end + length {
            self.read_more().await?;
        }
        self.unread.drain(..head_end + length);
        Ok(Answer { status, last })
    }

    async fn read_more(&mut self) -> anyhow::Result<()> {
        let count = self.stream.read_buf(&mut self.unread).await?;
        if count == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }

    /// One request and its answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.send(request).await?;
        self.receive().await
    }
}

fn read_status(head: &[u8]) -> Option<u16> {
    std::str::from_utf8(head.get(..12)?).ok()?.strip_prefix("HTTP/1.1 ")?.parse().ok()
}

fn header<'h>(head: &'h [u8], name: &str) -> Option<&'h str> {
    let head = std::str::from_utf8(head).ok()?;
    head.split("\r\n").find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
