//! The first administrator's section. Secrets come from the value or from a file beside it, and
//! weak ones are refused: a well-known token on a new server is an open door.

use super::reader::Reader;
use super::secret_file;
use crate::domain::user::{Email, Username};
use crate::secret::Secret;

const TOKEN_MIN_CHARACTERS: usize = 24;

/// The first administrator, for the first start on an empty store.
#[derive(Clone, Debug)]
pub struct SuperUser {
    /// Its email.
    pub email: Option<Email>,
    /// Its username.
    pub username: Option<Username>,
    /// Its password; a random one where absent.
    pub password: Option<Secret>,
    /// Its API token, honoured as given; a random one where absent.
    pub token: Option<Secret>,
    /// Whether weak secrets are taken all the same.
    pub allow_weak: bool,
}

impl SuperUser {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let allow_weak = reader.boolean("super_user.allow_weak");
        Self {
            email: reader.optional("super_user.email", Email::parse),
            username: reader.optional("super_user.username", Username::parse),
            password: secret_file::given(reader, "super_user.password", |password| {
                password_fault(password, allow_weak)
            }),
            token: secret_file::given(reader, "super_user.token", |token| token_fault(token, allow_weak)),
            allow_weak,
        }
    }
}

fn password_fault(password: &str, allow_weak: bool) -> Option<String> {
    let is_weak = password.eq_ignore_ascii_case("password");
    (is_weak && !allow_weak).then(|| {
        "everybody tries this password first: choose another, \
         or leave it out and a random one is made (super_user.allow_weak = true takes it all the same)"
            .to_owned()
    })
}

fn token_fault(token: &str, allow_weak: bool) -> Option<String> {
    if !token.chars().all(|c| c.is_ascii_graphic()) {
        return Some("must be visible ASCII characters without spaces".to_owned());
    }
    if token.starts_with("dwr_") {
        return Some("must not begin with dwr_: that is how refresh tokens begin".to_owned());
    }
    if token.split('.').count() == 3 {
        return Some("must not have three parts with dots between: that is the form of a JWT".to_owned());
    }
    if allow_weak {
        return None;
    }
    if ["adminToken", "superToken123"].iter().any(|known| token.eq_ignore_ascii_case(known)) {
        return Some(weak_token("is a well-known default that everybody tries first"));
    }
    (token.len() < TOKEN_MIN_CHARACTERS)
        .then(|| weak_token(&format!("is shorter than {TOKEN_MIN_CHARACTERS} characters and could be guessed")))
}

fn weak_token(reason: &str) -> String {
    format!(
        "this token {reason}: take a long random one, \
         or leave it out and one is made (super_user.allow_weak = true takes it all the same)"
    )
}
