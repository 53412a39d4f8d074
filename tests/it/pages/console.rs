//! What administrators do in the console, and nobody else.

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::NO_LONGER_FRESH;
use crate::harness::pages::Browser;
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, PASSWORD, Server, token_in};

async fn admin(server: &Server) -> Browser<'_> {
    Browser::signed_in(server, ADMIN_EMAIL, ADMIN_PASSWORD).await
}

/// The path of a user's page.
async fn page_of(admin: &mut Browser<'_>, text: &str) -> String {
    let page = admin.get(&format!("/console/users?text={text}")).await;
    let id = page.html.split("href=\"/console/users/").skip(1).find(|rest| !rest.starts_with("new")).unwrap();
    format!("/console/users/{}", &id[..24])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_is_for_administrators_alone() {
    let server = Server::start().await;
    let mut ann = Browser::registered(&server, "ann@example.com").await;
    ann.get("/account").await;
    let mut asked = 0;
    for (method, path) in server.routes() {
        if !path.starts_with("/console") {
            continue;
        }
        asked += 1;
        let path = path.replace(['{', '}'], "");
        let page = if method == Method::GET { ann.get(&path).await } else { ann.send(&path, &[]).await };
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{method} {path}");
        let mut nobody = Browser::new(&server);
        let page = if method == Method::GET { nobody.get(&path).await } else { nobody.send(&path, &[]).await };
        assert!(page.to().starts_with("/sign-in"), "{method} {path}");
    }
    assert!(asked > 20);
    let log = "select count(*) from audit_log where action = 'console.used' and reason = 'forbidden'";
    for _ in 0..100 {
        if server.database().value(log) != "0" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_ne!(server.database().value(log), "0");
    assert!(!ann.get("/account").await.says("/console"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_loses_the_permission_loses_the_console_at_once() {
    let server = Server::start().await;
    server.register("ann@example.com").await;
    let mut admin = admin(&server).await;
    let ann = page_of(&mut admin, "ann").await;
    let give = format!("{ann}/permissions");
    assert_eq!(admin.fill(&ann, &give, &[("give", "admin")]).await.to(), format!("{ann}?done=permissions_changed"));
    let mut browser = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    assert_eq!(browser.get("/console").await.status, StatusCode::OK);
    admin.fill(&ann, &give, &[("take", "admin")]).await.to();
    assert_eq!(browser.get("/console").await.status, StatusCode::FORBIDDEN);
    let own = page_of(&mut admin, "admin").await;
    let page = admin.fill(&own, &format!("{own}/permissions"), &[("take", "admin")]).await;
    assert!(page.status == StatusCode::CONFLICT && page.says("There must be one active administrator"));
    let page = admin.fill(&ann, &give, &[("give", "no good name!")]).await;
    assert!(page.status == StatusCode::UNPROCESSABLE_ENTITY && page.says("id=\"give-error\""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_are_found_by_the_beginning_of_their_names_page_by_page() {
    let server = Server::start_with("[throttle]\nenabled = false\n").await;
    for number in 10..70 {
        let user = json!({"email": format!("user{number}@example.com"), "password": PASSWORD});
        let request = server.post("/1/users").bearer_auth(ADMIN_TOKEN).json(&user);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    }
    let mut admin = admin(&server).await;
    let mut path = "/console/users?text=user".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = admin.get(&path).await;
        seen.extend(page.html.split("@example.com</a></th>").map(|before| before[before.len() - 6..].to_owned()));
        seen.pop();
        if !page.says("rel=\"next\"") {
            break;
        }
        path = page.between("rel=\"next\" href=\"", "\"").replace("&#38;", "&").replace("&amp;", "&");
    }
    assert_eq!(seen, (10..70).map(|number| format!("user{number}")).collect::<Vec<_>>());
    assert!(admin.get("/console/users?text=nobody").await.says("Nobody found"));
    assert!(admin.get("/console/users?status=disabled").await.says("Nobody found"));
    let admins = admin.get("/console/users?role=admin").await;
    assert!(admins.says(ADMIN_EMAIL) && !admins.says("user10"));
    assert_eq!(admin.get("/console/users?after=%00").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_made_let_in_by_a_link_locked_out_and_deleted() {
    let server = Server::start().await;
    let mut admin = admin(&server).await;
    let page = admin.fill("/console/users/new", "/console/users", &[("email", ""), ("username", "")]).await;
    assert!(page.status == StatusCode::UNPROCESSABLE_ENTITY && page.says("Give an email or a username."));
    let made = admin.fill("/console/users/new", "/console/users", &[("username", "crawler"), ("password", "")]).await;
    let path = made.to().strip_suffix("?done=user_made").unwrap().to_owned();
    let page = admin.fill(&path, &format!("{path}/reset-link"), &[]).await;
    let link = page.between("<code id=\"secret\">", "<");
    let mut user = Browser::new(&server);
    let at = format!("/reset-password?token={}", token_in(&link));
    assert_eq!(user.get(&at).await.status, StatusCode::OK);
    let fields = [("token", &*token_in(&link)), ("password", PASSWORD), ("confirm", PASSWORD)];
    assert_eq!(user.send("/reset-password", &fields).await.to(), "/sign-in?done=password_reset");
    let mut user = Browser::signed_in(&server, "crawler", PASSWORD).await;
    assert!(admin.get(&format!("{path}/disable")).await.says("Disable crawler"));
    assert_eq!(admin.send(&format!("{path}/disable"), &[]).await.to(), format!("{path}?done=user_disabled"));
    assert_eq!(user.get("/account").await.to(), "/sign-in");
    assert_eq!(admin.send(&format!("{path}/enable"), &[]).await.to(), format!("{path}?done=user_enabled"));
    let mut user = Browser::signed_in(&server, "crawler", PASSWORD).await;
    assert_eq!(admin.send(&format!("{path}/end-sessions"), &[]).await.to(), format!("{path}?done=sessions_ended"));
    assert_eq!(user.get("/account").await.to(), "/sign-in");
    let delete = format!("{path}/delete");
    assert!(admin.get(&delete).await.says("Type “crawler” to confirm"));
    assert_eq!(admin.send(&delete, &[("typed", "crawl")]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(admin.send(&delete, &[("typed", "crawler")]).await.to(), "/console/users?done=user_deleted");
    assert_eq!(admin.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flags_are_a_json_object_or_nothing_changes() {
    let server = Server::start().await;
    let registered = server.register("ann@example.com").await;
    let mut admin = admin(&server).await;
    let path = page_of(&mut admin, "ann").await;
    assert!(path.ends_with(registered["user"]["id"].as_str().unwrap()));
    let flags = format!("{path}/flags");
    for wrong in ["", "[]", "{", "{\"a\":1}x"] {
        let page = admin.fill(&path, &flags, &[("flags", wrong)]).await;
        assert!(page.status == StatusCode::UNPROCESSABLE_ENTITY && page.says("Write a JSON object"), "{wrong}");
    }
    assert_eq!(admin.fill(&path, &flags, &[("flags", "{\"beta\": true}")]).await.to(), format!("{path}?done=saved"));
    assert!(admin.get(&path).await.says("&#34;beta&#34;: true"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_credentials_needs_a_fresh_proof() {
    let server = Server::start().await;
    server.register("ann@example.com").await;
    let mut admin = admin(&server).await;
    let ann = page_of(&mut admin, "ann").await;
    server.clock.advance(NO_LONGER_FRESH);
    admin.get(&ann).await;
    let sent = [
        (format!("{ann}/permissions"), vec![("give", "admin")]),
        (format!("{ann}/reset-link"), vec![]),
        (format!("{ann}/delete"), vec![("typed", "ann@example.com")]),
        ("/console/keys/rotate".to_owned(), vec![]),
        ("/console/users".to_owned(), vec![("username", "eve"), ("admin", "true")]),
        ("/console/users".to_owned(), vec![("username", "eve"), ("password", "another pass phrase")]),
        (format!("{ann}/disable"), vec![]),
        (format!("{ann}/enable"), vec![]),
        ("/console/tokens/0123456789abcdef01234567/delete".to_owned(), vec![]),
        ("/console/projects/0123456789abcdef01234567/delete".to_owned(), vec![]),
    ];
    let log = "select count(*) from audit_log where reason = 'reauthentication_required' and via = 'pages'";
    for (path, fields) in sent {
        let answer = admin.send(&path, &fields).await;
        assert!(answer.to().starts_with("/account/confirm-password?next="), "{path}");
        let back = answer.to()["/account/confirm-password?next=".len()..].to_owned();
        assert!(matches!(
            admin.get(&back).await.status,
            StatusCode::OK | StatusCode::NOT_FOUND | StatusCode::SEE_OTHER
        ));
        assert_ne!(admin.get(&back).await.status, StatusCode::METHOD_NOT_ALLOWED, "{path}: {back}");
        admin.get(&ann).await;
    }
    for _ in 0..100 {
        if server.database().value(log) != "0" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_ne!(server.database().value(log), "0");
    assert_eq!(admin.get(&ann).await.status, StatusCode::OK);
    assert!(!admin.get(&ann).await.says("<code>admin</code>"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_there_is_has_its_list() {
    let server = Server::start().await;
    let mut ann = Browser::registered(&server, "ann@example.com").await;
    ann.fill("/account/tokens", "/account/tokens", &[("name", "ci"), ("expires", "30")]).await;
    ann.fill("/account/projects", "/account/projects", &[("name", "Crawler")]).await;
    let mut admin = admin(&server).await;
    let page = admin.get("/console").await;
    assert!(page.says("<dt><a href=\"/console/users\">Users</a></dt><dd>2</dd>"), "{}", page.html);
    assert!(page.says("role=\"img\"") && page.says("It answers."));
    let sessions = admin.get("/console/sessions").await;
    assert!(sessions.says("ann@example.com") && sessions.says(ADMIN_EMAIL));
    let path = page_of(&mut admin, "ann").await;
    let id = path.rsplit('/').next().unwrap().to_owned();
    let hers = admin.get(&format!("/console/sessions?user={id}")).await;
    assert!(hers.says("ann@example.com"));
    let end = format!("/console/sessions/{}/end", hers.between("action=\"/console/sessions/", "/end"));
    assert_eq!(admin.send(&end, &[]).await.to(), "/console/sessions?done=session_ended");
    assert_eq!(ann.get("/account").await.to(), "/sign-in");
    let tokens = admin.get(&format!("/console/tokens?user={id}")).await;
    assert!(tokens.says("<span class=\"row\">ci</span>"), "{}", tokens.html);
    let delete = format!("/console/tokens/{}/delete", tokens.between("/console/tokens/", "/delete"));
    admin.get(&delete).await;
    assert_eq!(admin.send(&delete, &[]).await.to(), "/console/tokens?done=token_deleted");
    let projects = admin.get("/console/projects?text=craw").await;
    assert!(projects.says("Crawler") && !admin.get("/console/projects?text=x").await.says("Crawler"));
    let delete = format!("/console/projects/{}/delete", projects.between("/console/projects/", "/delete"));
    admin.get(&delete).await;
    assert_eq!(admin.send(&delete, &[("typed", "Crawler")]).await.to(), "/console/projects?done=project_deleted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_log_has_what_was_done_by_the_pages() {
    let server = Server::start().await;
    let mut ann = Browser::new(&server);
    ann.get("/sign-in").await;
    ann.send("/sign-in", &[("login", ADMIN_EMAIL), ("password", "wrong pass phrase")]).await;
    let mut admin = admin(&server).await;
    for _ in 0..100 {
        if admin.get("/console/audit?result=refused").await.says("wrong_credentials") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let page = admin.get("/console/audit?result=refused&action=sign_in").await;
    assert!(page.says("wrong_credentials") && page.says("pages") && page.says(ADMIN_EMAIL), "{}", page.html);
    let page = admin.get(&format!("/console/audit?user={ADMIN_EMAIL}&result=done&since=2000-01-01")).await;
    assert!(page.says("sign_in") && page.says("127.0.0.1"));
    assert!(admin.get("/console/audit?since=2999-01-01").await.says("No events"));
    for query in ["action=x", "after=x"] {
        assert_eq!(
            admin.get(&format!("/console/audit?{query}")).await.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{query}"
        );
    }
    let page = admin.get("/console/audit?user=nobody@example.com&since=x").await;
    assert!(page.status == StatusCode::UNPROCESSABLE_ENTITY && page.says("Nobody has this"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_shown_without_secrets_and_keys_are_rotated() {
    let server = Server::start().await;
    let mut admin = admin(&server).await;
    let page = admin.get("/console/settings").await;
    assert!(page.says("throttle.network_failures") && page.says("(set)"));
    for secret in [ADMIN_PASSWORD, ADMIN_TOKEN] {
        assert!(!page.says(&secret.replace('\'', "&#39;")) && !page.says(secret));
    }
    let before = admin.get("/console/keys").await.html.matches("<th scope=\"row\">").count();
    assert!(admin.get("/console/keys/rotate").await.says("Rotate the keys"));
    assert_eq!(admin.send("/console/keys/rotate", &[]).await.to(), "/console/keys?done=keys_rotated");
    assert_eq!(admin.get("/console/keys").await.html.matches("<th scope=\"row\">").count(), before + 2);
}
