//! What was read of a body and may hold a secret: overwritten when it is done with, and when a parser
//! gives up half-way. Knows no field.

use serde_json::Value;
use zeroize::Zeroize as _;

use crate::domain::user::JsonObject;

/// What can be overwritten where it lies.
pub trait Wipe {
    /// Overwrites every text in it. Names of fields stay: they are no secrets.
    fn wipe(&mut self);
}

impl Wipe for Value {
    fn wipe(&mut self) {
        match self {
            Self::String(text) => text.zeroize(),
            Self::Array(elements) => elements.wipe(),
            Self::Object(fields) => fields.wipe(),
            Self::Null | Self::Bool(_) | Self::Number(_) => {}
        }
    }
}

impl Wipe for Vec<Value> {
    fn wipe(&mut self) {
        self.iter_mut().for_each(Wipe::wipe);
    }
}

impl Wipe for JsonObject {
    fn wipe(&mut self) {
        self.values_mut().for_each(Wipe::wipe);
    }
}

impl<T: Wipe> Wipe for &mut T {
    fn wipe(&mut self) {
        (**self).wipe();
    }
}

/// What a parser has read so far: overwritten, unless it is taken whole.
#[derive(Default)]
pub(super) struct Unfinished<T: Wipe>(pub(super) T);

impl<T: Wipe + Default> Unfinished<T> {
    /// All of it, for whoever wipes it next.
    pub(super) fn take(mut self) -> T {
        std::mem::take(&mut self.0)
    }
}

impl<T: Wipe> Drop for Unfinished<T> {
    fn drop(&mut self) {
        self.0.wipe();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn wiping_reaches_every_string() {
        let mut value = json!({"a": "x", "b": ["y", {"c": "z"}], "n": 1});
        value.wipe();
        assert_eq!(value, json!({"a": "", "b": ["", {"c": ""}], "n": 1}));
    }

    #[test]
    fn what_is_not_taken_is_wiped_and_what_is_taken_is_whole() {
        let mut value = json!({"password": "three green lamps", "again": ["three green lamps"]});
        drop(Unfinished(&mut value));
        assert_eq!(value, json!({"password": "", "again": [""]}));
        assert_eq!(Unfinished(json!(["three green lamps"])).take(), json!(["three green lamps"]));
    }
}
