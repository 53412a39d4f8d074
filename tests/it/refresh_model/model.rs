//! What a user's sessions are, in a few numbers, and what the server must answer therefore.

use std::collections::HashSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward::actions::keys::{self, Rotation};
use doorward::actions::sessions;
use doorward::clock::Timestamp;
use doorward::domain::caller::Actor;
use doorward::domain::error::Error;
use doorward::domain::id::SessionId;
use doorward::domain::user::UserRef;
use proptest::sample::Index;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::Step;
use crate::harness::{ADMIN_TOKEN, PASSWORD, Server};
use crate::rest::{assert_failure, iron, login, logout, refresh, set_status, text, welcome};

const GRACE: Duration = Duration::from_secs(30);
const LEEWAY: Duration = Duration::from_mins(1);
const ACCESS: Duration = Duration::from_mins(15);
const SESSION: Duration = Duration::from_hours(30 * 24);

/// An access token that was given out.
struct Access {
    token: String,
    from: Timestamp,
    until: Timestamp,
    /// The key that signed it is gone.
    is_void: bool,
    /// The clock may have been behind its end before: its key may be gone.
    is_past: bool,
}

struct Session {
    id: SessionId,
    /// One a generation.
    refresh: Vec<String>,
    access: Vec<Access>,
    rotated_at: Timestamp,
    expires_at: Timestamp,
    is_ended: bool,
    /// The key is gone that made the tokens so far.
    void: usize,
    /// The clock may have been behind its end before: it may have been swept away, or its key.
    is_past: bool,
}

/// What a refresh token is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Worth {
    /// The next one.
    New,
    /// The one that was given out for it already.
    Same,
    /// Nothing, and it ends the session.
    Reused,
    /// Nothing.
    Nothing,
}

pub(super) struct Model {
    email: String,
    password: String,
    is_active: bool,
    now: Timestamp,
    /// How far the clock went back, in all.
    went_back: Duration,
    sessions: Vec<Session>,
    /// All refresh tokens ever given out.
    seen: HashSet<String>,
}

impl Model {
    /// A new user with a first session.
    pub(super) async fn begin(server: &Server, email: String) -> Self {
        let now = server.clock.now();
        let body = server.register(&email).await;
        let mut model = Self {
            email,
            password: PASSWORD.to_owned(),
            is_active: true,
            now,
            went_back: Duration::ZERO,
            sessions: Vec::new(),
            seen: HashSet::new(),
        };
        model.sign_in(&body);
        model
    }

    /// Does one step, and compares.
    pub(super) async fn take(&mut self, server: &mut Server, step: Step) {
        match step {
            Step::SignIn => self.try_to_sign_in(server).await,
            Step::Refresh(which, age) => {
                let at = self.pick(which);
                let generation = self.sessions[at].refresh.len().saturating_sub(age + 1);
                self.refresh(server, at, generation).await;
            }
            Step::RefreshTogether(which) => self.refresh_together(server, self.pick(which)).await,
            Step::Forge(which, place) => {
                let session = &self.sessions[self.pick(which)];
                let token = session.refresh.last().unwrap();
                let place = place.index(token.len());
                let other = if &token[place..=place] == "A" { "B" } else { "A" };
                is_refused(server, &format!("{}{other}{}", &token[..place], &token[place + 1..])).await;
            }
            Step::Mistake(which) => is_refused(server, &self.sessions[self.pick(which)].access[0].token).await,
            Step::LogOut(which, age) => self.log_out(server, self.pick(which), age).await,
            Step::Ask(which, age) => {
                let at = self.pick(which);
                let place = self.sessions[at].access.len().saturating_sub(age + 1);
                self.ask(server, at, place).await;
            }
            Step::EndOne(which) => self.end_one(server, self.pick(which)).await,
            Step::EndAll => {
                let user = UserRef::parse(&self.email);
                sessions::revoke_all(server.app(), &Actor::operator(), &user).await.unwrap();
                self.end_all();
            }
            Step::ChangePassword => {
                self.password = format!("{PASSWORD} {}", self.seen.len());
                let path = format!("/1/users/{}", self.email);
                iron(server, ADMIN_TOKEN, Method::PATCH, &path, json!({"password": self.password})).await;
                self.end_all();
            }
            Step::Disable => {
                set_status(server, &self.email, "disabled").await;
                self.is_active = false;
                self.end_all();
            }
            Step::Enable => {
                set_status(server, &self.email, "active").await;
                self.is_active = true;
            }
            other => self.take_of_servers(server, other).await,
        }
    }

