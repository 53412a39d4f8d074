//! One request for a page: who comes, in which language, and with what form. A form is taken from this server's own
//! pages in the same browser alone.

use std::future::Future;
use std::pin::Pin;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts as _, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::cookie;
use super::failure;
use super::frame::{Frame, Reader, go_to};
use super::language::Language;
use super::links;
use super::status::NO_COOKIE;
use crate::actions::page_sessions::{self, Resumed};
use crate::app::{App, Registration};
use crate::domain::audit::Action;
use crate::domain::caller::{Actor, Origin};
use crate::domain::error::{Error, Result};
use crate::domain::session::{Dialect, Session};
use crate::domain::user::User;
use crate::http::body::{self, BodyLimits};
use crate::http::form::Form;
use crate::http::{origin, urlencoded};
use crate::secret::{ExposeSecret as _, random};

/// The field that each form carries.
pub(super) const FORM_TOKEN: &str = "form_token";

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Somebody who asks for a page or sends a form.
pub(super) struct Visit {
    pub(super) app: App,
    /// What stands around the page.
    pub(super) frame: Frame,
    /// From where.
    pub(super) origin: Origin,
    /// The fields of the query, of a form those of its body.
    pub(super) form: Form,
    /// Who is signed in.
    pub(super) resumed: Option<Resumed>,
}

/// Somebody who is signed in.
pub(super) struct Member {
    pub(super) app: App,
    /// What stands around the page.
    pub(super) frame: Frame,
    /// The fields of the query, of a form those of its body.
    pub(super) form: Form,
    /// Who asks.
    pub(super) actor: Actor,
    /// The user as the store has them.
    pub(super) user: User,
    /// The session that they come with.
    pub(super) session: Session,
    /// What the path names.
    pub(super) named: String,
    /// Whether they send a form.
    pub(super) is_form: bool,
}

impl FromRequest<App> for Visit {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        Arrival::of(request, app).await?.visit(app).await
    }
}

impl FromRequest<App> for Member {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let mut arrival = Arrival::of(request, app).await?;
        if arrival.resumed.is_none() {
            return Err(go_to(&links::sign_in(arrival.way_back())));
        }
        let (named, is_form) = (std::mem::take(&mut arrival.named), !is_reading(&arrival.parts.method));
        let Visit { app, frame, form, resumed, .. } = arrival.visit(app).await?;
        let Some(Resumed { actor, user, session }) = resumed else { return Err(go_to(links::SIGN_IN)) };
        Ok(Self { app, frame, form, actor, user, session, named, is_form })
    }
}

/// A request of which nothing but the head was looked at.
struct Arrival {
    parts: Parts,
    body: Body,
    frame: Frame,
    origin: Origin,
    resumed: Option<Resumed>,
    /// The cookie that forms are bound to.
    seed: String,
    /// What the path names.
    named: String,
}

impl Arrival {
    async fn of(request: Request, app: &App) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let named = RawPathParams::from_request_parts(&mut parts, app).await;
        let named = named.ok().and_then(|named| named.iter().next().map(|(_, value)| value.to_owned()));
        let named = named.unwrap_or_default();
        let origin = origin::of(app, &parts, Dialect::Pages);
        let session = cookie::read(&parts.headers, cookie::SESSION);
        let resumed = match session {
            Some(session) => page_sessions::resume(app, session, origin.clone()).await,
            None => Ok(None),
        };
        let visitor = cookie::read(&parts.headers, cookie::VISITOR).filter(|visitor| !visitor.is_empty());
        let is_signed_in = matches!(resumed, Ok(Some(_)));
        let known = session.filter(|_| is_signed_in).or(visitor);
        let seed = known.map_or_else(|| URL_SAFE_NO_PAD.encode(random::<16>()), str::to_owned);
        let new_visitor = known.is_none().then(|| seed.clone());
        let frame = frame(app, &parts, resumed.as_ref().ok().and_then(Option::as_ref), &seed, new_visitor);
        match resumed {
            Ok(resumed) => Ok(Self { parts, body, frame, origin, resumed, seed, named }),
            Err(error) => Err(failure::page(&frame, &error)),
        }
    }

    /// Where to go on once somebody is signed in: to a page, never into the middle of a form.
    fn way_back(&self) -> Option<&str> {
        self.parts.uri.path_and_query().map(PathAndQuery::as_str).filter(|_| is_reading(&self.parts.method))
    }

    async fn visit(self, app: &App) -> Result<Visit, Response> {
        let Self { parts, body, frame, origin, resumed, seed, .. } = self;
        let form = if is_reading(&parts.method) {
            urlencoded::parse_query(parts.uri.query()).map(Form::new)
        } else {
            read_form(app, &parts, body, (&seed, knows_us(&parts.headers))).await
        };
        match form {
            Ok(form) => Ok(Visit { app: app.clone(), frame, origin, form, resumed }),
            Err(error) => Err(failure::page(&frame, &error)),
        }
    }
}

