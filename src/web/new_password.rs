//! A new password, typed twice.

use super::texts::Texts;
use crate::domain::password::Password;
use crate::http::form::Form;

/// Reads the fields `password` and `confirm`; what is wrong with them is noted in the form.
pub(super) fn read(t: &Texts, form: &mut Form) -> Option<Password> {
    let (password, again) = (form.password("password"), form.password("confirm"));
    let (password, again) = (password?, again?);
    if !again.is(&password) {
        form.fault("confirm", t.not_the_same);
        return None;
    }
    Some(password)
}
