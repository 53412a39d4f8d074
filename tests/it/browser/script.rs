//! What pages can do more where there is script.

use serde_json::json;

use super::SETTINGS;
use super::driver::Script;
use super::visitor::{Screen, Visitor};
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, Server};

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

async fn start() -> (Server, Visitor) {
    let server = Server::start_with(SETTINGS).await;
    let mut visitor = Visitor::begin(Script::On).await;
    visitor.come_to(&server, Screen::Desk).await;
    (server, visitor)
}

#[tokio::test]
async fn script_adds_to_pages_what_they_do_without() {
    let (_server, visitor) = start().await;
    show_a_password(&visitor).await;
    skip_to_the_content(&visitor).await;
    visitor.sign_in(ADMIN_EMAIL, ADMIN_PASSWORD).await;
    copy_a_secret(&visitor).await;
    keep_times_fresh(&visitor).await;
    send_a_form_once(&visitor).await;
    find_while_one_types(&visitor).await;
    visitor.look("users-found", 200).await;
}

async fn show_a_password(visitor: &Visitor) {
    visitor.open("/sign-in").await;
    visitor.fill("Password", "a secret").await;
    let state = "[...['#password', '[data-reveal]'].map(it => document.querySelector(it))]\
                 .flatMap(it => [it.type, it.innerText, it.ariaLabel])";
    assert_eq!(visitor.value(state).await, json!(["password", "", null, "button", "Show", "Show: Password"]));
    visitor.click("//button[normalize-space()='Show']").await;
    assert_eq!(visitor.value(state).await, json!(["text", "", null, "button", "Hide", "Hide: Password"]));
    visitor.click("//button[normalize-space()='Hide']").await;
    assert_eq!(visitor.value("document.querySelector('#password').type").await, "password");
    visitor.click("//button[normalize-space()='Show']").await;
    // What is sent is hidden first, so that no browser keeps it among what was typed.
    let sent = "addEventListener('submit', event => event.preventDefault());\
                document.querySelector('form[action=\"/sign-in\"]').requestSubmit();";
    visitor.fill("Email or username", "ann").await;
    visitor.driver.run(sent, json!([])).await;
    assert_eq!(visitor.value("document.querySelector('#password').type").await, "password");
}

async fn skip_to_the_content(visitor: &Visitor) {
    visitor.open("/forgot-password").await;
    visitor.keys(TAB).await;
    assert_eq!(visitor.value("document.activeElement.className").await, "skip");
    assert!(visitor.sees("//a[@class='skip']").await);
    visitor.keys(ENTER).await;
    assert_eq!(visitor.value("document.activeElement.id").await, "main");
}

async fn copy_a_secret(visitor: &Visitor) {
    visitor.open("/account/tokens").await;
    visitor.fill("Name", "Laptop").await;
    visitor.press("Create the token").await;
    let secret = visitor.value("document.querySelector('#secret').textContent").await;
    visitor.click("//button[normalize-space()='Copy']").await;
    visitor.until("it is copied", async || visitor.sees("//button[normalize-space()='Copied']").await).await;
    let read = "const done = arguments[0]; navigator.clipboard.readText().then(done, error => done(String(error)))";
    let copied = visitor.driver.post("/execute/async", &json!({ "script": read, "args": [] })).await;
    assert_eq!(copied, secret);
    visitor.until("the button is as before", async || visitor.sees("//button[normalize-space()='Copy']").await).await;
}

async fn keep_times_fresh(visitor: &Visitor) {
    let later = "const time = document.querySelector('time[data-relative]');\
                 const now = Date.parse(document.body.dataset.now);\
                 return arguments[0].map(ago => {\
                   time.dateTime = new Date(now - ago * 1000).toISOString();\
                   document.dispatchEvent(new Event('visibilitychange'));\
                   return time.textContent;\
                 });";
    let said = visitor.driver.run(later, json!([[0, 100, 7_000, 7_300, 90_000, 2_590_000, 2_600_000]])).await;
    let expected = ["just now", "1 minute ago", "1 hour ago", "2 hours ago", "1 day ago", "29 days ago", "29 days ago"];
    assert_eq!(said, json!(expected), "from 30 days on the server's text stays");
}

async fn send_a_form_once(visitor: &Visitor) {
    visitor.open("/account/tokens").await;
    visitor.fill("Name", "Twice").await;
    let twice = "const stopped = [];\
                 addEventListener('submit', event => { stopped.push(event.defaultPrevented); event.preventDefault(); });\
                 const button = [...document.querySelectorAll('button')].find(it => it.innerText === 'Create the token');\
                 button.click(); button.click();\
                 return [...stopped, button.ariaBusy];";
    assert_eq!(visitor.driver.run(twice, json!([])).await, json!([false, true, "true"]));
}

async fn find_while_one_types(visitor: &Visitor) {
    visitor.open("/console/users").await;
    visitor.type_into("Email, username or id", "adm").await;
    visitor.until("it is found", async || visitor.path().await == "/console/users?text=adm").await;
    visitor.reads("Users", &["1 on this page", ADMIN_EMAIL]).await;
    visitor.type_into("Email, username or id", "x").await;
    visitor.until("nobody is found", async || visitor.text().await.contains("Nobody found")).await;
    assert_eq!(visitor.value("document.querySelector('[data-announce]').textContent").await, "0 on this page");
    assert_eq!(visitor.value("document.activeElement.id").await, "text", "who types goes on typing");
    visitor.fill("Email, username or id", "adm").await;
    visitor.until("it is found again", async || visitor.text().await.contains(ADMIN_EMAIL)).await;
}
