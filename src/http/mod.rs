//! What dialects and pages share of HTTP: reading bodies and credentials, writing answers, and
//! the layers around every route. Knows no dialect's wire format and no action.

pub mod answer;
pub mod body;
pub mod cors;
pub mod credential;
pub mod exchange;
pub mod form;
pub mod headers;
pub mod health;
pub mod json;
pub mod key_set;
pub mod linger;
pub mod mount;
pub mod origin;
pub mod problem;
pub mod request_log;
pub mod urlencoded;
pub mod wipe;
