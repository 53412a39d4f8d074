//! The console: what administrators see of everybody, and what they do.

use std::time::Duration;

use serde_json::{Value, json};

use super::account::{DEVICES, sign_in_on};
use super::driver::Script;
use super::visitor::{Screen, Visitor};
use super::{SETTINGS, on_each_screen};
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, PASSWORD, Server, answer};

/// A day with one sign-in an hour at most, and few refusals.
fn quiet_day() -> [(usize, usize); 23] {
    DAY.map(|(signed_in, refused)| (signed_in.min(1), refused / 3))
}

/// Pages of an administrator, which are as wide in another language.
const PAGES: [&str; 14] = [
    "/account",
    "/account/password",
    "/account/sessions",
    "/account/tokens",
    "/account/projects",
    "/account/data",
    "/console",
    "/console/users",
    "/console/users/new",
    "/console/sessions",
    "/console/tokens",
    "/console/projects",
    "/console/audit",
    "/console/keys",
];

/// Who has an account, and what they are called.
const PEOPLE: [(&str, &str); 9] = [
    ("ann@example.com", "Ann Example"),
    ("bob@example.org", "Bob Sample"),
    ("carol@example.net", "Carol Sample"),
    ("dora@example.com", "Dora Illustration"),
    ("eve@example.com", "Eve Placeholder"),
    ("frank@example.org", "Frank Specimen"),
    ("greta@example.net", "Greta Pattern"),
    ("henry@example.com", "Henry Model"),
    ("ida@example.org", "Ida Draft"),
];

/// How many sign in, and how many are refused, in each hour of a day.
const DAY: [(usize, usize); 23] = [
    (3, 0),
    (2, 0),
    (1, 0),
    (1, 2),
    (0, 0),
    (1, 0),
    (2, 0),
    (5, 1),
    (9, 1),
    (8, 0),
    (6, 2),
    (7, 1),
    (4, 0),
    (6, 0),
    (9, 3),
    (7, 1),
    (6, 0),
    (5, 0),
    (4, 1),
    (6, 0),
    (5, 5),
    (4, 1),
    (3, 0),
];

#[tokio::test]
async fn administrators_keep_the_server() {
    on_each_screen(Script::On, walk).await;
}

#[tokio::test]
async fn administrators_keep_the_server_without_script() {
    on_each_screen(Script::Off, walk).await;
}

#[tokio::test]
async fn all_pages_fit_in_german_too() {
    let mut visitor = Visitor::begin(Script::Off).await;
    let server = Server::start_with(SETTINGS).await;
    fill_the_server(&server, &quiet_day()).await;
    for screen in [Screen::Desk, Screen::Phone] {
        visitor.come_to(&server, screen).await;
        visitor.open("/sign-in").await;
        visitor.press("Deutsch").await;
        visitor.fill("E-Mail oder Benutzername", ADMIN_EMAIL).await;
        visitor.fill("Passwort", ADMIN_PASSWORD).await;
        visitor.press("Anmelden").await;
        for page in PAGES {
            visitor.open(page).await;
            assert_eq!(visitor.value("document.documentElement.lang").await, "de");
            visitor.look(page, 200).await;
        }
    }
}

/// Through all pages of the console.
async fn walk(visitor: &Visitor, server: &Server) {
    // The whole of it once, for the pictures: it is the same to every walk.
    let is_shown = visitor.script == Script::On && visitor.screen == Screen::Desk;
    fill_the_server(server, &if is_shown { DAY } else { quiet_day() }).await;
    visitor.sign_in(ADMIN_EMAIL, ADMIN_PASSWORD).await;
    visitor.follow("Console").await;
    see_how_things_stand(visitor).await;
    look_users_up(visitor).await;
    make_a_user(visitor).await;
    change_a_user(visitor).await;
    end_a_user(visitor).await;
    sessions_and_tokens(visitor).await;
    projects(visitor).await;
    read_the_log(visitor).await;
    settings_and_keys(visitor).await;
}

