//! What holds of every page: its headers, nothing that a policy would stop, both languages whole, and nothing that
//! somebody typed taken for markup.

use reqwest::{Method, StatusCode};

use crate::harness::pages::Browser;
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, Server};

const GATE: [&str; 4] = ["/sign-in", "/register", "/forgot-password", "/reset-password?token=x"];

/// Every page that needs nothing in its path.
fn pages(server: &Server) -> Vec<String> {
    let of_page = |path: &String| path.starts_with("/account") || path.starts_with("/console");
    let routes = server.routes().into_iter().filter(|(method, _)| *method == Method::GET).map(|(_, path)| path);
    let listed = routes.filter(of_page).filter(|path| !path.contains('{') && !path.ends_with("/download"));
    listed.chain(GATE.map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_carries_its_protection_and_holds_to_it() {
    let server = Server::start().await;
    let mut admin = Browser::signed_in(&server, ADMIN_EMAIL, ADMIN_PASSWORD).await;
    let pages = pages(&server);
    assert!(pages.len() > 16, "{pages:?}");
    for path in pages {
        let page = if GATE.contains(&&*path) { Browser::new(&server).get(&path).await } else { admin.get(&path).await };
        assert!(page.status == StatusCode::OK || path.starts_with("/reset"), "{path}: {}", page.status);
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("cross-origin-opener-policy", "same-origin"),
            ("content-type", "text/html; charset=utf-8"),
        ] {
            assert_eq!(page.headers[name], value, "{path}");
        }
        for forbidden in
            [" style=", "<style", "<script>", " onclick=", " onload=", "javascript:", "http://", "https://"]
        {
            assert!(!page.says(forbidden), "{path} has {forbidden}");
        }
        assert!(page.says("<html lang=\"en\">") && page.html.matches("<h1").count() == 1, "{path}");
        // The script fills these in.
        let times = page.between("data-times=\"", "\"");
        assert!(!page.html.replace(&times, "").contains(['{', '}']), "{path}");
        for form in page.html.split("<form").skip(1) {
            let form = &form[..form.find("</form>").unwrap()];
            let is_search = form.contains("method=\"get\"");
            assert_eq!(form.contains("name=\"form_token\""), !is_search, "{path}: {form}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_there_in_german_too() {
    let server = Server::start().await;
    let mut admin = Browser::signed_in(&server, ADMIN_EMAIL, ADMIN_PASSWORD).await;
    for path in pages(&server) {
        let mut nobody = Browser::new(&server);
        let reader = if GATE.contains(&&*path) { &mut nobody } else { &mut admin };
        reader.language = "en";
        let english = reader.get(&path).await.between("<h1>", "<");
        reader.language = "de-AT, en;q=0.5";
        let page = reader.get(&path).await;
        assert!(page.says("<html lang=\"de\">"), "{path}");
        let same = ["/console/users/new", "/account/sessions"];
        assert!(page.between("<h1>", "<") != english || same.contains(&&*path), "{path}: {english}");
        let is_gate = GATE.contains(&&*path) || path == "/account/confirm-password";
        assert!(page.says("Abmelden") || is_gate, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_language_that_was_chosen_stays() {
    let server = Server::start().await;
    let mut ann = Browser::new(&server);
    ann.get("/sign-in").await;
    assert_eq!(ann.send("/language", &[("language", "de"), ("next", "/register")]).await.to(), "/register");
    assert!(ann.get("/register").await.says("Konto erstellen"));
    assert_eq!(ann.send("/language", &[("language", "en"), ("next", "//example.net")]).await.to(), "/account");
    assert_eq!(ann.send("/language", &[("language", "tlh")]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_somebody_typed_is_taken_for_markup() {
    const EVIL: &str = "\"><script>alert(1)</script>'&";
    let server = Server::start().await;
    let mut ann = Browser::registered(&server, "ann@example.com").await;
    ann.fill("/account", "/account", &[("name", EVIL), ("username", "<i>ann"), ("bio", "</textarea><b>x")]).await.to();
    ann.fill("/account/tokens", "/account/tokens", &[("name", EVIL), ("expires", "30")]).await;
    ann.fill("/account/projects", "/account/projects", &[("name", EVIL)]).await.to();
    let mut admin = Browser::signed_in(&server, ADMIN_EMAIL, ADMIN_PASSWORD).await;
    let mut seen = 0;
    let own = ["/account", "/account/tokens", "/account/projects", "/account/delete"];
    let theirs =
        ["/console/users", "/console/users?text=%3Ci%3E", "/console/tokens", "/console/projects", "/console/sessions"];
    for (path, is_own) in own.map(|path| (path, true)).into_iter().chain(theirs.map(|path| (path, false))) {
        let page = if is_own { ann.get(path).await } else { admin.get(path).await };
        assert_eq!(page.status, StatusCode::OK, "{path}");
        seen += usize::from(page.says("&#60;script") || page.says("&lt;script") || page.says("&#60;i"));
        assert!(!page.says("<script>alert") && !page.says("<b>x") && !page.says("<i>ann"), "{path}");
    }
    assert!(seen >= 6, "{seen}");
    let page = ann.get("/sign-in?next=%22%3E%3Cscript%3E").await;
    assert!(!page.says("\"><script>"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_pages_are_made_of_is_kept_for_ever_and_named_by_its_content() {
    let server = Server::start().await;
    let page = Browser::new(&server).get("/sign-in").await;
    for (mark, kind) in [
        ("rel=\"stylesheet\" href=\"", "text/css; charset=utf-8"),
        ("script src=\"", "text/javascript; charset=utf-8"),
        ("rel=\"icon\" href=\"", "image/svg+xml"),
    ] {
        let path = page.between(mark, "\"");
        let answer = server.get(&path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], kind);
        assert_eq!(answer.headers()["cache-control"], "public, max-age=31536000, immutable");
        assert!(!answer.bytes().await.unwrap().is_empty());
    }
    for path in ["/assets/style.css", "/assets/..%2fCargo.toml", "/assets/style-0000000000000000.css"] {
        assert_eq!(server.get(path).send().await.unwrap().status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_password_is_masked_and_left_to_managers() {
    let server = Server::start().await;
    let mut admin = Browser::signed_in(&server, ADMIN_EMAIL, ADMIN_PASSWORD).await;
    let mut seen = 0;
    for path in pages(&server) {
        let page = if GATE.contains(&&*path) { Browser::new(&server).get(&path).await } else { admin.get(&path).await };
        for field in page.html.split("<input").skip(1).map(|rest| &rest[..rest.find('>').unwrap()]) {
            let is_named_so =
                field.contains("name=\"password") || field.contains("password\"") || field.contains("name=\"confirm\"");
            if is_named_so && !field.contains("type=\"hidden\"") {
                seen += 1;
                assert!(field.contains("type=\"password\""), "{path}: {field}");
                let is_known = ["current-password", "new-password"]
                    .iter()
                    .any(|it| field.contains(&format!("autocomplete=\"{it}\"")));
                assert!(is_known, "{path}: {field}");
            }
        }
    }
    assert!(seen >= 7, "{seen}");
}
