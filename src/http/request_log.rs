//! One line in the log for each request, and a number by which to find it. The line names the
//! route by its template; queries, path values, headers and bodies never come here. What clients
//! ask all the time is worth a line to those alone who listen closely.

use std::fmt::{self, Write as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::http::header::{HeaderName, HeaderValue};
use axum::response::Response;
use tower::{Layer, Service};

use crate::secret;

/// The header that tells a client its request's number.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The number of one request: in its answer and its lines in the log.
///
/// Always made here. A client's own would carry text of its choice into the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(u64);

impl RequestId {
    /// A random number: it tells nothing of other requests.
    fn new() -> Self {
        Self(u64::from_ne_bytes(secret::unique()))
    }

    fn digits(self) -> [u8; 16] {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; 16];
        for (digit, shift) in digits.iter_mut().zip((0..16).rev()) {
            let [.., lowest] = (self.0 >> (4 * shift)).to_be_bytes();
            *digit = HEX[usize::from(lowest & 15)];
        }
        digits
    }

    fn header(self) -> HeaderValue {
        HeaderValue::from_bytes(&self.digits()).expect("hexadecimal digits are visible characters")
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.digits().into_iter().try_for_each(|digit| f.write_char(char::from(digit)))
    }
}

/// Why an answer is a fault of the server: for the log, never for the client.
///
/// Whoever turns an internal error into an answer attaches it; the layer logs it once, with the
/// request's number, and takes it off.
#[derive(Clone, Debug)]
pub struct FailureCause(pub String);

impl FailureCause {
    /// The answer, with this cause on it.
    #[must_use]
    pub fn attach(self, mut answer: Response) -> Response {
        answer.extensions_mut().insert(self);
        answer
    }
}

/// One request, from its number to its line in the log.
#[derive(Debug)]
pub struct Entry {
    id: RequestId,
    line: Option<Line>,
}

impl Entry {
    /// Of a request that changes something, or is rare: logged at `info`.
    #[must_use]
    pub fn begin(request: &Request) -> Self {
        let id = RequestId::new();
        let listened = tracing::enabled!(target: "doorward::request", tracing::Level::INFO);
        let route = || request.extensions().get().cloned().map_or(Route::Unmatched, Route::Matched);
        Self { id, line: listened.then(|| Line::begin(id, request.method(), route(), Level::Info)) }
    }

    /// Of a question that is asked all the time: logged at `debug`.
    #[must_use]
    pub fn of_routine(method: &Method, route: &Arc<str>) -> Self {
        let id = RequestId::new();
        let listened = tracing::enabled!(target: "doorward::request", tracing::Level::DEBUG);
        let route = || Route::Known(Arc::clone(route));
        Self { id, line: listened.then(|| Line::begin(id, method, route(), Level::Debug)) }
    }

    /// Logs, and numbers the answer.
    pub fn end(self, answer: &mut Response) {
        log_failure(answer, self.id);
        if let Some(line) = self.line {
            line.log(answer);
        }
        answer.headers_mut().insert(X_REQUEST_ID, self.id.header());
    }
}

/// The layer that numbers and logs. It belongs on the outermost router, with `Router::layer`:
/// only inside a router is the matched route known.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestLog;

impl<S> Layer<S> for RequestLog {
    type Service = Logged<S>;

    fn layer(&self, inner: S) -> Logged<S> {
        Logged { inner }
    }
}

/// A service whose requests are numbered and logged.
#[derive(Clone, Debug)]
pub struct Logged<S> {
    inner: S,
}

impl<S> Service<Request> for Logged<S>
where
    S: Service<Request, Response = Response>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let entry = Entry::begin(&request);
        let answering = self.inner.call(request);
        Box::pin(async move {
            let mut answer = answering.await?;
            entry.end(&mut answer);
            Ok(answer)
        })
    }
}

fn log_failure(answer: &mut Response, id: RequestId) {
    if answer.extensions().is_empty() {
        return;
    }
    if let Some(FailureCause(cause)) = answer.extensions_mut().remove() {
        tracing::error!(target: "doorward::failure", request_id = %id, cause, "a request failed");
    }
}

/// How the log names where a request went.
#[derive(Debug)]
enum Route {
    Matched(MatchedPath),
    Known(Arc<str>),
    Unmatched,
}

impl Route {
    fn as_str(&self) -> &str {
        match self {
            Self::Matched(path) => path.as_str(),
            Self::Known(path) => path,
            Self::Unmatched => "unmatched",
        }
    }
}

/// At which level a line is written.
#[derive(Clone, Copy, Debug)]
enum Level {
    Info,
    Debug,
}

