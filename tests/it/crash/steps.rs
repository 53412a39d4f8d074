//! Row 17 of docs/security.md (#faults-that-other-products-shipped), CVE-2026-9802: a kill between every
//! step of a refresh and of each revocation, a start, and a replay of everything that the user ever had. What was revoked works no more; what was
//! not acknowledged is revoked as a whole, or not at all.

mod gate;
mod holding;
mod postgres;
mod sqlite;

use reqwest::Method;
use serde_json::{Value, json};

use self::holding::{EMAIL, Ground, Holding};
use super::asker::{Asker, Unanswered};
use crate::harness::{ADMIN_TOKEN, PASSWORD};

const NEW_PASSWORD: &str = "another pass phrase";
/// From so many rounds on, all steps are tried, and before that some.
const ALL_FROM: usize = 50;

/// What is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Refresh,
    SignOut,
    ChangePassword,
    ResetPassword,
    DeleteToken,
    Unshare,
    Disable,
    DeleteUser,
}

impl Deed {
    const ALL: [Self; 8] = [
        Self::Refresh,
        Self::SignOut,
        Self::ChangePassword,
        Self::ResetPassword,
        Self::DeleteToken,
        Self::Unshare,
        Self::Disable,
        Self::DeleteUser,
    ];

    async fn begin(self, asker: &Asker, ground: &Ground) -> Result<Value, Unanswered> {
        let living = &ground.living;
        let [session, second] = [0, 1].map(|at| &living.sessions[at]);
        let bearer = second.access.last().unwrap();
        let user = format!("/1/users/{EMAIL}");
        match self {
            Self::Refresh => asker.post("/auth/refresh-tokens", json!({"refreshToken": session.refresh.last()})).await,
            Self::SignOut => asker.post("/auth/logout", json!({"refreshToken": session.refresh[1]})).await,
            Self::ChangePassword => {
                let body = json!({"password": NEW_PASSWORD, "current_password": PASSWORD});
                asker.iron(Method::PATCH, &user, bearer, body).await
            }
            Self::ResetPassword => {
                let path = format!("/auth/reset-password?token={}", living.resets[0]);
                asker.post(&path, json!({"password": NEW_PASSWORD})).await
            }
            Self::DeleteToken => {
                asker.iron(Method::DELETE, &format!("/1/tokens/{}", ground.token_id), bearer, json!({})).await
            }
            Self::Unshare => {
                let path = format!("/1/projects/{}/unshare", living.projects[0].0);
                asker.iron(Method::PATCH, &path, bearer, json!([holding::MATE])).await
            }
            Self::Disable => asker.iron(Method::PATCH, &user, ADMIN_TOKEN, json!({"status": "disabled"})).await,
            Self::DeleteUser => asker.iron(Method::DELETE, &user, ADMIN_TOKEN, json!({})).await,
        }
    }

    /// What it revokes of all that lives, and what goes on.
    fn divide(self, living: Holding) -> (Holding, Holding) {
        let Holding { mut sessions, tokens, resets, passwords, projects } = living;
        match self {
            Self::Refresh => (Holding::default(), Holding { sessions, tokens, resets, passwords, projects }),
            Self::SignOut => {
                let ended = Holding { sessions: vec![sessions.remove(0)], ..Holding::default() };
                (ended, Holding { sessions, tokens, resets, passwords, projects })
            }
            Self::ChangePassword | Self::ResetPassword => (
                Holding { sessions, resets, passwords, ..Holding::default() },
                Holding { tokens, projects, ..Holding::default() },
            ),
            Self::DeleteToken => (
                Holding { tokens, ..Holding::default() },
                Holding { sessions, resets, passwords, projects, ..Holding::default() },
            ),
            Self::Unshare => (
                Holding { projects, ..Holding::default() },
                Holding { sessions, tokens, resets, passwords, ..Holding::default() },
            ),
            // Tokens and passwords rest: what comes back with the user is looked at apart.
            Self::Disable => (
                Holding { sessions, tokens, resets, passwords, ..Holding::default() },
                Holding { projects, ..Holding::default() },
            ),
            Self::DeleteUser => (Holding { sessions, tokens, resets, passwords, projects }, Holding::default()),
        }
    }
}

