//! A client without manners: it writes any bytes to a socket and reads what comes back.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::Server;

/// How long anything may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(10);

/// One connection in clear.
pub(crate) struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

/// An answer of HTTP/1.1, taken apart.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The body, which must be JSON and say so.
    pub(crate) fn json(&self) -> Value {
        let kind = self.header("content-type").unwrap_or_default();
        assert!(matches!(kind, "application/json" | "application/problem+json"), "{self:?}");
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Wire {
    pub(crate) async fn to(server: &Server) -> Self {
        let address = server.base.split_once("://").unwrap().1;
        Self { stream: TcpStream::connect(address).await.unwrap(), read: Vec::new() }
    }

    /// Writes; a server that has closed already is none of the writer's business.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// The next answer to a request that was not HEAD; none where the server has closed.
    pub(crate) async fn reply(&mut self) -> Option<Reply> {
        let mut reply = self.head().await?;
        let length: usize = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.read.len() < length {
            assert!(self.fill().await, "the body of {reply:?} is cut off");
        }
        reply.body = String::from_utf8(self.read.drain(..length).collect()).unwrap();
        Some(reply)
    }

    /// The next answer up to its body.
    pub(crate) async fn head(&mut self) -> Option<Reply> {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.fill().await {
                assert!(self.read.is_empty(), "cut off: {:?}", String::from_utf8_lossy(&self.read));
                return None;
            }
        };
        let head = String::from_utf8(self.read.drain(..end).collect()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        Some(Reply { status, headers, body: String::new() })
    }

    /// Whether the server has answered, or closed, by now.
    pub(crate) async fn has_reply(&mut self) -> bool {
        !self.read.is_empty() || timeout(Duration::ZERO, self.stream.readable()).await.is_ok()
    }

    /// Whether the server says nothing more and closes.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.read.is_empty() && !self.fill().await
    }

    /// Reads whatever comes until the server closes.
    pub(crate) async fn drain(&mut self) {
        while self.fill().await {}
    }

    async fn fill(&mut self) -> bool {
        let mut bytes = [0; 4_096];
        // A connection that was reset is a closed one.
        let count = timeout(PATIENCE, self.stream.read(&mut bytes)).await.expect("the server answers or closes");
        let count = count.unwrap_or(0);
        self.read.extend_from_slice(&bytes[..count]);
        count > 0
    }
}

/// One request on a connection of its own; none where the server closes without a word.
pub(crate) async fn ask(server: &Server, request: impl AsRef<[u8]>) -> Option<Reply> {
    let mut wire = Wire::to(server).await;
    wire.send(request).await;
    wire.reply().await
}

/// The bytes of a JSON request.
pub(crate) fn post(path: &str, body: &str) -> Vec<u8> {
    let head = "Host: test\r\nContent-Type: application/json\r\nContent-Length";
    format!("POST {path} HTTP/1.1\r\n{head}: {}\r\n\r\n{body}", body.len()).into_bytes()
}
