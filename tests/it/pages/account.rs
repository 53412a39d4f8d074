//! What users do with their own account.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::NO_LONGER_FRESH;
use crate::harness::pages::{Browser, SESSION};
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, PASSWORD, Server, answer};

const OTHER: &str = "another pass phrase";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_is_changed_in_all_dialects_at_once() {
    let server = Server::start().await;
    let mut ann = Browser::registered(&server, "ann@example.com").await;
    let fields = [("name", "Ann Lee"), ("username", "ann"), ("bio", "Likes\r\ncrawlers.")];
    assert_eq!(ann.fill("/account", "/account", &fields).await.to(), "/account?done=saved");
    let page = ann.get("/account?done=saved").await;
    assert!(page.says("The changes are saved.") && page.says("value=\"Ann Lee\"") && page.says("Likes\ncrawlers."));
    let body = json!({"username": "ann", "password": PASSWORD});
    let (status, _) = server.post_json("/api/auth/login", &body).await;
    assert_eq!(status, StatusCode::OK);
    let cleared = [("name", ""), ("username", ""), ("bio", "")];
    assert_eq!(ann.fill("/account", "/account", &cleared).await.to(), "/account?done=saved");
    assert_eq!(server.post_json("/api/auth/login", &body).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_are_told_in_the_readers_language() {
    let server = Server::start().await;
    let mut ann = Browser::registered(&server, "ann@example.com").await;
    ann.language = "de";
    let page =
        ann.fill("/account", "/account/email", &[("email", "ann@example.com"), ("current_password", PASSWORD)]).await;
    assert!(page.says("Das ist schon Ihre Adresse."), "{}", page.html);
    assert_eq!(ann.send("/language", &[("language", "en"), ("next", "/account")]).await.to(), "/account");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_faulty_profile_changes_nothing_and_keeps_what_was_typed() {
    let server = Server::start().await;
    let mut bob = Browser::registered(&server, "bob@example.com").await;
    bob.fill("/account", "/account", &[("name", "Bob"), ("username", "bob")]).await;
    let mut ann = Browser::registered(&server, "ann@example.com").await;
    let page = ann.fill("/account", "/account", &[("name", "Anna"), ("username", "a@b"), ("bio", "x")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("Leave out the @.") && page.says("value=\"a@b\"") && page.says("value=\"Anna\""));
    let page = ann.fill("/account", "/account", &[("name", "Anna"), ("username", "Bob")]).await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    assert!(page.says("href=\"#username\""));
    assert!(ann.get("/account").await.says("value=\"Ann\""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_password_needs_the_old_one_and_ends_every_other_session() {
    let server = Server::start().await;
    let mut ann = Browser::registered(&server, "ann@example.com").await;
    let mut elsewhere = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let path = "/account/password";
    let change = async |ann: &mut Browser<'_>, current: &str, new: &str, again: &str| {
        let fields = [("current_password", current), ("password", new), ("confirm", again)];
        ann.fill(path, path, &fields).await
    };
    let page = change(&mut ann, OTHER, OTHER, OTHER).await;
    assert!(page.status == StatusCode::UNPROCESSABLE_ENTITY && page.says("This is not your password."));
    let page = change(&mut ann, PASSWORD, OTHER, "something else").await;
    assert!(page.status == StatusCode::UNPROCESSABLE_ENTITY && page.says("The two passwords are not the same."));
    let page = change(&mut ann, PASSWORD, "password", "password").await;
    assert!(
        page.status == StatusCode::UNPROCESSABLE_ENTITY
            && page.says("common passwords")
            && page.says("id=\"password-error\"")
    );
    let before = ann.session().to_owned();
    assert_eq!(change(&mut ann, PASSWORD, OTHER, OTHER).await.to(), "/account/password?done=password_changed");
    assert_ne!(ann.session(), before);
    assert_eq!(ann.get("/account").await.status, StatusCode::OK);
    assert_eq!(elsewhere.get("/account").await.to(), "/sign-in");
    Browser::signed_in(&server, "ann@example.com", OTHER).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_shown_once_works_and_is_deleted_after_a_question() {
    let server = Server::start().await;
    let mut ann = Browser::registered(&server, "ann@example.com").await;
    assert!(ann.get("/account/tokens").await.says("No tokens yet"));
    let page = ann.send("/account/tokens", &[("name", ""), ("expires", "30")]).await;
    assert!(page.status == StatusCode::UNPROCESSABLE_ENTITY && page.says("id=\"name-error\""));
    let page = ann.send("/account/tokens", &[("name", "ci"), ("expires", "7"), ("admin", "true")]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "only administrators make such tokens");
    let page = ann.fill("/account/tokens", "/account/tokens", &[("name", "ci"), ("expires", "7")]).await;
    let token = page.between("<code id=\"secret\">", "<");
    assert_eq!(page.headers["cache-control"], "no-store");
    let asked = server.get("/1/tokens").header("authorization", format!("OAuth {token}"));
    assert_eq!(answer(asked).await.0, StatusCode::OK);
    let page = ann.get("/account/tokens").await;
    assert!(!page.says(&token) && (page.says("in 6 days") || page.says("in 7 days")), "{}", page.html);
    let path = format!("/account/tokens/{}/delete", page.between("href=\"/account/tokens/", "/delete"));
    let question = ann.get(&path).await;
    assert!(question.says("“ci” stops working at once"));
    let mut bob = Browser::registered(&server, "bob@example.com").await;
    assert_eq!(bob.get(&path).await.status, StatusCode::NOT_FOUND);
    bob.get("/account").await;
    assert_eq!(bob.send(&path, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(ann.send(&path, &[]).await.to(), "/account/tokens?done=token_deleted");
    let asked = server.get("/1/tokens").header("authorization", format!("OAuth {token}"));
    assert_eq!(answer(asked).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_is_made_renamed_shared_and_deleted_by_its_name() {
    let server = Server::start().await;
    let mut ann = Browser::registered(&server, "ann@example.com").await;
    let mut bob = Browser::registered(&server, "bob@example.com").await;
    assert!(ann.get("/account/projects").await.says("No projects yet"));
    let made = ann.send("/account/projects", &[("name", "Crawler")]).await;
    let path = made.to().strip_suffix("?done=project_made").unwrap().to_owned();
    assert_eq!(bob.get(&path).await.status, StatusCode::NOT_FOUND);
    let renamed = ann.fill(&path, &format!("{path}/rename"), &[("name", "Crawlers")]).await;
    assert_eq!(renamed.to(), format!("{path}?done=saved"));
    let page = ann.fill(&path, &format!("{path}/share"), &[("email", "nobody@example.com")]).await;
    assert!(page.status == StatusCode::NOT_FOUND && page.says("Nobody here has this email or username."));
    let shared = ann.fill(&path, &format!("{path}/share"), &[("email", "bob@example.com")]).await;
    assert_eq!(shared.to(), format!("{path}?done=project_shared"));
    let page = bob.get(&path).await;
    assert!(page.says("Crawlers") && !page.says("/rename"), "those it is shared with see it and change nothing");
    for act in ["rename", "share", "delete"] {
        let fields = [("name", "x"), ("email", "ann@example.com"), ("typed", "Crawlers")];
        assert_eq!(
            bob.fill("/account", &format!("{path}/{act}"), &fields).await.status,
            StatusCode::FORBIDDEN,
            "{act}"
        );
    }
    let user = ann.get(&path).await.between("name=\"user\" value=\"", "\"");
    let unshared = ann.send(&format!("{path}/unshare"), &[("user", &user)]).await;
    assert_eq!(unshared.to(), format!("{path}?done=project_unshared"));
    assert_eq!(bob.get(&path).await.status, StatusCode::NOT_FOUND);
    let delete = format!("{path}/delete");
    assert!(ann.get(&delete).await.says("Type “Crawlers” to confirm"));
    let page = ann.send(&delete, &[("typed", "crawlers")]).await;
    assert!(page.status == StatusCode::UNPROCESSABLE_ENTITY && page.says("This is not what was asked for."));
    assert_eq!(ann.send(&delete, &[("typed", "Crawlers")]).await.to(), "/account/projects?done=project_deleted");
    assert_eq!(ann.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_takes_along_what_is_kept_about_them_and_no_secret() {
    let server = Server::start().await;
    let mut ann = Browser::registered(&server, "ann@example.com").await;
    let page = ann.fill("/account/tokens", "/account/tokens", &[("name", "ci"), ("expires", "")]).await;
    let token = page.between("<code id=\"secret\">", "<");
    let data = ann.get("/account/data/download").await;
    assert_eq!(data.headers["content-disposition"], "attachment; filename=\"doorward-data.json\"");
    assert_eq!(data.headers["content-type"], "application/json");
    let value: Value = serde_json::from_str(&data.html).unwrap();
    assert_eq!(value["user"]["email"], "ann@example.com", "{value}");
    for secret in [&*token, "$argon2", ann.session()] {
        assert!(!data.says(secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_deleted_by_its_owner_after_a_fresh_proof_and_by_its_name() {
    let server = Server::start().await;
    let mut ann = Browser::registered(&server, "ann@example.com").await;
    server.clock.advance(NO_LONGER_FRESH);
    assert_eq!(ann.get("/account/delete").await.to(), "/account/confirm-password?next=/account/delete");
    ann.get("/account").await;
    let sent = ann.send("/account/delete", &[("typed", "ann@example.com")]).await;
    assert!(sent.to().starts_with("/account/confirm-password"));
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    ann.get("/account/delete").await;
    assert_eq!(ann.send("/account/delete", &[("typed", "ann")]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let gone = ann.send("/account/delete", &[("typed", "ann@example.com")]).await;
    assert_eq!(gone.to(), "/sign-in?done=account_deleted");
    assert!(!ann.cookies.contains_key(SESSION));
    let body = json!({"email": "ann@example.com", "password": PASSWORD});
    assert_eq!(server.post_json("/auth/login", &body).await.0, StatusCode::UNAUTHORIZED);
    let mut admin = Browser::signed_in(&server, ADMIN_EMAIL, ADMIN_PASSWORD).await;
    admin.get("/account/delete").await;
    let page = admin.send("/account/delete", &[("typed", ADMIN_EMAIL)]).await;
    assert!(page.status == StatusCode::CONFLICT && page.says("There must be one active administrator"));
}
