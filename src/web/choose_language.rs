//! Another language, chosen at the foot of a page.

use std::time::Duration;

use axum::response::Response;

use super::cookie;
use super::frame::{go_to, with_cookie};
use super::language::Language;
use super::links;
use super::visit::Visit;
use crate::domain::error::Result;

const A_YEAR: Duration = Duration::from_hours(24 * 365);

/// Goes on in another language.
pub(super) async fn send(visit: Visit) -> Result<Response> {
    let Visit { mut form, .. } = visit;
    let language = form.required("language", |tag| Language::parse(tag).ok_or_else(|| "must be en or de".to_owned()));
    let next = form.optional("next", |next| Ok(next.to_owned())).unwrap_or_default();
    let language = form.finish(language)?;
    let next = links::any_page(&next).unwrap_or(links::ACCOUNT);
    Ok(with_cookie(go_to(next), cookie::set(cookie::LANGUAGE, language.tag(), Some(A_YEAR))))
}
