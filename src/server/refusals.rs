//! Gives a body to what is refused below the routes. What is no HTTP/1 never reaches a route: the
//! HTTP library answers it itself, with an empty body, and cannot be told otherwise; so its answer
//! is exchanged on its way to the client. Knows no route and no dialect.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::roster::Seat;
use crate::http::{headers, problem};

/// The header by which such an answer is told from those of the routes, which all have a body.
const EMPTY: &str = "content-length: 0\r\n";

/// What an empty answer of this status is exchanged for.
struct Refusal {
    status: u16,
    title: &'static str,
    detail: &'static str,
}

const REFUSALS: [Refusal; 3] = [
    Refusal {
        status: 400,
        title: "Bad request",
        detail: "This is no HTTP/1 request that can be read: mend its first line (method, path, version), its headers \
                 or its Content-Length; what a path or header may not hold must be percent-encoded.",
    },
    Refusal {
        status: 414,
        title: "URI too long",
        detail: "The address of this request is too long: send what it carries in the body.",
    },
    Refusal {
        status: 431,
        title: "Request header fields too large",
        detail: "The address and the headers of this request are too long or too many: at most 64 KiB and 100 headers \
                 are read. Send fewer or shorter ones, cookies among them.",
    },
];

/// The complete answer to send in place of these bytes, where they are an empty refusal. Of any
/// other bytes only the first few are looked at.
fn in_place_of(bytes: &[u8]) -> Option<Vec<u8>> {
    let rest = bytes.strip_prefix(b"HTTP/1.")?;
    let (b'0' | b'1', [b' ', status @ .., b' ']) = (*rest.first()?, rest.get(1..6)?) else { return None };
    let status: u16 = str::from_utf8(status).ok()?.parse().ok()?;
    let Refusal { title, detail, .. } = REFUSALS.iter().find(|refusal| refusal.status == status)?;
    // Nothing may follow the head.
    let head = str::from_utf8(bytes.strip_suffix(b"\r\n\r\n")?).ok()?;
    let (line, fields) = head.split_once("\r\n")?;
    let fields = format!("{fields}\r\n");
    if fields.contains("\r\n\r\n") || !fields.contains(EMPTY) {
        return None;
    }
    // The connection is closed in any case: that is said once.
    let fields = fields.replacen(EMPTY, "", 1).replacen("connection: close\r\n", "", 1);
    let body = problem::body(status, title, detail);
    let (media_type, length) = (problem::MEDIA_TYPE, body.len());
    let head = format!("{line}\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\nconnection: close\r\n");
    Some([head.as_bytes(), &headers::lines(), fields.as_bytes(), b"\r\n", &body].concat())
}

/// A connection on which empty refusals are exchanged for whole ones, and whose client has its time
/// anew with each answer that it takes.
pub(super) struct Refusing<T> {
    stream: T,
    seat: Arc<Seat>,
    /// What was put in the place of an empty refusal and is still to be sent.
    unsent: Vec<u8>,
}

impl<T> Refusing<T> {
    pub(super) fn new(stream: T, seat: Arc<Seat>) -> Self {
        Self { stream, seat, unsent: Vec::new() }
    }

    /// Takes an empty refusal, whole: what is sent for it is sent by the flush that follows.
    fn take(&mut self, bytes: &[u8]) -> Option<usize> {
        self.unsent = in_place_of(bytes)?;
        Some(bytes.len())
    }
}

