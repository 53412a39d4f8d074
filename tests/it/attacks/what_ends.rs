//! Rows 19, 20 and 24: what ended stays ended, on every route: credentials of users who were
//! disabled, deleted or given another password, of a stranger who had registered first, and of who
//! had a name before.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::rights::{Holder, fresh_name, protected};
use super::{
    DIALECTS, Dialect, Member, PLACES, assert_refused_everywhere, assert_taken_everywhere, iron, iron_done,
    register_username, seen_by_admin, start, text,
};
use crate::harness::{ADMIN_TOKEN, PASSWORD, Server, answer};
use crate::rest::{logout, refresh, reset, reset_token, set_status, verification_token, verify};

const NEW: &str = "another pass phrase";

/// Everything that somebody has to show at the moment before it ends.
struct Credentials {
    holder: Holder,
    /// A session of each dialect, used since in each dialect.
    sessions: Vec<(Dialect, String)>,
    reset: String,
    verification: String,
}

impl Credentials {
    async fn of_somebody(server: &Server) -> Self {
        let holder = Holder::new(server).await;
        let mut sessions = vec![(Dialect::Rest, holder.member.access.clone())];
        for dialect in DIALECTS {
            sessions.push((dialect, dialect.session(server, &holder.member.email, PASSWORD).await));
        }
        let verification = verification_token(server, &holder.member.access).await;
        let reset = reset_token(server, &holder.member.email).await;
        for (dialect, token) in &sessions {
            assert_taken_everywhere(server, token, &format!("a session of {dialect:?}")).await;
        }
        assert_taken_everywhere(server, &holder.api_token, "an API token").await;
        Self { holder, sessions, reset, verification }
    }

    fn email(&self) -> &str {
        &self.holder.member.email
    }

    /// Asserts that a credential gets nowhere: on every route what nobody gets.
    async fn assert_dead(&self, server: &Server, token: &str, what: &str) {
        assert_refused_everywhere(server, token, what).await;
        for (method, template) in protected(server) {
            let request = || self.holder.request(server, &method, &template);
            let (nobody, _) = answer(request()).await;
            let (status, body) = answer(request().bearer_auth(token)).await;
            assert_eq!(status, nobody, "{what}: {method} {template}: {body}");
        }
    }

    async fn assert_sessions_dead(&self, server: &Server, event: &str) {
        for (dialect, token) in &self.sessions {
            self.assert_dead(server, token, &format!("{event}: a session of {dialect:?}")).await;
        }
        let token = &self.holder.member.refresh;
        for _ in 0..2 {
            assert_eq!(refresh(server, token).await.0, StatusCode::UNAUTHORIZED, "{event}");
            assert_eq!(logout(server, token).await.0, StatusCode::BAD_REQUEST, "{event}");
        }
        self.assert_dead(server, token, &format!("{event}: the refresh token")).await;
    }

    /// Asserts that the links in mails lead nowhere; `bearer` may be the user's own living session.
    async fn assert_links_dead(&self, server: &Server, bearer: &str, event: &str) {
        assert_eq!(reset(server, &self.reset, "a third pass phrase").await.0, StatusCode::UNAUTHORIZED, "{event}");
        assert_eq!(verify(server, bearer, &self.verification).await.0, StatusCode::UNAUTHORIZED, "{event}");
    }

    async fn assert_password_dead(&self, server: &Server, password: &str, event: &str) {
        for dialect in DIALECTS {
            let (status, body) = dialect.sign_in(server, self.email(), password).await;
            assert_eq!(status, dialect.wrong_credentials(), "{event} {dialect:?}: {body}");
        }
    }

    async fn assert_api_token(&self, server: &Server, lives: bool, event: &str) {
        if lives {
            assert_taken_everywhere(server, &self.holder.api_token, event).await;
        } else {
            self.assert_dead(server, &self.holder.api_token, &format!("{event}: an API token")).await;
        }
    }
}

