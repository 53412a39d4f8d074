//! Reads a request body whole, within a size and a time. Knows nothing of what is in it.

use std::ops::Deref;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use zeroize::Zeroize as _;

use crate::app::App;

/// How large a body may be, and how long it may take to arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// The largest size in bytes.
    pub bytes: usize,
    /// The longest time from the first wait to the last byte.
    pub timeout: Duration,
}

impl BodyLimits {
    /// What the settings say.
    #[must_use]
    pub fn of(app: &App) -> Self {
        let http = &app.settings().http;
        Self { bytes: http.body_limit, timeout: http.body_timeout }
    }
}

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// Longer, or announced to be longer, than is taken.
    #[error("the body is too large")]
    TooLarge,
    /// Did not arrive in time.
    #[error("the body did not arrive in time")]
    TimedOut,
    /// The connection ended, or its framing was wrong.
    #[error("the body is broken off")]
    Broken,
}

impl BodyFault {
    /// The status that says so.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TimedOut => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }
}

/// A body in memory, overwritten when dropped as far as nothing else shares its memory.
pub struct WholeBody(Bytes);

impl Deref for WholeBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for WholeBody {
    fn drop(&mut self) {
        if let Ok(mut bytes) = std::mem::take(&mut self.0).try_into_mut() {
            bytes.as_mut().zeroize();
        }
    }
}

/// Reads `body` to its end. What announces a larger size is refused before a byte is read.
///
/// # Errors
///
/// The limit that it broke, or that it broke off.
pub async fn read(body: Body, limits: BodyLimits) -> Result<WholeBody, BodyFault> {
    if body.size_hint().lower() > u64::try_from(limits.bytes).unwrap_or(u64::MAX) {
        return Err(BodyFault::TooLarge);
    }
    match tokio::time::timeout(limits.timeout, Limited::new(body, limits.bytes).collect()).await {
        Ok(Ok(collected)) => Ok(WholeBody(collected.to_bytes())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyFault::TooLarge),
        Ok(Err(_)) => Err(BodyFault::Broken),
        Err(_) => Err(BodyFault::TimedOut),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use axum::body::HttpBody;
    use hyper::body::{Frame, SizeHint};

    use super::*;

    /// Announces at least a size, gives these pieces from the last to the first, then never ends.
    struct Pieces(Vec<io::Result<&'static str>>, u64);

    impl HttpBody for Pieces {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
            match self.0.pop() {
                Some(piece) => Poll::Ready(Some(piece.map(|text| Frame::data(Bytes::from_static(text.as_bytes()))))),
                None => Poll::Pending,
            }
        }

        fn size_hint(&self) -> SizeHint {
            let mut hint = SizeHint::new();
            hint.set_lower(self.1);
            hint
        }
    }

    const LIMITS: BodyLimits = BodyLimits { bytes: 8, timeout: Duration::from_millis(20) };

    async fn fault(body: Body) -> Option<BodyFault> {
        read(body, LIMITS).await.err()
    }

    #[tokio::test]
    async fn a_body_up_to_the_limit_is_read_whole() {
        assert_eq!(&*read(Body::from("12345678"), LIMITS).await.ok().unwrap(), b"12345678");
        assert_eq!(&*read(Body::empty(), LIMITS).await.ok().unwrap(), b"");
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_announced_or_not() {
        assert_eq!(fault(Body::from("123456789")).await, Some(BodyFault::TooLarge));
        assert_eq!(fault(Body::new(Pieces(vec![], 1 << 30))).await, Some(BodyFault::TooLarge));
        let pieces = Pieces(vec![Ok("6789"), Ok("12345")], 0);
        assert_eq!(fault(Body::new(pieces)).await, Some(BodyFault::TooLarge));
    }

    #[tokio::test]
    async fn a_body_that_stalls_or_breaks_off_is_told_apart() {
        assert_eq!(fault(Body::new(Pieces(vec![Ok("1")], 0))).await, Some(BodyFault::TimedOut));
        let broken = Pieces(vec![Err(io::ErrorKind::ConnectionReset.into()), Ok("1")], 0);
        assert_eq!(fault(Body::new(broken)).await, Some(BodyFault::Broken));
    }
}
