//! Where passwords come from: typed twice on a terminal, or the first line of standard input.
//! Never an argument, which every user of the machine could read.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use zeroize::Zeroizing;

use super::message::Failure;
use crate::domain::password::{Password, PasswordHash};

const LINE_MAX_BYTES: u64 = 8_192;

/// Where a password is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Asked for, twice.
    Terminal,
    /// The first line of standard input.
    Input,
}

impl Source {
    /// Standard input where the flag says so, else the terminal, which has to be one.
    pub(super) fn choose(password_stdin: bool, other_flags: &str) -> Result<Self, Failure> {
        if password_stdin {
            return Ok(Self::Input);
        }
        if is_terminal() {
            return Ok(Self::Terminal);
        }
        Err(Failure::usage(format!(
            "there is no terminal to ask for the password: pipe it in and say --password-stdin{other_flags}"
        )))
    }

    /// Reads the password.
    pub(super) fn read(self) -> Result<Password, Failure> {
        let text = match self {
            Self::Terminal => ask_twice()?,
            Self::Input => first_line(io::stdin().lock())?,
        };
        Password::parse(&text).map_err(|mend| Failure::Refused(format!("password {mend}")))
    }
}

/// Reads a hash of another system from the first line of standard input.
pub(super) fn read_hash() -> Result<PasswordHash, Failure> {
    let line = first_line(io::stdin().lock())?;
    PasswordHash::parse(line.trim()).ok_or_else(|| {
        Failure::Refused(
            "this is no password hash that can be taken: it must be Argon2, bcrypt, scrypt or PBKDF2, such as \
             $argon2id$v=19$m=19456,t=2,p=1$…$… or $2b$12$…, within the bounds of docs/passwords.md"
                .to_owned(),
        )
    })
}

/// Whether somebody can be asked: questions are shown on standard error.
fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn ask_twice() -> Result<Zeroizing<String>, Failure> {
    let question = dialoguer::Password::new()
        .with_prompt("Password")
        .with_confirmation("The same again", "These were different")
        // An empty answer, the end of the input too, is refused by the policy, not asked for again.
        .allow_empty_password(true)
        .report(false);
    let answer = question.interact();
    answer.map(Zeroizing::new).map_err(|error| Failure::Refused(format!("the password cannot be read: {error}")))
}

fn first_line(input: impl BufRead) -> Result<Zeroizing<String>, Failure> {
    let limit = usize::try_from(LINE_MAX_BYTES).unwrap_or(usize::MAX);
    // The whole capacity at once: a buffer that grows leaves copies of the secret behind.
    let mut line = Zeroizing::new(Vec::with_capacity(limit));
    let read = input.take(LINE_MAX_BYTES).read_until(b'\n', &mut line);
    read.map_err(|error| Failure::Refused(format!("standard input cannot be read: {error}")))?;
    if line.is_empty() {
        return Err(Failure::Refused("standard input is empty: pipe the password in".to_owned()));
    }
    if line.len() == limit {
        return Err(Failure::Refused("the first line of standard input is too long for a password".to_owned()));
    }
    let text = std::str::from_utf8(&line);
    let text = text.map_err(|_| Failure::Refused("the first line of standard input must be UTF-8".to_owned()))?;
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    Ok(Zeroizing::new(text.to_owned()))
}

/// Asks for `name` to be typed before `thing`, of which it is the name, is deleted for good.
pub(super) fn confirm_deletion(thing: &str, name: &str) -> Result<(), Failure> {
    if !is_terminal() {
        return Err(Failure::usage(format!("there is no terminal to ask whether to delete {thing}: say --yes")));
    }
    write!(io::stderr().lock(), "This deletes {thing} for good. Type {name:?} to go on: ")?;
    let mut answer = String::new();
    let read = io::stdin().lock().take(LINE_MAX_BYTES).read_line(&mut answer);
    read.map_err(|error| Failure::Refused(format!("the answer cannot be read: {error}")))?;
    if answer.trim() == name {
        return Ok(());
    }
    Err(Failure::Refused(format!("that was not {name:?}: nothing was deleted")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8]) -> Option<String> {
        first_line(input).ok().map(|line| line.to_string())
    }

    #[test]
    fn the_first_line_is_the_password_and_its_end_is_not() {
        for input in [&b"correct horse"[..], b"correct horse\n", b"correct horse\r\n", b"correct horse\nmore\n"] {
            assert_eq!(read(input).as_deref(), Some("correct horse"));
        }
        assert_eq!(read(b" spaces count \n").as_deref(), Some(" spaces count "));
    }

    #[test]
    fn no_line_a_long_line_and_what_is_no_text_are_refused() {
        assert_eq!(read(b""), None);
        assert_eq!(read(&[b'x'; 10_000]), None);
        assert_eq!(read(b"\xff\n"), None);
    }
}