/// Row 19 (CVE-2025-29928): a disabled user.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_disabled_user_works_on_any_route() {
    let server = start().await;
    let somebody = Credentials::of_somebody(&server).await;
    set_status(&server, somebody.email(), "disabled").await;
    somebody.assert_sessions_dead(&server, "disabled").await;
    somebody.assert_api_token(&server, false, "disabled").await;
    somebody.assert_links_dead(&server, &somebody.holder.member.access, "disabled").await;
    somebody.assert_password_dead(&server, PASSWORD, "disabled").await;
    // Enabled again, sessions stay where they are, and the API token wakes.
    set_status(&server, somebody.email(), "active").await;
    somebody.assert_sessions_dead(&server, "enabled again").await;
    somebody.assert_links_dead(&server, &somebody.sessions[0].1, "enabled again").await;
    somebody.assert_api_token(&server, true, "enabled again").await;
}

/// Row 19: a deleted user.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_deleted_user_works_on_any_route() {
    for by_oneself in [false, true] {
        let server = start().await;
        let somebody = Credentials::of_somebody(&server).await;
        let token = if by_oneself { somebody.sessions[1].1.as_str() } else { ADMIN_TOKEN };
        let path = format!("/1/users/{}", somebody.email());
        iron_done(&server, "DELETE", &path, token, json!({"current_password": PASSWORD})).await;
        somebody.assert_sessions_dead(&server, "deleted").await;
        somebody.assert_api_token(&server, false, "deleted").await;
        somebody.assert_links_dead(&server, &somebody.holder.member.access, "deleted").await;
        somebody.assert_password_dead(&server, PASSWORD, "deleted").await;
    }
}

/// Row 19: another password, by whatever way it comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_of_before_a_change_of_password_works_on_any_route() {
    for way in ["argon", "iron", "an administrator", "a reset"] {
        let server = start().await;
        let somebody = Credentials::of_somebody(&server).await;
        let (session, path) = (&somebody.sessions[2].1, format!("/1/users/{}", somebody.email()));
        match way {
            "argon" => {
                let body = json!({"currentPassword": PASSWORD, "newPassword": NEW});
                let request = server.request(Method::PUT, "/api/auth/profile").bearer_auth(session).json(&body);
                let (status, body) = answer(request).await;
                assert_eq!(status, StatusCode::OK, "{body}");
                assert_taken_everywhere(&server, &text(&body, "/token"), "the new session").await;
            }
            "iron" => {
                let body = json!({"password": NEW, "current_password": PASSWORD});
                drop(iron_done(&server, "PATCH", &path, session, body).await);
            }
            "a reset" => {
                // By another link than the one that is tried later.
                let token = reset_token(&server, somebody.email()).await;
                assert_eq!(reset(&server, &token, NEW).await.0, StatusCode::OK);
            }
            _ => drop(iron_done(&server, "PATCH", &path, ADMIN_TOKEN, json!({"password": NEW})).await),
        }
        somebody.assert_sessions_dead(&server, way).await;
        assert_eq!(reset(&server, &somebody.reset, "a third pass phrase").await.0, StatusCode::UNAUTHORIZED, "{way}");
        somebody.assert_password_dead(&server, PASSWORD, way).await;
        // Nobody ever proved the address, so that a reset takes the API tokens as well.
        somebody.assert_api_token(&server, way != "a reset", way).await;
        let again = Dialect::Argon.session(&server, somebody.email(), NEW).await;
        assert_taken_everywhere(&server, &again, way).await;
    }
}

/// Row 19: another address. It ends what was mailed to the old one, and the old name; sessions
/// name the user, and go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_mailed_to_an_address_is_void_once_the_address_changes() {
    for by_administrator in [false, true] {
        let server = start().await;
        let somebody = Credentials::of_somebody(&server).await;
        let token = if by_administrator { ADMIN_TOKEN } else { somebody.sessions[0].1.as_str() };
        let body = json!({"email": "elsewhere@example.com", "current_password": PASSWORD});
        iron_done(&server, "PATCH", &format!("/1/users/{}", somebody.email()), token, body).await;
        somebody.assert_links_dead(&server, &somebody.holder.member.access, "another address").await;
        somebody.assert_password_dead(&server, PASSWORD, "by the old address").await;
        for (dialect, token) in &somebody.sessions {
            let (_, me) = answer(server.get("/users/me").bearer_auth(token)).await;
            assert_eq!(me["email"], "elsewhere@example.com", "{dialect:?}");
        }
    }
}