    /// What happens to the server and not to the user.
    async fn take_of_servers(&mut self, server: &mut Server, step: Step) {
        match step {
            Step::Ahead(by) => server.clock.advance(by),
            Step::Back(by) => {
                server.clock.set(server.clock.now().minus(by));
                self.went_back += by;
            }
            Step::Sweep => server.sweep().await,
            Step::Rotate(rotation) => {
                keys::rotate(server.app(), &Actor::operator(), rotation).await.unwrap();
                if rotation == Rotation::Compromised {
                    for session in &mut self.sessions {
                        session.void = session.refresh.len();
                        session.access.iter_mut().for_each(|access| access.is_void = true);
                    }
                }
            }
            Step::Restart => server.restart().await,
            Step::Crash => server.crash().await,
            other => panic!("{other:?} is none of the server's"),
        }
        self.now = server.clock.now();
        let latest = self.now.plus(self.went_back);
        for session in &mut self.sessions {
            session.is_past |= latest >= session.expires_at;
            session.access.iter_mut().for_each(|access| access.is_past |= latest >= access.until);
        }
    }

    /// Shows every token that was ever given out, the oldest of each session first.
    pub(super) async fn replay_everything(&mut self, server: &Server) {
        for at in 0..self.sessions.len() {
            for place in 0..self.sessions[at].access.len() {
                self.ask(server, at, place).await;
            }
            let count = self.sessions[at].refresh.len();
            for generation in 0..count {
                self.refresh(server, at, generation).await;
            }
        }
    }

    fn pick(&self, which: Index) -> usize {
        // The newest ones are more likely to live.
        let newest = self.sessions.len().min(3);
        self.sessions.len() - 1 - which.index(newest)
    }

    async fn try_to_sign_in(&mut self, server: &Server) {
        let got = login(server, &self.email, &self.password).await;
        if self.is_active {
            assert_eq!(got.0, StatusCode::OK, "{}", got.1);
            self.sign_in(&got.1);
        } else {
            assert_failure(&got, StatusCode::UNAUTHORIZED);
        }
    }

