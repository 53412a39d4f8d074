//! Who gets which page: every route of the pages, asked by everybody, held against the table of `docs/access.md`.
//! Forms are sent without fields, so that what is refused for its form alone had the right to be looked at.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use reqwest::{Method, StatusCode};

use crate::harness::pages::Browser;
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, Server, UNTHROTTLED};
use crate::source::root;

/// Whether a path is one of the pages'.
pub(crate) fn is_page(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    let pages = ["", "assets", "language", "account", "console", "sign-in", "sign-out", "register", "forgot-password"];
    pages.contains(&first) || ["reset-password", "verify-email", "confirm-email"].contains(&first)
}

/// What somebody has that paths can name.
struct Things {
    user: String,
    session: String,
    token: String,
    project: String,
}

impl Things {
    async fn of(owner: &mut Browser<'_>, admin: &mut Browser<'_>, email: &str) -> Self {
        owner.fill("/account/tokens", "/account/tokens", &[("name", "ci"), ("expires", "30")]).await;
        let token = owner.get("/account/tokens").await.between("href=\"/account/tokens/", "/delete");
        let made = owner.fill("/account/projects", "/account/projects", &[("name", "Crawler")]).await;
        let project = made.to()["/account/projects/".len()..].split('?').next().unwrap().to_owned();
        let users = admin.get(&format!("/console/users?text={email}")).await;
        let user = users
            .html
            .split("href=\"/console/users/")
            .skip(1)
            .find(|rest| rest.contains(email) && !rest.starts_with("new"));
        let user = user.unwrap()[..24].to_owned();
        let sessions = admin.get(&format!("/console/sessions?user={user}")).await;
        let session = sessions.between("action=\"/console/sessions/", "/end");
        Self { user, session, token, project }
    }

    fn path(&self, template: &str) -> String {
        let named = [("{user}", &self.user), ("{session}", &self.session), ("{token}", &self.token)];
        let path = named.iter().fold(template.to_owned(), |path, (place, id)| path.replace(place, id));
        path.replace("{project}", &self.project).replace("{name}", "x")
    }
}

/// What a route answers: a status, or where it sends whoever is not signed in, or has to prove it once more.
async fn ask(browser: &mut Browser<'_>, method: &Method, path: &str) -> String {
    if *method == Method::POST {
        // Any page gives forms what they carry.
        let any = browser.get("/forgot-password").await;
        assert_eq!(any.status, StatusCode::OK);
    }
    let page = if *method == Method::GET { browser.get(path).await } else { browser.send(path, &[]).await };
    if page.status == StatusCode::SEE_OTHER && page.to().starts_with("/sign-in") && !page.to().contains("done=") {
        return "sign in".to_owned();
    }
    page.status.as_u16().to_string()
}

fn table() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join("docs/access.md")).unwrap();
    let pages = text.split("\n## The pages\n").nth(1).expect("docs/access.md has a section on the pages");
    let lines = pages.lines().filter(|line| line.starts_with("| `"));
    lines.map(|line| (line.split('`').nth(1).unwrap().to_owned(), line.to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_answers_everybody_as_the_table_of_the_documentation_says() {
    let server = Server::start_with(UNTHROTTLED).await;
    let mut answered = BTreeMap::new();
    for (number, (method, template)) in server.routes().into_iter().filter(|(_, path)| is_page(path)).enumerate() {
        let email = format!("ann{number}@example.com");
        let mut admin = Browser::signed_in(&server, ADMIN_EMAIL, ADMIN_PASSWORD).await;
        let mut owner = Browser::registered(&server, &email).await;
        let path = Things::of(&mut owner, &mut admin, &email).await.path(&template);
        let mut other = Browser::registered(&server, &format!("eve{number}@example.com")).await;
        let mut line = format!("| `{method} {template}` |");
        for browser in [&mut Browser::new(&server), &mut other, &mut owner, &mut admin] {
            let said = ask(browser, &method, &path).await;
            assert!(!said.starts_with('5'), "{method} {template}: {said}");
            write!(line, " {said} |").unwrap();
        }
        answered.insert(format!("{method} {template}"), line);
    }
    assert!(answered.len() > 60, "{}", answered.len());
    let table = table();
    let wrong: Vec<_> = answered.iter().filter(|(route, line)| table.get(*route) != Some(*line)).collect();
    let wrong: Vec<_> = wrong.into_iter().map(|(_, line)| line.as_str()).collect();
    assert!(wrong.is_empty(), "docs/access.md has to say:\n{}", wrong.join("\n"));
    let gone: Vec<_> = table.keys().filter(|route| !answered.contains_key(*route)).collect();
    assert!(gone.is_empty(), "docs/access.md has lines of what is not served: {gone:?}");
}
