//! Lets a client finish its body after the answer: the rest is read and thrown away. A connection
//! that closes on unread bytes is reset, and then many clients never see why they were refused.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::EXPECT;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Frame, SizeHint};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::body::BodyLimits;

/// How much more than the longest body is thrown away before the connection is closed after all.
const EXCESS: usize = 4 * 1024 * 1024;

/// The request with a body that lingers, if it has one. Who asks before sending (`Expect`) is not
/// waited for: told no, that client sends nothing.
#[must_use]
pub fn linger(request: Request, limits: BodyLimits) -> Request {
    if request.body().is_end_stream() || request.headers().contains_key(EXPECT) {
        return request;
    }
    let (bytes, until) = (limits.bytes.saturating_add(EXCESS), Instant::now() + limits.timeout);
    request.map(|inner| Body::new(Lingering { inner, bytes, until }))
}

/// A body that is read to its end even when nobody wants it any more.
struct Lingering {
    inner: Body,
    bytes: usize,
    until: Instant,
}

impl HttpBody for Lingering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => self.bytes = self.bytes.saturating_sub(frame.data_ref().map_or(0, Bytes::len)),
            // Nothing comes any more.
            Some(Err(_)) | None => self.bytes = 0,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        if self.bytes == 0 || self.inner.is_end_stream() || self.until <= Instant::now() {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(throw_away(std::mem::take(&mut self.inner), self.bytes, self.until));
        }
    }
}

async fn throw_away(body: Body, bytes: usize, until: Instant) {
    let mut rest = Limited::new(body, bytes);
    let reading = async { while let Some(Ok(_)) = rest.frame().await {} };
    // Out of time is as good as done: what is left is closed upon.
    let _ = tokio::time::timeout_at(until, reading).await;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;

    /// What a sender gives, until it is gone.
    struct Sent(mpsc::Receiver<usize>);

    impl HttpBody for Sent {
        type Data = Bytes;
        type Error = axum::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
            self.0.poll_recv(context).map(|size| size.map(|size| Ok(Frame::data(Bytes::from(vec![0; size])))))
        }
    }

    const LIMITS: BodyLimits = BodyLimits { bytes: 1, timeout: Duration::from_millis(200) };

    fn sent_to(expect: bool) -> (mpsc::Sender<usize>, Request) {
        sent_within(LIMITS, expect)
    }

    fn sent_within(limits: BodyLimits, expect: bool) -> (mpsc::Sender<usize>, Request) {
        let (sender, receiver) = mpsc::channel(1);
        let mut request = Request::new(Body::new(Sent(receiver)));
        if expect {
            request.headers_mut().insert(EXPECT, axum::http::HeaderValue::from_static("100-continue"));
        }
        (sender, linger(request, limits))
    }

    #[tokio::test]
    async fn what_nobody_reads_is_taken_from_its_sender_until_it_is_too_much() {
        // So long that only the size can end it.
        let (sender, request) = sent_within(BodyLimits { timeout: Duration::from_mins(1), ..LIMITS }, false);
        drop(request);
        for _ in 0..EXCESS / 65_536 {
            sender.send(65_536).await.unwrap();
        }
        for _ in 0..2 {
            let _ = sender.send(65_536).await;
        }
        tokio::time::timeout(Duration::from_secs(20), sender.closed()).await.unwrap();
    }

    #[tokio::test]
    async fn a_slow_sender_is_left_when_the_time_is_over() {
        let (sender, request) = sent_to(false);
        drop(request);
        sender.send(1).await.unwrap();
        let waited = tokio::time::timeout(Duration::from_secs(5), sender.closed()).await;
        assert!(waited.is_ok());
        let (sender, request) = sent_to(false);
        tokio::time::sleep(LIMITS.timeout).await;
        drop(request);
        assert!(sender.is_closed(), "the time begins with the request");
    }

    #[tokio::test]
    async fn who_asks_before_sending_is_not_waited_for() {
        let (sender, request) = sent_to(true);
        drop(request);
        assert!(sender.is_closed());
    }
}