    fn sign_in(&mut self, body: &Value) {
        let refresh = text(body, "/refreshToken").to_owned();
        let access = text(body, "/accessToken");
        let claims = URL_SAFE_NO_PAD.decode(access.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        let id = SessionId::parse(text(&claims, "/sid")).unwrap();
        assert!(self.seen.insert(refresh.clone()) && self.sessions.iter().all(|other| other.id != id));
        let access = self.access(access, self.now.plus(SESSION));
        self.sessions.push(Session {
            id,
            refresh: vec![refresh],
            access: vec![access],
            rotated_at: self.now,
            expires_at: self.now.plus(SESSION),
            is_ended: false,
            void: 0,
            is_past: false,
        });
    }

    fn access(&self, token: &str, session_ends: Timestamp) -> Access {
        let until = self.now.plus(ACCESS).min(session_ends);
        Access { token: token.to_owned(), from: self.now, until, is_void: false, is_past: false }
    }

    fn lives(&self, session: &Session) -> bool {
        !session.is_ended && self.is_active && self.now < session.expires_at
    }

    fn worth(&self, session: &Session, generation: usize) -> Worth {
        let newest = session.refresh.len() - 1;
        let (since, until) = (self.now.since(session.rotated_at), session.rotated_at.since(self.now));
        match generation {
            _ if generation < session.void || !self.lives(session) => Worth::Nothing,
            _ if generation == newest => Worth::New,
            _ if generation + 1 == newest && since <= GRACE && until <= GRACE + LEEWAY => Worth::Same,
            _ => Worth::Reused,
        }
    }

    async fn refresh(&mut self, server: &Server, at: usize, generation: usize) {
        let worth = self.worth(&self.sessions[at], generation);
        let got = refresh(server, &self.sessions[at].refresh[generation]).await;
        let session = &mut self.sessions[at];
        if session.is_past && got.0 == StatusCode::UNAUTHORIZED {
            session.is_ended |= worth != Worth::Nothing;
            return;
        }
        match worth {
            Worth::New | Worth::Same => self.go_on(at, worth, &got),
            Worth::Reused | Worth::Nothing => {
                assert_failure(&got, StatusCode::UNAUTHORIZED);
                session.is_ended |= worth == Worth::Reused;
            }
        }
    }

    /// Takes note of what a refresh gave.
    fn go_on(&mut self, at: usize, worth: Worth, (status, body): &(StatusCode, Value)) {
        assert_eq!(*status, StatusCode::OK, "{worth:?}: {body}");
        let token = text(body, "/refreshToken").to_owned();
        let access = self.access(text(body, "/accessToken"), self.sessions[at].expires_at);
        let session = &mut self.sessions[at];
        if worth == Worth::New {
            assert!(self.seen.insert(token.clone()), "a new token is another one");
            session.refresh.push(token);
            session.rotated_at = self.now;
        } else {
            assert_eq!(Some(&token), session.refresh.last(), "the same successor, byte for byte");
        }
        session.access.push(access);
    }

    async fn refresh_together(&mut self, server: &Server, at: usize) {
        let session = &self.sessions[at];
        let token = session.refresh.last().unwrap().clone();
        if self.worth(session, session.refresh.len() - 1) != Worth::New || session.is_past {
            return self.refresh(server, at, session.refresh.len() - 1).await;
        }
        let (one, other) = tokio::join!(refresh(server, &token), refresh(server, &token));
        self.go_on(at, Worth::New, &one);
        self.go_on(at, Worth::Same, &other);
    }

    async fn log_out(&mut self, server: &Server, at: usize, age: usize) {
        let session = &self.sessions[at];
        let generation = session.refresh.len().saturating_sub(age + 1);
        let lives = generation >= session.void && self.lives(session);
        let got = logout(server, &session.refresh[generation]).await;
        if lives && !(session.is_past && got.0 == StatusCode::BAD_REQUEST) {
            assert_eq!(got.0, StatusCode::OK, "{}", got.1);
        } else {
            assert_failure(&got, StatusCode::BAD_REQUEST);
        }
        self.sessions[at].is_ended |= lives;
    }

    async fn end_one(&mut self, server: &Server, at: usize) {
        let session = &mut self.sessions[at];
        match sessions::revoke(server.app(), &Actor::operator(), session.id).await {
            Ok(()) => assert!(!session.is_ended, "it ends once"),
            Err(error) => {
                let is_gone = matches!(error, Error::NotFound) && (session.is_ended || session.is_past);
                assert!(is_gone, "{error:?}");
            }
        }
        session.is_ended = true;
    }

    fn end_all(&mut self) {
        self.sessions.iter_mut().for_each(|session| session.is_ended = true);
    }

    /// Shows an access token: it counts for as long as its session is not ended, and its time not over.
    async fn ask(&self, server: &Server, at: usize, place: usize) {
        let (session, second) = (&self.sessions[at], Duration::from_secs(1));
        let access = &session.access[place];
        let got = welcome(server, &access.token).await;
        let (from, until) = (access.from.minus(LEEWAY), access.until.plus(LEEWAY));
        let is_over = session.is_ended || access.is_void || !self.is_active;
        // Its moments are in whole seconds.
        if is_over || self.now >= until || self.now.plus(second) <= from {
            assert_eq!(got, StatusCode::UNAUTHORIZED);
        } else if !access.is_past && self.now >= from && self.now.plus(second) < until {
            assert_eq!(got, StatusCode::OK);
        }
    }
}

async fn is_refused(server: &Server, token: &str) {
    assert_failure(&refresh(server, token).await, StatusCode::UNAUTHORIZED);
}