/// Row 19: a session that its user ended, alone, and for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_was_ended_works_on_no_route_and_the_others_go_on() {
    let server = start().await;
    let somebody = Credentials::of_somebody(&server).await;
    for (number, (dialect, token)) in somebody.sessions.iter().enumerate().skip(1) {
        // By turns in every way that there is to end one.
        let request = match dialect {
            Dialect::Argon | Dialect::Iron => server.post("/api/auth/logout").bearer_auth(token),
            Dialect::Rest | Dialect::XAccessToken => server.post("/users/logout").header("x-access-token", token),
        };
        assert_eq!(answer(request).await.0, StatusCode::OK, "{dialect:?}");
        somebody.assert_dead(&server, token, &format!("ended in {dialect:?}")).await;
        for (other, token) in &somebody.sessions[number + 1..] {
            assert_taken_everywhere(&server, token, &format!("{other:?} after {dialect:?}")).await;
        }
    }
    let member = &somebody.holder.member;
    assert_eq!(logout(&server, &member.refresh).await.0, StatusCode::OK);
    somebody.assert_sessions_dead(&server, "logged out").await;
    somebody.assert_api_token(&server, true, "logged out").await;
}

/// Row 20 (CVE-2026-44166): who registered another's address first is out once the other proves it
/// by a reset: by password, sessions, tokens and links, however much was prepared.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_stranger_outlives_the_proof_of_the_address_by_its_owner() {
    let server = start().await;
    let stranger = Credentials::of_somebody(&server).await;
    // A name of the stranger's choice, a token with an end far away, a session gone on with.
    let change = json!({"newUsername": "a-back-door"});
    let request = server.request(Method::PUT, "/api/auth/profile").bearer_auth(&stranger.holder.member.access);
    assert_eq!(answer(request.json(&change)).await.0, StatusCode::OK);
    let far = json!({"token": {"name": "x", "expires_at": "2099-01-01T00:00:00Z"}});
    let far = text(&iron_done(&server, "POST", "/1/tokens", &stranger.holder.member.access, far).await, "/token/token");
    let (_, gone_on) = refresh(&server, &stranger.holder.member.refresh).await;

    let victims = reset_token(&server, stranger.email()).await;
    assert_eq!(reset(&server, &victims, NEW).await.0, StatusCode::OK);
    stranger.assert_sessions_dead(&server, "proven").await;
    stranger.assert_api_token(&server, false, "proven").await;
    stranger.assert_dead(&server, &far, "proven: another API token").await;
    stranger.assert_dead(&server, &text(&gone_on, "/accessToken"), "proven: the session's next token").await;
    assert_eq!(refresh(&server, &text(&gone_on, "/refreshToken")).await.0, StatusCode::UNAUTHORIZED);
    stranger.assert_password_dead(&server, PASSWORD, "proven").await;
    for name in ["a-back-door", "A-Back-Door"] {
        assert_eq!(Dialect::Argon.sign_in(&server, name, PASSWORD).await.0, StatusCode::UNAUTHORIZED);
    }
    let owner = Dialect::Rest.session(&server, stranger.email(), NEW).await;
    stranger.assert_links_dead(&server, &owner, "proven").await;
    // Tokens that the owner makes from here on outlive the next reset: the address is proven.
    let own = text(&iron_done(&server, "POST", "/1/tokens", &owner, json!({})).await, "/token/token");
    let token = reset_token(&server, stranger.email()).await;
    assert_eq!(reset(&server, &token, "a third pass phrase").await.0, StatusCode::OK);
    assert_taken_everywhere(&server, &own, "the owner's own token").await;
}

