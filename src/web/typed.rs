//! What somebody typed into a form, shown again where something is wrong with it, and what that is. Secrets are never
//! shown again.

use axum::http::StatusCode;
use axum::response::Response;

use super::status::{status, wait};
use super::texts::Texts;
use crate::domain::error::{Error, Result};
use crate::http::form::Form;

/// Reads a field that may stay empty.
///
/// # Errors
///
/// What `parse` says of what it holds.
pub(super) fn filled<T>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    let text = text.trim();
    if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
}

/// The state of a form.
#[derive(Clone, Default)]
pub(super) struct Typed {
    values: Vec<(&'static str, String)>,
    faults: Vec<(&'static str, String)>,
    message: Option<String>,
    error: Option<Outcome>,
}

#[derive(Clone)]
struct Outcome {
    status: StatusCode,
    wait: Option<std::time::Duration>,
}

impl Typed {
    /// A form that shows these values at first.
    pub(super) fn with<V: Into<String>>(values: impl IntoIterator<Item = (&'static str, V)>) -> Self {
        let values = values.into_iter().map(|(name, value)| (name, value.into())).collect();
        Self { values, ..Self::default() }
    }

    /// What was typed into these fields.
    pub(super) fn of(form: &mut Form, fields: &[&'static str]) -> Self {
        let read = |field: &&'static str| Some((*field, form.optional(field, |text| Ok(text.to_owned()))?));
        Self { values: fields.iter().filter_map(read).collect(), ..Self::default() }
    }

    /// The same with word of what is wrong with it.
    ///
    /// # Errors
    ///
    /// The error itself, where no field can mend it.
    pub(super) fn wrong(mut self, t: &Texts, error: Error) -> Result<Self> {
        self.error = Some(Outcome { status: status(&error), wait: wait(&error) });
        match error {
            Error::Invalid(faults) => {
                self.faults = faults.into_iter().map(|fault| (fault.field, t.fault(&fault.message))).collect();
            }
            Error::Taken(field) => self.faults = vec![(field, t.taken.to_owned())],
            Error::WrongCurrentPassword => {
                self.faults = vec![("current_password", t.wrong_current_password.to_owned())];
            }
            Error::WrongCredentials
            | Error::TooMany(_)
            | Error::Busy(_)
            | Error::LastAdministrator
            | Error::BadToken => {
                self.message = Some(t.failure(&error).1);
            }
            other => return Err(other),
        }
        Ok(self)
    }

    /// The same, where the fault is that a field names nobody.
    pub(super) fn at(mut self, status: StatusCode, field: &'static str, fault: &str) -> Self {
        self.error = Some(Outcome { status, wait: None });
        self.faults.push((field, fault.to_owned()));
        self
    }

    /// What stands in a field.
    pub(super) fn value(&self, name: &str) -> &str {
        self.values.iter().find(|(field, _)| *field == name).map_or("", |(_, value)| value)
    }

    /// What is wrong with a field.
    pub(super) fn fault(&self, name: &str) -> Option<&str> {
        self.faults.iter().find(|(field, _)| *field == name).map(|(_, fault)| &**fault)
    }

    /// All that is wrong with fields, in order.
    pub(super) fn faults(&self) -> &[(&'static str, String)] {
        &self.faults
    }

    /// What is wrong with the whole.
    pub(super) fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Whether anything is.
    pub(super) fn is_wrong(&self) -> bool {
        self.error.is_some()
    }

    /// The status of the page that shows it.
    pub(super) fn status(&self) -> StatusCode {
        self.error.as_ref().map_or(StatusCode::OK, |outcome| outcome.status)
    }

    /// Adds to that page's answer what belongs to it.
    pub(super) fn finish(&self, answer: Response) -> Response {
        match self.error.as_ref().and_then(|outcome| outcome.wait) {
            Some(wait) => crate::http::answer::retry_after(answer, wait),
            None => answer,
        }
    }
}
