//! What iron's handlers read of a request: who asks, whom or what the path names, which page of a
//! list. Decides nothing.

use std::borrow::Cow;
use std::convert::Infallible;
use std::net::IpAddr;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::actions::credentials;
use crate::app::App;
use crate::domain::caller::{Actor, Caller};
use crate::domain::error::{Error, Result};
use crate::domain::id::{ProjectId, TokenId, UserId};
use crate::domain::session::Dialect;
use crate::domain::user::{LoginName, UserRef};
use crate::http::credential::{authorization, query};
use crate::http::form::Form;
use crate::http::{origin, urlencoded};

const SCHEMES: [&str; 3] = ["OAuth", "Bearer", "Token"];
const PER_PAGE: i64 = 30;
const MOST_PER_PAGE: i64 = 100;

/// Who asks.
pub(super) async fn caller(app: &App, parts: &Parts) -> Result<Caller> {
    identify(app, parts, origin::address(app, parts)).await
}

/// Who asks for a change, and from where.
pub(super) async fn actor(app: &App, parts: &Parts) -> Result<Actor> {
    credentials::verify_actor(app, &token(app, parts)?, origin::of(app, parts, Dialect::Iron)).await
}

/// Who asks from an address, by the `Authorization` header or the query.
pub(super) async fn identify(app: &App, parts: &Parts, address: Option<IpAddr>) -> Result<Caller> {
    credentials::verify(app, &token(app, parts)?, Dialect::Iron, address).await
}

fn token<'a>(app: &App, parts: &'a Parts) -> Result<Cow<'a, str>> {
    let mut presented = authorization(&parts.headers, &SCHEMES);
    if app.settings().iron.dialect.query_token {
        presented = presented.and(query(parts.uri.query(), "oauth"));
    }
    presented.token().map_err(Error::Unauthenticated)
}

/// What the path names. Reading it never fails, so that nobody learns of a bad name before the
/// credential is checked; a name that can be nothing's is [`Error::NotFound`] when it is used.
pub(super) struct Named(String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(name.map(|Path(name)| name).unwrap_or_default()))
    }
}

impl Named {
    pub(super) fn user(&self) -> UserRef {
        user_ref(&self.0)
    }

    pub(super) fn token(&self) -> Result<TokenId> {
        TokenId::parse(&self.0).ok_or(Error::NotFound)
    }

    pub(super) fn project(&self) -> Result<ProjectId> {
        ProjectId::parse(&self.0).ok_or(Error::NotFound)
    }
}

/// A user by id or by email, never by username; what is neither names nobody.
pub(super) fn user_ref(text: &str) -> UserRef {
    UserId::parse(text).map_or_else(|| UserRef::Login(LoginName::parse_email(text)), UserRef::Id)
}

/// One page of a list: what comes after an id, and how much of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page<I> {
    pub(crate) after: Option<I>,
    pub(crate) limit: i64,
}

impl<I> Page<I> {
    /// Reads `previous` and `per_page`; an empty one is an absent one.
    pub(crate) fn read(parts: &Parts, parse_id: impl Fn(&str) -> Option<I>) -> Result<Self> {
        let mut form = Form::new(urlencoded::parse_query(parts.uri.query())?);
        let after = form.optional("previous", |text| match text {
            "" => Ok(None),
            text => parse_id(text).map(Some).ok_or_else(|| "must be an id".to_owned()),
        });
        let limit = form.optional("per_page", read_per_page);
        form.finish(())?;
        Ok(Self { after: after.flatten(), limit: limit.unwrap_or(PER_PAGE) })
    }
}

/// A number of any size, brought within what is served.
fn read_per_page(text: &str) -> Result<i64, String> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    match digits {
        "" if !negative => Ok(PER_PAGE),
        "" => Err("must be a whole number".to_owned()),
        digits if !digits.bytes().all(|byte| byte.is_ascii_digit()) => Err("must be a whole number".to_owned()),
        _ if negative => Ok(1),
        // All digits: what does not fit is too large.
        digits => Ok(digits.parse().unwrap_or(MOST_PER_PAGE).clamp(1, MOST_PER_PAGE)),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn page(query: &str) -> Result<Page<UserId>> {
        let (parts, ()) = Request::get(format!("/1/users?{query}")).body(()).unwrap().into_parts();
        Page::read(&parts, UserId::parse)
    }

    #[test]
    fn pages_hold_thirty_unless_told_and_one_to_a_hundred_whatever_is_told() {
        let huge = "9".repeat(40);
        let cases = [("", 30), ("per_page=", 30), ("per_page=7", 7), ("per_page=0", 1), ("per_page=-5", 1)];
        let far =
            [("per_page=1000".to_owned(), 100), (format!("per_page={huge}"), 100), (format!("per_page=-{huge}"), 1)];
        for (query, limit) in cases.map(|(query, limit)| (query.to_owned(), limit)).into_iter().chain(far) {
            assert_eq!(page(&query).unwrap().limit, limit, "{query}");
        }
        for text in ["per_page=ten", "per_page=1.5", "per_page=-", "per_page=%00", "per_page=1e2", "per_page=%FF"] {
            assert!(matches!(page(text), Err(Error::Invalid(_))), "{text}");
        }
    }

    #[test]
    fn the_place_to_go_on_from_is_an_id_in_either_spelling_or_absent() {
        let id = UserId::parse("0123456789abcdef01234567");
        assert_eq!(page("previous=0123456789abcdef01234567").unwrap().after, id);
        assert_eq!(page("previous=01234567-89ab-40cd-80ef-012345670000").unwrap().after, id);
        assert_eq!(page("previous=").unwrap().after, None);
        for text in ["previous=1", "previous='%20or%201=1", "previous=ann@example.com", "previous=%00"] {
            assert!(matches!(page(text), Err(Error::Invalid(_))), "{text}");
        }
    }

    #[test]
    fn users_are_named_by_id_or_email_and_not_by_username() {
        assert!(matches!(user_ref("0123456789abcdef01234567"), UserRef::Id(_)));
        assert!(matches!(user_ref("ann@example.com"), UserRef::Login(LoginName::Email(_))));
        assert_eq!(user_ref("admin"), UserRef::Login(LoginName::Nobody));
    }
}