/// Row 20, prepared with an address of the stranger's own, which was proven: it proves nothing of the
/// next one, and no link to it leads to the account any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proof_of_one_address_is_no_proof_of_the_next() {
    let server = start().await;
    let eve = Member::register(&server, "eve").await;
    let proof = verification_token(&server, &eve.access).await;
    assert_eq!(verify(&server, &eve.access, &proof).await.0, StatusCode::OK);
    let (_, api) = eve.api_token(&server).await;
    let prepared = reset_token(&server, &eve.email).await;
    let body = json!({"email": "victim@example.com", "current_password": PASSWORD});
    iron_done(&server, "PATCH", &format!("/1/users/{}", eve.id), &eve.access, body).await;
    assert_eq!(reset(&server, &prepared, NEW).await.0, StatusCode::UNAUTHORIZED);
    assert_taken_everywhere(&server, &api, "before the owner comes").await;
    let token = reset_token(&server, "victim@example.com").await;
    assert_eq!(reset(&server, &token, NEW).await.0, StatusCode::OK);
    for (what, dead) in [("the session", &eve.access), ("the API token", &api)] {
        assert_refused_everywhere(&server, dead, what).await;
    }
    assert_eq!(refresh(&server, &eve.refresh).await.0, StatusCode::UNAUTHORIZED);
    for dialect in DIALECTS {
        for login in ["victim@example.com", &eve.email] {
            let (status, _) = dialect.sign_in(&server, login, PASSWORD).await;
            assert_eq!(status, dialect.wrong_credentials(), "{login} {dialect:?}");
        }
    }
}

/// How a name becomes free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Freed {
    ByDeletion,
    ByRenaming,
}

/// Asserts that whatever a former holder of a name has is not the new one's.
async fn assert_apart(server: &Server, former: &Credentials, new_id: &str, new_access: &str, freed: Freed) {
    let tokens = former.sessions.iter().map(|(_, token)| token).chain([&former.holder.api_token]);
    for token in tokens {
        match freed {
            Freed::ByDeletion => former.assert_dead(server, token, "of a deleted user").await,
            Freed::ByRenaming => {
                for place in PLACES {
                    place.assert_taken(server, token, "of a renamed user").await;
                }
                let (_, me) = answer(server.get("/users/me").bearer_auth(token)).await;
                let (_, new) = answer(server.get("/users/me").bearer_auth(new_access)).await;
                assert_ne!(me["uid"], new["uid"]);
                for (method, path) in [("GET", format!("/1/users/{new_id}")), ("DELETE", format!("/1/users/{new_id}"))]
                {
                    assert_eq!(iron(server, method, &path, token, Value::Null).await.0, StatusCode::NOT_FOUND);
                }
            }
        }
    }
    assert_eq!(verify(server, new_access, &former.verification).await.0, StatusCode::UNAUTHORIZED, "{freed:?}");
    if freed == Freed::ByDeletion {
        former.assert_sessions_dead(server, "of a deleted user").await;
    } else {
        let (status, body) = refresh(server, &former.holder.member.refresh).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let (_, welcome) = answer(server.get("/users/me").bearer_auth(text(&body, "/accessToken"))).await;
        assert_ne!(welcome["uid"], json!(new_id));
    }
    // What the one owned, or was let into, is not the other's.
    for (path, list) in [("/1/projects", "projects"), ("/1/tokens", "tokens")] {
        assert_eq!(iron_done(server, "GET", path, new_access, Value::Null).await[list], json!([]), "{freed:?}");
    }
}