/// What the line will say, kept from the request until the answer is there.
#[derive(Debug)]
struct Line {
    id: RequestId,
    method: &'static str,
    route: Route,
    level: Level,
    began: Instant,
    status: Option<u16>,
}

impl Line {
    fn begin(id: RequestId, method: &Method, route: Route, level: Level) -> Self {
        Self { id, method: known_method(method), route, level, began: Instant::now(), status: None }
    }

    fn log(mut self, answer: &Response) {
        self.status = Some(answer.status().as_u16());
    }
}

/// Written when it is dropped: with a status where there was an answer, and without one where the
/// client went away before.
impl Drop for Line {
    fn drop(&mut self) {
        macro_rules! write_at {
            ($level:ident) => {
                tracing::$level!(
                    target: "doorward::request",
                    method = self.method,
                    route = self.route.as_str(),
                    status = self.status,
                    micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX),
                    request_id = %self.id,
                    "{}", if self.status.is_some() { "answered" } else { "abandoned" }
                )
            };
        }
        match self.level {
            Level::Info => write_at!(info),
            Level::Debug => write_at!(debug),
        }
    }
}

/// An unknown method is text of the client's choice, so it is not written down.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::response::IntoResponse as _;
    use axum::routing::get;
    use tower::ServiceExt as _;
    use tracing::instrument::WithSubscriber as _;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Sink {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    /// The answer to one request, and what the log says of it.
    async fn ask(request: Request) -> (Response, String) {
        let failing =
            get(|| async { FailureCause("disk full".into()).attach(StatusCode::BAD_GATEWAY.into_response()) });
        let inner = Router::new().route("/users/{id}", get(|| async {})).route("/fail", failing);
        let router = Router::new().nest("/1", inner).layer(RequestLog);
        let sink = Sink::default();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(sink.clone()).finish();
        let answer = router.oneshot(request).with_subscriber(subscriber).await.unwrap();
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        (answer, text)
    }

    fn request(method: &str, path: &str) -> Request {
        Request::builder().method(method).uri(path).header(X_REQUEST_ID, "planted").body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn the_line_names_the_template_and_nothing_that_the_client_wrote() {
        let (answer, log) = ask(request("GET", "/1/users/planted?oauth=planted")).await;
        let id = answer.headers()[X_REQUEST_ID].to_str().unwrap();
        for part in ["method=\"GET\"", "route=\"/1/users/{id}\"", "status=200", "micros=", &format!("request_id={id}")]
        {
            assert!(log.contains(part), "{part} in {log}");
        }
        assert!(!log.contains("planted"), "{log}");
        assert_eq!(log.lines().count(), 1);
    }

    #[tokio::test]
    async fn unknown_paths_and_methods_are_not_written_down() {
        let (answer, log) = ask(request("PLANTED", "/planted")).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert!(log.contains("method=\"OTHER\" route=\"unmatched\""), "{log}");
        assert!(!log.to_lowercase().contains("planted"), "{log}");
    }

    #[tokio::test]
    async fn a_failure_is_logged_once_with_the_number_that_the_client_sees() {
        let (answer, log) = ask(request("GET", "/1/fail")).await;
        let id = answer.headers()[X_REQUEST_ID].to_str().unwrap();
        let failures: Vec<_> = log.lines().filter(|line| line.contains("disk full")).collect();
        assert_eq!(failures.len(), 1);
        assert!(failures[0].contains("ERROR") && failures[0].contains(id), "{log}");
        assert!(answer.extensions().get::<FailureCause>().is_none());
    }

    #[tokio::test]
    async fn a_request_whose_client_went_away_has_its_line_too() {
        let router = Router::new().route("/slow", get(std::future::pending::<()>)).layer(RequestLog);
        let sink = Sink::default();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(sink.clone()).finish();
        let _log = tracing::subscriber::set_default(subscriber);
        let asking = router.oneshot(request("GET", "/slow"));
        assert!(tokio::time::timeout(std::time::Duration::from_millis(10), asking).await.is_err());
        let log = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        assert!(log.contains("abandoned method=\"GET\" route=\"/slow\" micros="), "{log}");
        assert_eq!(log.lines().count(), 1);
    }

    #[test]
    fn numbers_have_sixteen_digits_and_are_not_given_twice() {
        let numbers: std::collections::HashSet<String> = (0..1_000).map(|_| RequestId::new().to_string()).collect();
        assert_eq!(numbers.len(), 1_000);
        assert!(numbers.iter().all(|number| number.len() == 16));
    }
}