/// People with tokens and projects, and a day of sign-ins.
async fn fill_the_server(server: &Server, day: &[(usize, usize)]) {
    for (email, name) in PEOPLE {
        let body = json!({"name": name, "email": email, "password": PASSWORD, "confirm": PASSWORD});
        let (_, body) = server.post_json("/auth/register", &body).await;
        let token = body["accessToken"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
        let project = json!({"name": format!("{}'s archive", name.split(' ').next().unwrap())});
        send(server, "/1/projects", &token, &project).await;
        send(server, "/1/tokens", &token, &json!({"name": "Nightly import"})).await;
    }
    for number in 0..20 {
        let body =
            json!({"name": "Crawler", "email": format!("crawler-{number:02}@example.net"), "password": PASSWORD});
        send(server, "/1/users", crate::harness::ADMIN_TOKEN, &body).await;
    }
    for &(signed_in, refused) in day {
        for ((email, _), device) in PEOPLE.iter().zip(DEVICES.iter().cycle()).take(signed_in) {
            sign_in_on(server, *device, email, PASSWORD).await;
        }
        for _ in 0..refused {
            server.post_json("/auth/login", &json!({"email": "eve@example.com", "password": "a guess of hers"})).await;
        }
        // Refusals are written down a moment later; by then it is to be the same hour still.
        if refused > 0 {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        server.clock.advance(Duration::from_hours(1));
    }
}

async fn send(server: &Server, path: &str, token: &str, body: &Value) {
    let request = server.post(path).header("Authorization", format!("OAuth {token}")).json(body);
    let (status, body) = answer(request).await;
    assert!(status.is_success(), "{path}: {body}");
}

async fn see_how_things_stand(visitor: &Visitor) {
    visitor.reads("Overview", &["Users 30", "The last 24 hours", "Database", "Well"]).await;
    let bars = visitor.value("document.querySelectorAll('.chart rect.done').length").await;
    assert!(bars.as_u64().unwrap() > 15, "{bars} bars");
    visitor.look("overview", 200).await;
    visitor.click("//summary[normalize-space()='Show as a table']").await;
    visitor.look("overview-table", 200).await;
}

async fn look_users_up(visitor: &Visitor) {
    visitor.turn_to("Users").await;
    visitor.reads("Users", &["25 on this page"]).await;
    visitor.look("users", 200).await;
    visitor.follow("Next page").await;
    visitor.reads("Users", &["5 on this page", "First page"]).await;
    visitor.look("users-further", 200).await;
    visitor.follow("First page").await;
    search(visitor, "Email, username or id", "bob").await;
    visitor.reads("Users", &["1 on this page", "bob@example.org"]).await;
    assert!(!visitor.text().await.contains("ann@example.com"));
    search(visitor, "Email, username or id", "zzz").await;
    visitor.reads("Users", &["Nobody found"]).await;
    visitor.look("users-none", 200).await;
    visitor.follow("Show all").await;
    visitor.choose("Role", "Administrators").await;
    searched(visitor, "role=admin").await;
    visitor.reads("Users", &["1 on this page", ADMIN_EMAIL]).await;
}

/// Types into a search and waits for what is found: by itself with script, by the button without.
async fn search(visitor: &Visitor, label: &str, text: &str) {
    visitor.fill(label, text).await;
    searched(visitor, &format!("={text}")).await;
}

async fn searched(visitor: &Visitor, part: &str) {
    if visitor.script == Script::Off {
        visitor.press("Search").await;
    }
    visitor.until(&format!("there is {part}"), async || visitor.path().await.contains(part)).await;
}

async fn make_a_user(visitor: &Visitor) {
    visitor.turn_to("Users").await;
    visitor.follow("New user").await;
    visitor.look("user-new", 200).await;
    visitor.fill("Username", "crawler@home").await;
    visitor.fill("Password", "short").await;
    visitor.press("Create the user").await;
    visitor.reads("New user", &["Leave out the @."]).await;
    visitor.look("user-new-wrong", 422).await;
    visitor.fill("Email", "jon@example.com").await;
    visitor.fill("Username", "jon").await;
    visitor.fill("Name", "Jon Outline").await;
    visitor.press("Create the user").await;
    visitor.reads("jon", &["The user is there.", "Jon Outline"]).await;
    visitor.look("user-made", 200).await;
    visitor.press("Create a link").await;
    visitor.reads("jon", &["Copy the link now and hand it over.", "/reset-password?token="]).await;
    visitor.look("user-link", 200).await;
    let link = visitor.value("document.querySelector('#secret').textContent").await;
    assert!(link.as_str().unwrap().contains("/reset-password?token="), "{link}");
}

async fn change_a_user(visitor: &Visitor) {
    visitor.fill("Give a permission", "not a permission").await;
    visitor.press("Give").await;
    visitor.reads("jon", &["Give a name such as admin"]).await;
    visitor.look("user-permission-wrong", 422).await;
    visitor.fill("Give a permission", "reports.*").await;
    visitor.press("Give").await;
    visitor.reads("jon", &["The permissions are changed.", "reports.*"]).await;
    visitor.press("Take reports.* away").await;
    visitor.reads("jon", &["The permissions are changed."]).await;
    assert!(!visitor.sees("//code[.='reports.*']").await);
    visitor.fill("Flags", "{\"beta\": ").await;
    visitor.press("Save changes").await;
    visitor.reads("jon", &["Write a JSON object, such as"]).await;
    visitor.look("user-flags-wrong", 422).await;
    visitor.fill("Flags", "{\"beta\": true, \"quota\": 250}").await;
    visitor.press("Save changes").await;
    visitor.reads("jon", &["The changes are saved."]).await;
    let flags = visitor.value("JSON.parse(document.querySelector('#flags').value)").await;
    assert_eq!(flags, json!({"beta": true, "quota": 250}));
    visitor.press("End sessions").await;
    visitor.reads("jon", &["The sessions are over."]).await;
}

async fn end_a_user(visitor: &Visitor) {
    visitor.follow("Disable…").await;
    visitor.reads("Disable jon", &[]).await;
    visitor.look("user-disable", 200).await;
    visitor.press("Disable").await;
    visitor.reads("jon", &["The user is disabled.", "Disabled"]).await;
    visitor.look("user-disabled", 200).await;
    visitor.press("Enable").await;
    visitor.reads("jon", &["The user is enabled.", "Active"]).await;
    visitor.follow("Delete…").await;
    visitor.look("user-delete", 200).await;
    visitor.fill("Type “jon” to confirm", "jon@").await;
    visitor.press("Delete").await;
    visitor.reads("Delete jon", &["This is not what was asked for."]).await;
    visitor.look("user-delete-wrong", 422).await;
    visitor.fill("Type “jon” to confirm", "jon").await;
    visitor.press("Delete").await;
    visitor.reads("Users", &["The user is deleted."]).await;
}

async fn sessions_and_tokens(visitor: &Visitor) {
    visitor.turn_to("Sessions").await;
    visitor.reads("Sessions", &["on this page", ADMIN_EMAIL]).await;
    visitor.look("all-sessions", 200).await;
    visitor.press("End ann@example.com").await;
    visitor.reads("Sessions", &["The session is over."]).await;
    visitor.turn_to("API tokens").await;
    visitor.reads("API tokens", &["25 on this page", "Nightly import"]).await;
    visitor.look("all-tokens", 200).await;
    visitor.follow_beginning("Delete Nightly import").await;
    visitor.look("any-token-delete", 200).await;
    visitor.press("Delete the token").await;
    visitor.reads("API tokens", &["The token is deleted.", "25 on this page"]).await;
}

async fn projects(visitor: &Visitor) {
    visitor.turn_to("Projects").await;
    visitor.reads("Projects", &["9 on this page", "Ann's archive"]).await;
    visitor.look("all-projects", 200).await;
    search(visitor, "Name", "Bob").await;
    visitor.reads("Projects", &["1 on this page", "Bob's archive"]).await;
    visitor.follow("Delete Bob's archive").await;
    visitor.look("any-project-delete", 200).await;
    visitor.fill("Type “Bob's archive” to confirm", "Bob's archive").await;
    visitor.press("Delete the project").await;
    visitor.reads("Projects", &["The project is deleted.", "8 on this page"]).await;
}

async fn read_the_log(visitor: &Visitor) {
    visitor.turn_to("Audit log").await;
    visitor.reads("Audit log", &["project.deleted", ADMIN_EMAIL]).await;
    visitor.look("audit", 200).await;
    visitor.click("(//summary[starts-with(normalize-space(), 'Details')])[1]").await;
    visitor.reads("Audit log", &["Program", "Through"]).await;
    visitor.look("audit-details", 200).await;
    visitor.choose("Result", "Refused").await;
    searched(visitor, "result=refused").await;
    visitor.reads("Audit log", &["Refused", "eve@example.com"]).await;
    assert!(!visitor.sees("//table//code[.='project.deleted']").await);
    visitor.open("/console/audit?user=nobody@example.com").await;
    visitor.reads("Audit log", &["Nobody has this email, username or id."]).await;
    visitor.look("audit-wrong", 422).await;
}

async fn settings_and_keys(visitor: &Visitor) {
    visitor.turn_to("Settings").await;
    visitor.reads("Settings", &["pages.title", "Example Works", "Configured"]).await;
    visitor.look("settings", 200).await;
    visitor.turn_to("Keys").await;
    visitor.reads("Keys", &["In use"]).await;
    visitor.look("keys", 200).await;
    visitor.follow("Rotate…").await;
    visitor.look("keys-rotate", 200).await;
    visitor.press("Rotate").await;
    visitor.reads("Keys", &["New keys are made."]).await;
    visitor.look("keys-rotated", 200).await;
}
