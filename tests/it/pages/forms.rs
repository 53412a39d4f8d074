//! A form is taken from this server's own pages, in the same browser, in the same session; and reading changes nothing.

use reqwest::{Method, StatusCode};

use crate::harness::pages::Browser;
use crate::harness::{PASSWORD, Server};

async fn name_of(browser: &mut Browser<'_>) -> String {
    browser.get("/account").await.between("name=\"name\" type=\"text\" value=\"", "\"")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_that_another_site_sends_changes_nothing() {
    let server = Server::start().await;
    let mut ann = Browser::registered(&server, "ann@example.com").await;
    let mut eve = Browser::registered(&server, "eve@example.com").await;
    eve.get("/account").await;
    assert_eq!(name_of(&mut ann).await, "Ann");
    let own = ann.form_token.clone();
    for token in ["", "x", &eve.form_token, &own[1..], &format!("{own}="), &own.to_lowercase()] {
        let fields = [("name", "Mallory"), ("form_token", token)];
        let answer = ann.request(Method::POST, "/account").form(&fields).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{token}");
    }
    let without = ann.request(Method::POST, "/account").form(&[("name", "Mallory")]).send().await.unwrap();
    assert_eq!(without.status(), StatusCode::FORBIDDEN);
    for site in ["cross-site", "same-site"] {
        let fields = [("name", "Mallory"), ("form_token", &*own)];
        let request = ann.request(Method::POST, "/account").form(&fields).header("sec-fetch-site", site);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{site}");
    }
    assert_eq!(name_of(&mut ann).await, "Ann");
    let fields = [("name", "Anna"), ("form_token", &*own)];
    let request = ann.request(Method::POST, "/account").form(&fields).header("sec-fetch-site", "same-origin");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::SEE_OTHER);
    assert_eq!(name_of(&mut ann).await, "Anna");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_signed_in_by_a_form_of_another_browser() {
    let server = Server::start().await;
    server.register("eve@example.com").await;
    let mut eve = Browser::new(&server);
    eve.get("/sign-in").await;
    let mut ann = Browser::new(&server);
    ann.get("/sign-in").await;
    let pair = [("login", "eve@example.com"), ("password", PASSWORD)];
    ann.form_token.clone_from(&eve.form_token);
    assert_eq!(ann.send("/sign-in", &pair).await.status, StatusCode::FORBIDDEN);
    // Without any cookie there is nothing that a form could be bound to.
    ann.cookies.clear();
    let page = ann.send("/sign-in", &pair).await;
    assert!(page.status == StatusCode::FORBIDDEN && page.says("Your browser kept no cookie"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_of_the_time_before_a_sign_in_is_worth_nothing_after_it() {
    let server = Server::start().await;
    let mut ann = Browser::registered(&server, "ann@example.com").await;
    ann.get("/account").await;
    let before = ann.form_token.clone();
    ann.get("/account/confirm-password").await;
    assert_eq!(ann.send("/account/confirm-password", &[("current_password", PASSWORD)]).await.to(), "/account");
    ann.form_token = before;
    assert_eq!(ann.send("/account", &[("name", "Mallory")]).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_any_page_changes_nothing() {
    let server = Server::start().await;
    let mut ann = Browser::registered(&server, "ann@example.com").await;
    let rows = "select count(*) from audit_log";
    let before = server.database().value(rows);
    for (method, path) in server.routes() {
        let is_page = ["/account", "/console", "/sign-", "/register"].iter().any(|root| path.starts_with(root));
        if method == Method::GET && is_page {
            ann.get(&path.replace(['{', '}'], "")).await;
            let answer = ann.request(Method::HEAD, &path.replace(['{', '}'], "")).send().await.unwrap();
            assert!(answer.status().as_u16() < 500, "{path}");
        }
    }
    // Refusals are written after a moment; what administrators alone may see is recorded by nobody's reading.
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(server.database().value(rows), before);
    assert_eq!(name_of(&mut ann).await, "Ann");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faulty_forms_and_queries_are_refused_and_told_as_pages() {
    let server = Server::start().await;
    let mut ann = Browser::registered(&server, "ann@example.com").await;
    ann.get("/account").await;
    for body in ["name=%", "name=a&name=b", "name=%ff"] {
        let body = format!("{body}&form_token={}", ann.form_token);
        let request = ann.request(Method::POST, "/account").header("content-type", "application/x-www-form-urlencoded");
        let page = ann.take(request.body(body)).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.says("<h1>That could not be read</h1>"));
    }
    assert_eq!(ann.get("/account/projects?after=%").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(ann.get("/account/projects?after=x").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let large = format!("bio={}", "a".repeat(2_000_000));
    let page = ann.take(ann.request(Method::POST, "/account").body(large)).await;
    assert!(matches!(page.status, StatusCode::UNPROCESSABLE_ENTITY | StatusCode::PAYLOAD_TOO_LARGE));
}
