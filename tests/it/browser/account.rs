//! One's own account: every page of it, and all that can be done there.

use std::fs;
use std::time::Duration;

use reqwest::header::USER_AGENT;
use serde_json::json;

use super::driver::Script;
use super::on_each_screen;
use super::visitor::Visitor;
use crate::harness::{PASSWORD, Server};

const EMAIL: &str = "ann@example.com";
const NEW_PASSWORD: &str = "another horse battery";

/// A device, and the address that it comes from.
pub(super) type Device = (&'static str, &'static str);

/// What somebody is signed in with elsewhere.
pub(super) const DEVICES: [Device; 3] = [
    ("curl/8.5.0", "203.0.113.4"),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "198.51.100.77"),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Mobile Safari/604.1",
        "2001:db8::8a2e:370:7334",
    ),
];

/// Signs somebody in on a device.
pub(super) async fn sign_in_on(server: &Server, (agent, address): Device, email: &str, password: &str) {
    let request = server.post("/auth/login").header(USER_AGENT, agent).header("X-Forwarded-For", address);
    let answer = request.json(&json!({"email": email, "password": password})).send().await.unwrap();
    assert!(answer.status().is_success(), "{email} on {agent}");
}

#[tokio::test]
async fn everybody_keeps_their_own_account() {
    on_each_screen(Script::On, walk).await;
}

#[tokio::test]
async fn everybody_keeps_their_own_account_without_script() {
    on_each_screen(Script::Off, walk).await;
}

/// Through all pages of an account, until there is none.
async fn walk(visitor: &Visitor, server: &Server) {
    server.register(EMAIL).await;
    server.register("bob@example.com").await;
    visitor.sign_in(EMAIL, PASSWORD).await;
    change_the_profile(visitor).await;
    change_the_address(visitor, server).await;
    change_the_password(visitor).await;
    end_sessions(visitor, server).await;
    prove_who_one_is(visitor, server).await;
    make_tokens(visitor).await;
    share_projects(visitor).await;
    take_data_along(visitor).await;
    delete_the_account(visitor).await;
}

async fn change_the_profile(visitor: &Visitor) {
    visitor.reads("Profile", &["About you", EMAIL]).await;
    visitor.look("profile", 200).await;
    visitor.fill("Name", "Ann Example").await;
    visitor.fill("Username", "ann@home").await;
    visitor.press("Save changes").await;
    visitor.reads("Profile", &["There is a problem", "Leave out the @."]).await;
    assert_eq!(visitor.value("document.title").await, "Error: Profile · Example Works");
    visitor.look("profile-wrong", 422).await;
    visitor.fill("Username", "ann").await;
    visitor.fill("A few words", "Keeps the crawlers of Example Works running.").await;
    visitor.press("Save changes").await;
    visitor.reads("Profile", &["The changes are saved."]).await;
    assert_eq!(visitor.value("document.querySelector('#name').value").await, "Ann Example");
    visitor.look("profile-saved", 200).await;
}

async fn change_the_address(visitor: &Visitor, server: &Server) {
    visitor.fill("New address", "ann.example@example.com").await;
    visitor.fill("Current password", "not the password").await;
    visitor.press("Change the address").await;
    visitor.reads("Profile", &["This is not your password."]).await;
    visitor.look("profile-address-wrong", 422).await;
    let before = server.mails();
    visitor.fill("Current password", PASSWORD).await;
    visitor.press("Change the address").await;
    visitor.reads("Profile", &["A mail is on its way to the new address."]).await;
    visitor.look("profile-address-asked", 200).await;
    let link = visitor.mailed_link(server, &before, "/confirm-email").await;
    visitor.open(&link).await;
    visitor.reads("Use your new email address", &[]).await;
    visitor.look("confirm-email", 200).await;
    visitor.press("Use this address").await;
    visitor.reads("Profile", &["Your email address is changed.", "ann.example@example.com", "Verified"]).await;
}

async fn change_the_password(visitor: &Visitor) {
    visitor.turn_to("Password").await;
    visitor.look("password", 200).await;
    visitor.fill("Current password", "not the password").await;
    visitor.fill("New password", NEW_PASSWORD).await;
    visitor.fill("New password again", NEW_PASSWORD).await;
    visitor.press("Change the password").await;
    visitor.reads("Password", &["This is not your password."]).await;
    visitor.look("password-wrong", 422).await;
    visitor.fill("Current password", PASSWORD).await;
    visitor.fill("New password", NEW_PASSWORD).await;
    visitor.fill("New password again", NEW_PASSWORD).await;
    visitor.press("Change the password").await;
    visitor.reads("Password", &["Your password is changed. Every other device is signed out."]).await;
}

async fn end_sessions(visitor: &Visitor, server: &Server) {
    for device in DEVICES {
        sign_in_on(server, device, "ann.example@example.com", NEW_PASSWORD).await;
        server.clock.advance(Duration::from_mins(11));
    }
    visitor.turn_to("Sessions").await;
    visitor
        .reads("Sessions", &["4 sessions", "This device", "Safari · iPhone", "Firefox · Windows", "curl/8.5.0"])
        .await;
    visitor.look("sessions", 200).await;
    visitor.press("End curl/8.5.0").await;
    visitor.reads("Sessions", &["The session is over.", "3 sessions"]).await;
    visitor.press("End all others").await;
    visitor.reads("Sessions", &["The sessions are over.", "1 session", "This device"]).await;
    visitor.look("sessions-alone", 200).await;
}

