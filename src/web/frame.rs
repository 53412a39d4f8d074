//! What stands around every page, and how a page becomes an answer.

use askama::Template;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, SET_COOKIE, VARY, X_FRAME_OPTIONS,
};
use axum::response::Response;

use super::cookie;
use super::language::Language;
use super::texts::Texts;
use super::typed::Typed;
use super::when::{self, Moment};
use crate::clock::Timestamp;
use crate::http::request_log::FailureCause;

/// Nothing from elsewhere, no script or style inside of a page, and no page inside of another.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// Around one page, for one reader.
#[derive(Clone)]
pub(super) struct Frame {
    /// What it says, in the reader's language.
    pub(super) t: &'static Texts,
    /// That language.
    pub(super) language: Language,
    /// What this server is called.
    pub(super) title: String,
    /// What each form carries.
    pub(super) form_token: String,
    /// The path of the page.
    pub(super) path: String,
    /// Where the reader comes back to: the page's address, of a form that of the page that it belongs to.
    pub(super) here: String,
    /// Who is signed in.
    pub(super) reader: Option<Reader>,
    /// What was done just before.
    pub(super) notice: Option<&'static str>,
    /// Whether somebody may register.
    pub(super) is_open: bool,
    /// The present moment.
    pub(super) now: Timestamp,
    /// The cookie that forms are bound to, where the browser has none yet.
    pub(super) new_visitor: Option<String>,
}

/// Who is signed in.
#[derive(Clone)]
pub(super) struct Reader {
    /// What they are called.
    pub(super) name: String,
    /// Whether the console is for them.
    pub(super) is_admin: bool,
}

impl Frame {
    /// Around a page for somebody of whom no more is known. Its forms would not be taken, so it has none.
    pub(super) fn of_stranger(title: &str, language: Language) -> Self {
        Self {
            t: language.texts(),
            language,
            title: title.to_owned(),
            form_token: String::new(),
            path: "/".to_owned(),
            here: "/".to_owned(),
            reader: None,
            notice: None,
            is_open: false,
            now: Timestamp::from_micros(0),
            new_visitor: None,
        }
    }

    /// How long ago something was.
    pub(super) fn ago(&self, at: impl Moment) -> String {
        when::ago(self.t, self.now, at.moment())
    }

    /// When exactly that was.
    pub(super) fn exactly(&self, at: impl Moment) -> String {
        when::exactly(self.t, at.moment())
    }

    /// Whether the page is at or below a path.
    pub(super) fn is_at(&self, path: &str) -> bool {
        self.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// A page as an answer.
    pub(super) fn show(&self, status: StatusCode, page: &impl Template) -> Response {
        match page.render() {
            Ok(html) => self.answer(status, html),
            Err(error) => {
                let answer = self.answer(StatusCode::INTERNAL_SERVER_ERROR, String::new());
                FailureCause(format!("a page could not be written: {error}")).attach(answer)
            }
        }
    }

    /// A page with a form, under the status of what is wrong with it.
    pub(super) fn show_form(&self, form: &Typed, page: &impl Template) -> Response {
        form.finish(self.show(form.status(), page))
    }

    fn answer(&self, status: StatusCode, html: String) -> Response {
        let mut answer = Response::new(Body::from(html));
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_SECURITY_POLICY, POLICY);
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(VARY, HeaderValue::from_static("Cookie, Accept-Language"));
        let visitor = self.new_visitor.as_deref().and_then(|value| cookie::set(cookie::VISITOR, value, None));
        if let Some(line) = visitor {
            headers.append(SET_COOKIE, line);
        }
        answer
    }
}

/// Sends the browser to another page of this server, by GET.
pub(super) fn go_to(path: &str) -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SEE_OTHER;
    // A path that cannot stand in a header is none of ours.
    let path = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    answer.headers_mut().insert(LOCATION, path);
    answer
}

/// Adds a cookie to an answer.
pub(super) fn with_cookie(mut answer: Response, line: Option<HeaderValue>) -> Response {
    if let Some(line) = line {
        answer.headers_mut().append(SET_COOKIE, line);
    }
    answer
}