/// Row 24: an address that was freed and registered again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_the_former_holder_of_an_address_works_for_the_next() {
    for freed in [Freed::ByDeletion, Freed::ByRenaming] {
        let server = start().await;
        let former = Credentials::of_somebody(&server).await;
        let (old, email) = (&former.holder.member, former.email().to_owned());
        // Something of another's that the former one may use.
        let other = Holder::new(&server).await;
        let (project, path) = (other.member.project(&server).await, format!("/1/users/{}", old.id));
        let share = json!({"email": email});
        iron_done(&server, "PATCH", &format!("/1/projects/{project}/share"), &other.member.access, share).await;
        match freed {
            Freed::ByDeletion => drop(iron_done(&server, "DELETE", &path, ADMIN_TOKEN, json!({})).await),
            Freed::ByRenaming => {
                let body = json!({"email": "moved@example.com", "current_password": PASSWORD});
                drop(iron_done(&server, "PATCH", &path, &old.access, body).await);
            }
        }
        let body = json!({"name": "New", "email": email.to_uppercase(), "password": NEW, "confirm": NEW});
        let (status, new) = server.post_json("/auth/register", &body).await;
        assert_eq!(status, StatusCode::CREATED, "{new}");
        let (id, access) = (text(&new, "/user/id"), text(&new, "/accessToken"));
        assert_ne!(id, old.id);
        former.assert_password_dead(&server, PASSWORD, "the former password").await;
        assert_eq!(reset(&server, &former.reset, "a third pass phrase").await.0, StatusCode::UNAUTHORIZED, "{freed:?}");
        assert_apart(&server, &former, &id, &access, freed).await;
        let path = format!("/1/authentication?project_id={project}");
        assert_eq!(iron(&server, "GET", &path, &access, Value::Null).await.0, StatusCode::FORBIDDEN);
        assert_eq!(iron(&server, "GET", &format!("/1/projects/{project}"), &access, json!({})).await.0, 404);
        let members = format!("/1/projects/{project}/share");
        let members = iron_done(&server, "GET", &members, &other.member.access, Value::Null).await;
        assert!(!members.to_string().contains(&id), "{members}");
    }
}

/// Row 24: a username that was freed and registered again, in whatever letter case.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_the_former_holder_of_a_username_works_for_the_next() {
    for freed in [Freed::ByDeletion, Freed::ByRenaming] {
        let server = start().await;
        let former = Credentials::of_somebody(&server).await;
        let name = |name: &str| {
            let request = server.request(Method::PUT, "/api/auth/profile").bearer_auth(&former.holder.member.access);
            answer(request.json(&json!({"newUsername": name})))
        };
        assert_eq!(name("captain").await.0, StatusCode::OK);
        assert_eq!(Dialect::Argon.sign_in(&server, "captain", PASSWORD).await.0, StatusCode::OK);
        match freed {
            Freed::ByDeletion => {
                let path = format!("/1/users/{}", former.holder.member.id);
                drop(iron_done(&server, "DELETE", &path, ADMIN_TOKEN, json!({})).await);
            }
            Freed::ByRenaming => assert_eq!(name(&fresh_name("mate")).await.0, StatusCode::OK),
        }
        let (status, _) = Dialect::Argon.sign_in(&server, "captain", PASSWORD).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{freed:?}");
        let body = json!({"username": "Captain", "password": NEW});
        let (status, new) = server.post_json("/api/auth/register", &body).await;
        assert_eq!(status, StatusCode::OK, "{new}");
        let access = text(&new, "/token");
        let (_, me) = answer(server.get("/users/me").bearer_auth(&access)).await;
        let id = text(&seen_by_admin(&server, &text(&me, "/uid")).await, "/user_id");
        let (status, _) = Dialect::Argon.sign_in(&server, "captain", PASSWORD).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{freed:?}");
        assert_apart(&server, &former, &id, &access, freed).await;
        assert_eq!(register_username(&server, "CAPTAIN").await.0, StatusCode::BAD_REQUEST);
        // A link to the former one's address, which is theirs still after a change of name, opens no
        // other account than theirs.
        let status = reset(&server, &former.reset, "a third pass phrase").await.0;
        assert_eq!(status == StatusCode::OK, freed == Freed::ByRenaming, "{freed:?}: {status}");
        assert_eq!(Dialect::Argon.sign_in(&server, "captain", NEW).await.0, StatusCode::OK);
    }
}
