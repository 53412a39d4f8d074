//! One keep-alive connection of a client that counts on an answer: whatever else happens is told
//! as what is wrong.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Who has no answer by now was not answered.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

/// A complete answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// In seconds.
    pub(super) retry_after: Option<u64>,
    pub(super) body: Value,
}

impl Connection {
    /// From one of this machine's own addresses.
    pub(super) async fn open(from: Ipv4Addr, server: SocketAddr) -> Result<Self, String> {
        let open = async {
            let socket = TcpSocket::new_v4()?;
            socket.bind((from, 0).into())?;
            let stream = socket.connect(server).await?;
            stream.set_nodelay(true)?;
            Ok(Self { stream, read: Vec::new() })
        };
        open.await.map_err(|error: std::io::Error| format!("no connection: {error}"))
    }

    /// Sends a request and reads its answer, whose body must be JSON.
    pub(super) async fn ask(&mut self, request: &str) -> Result<Reply, String> {
        match timeout(PATIENCE, self.exchange(request)).await {
            Ok(reply) => reply,
            Err(_) => Err(format!("no answer within {PATIENCE:?}")),
        }
    }

    async fn exchange(&mut self, request: &str) -> Result<Reply, String> {
        self.stream.write_all(request.as_bytes()).await.map_err(|error| format!("not sent: {error}"))?;
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            self.fill().await?;
        };
        let head = String::from_utf8(self.read.drain(..end).collect()).map_err(|error| error.to_string())?;
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.ok_or_else(|| format!("no status in {head}"))?;
        let length = number(&head, "content-length").ok_or_else(|| format!("no length in {head}"))?;
        while self.read.len() < length {
            self.fill().await?;
        }
        let body = serde_json::from_slice(&self.read).map_err(|error| format!("{error} after {head}"))?;
        self.read.clear();
        Ok(Reply { status, retry_after: number(&head, "retry-after"), body })
    }

    async fn fill(&mut self) -> Result<(), String> {
        match self.stream.read_buf(&mut self.read).await {
            Ok(0) => Err(format!("closed after {:?}", String::from_utf8_lossy(&self.read))),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("cut off: {error}")),
        }
    }
}

/// The value of a header that holds a number.
fn number<T: std::str::FromStr>(head: &str, name: &str) -> Option<T> {
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    fields.find(|(found, _)| found.eq_ignore_ascii_case(name))?.1.parse().ok()
}

/// A request with a JSON body; `headers` are whole lines.
pub(super) fn post(path: &str, headers: &str, body: &Value) -> String {
    let body = body.to_string();
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: storm.test\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}