async fn prove_who_one_is(visitor: &Visitor, server: &Server) {
    server.clock.advance(Duration::from_mins(30));
    visitor.turn_to("API tokens").await;
    visitor.fill("Name", "Nightly import").await;
    visitor.press("Create the token").await;
    visitor.reads("Confirm that it is you", &["Signed in as"]).await;
    visitor.look("prove", 200).await;
    visitor.fill("Password", "not the password").await;
    visitor.press("Continue").await;
    visitor.reads("Confirm that it is you", &["This is not your password."]).await;
    visitor.look("prove-wrong", 422).await;
    visitor.fill("Password", NEW_PASSWORD).await;
    visitor.press("Continue").await;
    visitor.reads("API tokens", &["No tokens yet"]).await;
    assert_eq!(visitor.path().await, "/account/tokens");
    visitor.look("tokens-none", 200).await;
}

async fn make_tokens(visitor: &Visitor) {
    visitor.fill("Name", "Nightly import").await;
    visitor.choose("Expires", "In a year").await;
    visitor.press("Create the token").await;
    visitor.reads("API tokens", &["Copy the token now.", "dwt_", "Nightly import"]).await;
    visitor.look("tokens-made", 200).await;
    visitor.fill("Name", "Laptop").await;
    visitor.choose("Expires", "Never").await;
    visitor.press("Create the token").await;
    visitor.turn_to("API tokens").await;
    assert!(!visitor.sees("//*[@id='secret']").await, "a token is shown only once");
    visitor.look("tokens", 200).await;
    visitor.follow_beginning("Delete Laptop").await;
    visitor.reads("Delete the token", &["“Laptop” stops working at once"]).await;
    visitor.look("token-delete", 200).await;
    visitor.press("Delete the token").await;
    visitor.reads("API tokens", &["The token is deleted."]).await;
    assert!(!visitor.text().await.contains("Laptop"));
}

async fn share_projects(visitor: &Visitor) {
    visitor.turn_to("Projects").await;
    visitor.reads("Projects", &["No projects yet"]).await;
    visitor.look("projects-none", 200).await;
    visitor.fill("Name", "Harbour crawl").await;
    visitor.press("Create the project").await;
    visitor.reads("Harbour crawl", &["The project is there."]).await;
    visitor.fill("Share with somebody by email or username", "nobody@example.com").await;
    visitor.press("Share").await;
    visitor.reads("Harbour crawl", &["Nobody here has this email or username."]).await;
    visitor.look("project-wrong", 404).await;
    visitor.fill("Share with somebody by email or username", "bob@example.com").await;
    visitor.press("Share").await;
    visitor.reads("Harbour crawl", &["The project is shared.", "bob@example.com"]).await;
    visitor.look("project", 200).await;
    visitor.fill("Name", "Harbour watch").await;
    visitor.press("Save changes").await;
    visitor.reads("Harbour watch", &["The changes are saved."]).await;
    visitor.turn_to("Projects").await;
    visitor.look("projects", 200).await;
    visitor.follow("Harbour watch").await;
    visitor.press("Remove bob@example.com").await;
    visitor.reads("Harbour watch", &["The project is no longer shared with that user."]).await;
    visitor.follow("Delete the project…").await;
    visitor.fill("Type “Harbour watch” to confirm", "Harbour crawl").await;
    visitor.press("Delete the project").await;
    visitor.reads("Delete the project", &["This is not what was asked for."]).await;
    visitor.look("project-delete-wrong", 422).await;
    visitor.fill("Type “Harbour watch” to confirm", "Harbour watch").await;
    visitor.press("Delete the project").await;
    visitor.reads("Projects", &["The project is deleted.", "No projects yet"]).await;
}

async fn take_data_along(visitor: &Visitor) {
    visitor.turn_to("Your data").await;
    visitor.look("data", 200).await;
    let folder = tempfile::tempdir().unwrap();
    let place = json!({ "behavior": "allow", "downloadPath": folder.path() });
    visitor.driver.devtools("Browser.setDownloadBehavior", place).await;
    visitor.click("//a[normalize-space()='Download your data']").await;
    let file = folder.path().join("doorward-data.json");
    visitor.until("the data are there", async || file.exists()).await;
    let data = fs::read_to_string(&file).unwrap();
    assert!(data.contains("ann.example@example.com") && data.contains("Nightly import"), "{data}");
    assert!(!data.contains("$argon2"), "{data}");
}

async fn delete_the_account(visitor: &Visitor) {
    visitor.follow("Delete your account…").await;
    visitor.look("account-delete", 200).await;
    visitor.fill("Type “ann” to confirm", "bob").await;
    visitor.press("Delete your account").await;
    visitor.reads("Delete your account", &["This is not what was asked for."]).await;
    visitor.look("account-delete-wrong", 422).await;
    visitor.fill("Type “ann” to confirm", "ann").await;
    visitor.press("Delete your account").await;
    visitor.reads("Sign in", &["Your account is deleted."]).await;
    visitor.sign_in("ann.example@example.com", NEW_PASSWORD).await;
    visitor.reads("Sign in", &["Email, username or password is wrong."]).await;
    visitor.look("account-deleted", 401).await;
}