impl<T: AsyncWrite + Unpin> Refusing<T> {
    /// Sends what was put in the place of a refusal, before anything else.
    fn poll_unsent(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(context, &self.unsent))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unsent.drain(..count);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Refusing<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Refusing<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_unsent(context))?;
        if let Some(count) = self.take(bytes) {
            return Poll::Ready(Ok(count));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        self.seat.touch_by_write();
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_unsent(context))?;
        // A head is written in one piece; one that is followed by anything is not empty.
        let mut pieces = slices.iter().filter(|slice| !slice.is_empty());
        if let (Some(only), None) = (pieces.next(), pieces.next())
            && let Some(count) = self.take(only)
        {
            return Poll::Ready(Ok(count));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices));
        self.seat.touch_by_write();
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_unsent(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_unsent(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tokio::io::AsyncWriteExt as _;

    use super::*;
    use crate::server::roster::Roster;

    const REFUSED: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: today\r\n\r\n";

    /// Takes one byte at a time, and is not ready for the next until asked again.
    #[derive(Default)]
    struct Narrow {
        taken: Vec<u8>,
        busy: bool,
        shut: bool,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.busy = !self.busy;
            if self.busy {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.taken.extend(bytes.first());
            Poll::Ready(Ok(bytes.len().min(1)))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.shut = true;
            Poll::Ready(Ok(()))
        }
    }

    /// Head and body of the one answer in these bytes.
    fn parts(bytes: &[u8]) -> (&str, Value) {
        let (head, body) = str::from_utf8(bytes).unwrap().split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())), "{head}");
        (head, serde_json::from_str(body).unwrap())
    }

    #[test]
    fn every_refusal_becomes_a_problem_and_keeps_its_own_line_and_date() {
        for (line, status) in [
            ("HTTP/1.1 400 Bad Request", 400),
            ("HTTP/1.0 400 Bad Request", 400),
            ("HTTP/1.1 414 URI Too Long", 414),
            ("HTTP/1.1 431 Request Header Fields Too Large", 431),
        ] {
            let bytes = in_place_of(format!("{line}\r\ncontent-length: 0\r\ndate: today\r\n\r\n").as_bytes()).unwrap();
            let (head, body) = parts(&bytes);
            assert!(head.starts_with(&format!("{line}\r\n")) && head.ends_with("\r\ndate: today"), "{head}");
            assert!(head.contains("\r\ncontent-type: application/problem+json\r\n"), "{head}");
            assert!(head.contains("\r\ncache-control: no-store\r\n"), "{head}");
            assert_eq!((&body["type"], &body["status"]), (&"about:blank".into(), &status.into()));
            assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{body}");
        }
    }

    #[test]
    fn that_the_connection_is_closed_is_said_once() {
        let bytes = in_place_of(REFUSED).unwrap();
        assert_eq!(parts(&bytes).0.matches("connection: close").count(), 1);
    }

    #[test]
    fn any_other_bytes_are_left_alone() {
        for bytes in [
            "",
            "HTTP/1.",
            "HTTP/1.1 400",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 27\r\n\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n",
            "HTTP/2.0 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
            "{\"line\":\"HTTP/1.1 400 Bad Request\"}",
        ] {
            assert_eq!(in_place_of(bytes.as_bytes()), None, "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn a_refusal_is_whole_also_on_a_stream_that_takes_one_byte_at_a_time() {
        let mut stream = Refusing::new(Narrow::default(), Roster::lone_seat());
        assert_eq!(stream.write(REFUSED).await.unwrap(), REFUSED.len());
        stream.flush().await.unwrap();
        assert_eq!(parts(&stream.stream.taken).1["status"], 400);
    }

    #[tokio::test]
    async fn a_refusal_in_slices_is_sent_before_the_stream_is_shut() {
        let mut stream = Refusing::new(Narrow::default(), Roster::lone_seat());
        let slices = [IoSlice::new(b""), IoSlice::new(REFUSED), IoSlice::new(b"")];
        assert_eq!(stream.write_vectored(&slices).await.unwrap(), REFUSED.len());
        stream.shutdown().await.unwrap();
        assert_eq!(parts(&stream.stream.taken).1["status"], 400);
        assert!(stream.stream.shut);
    }

    #[tokio::test]
    async fn what_is_written_after_a_refusal_follows_it() {
        let mut stream = Refusing::new(Narrow::default(), Roster::lone_seat());
        stream.write_all(REFUSED).await.unwrap();
        stream.write_all(b"end").await.unwrap();
        assert_eq!(stream.stream.taken, [&in_place_of(REFUSED).unwrap(), b"end".as_slice()].concat());
    }

    #[tokio::test]
    async fn an_ordinary_answer_passes_as_it_is() {
        let answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}";
        let mut stream = Refusing::new(Narrow::default(), Roster::lone_seat());
        stream.write_all(answer).await.unwrap();
        assert_eq!(stream.stream.taken, answer);
    }

    #[tokio::test]
    async fn vectored_writes_stay_vectored() {
        let mut stream = Refusing::new(Vec::new(), Roster::lone_seat());
        assert!(stream.is_write_vectored());
        let slices = [IoSlice::new(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n"), IoSlice::new(b"{}")];
        let length: usize = slices.iter().map(|slice| slice.len()).sum();
        assert_eq!(stream.write_vectored(&slices).await.unwrap(), length);
        assert!(stream.stream.ends_with(b"{}"));
    }
}
