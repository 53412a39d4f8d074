//! Signing in, registering, signing out.

use reqwest::StatusCode;
use reqwest::header::{RETRY_AFTER, SET_COOKIE};

use crate::harness::pages::{Browser, SESSION};
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, PASSWORD, Server};

const WRONG: &str = "not the pass phrase";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_signs_in_gets_a_cookie_that_no_script_and_no_other_site_gets_at() {
    let server = Server::start().await;
    let mut browser = Browser::new(&server);
    assert_eq!(browser.get("/").await.to(), "/account");
    assert_eq!(browser.get("/account").await.to(), "/sign-in");
    browser.get("/sign-in").await;
    let answer = browser.send("/sign-in", &[("login", ADMIN_EMAIL), ("password", ADMIN_PASSWORD)]).await;
    assert_eq!(answer.to(), "/account");
    let cookies: Vec<_> = answer.headers.get_all(SET_COOKIE).iter().map(|line| line.to_str().unwrap()).collect();
    let session = cookies.iter().find(|line| line.starts_with(SESSION)).unwrap();
    for part in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax", "; Max-Age=86400"] {
        assert!(session.contains(part), "{session}");
    }
    assert!(!session.contains("Domain"), "{session}");
    let page = browser.get("/account").await;
    assert!(page.status == StatusCode::OK && page.says(ADMIN_EMAIL) && page.says("href=\"/console\""));
    assert_eq!(browser.get("/sign-in").await.to(), "/account");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_pair_is_said_without_saying_which_half_and_the_name_is_kept() {
    let server = Server::start().await;
    server.register("ann@example.com").await;
    let mut browser = Browser::new(&server);
    browser.get("/sign-in").await;
    let mut bodies = Vec::new();
    for login in ["ann@example.com", "bob@example.com"] {
        let page = browser.send("/sign-in", &[("login", login), ("password", WRONG)]).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED);
        assert!(page.says("Email, username or password is wrong."));
        assert!(!page.says(WRONG), "a password is never shown again");
        assert!(page.says(&format!("value=\"{login}\"")));
        bodies.push(page.html.replace(login, ""));
    }
    assert_eq!(bodies[0], bodies[1]);
    assert!(!browser.cookies.contains_key(SESSION));
    let page = browser.send("/sign-in", &[("login", "ann@example.com")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("href=\"#password\"") && page.says("Fill this in."));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_and_the_dialects_count_failures_together() {
    let server = Server::start().await;
    server.register("ann@example.com").await;
    let mut browser = Browser::new(&server);
    browser.get("/sign-in").await;
    for _ in 0..5 {
        browser.send("/sign-in", &[("login", "ann@example.com"), ("password", WRONG)]).await;
        let body = serde_json::json!({"email": "ann@example.com", "password": WRONG});
        assert_eq!(server.post_json("/auth/login", &body).await.0, StatusCode::UNAUTHORIZED);
    }
    let page = browser.send("/sign-in", &[("login", "ann@example.com"), ("password", PASSWORD)]).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(page.headers[RETRY_AFTER], "60");
    assert!(page.says("Too much failed here. Try again in 60 seconds."), "{}", page.html);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_back_is_followed_to_pages_of_this_server_alone() {
    let server = Server::start().await;
    let mut browser = Browser::new(&server);
    assert_eq!(browser.get("/account/tokens?x=1").await.to(), "/sign-in?next=/account/tokens%3Fx%3D1");
    let page = browser.get("/sign-in?next=/account/tokens").await;
    assert_eq!(page.between("name=\"next\" value=\"", "\""), "/account/tokens");
    let pair = [("login", ADMIN_EMAIL), ("password", ADMIN_PASSWORD)];
    let answer = browser.send("/sign-in", &[pair[0], pair[1], ("next", "/account/tokens")]).await;
    assert_eq!(answer.to(), "/account/tokens");
    for next in ["https://example.net/account", "//example.net", "/\\example.net", "javascript:alert(1)", "/1/users"] {
        let mut browser = Browser::new(&server);
        browser.get("/sign-in").await;
        let answer = browser.send("/sign-in", &[pair[0], pair[1], ("next", next)]).await;
        assert_eq!(answer.to(), "/account", "{next}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_registers_is_signed_in_and_faults_are_told_beside_their_fields() {
    let server = Server::start().await;
    let mut browser = Browser::new(&server);
    browser.get("/register").await;
    let page = browser.send("/register", &[("name", "Ann"), ("email", "ann"), ("password", "short")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("id=\"email-error\"") && page.says("aria-describedby=\"email-error\""));
    assert!(page.says("value=\"ann\"") && page.says("value=\"Ann\""));
    let page = browser.send("/register", &[("name", "Ann"), ("email", "ann@example.com"), ("password", "short")]).await;
    assert!(page.says("id=\"password-error\"") && page.says("Use at least 8 characters."));
    let ann = [("name", "Ann"), ("email", "ann@example.com"), ("password", PASSWORD)];
    assert_eq!(browser.send("/register", &ann).await.to(), "/account?done=registered");
    assert!(browser.get("/account?done=registered").await.says("Welcome!"));
    let mut other = Browser::new(&server);
    other.get("/register").await;
    let page = other.send("/register", &ann).await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    assert!(page.says("Somebody else has this already."));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_registration_is_closed_there_is_no_way_to_it() {
    let server = Server::start_with("registration = \"closed\"").await;
    let mut browser = Browser::new(&server);
    assert!(!browser.get("/sign-in").await.says("/register"));
    assert_eq!(browser.get("/register").await.status, StatusCode::FORBIDDEN);
    browser.get("/sign-in").await;
    let ann = [("name", "Ann"), ("email", "ann@example.com"), ("password", PASSWORD)];
    assert_eq!(browser.send("/register", &ann).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_out_ends_the_session_and_not_only_the_cookie() {
    let server = Server::start().await;
    let mut browser = Browser::registered(&server, "ann@example.com").await;
    browser.get("/account").await;
    let kept = browser.cookies.clone();
    assert_eq!(browser.send("/sign-out", &[]).await.to(), "/sign-in?done=signed_out");
    assert!(!browser.cookies.contains_key(SESSION));
    browser.cookies = kept;
    assert_eq!(browser.get("/account").await.to(), "/sign-in");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_pages_are_switched_off_there_are_none() {
    let server = Server::start_with("[pages]\nenabled = false\n").await;
    for path in ["/", "/account", "/console", "/sign-in", "/assets/style.css"] {
        assert_eq!(server.get(path).send().await.unwrap().status(), StatusCode::NOT_FOUND, "{path}");
    }
}