/// Replays everything after a kill in the middle of a deed; what was revoked then, for another look
/// after the next crash.
async fn replay(asker: &Asker, ground: &Ground, deed: Deed, answer: Option<&Value>, when: &str) -> Holding {
    let Ground { over, living, .. } = ground.clone();
    let (mut revoked, mut going_on) = deed.divide(living);
    let mut over = over;
    over.is_over(asker, when).await;
    let worth = revoked.worth(asker, when).await;
    let is_done = worth.iter().all(|works| !works);
    assert!(is_done || worth.iter().all(|works| *works), "{when}: half of it is done: {worth:?}");
    assert!(is_done || answer.is_none(), "{when}: it was acknowledged, and all of it works: {worth:?}");
    if deed == Deed::Refresh {
        has_one_successor(asker, &mut going_on, answer, when).await;
    }
    let worth = going_on.worth(asker, when).await;
    assert!(worth.iter().all(|works| *works), "{when}: what nobody revoked is lost: {worth:?}");
    if is_done {
        over = over.with(revoked);
        come_back(asker, deed, &mut over, when).await;
    } else {
        going_on = going_on.with(revoked);
    }
    if !going_on.sessions.is_empty() {
        // The oldest refresh token of a session that goes on ends it.
        let mut session = going_on.sessions.remove(0);
        let is_old = session.refresh.len() > 3;
        if is_old {
            assert!(asker.refresh(&session.refresh[0]).await.is_none(), "{when}: a refresh token was used twice");
            assert!(!session.lives(asker, when).await, "{when}: the session of a token used twice goes on");
            over.sessions.push(session);
        }
    }
    over
}

/// Whether it was done or not: the token that was being refreshed has one successor, the one that was
/// told if any was.
async fn has_one_successor(asker: &Asker, going_on: &mut Holding, answer: Option<&Value>, when: &str) {
    let session = &mut going_on.sessions[0];
    let current = session.refresh.last().unwrap().clone();
    let next = asker.refresh(&current).await.unwrap_or_else(|| panic!("{when}: the session is lost"));
    let again = asker.refresh(&current).await.unwrap_or_else(|| panic!("{when}: the session is lost"));
    for other in [Some(&again), answer].into_iter().flatten() {
        assert_eq!(other["refreshToken"], next["refreshToken"], "{when}: two successors");
    }
    session.take(&next);
}

/// Whoever comes back, or comes in their place, brings nothing of the old back.
async fn come_back(asker: &Asker, deed: Deed, over: &mut Holding, when: &str) {
    let when = format!("{when}, then back");
    match deed {
        Deed::Disable => {
            let path = format!("/1/users/{EMAIL}");
            asker.iron(Method::PATCH, &path, ADMIN_TOKEN, json!({"status": "active"})).await.unwrap();
            // These rested, and nothing more.
            let [token, password] = [over.tokens.pop().unwrap(), over.passwords.pop().unwrap()];
            assert!(asker.is_known(&token, None).await, "{when}: the token");
            assert!(asker.sign_in(EMAIL, &password).await.is_some(), "{when}: the password");
        }
        Deed::DeleteUser => {
            let password = "a stranger's pass phrase";
            let body = json!({"name": "Eve", "email": EMAIL, "password": password, "confirm": password});
            asker.post("/auth/register", body).await.unwrap();
        }
        Deed::ChangePassword | Deed::ResetPassword => {
            assert!(asker.sign_in(EMAIL, NEW_PASSWORD).await.is_some(), "{when}: the new password");
        }
        _ => return,
    }
    over.is_over(asker, &when).await;
}
