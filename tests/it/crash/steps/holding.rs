//! All credentials that a user ever had, and what each is worth to whoever kept a copy.

use reqwest::Method;
use serde_json::{Value, json};

use crate::crash::asker::Asker;
use crate::crash::session::Session;
use crate::crash::text;
use crate::harness::{ADMIN_TOKEN, PASSWORD};

pub(super) const EMAIL: &str = "ann@example.com";
pub(super) const FIRST_PASSWORD: &str = "the first pass phrase";
pub(super) const MATE: &str = "mate@example.com";

impl Session {
    /// One that begins with this answer, and was refreshed so often.
    async fn refreshed(asker: &Asker, signed_in: &Value, times: usize) -> Self {
        let mut session = Self::of(signed_in);
        for _ in 0..times {
            let next = asker.refresh(session.newest()).await.unwrap();
            session.take(&next);
        }
        session
    }

    /// Whether it lives. All of its access tokens are of one mind about that, and its newest refresh
    /// token with them; of a session that is over, every generation is replayed.
    pub(super) async fn lives(&mut self, asker: &Asker, when: &str) -> bool {
        let mut known = Vec::new();
        for token in &self.access {
            known.push(asker.is_known(token, None).await);
        }
        let lives = known[0];
        assert!(known.iter().all(|known| *known == lives), "{when}: half a session lives: {known:?}");
        if lives {
            let next = asker.refresh(self.newest()).await;
            self.take(&next.unwrap_or_else(|| panic!("{when}: half a session lives: it cannot be refreshed")));
        } else {
            for token in &self.refresh {
                assert!(asker.refresh(token).await.is_none(), "{when}: a token refreshes a session that is over");
            }
        }
        lives
    }
}

/// Credentials of one user, all of which live, or all of which are over.
#[derive(Clone, Default)]
pub(super) struct Holding {
    pub(super) sessions: Vec<Session>,
    pub(super) tokens: Vec<String>,
    pub(super) resets: Vec<String>,
    pub(super) passwords: Vec<String>,
    /// Projects of the user that are shared with the mate, by whose token they are seen.
    pub(super) projects: Vec<(String, String)>,
}

impl Holding {
    /// What each of them is worth.
    pub(super) async fn worth(&mut self, asker: &Asker, when: &str) -> Vec<bool> {
        let mut worth = Vec::new();
        for session in &mut self.sessions {
            worth.push(session.lives(asker, when).await);
        }
        for token in &self.tokens {
            worth.push(asker.is_known(token, None).await);
        }
        for secret in &self.resets {
            // A password that is never taken leaves the secret as it is.
            let path = format!("/auth/reset-password?token={secret}");
            let (status, body) = asker.try_to(&path, json!({"password": "short"})).await;
            assert!(status.is_client_error(), "{status} {body}");
            worth.push(body["errors"][0]["field"] == "password");
        }
        for password in &self.passwords {
            worth.push(asker.sign_in(EMAIL, password).await.is_some());
        }
        for (project, mate) in &self.projects {
            worth.push(asker.is_known(mate, Some(project)).await);
        }
        worth
    }

    /// Asserts that none is worth anything.
    pub(super) async fn is_over(&mut self, asker: &Asker, when: &str) {
        let worth = self.worth(asker, when).await;
        assert!(worth.iter().all(|works| !works), "{when}: what was revoked works again: {worth:?}");
    }

    pub(super) fn with(mut self, other: Self) -> Self {
        self.sessions.extend(other.sessions);
        self.tokens.extend(other.tokens);
        self.resets.extend(other.resets);
        self.passwords.extend(other.passwords);
        self.projects.extend(other.projects);
        self
    }
}

/// A user with something of everything.
#[derive(Clone)]
pub(super) struct Ground {
    /// What was revoked in every way before: it must never work again, whatever happens.
    pub(super) over: Holding,
    pub(super) living: Holding,
    pub(super) token_id: String,
}

impl Ground {
    pub(super) async fn lay(asker: &Asker) -> Self {
        let mut over = Holding::default();
        let names = json!({"name": "Ann", "email": EMAIL, "password": FIRST_PASSWORD, "confirm": FIRST_PASSWORD});
        let registered = asker.post("/auth/register", names).await.unwrap();
        over.sessions.push(Session::refreshed(asker, &registered, 2).await);
        let secret = mailed(asker).await;
        assert!(asker.reset(&secret, PASSWORD).await);
        over.resets.push(secret);
        over.passwords.push(FIRST_PASSWORD.to_owned());

        let session = async |refreshes| {
            Session::refreshed(asker, &asker.sign_in(EMAIL, PASSWORD).await.unwrap(), refreshes).await
        };
        let (signed_out, reused) = (session(1).await, session(3).await);
        asker.post("/auth/logout", json!({"refreshToken": signed_out.refresh[0]})).await.unwrap();
        assert!(asker.refresh(&reused.refresh[0]).await.is_none());
        over.sessions.extend([signed_out, reused]);

        let living = session(3).await;
        let bearer = living.access.last().unwrap().clone();
        let token = async || asker.iron(Method::POST, "/1/tokens", &bearer, json!({})).await.unwrap()["token"].clone();
        let (gone, kept) = (token().await, token().await);
        let path = format!("/1/tokens/{}", text(&gone, "_id"));
        asker.iron(Method::DELETE, &path, &bearer, json!({})).await.unwrap();
        over.tokens.push(text(&gone, "token"));

        let mate = asker.iron(Method::POST, "/1/users", ADMIN_TOKEN, json!({"email": MATE, "password": PASSWORD}));
        let mate = mate.await.unwrap()["tokens"][0].as_str().unwrap().to_owned();
        let project = asker.iron(Method::POST, "/1/projects", &bearer, json!({"name": "crash"})).await.unwrap();
        let project = text(&project, "id");
        let path = format!("/1/projects/{project}/share");
        asker.iron(Method::PATCH, &path, &bearer, json!([MATE])).await.unwrap();

        let living = Holding {
            sessions: vec![living, session(0).await],
            tokens: vec![text(&kept, "token")],
            resets: vec![mailed(asker).await],
            passwords: vec![PASSWORD.to_owned()],
            projects: vec![(project, mate)],
        };
        Self { over, living, token_id: text(&kept, "_id") }
    }
}

async fn mailed(asker: &Asker) -> String {
    asker.post("/auth/forgot-password", json!({"email": EMAIL})).await.unwrap();
    asker.mailed_token(EMAIL).await.expect("a mail comes")
}
