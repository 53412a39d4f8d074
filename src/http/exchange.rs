//! One request, read whole: what handlers take apart.

use std::fmt;

use axum::extract::Request;
use axum::http::request::Parts;
use serde_json::Value;

use super::body::{self, BodyFault, BodyLimits, WholeBody};
use super::form::Form;
use super::{json, origin, urlencoded};
use crate::app::App;
use crate::domain::caller::Origin;
use crate::domain::error::Error;
use crate::domain::session::Dialect;

/// A request with its body in memory.
pub struct Exchange {
    /// Method, path, headers and extensions.
    pub parts: Parts,
    /// From where it came.
    pub origin: Origin,
    body: WholeBody,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").finish_non_exhaustive()
    }
}

impl Exchange {
    /// Reads the body, within the limits of the settings.
    ///
    /// # Errors
    ///
    /// [`BodyFault`] where it is too large, too slow or cut off.
    pub async fn read(app: &App, dialect: Dialect, request: Request) -> Result<Self, BodyFault> {
        let (parts, body) = request.into_parts();
        let body = body::read(body, BodyLimits::of(app)).await?;
        let origin = origin::of(app, &parts, dialect);
        Ok(Self { parts, origin, body })
    }

    /// The query, undecoded.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.parts.uri.query()
    }

    /// The fields of the query.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where it is malformed or repeats a field.
    pub fn query_form(&self) -> Result<Form, Error> {
        Ok(Form::new(urlencoded::parse_query(self.query())?))
    }

    /// The fields of a JSON body, whatever its `Content-Type`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where it is no JSON object.
    pub fn json_form(&self) -> Result<Form, Error> {
        Ok(Form::new(json::parse(&self.body)?))
    }

    /// The same, where no body at all is an object without fields.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where there is one and it is no JSON object.
    pub fn optional_json_form(&self) -> Result<Form, Error> {
        Ok(Form::new(json::parse_optional(&self.body)?))
    }

    /// The fields of a JSON body, or of an `application/x-www-form-urlencoded` one. Many clients
    /// announce a form unasked: what begins with a brace is JSON all the same, and never a form.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where it is neither.
    pub fn any_form(&self) -> Result<Form, Error> {
        let is_json = self.body.trim_ascii_start().starts_with(b"{");
        if !is_json && urlencoded::is_announced(&self.parts.headers) {
            return Ok(Form::new(urlencoded::parse_body(&self.body)?));
        }
        self.json_form()
    }

    /// A JSON body that may be an object or an array.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where it is neither.
    pub fn json_value(&self) -> Result<Value, Error> {
        Ok(json::parse_value(&self.body)?)
    }
}