/// Whether the browser kept any cookie that forms are bound to.
fn knows_us(headers: &HeaderMap) -> bool {
    [cookie::SESSION, cookie::VISITOR].iter().any(|name| cookie::read(headers, name).is_some())
}

const fn is_reading(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn frame(app: &App, parts: &Parts, resumed: Option<&Resumed>, seed: &str, new_visitor: Option<String>) -> Frame {
    let language = Language::of(&parts.headers);
    let settings = app.settings();
    Frame {
        t: language.texts(),
        language,
        title: settings.pages.title.clone(),
        form_token: URL_SAFE_NO_PAD.encode(page_sessions::form_token(app, seed)),
        path: parts.uri.path().to_owned(),
        here: here(parts),
        reader: resumed.map(|it| Reader { name: it.user.shown_name().to_owned(), is_admin: it.user.is_admin() }),
        notice: links::done(parts.uri.query()).and_then(|done| language.texts().notice(&done)),
        is_open: settings.registration == Registration::Open,
        now: app.now(),
        new_visitor,
    }
}

/// Where the reader is: the page that is shown or, of a form, the one that it belongs to.
fn here(parts: &Parts) -> String {
    if is_reading(&parts.method) {
        return parts.uri.path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
    }
    links::page_of_form(parts.uri.path()).to_owned()
}

async fn read_form(app: &App, parts: &Parts, body: Body, (seed, is_known): (&str, bool)) -> Result<Form> {
    const FOREIGN: Error = Error::Forbidden("a form is taken from this server's own pages alone");
    if !is_known {
        return Err(Error::Forbidden(NO_COOKIE));
    }
    let site = parts.headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
    if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return Err(FOREIGN);
    }
    let body = body::read(body, BodyLimits::of(app)).await;
    let body = body.map_err(|_| Error::invalid("body", "is too large, or did not come whole"))?;
    let mut form = Form::new(urlencoded::parse_body(&body)?);
    let token = form.secret(FORM_TOKEN).and_then(|token| URL_SAFE_NO_PAD.decode(token.expose_secret()).ok());
    if token.is_some_and(|token| page_sessions::is_form_token(app, seed, &token)) {
        return Ok(form);
    }
    Err(FOREIGN)
}

/// A handler of a page for everybody; what fails becomes a page, too.
pub(super) fn anybody<H, A>(handler: H) -> impl Fn(Visit) -> Showing + Clone + Send + Sync + 'static
where
    H: Fn(Visit) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<Response>> + Send + 'static,
{
    move |visit| {
        let frame = visit.frame.clone();
        settle(frame, handler(visit))
    }
}

/// A handler of a page for whoever is signed in.
pub(super) fn member<H, A>(handler: H) -> impl Fn(Member) -> Showing + Clone + Send + Sync + 'static
where
    H: Fn(Member) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<Response>> + Send + 'static,
{
    move |member| {
        let frame = member.frame.clone();
        settle(frame, handler(member))
    }
}

/// A handler of a page for administrators.
pub(super) fn administrator<H, A>(handler: H) -> impl Fn(Member) -> Showing + Clone + Send + Sync + 'static
where
    H: Fn(Member) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<Response>> + Send + 'static,
{
    member(move |member: Member| {
        let allowed = member.actor.caller.require_admin();
        // Reading is nobody's business; whoever tries to change something is on record.
        let allowed = if member.is_form {
            member.app.audit().note(&member.actor.event(Action::ConsoleUsed), allowed)
        } else {
            allowed
        };
        let page = allowed.map(|()| handler(member));
        async move { page?.await }
    })
}

/// A page that is being made.
type Showing = Pin<Box<dyn Future<Output = Response> + Send>>;

fn settle(frame: Frame, handled: impl Future<Output = Result<Response>> + Send + 'static) -> Showing {
    Box::pin(async move { handled.await.unwrap_or_else(|error| failure::page(&frame, &error)) })
}
