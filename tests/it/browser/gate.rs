//! In front of the gate: signing in, registering, the ways back in, and what is refused there.

use serde_json::json;

use super::driver::Script;
use super::on_each_screen;
use super::visitor::{Screen, Visitor};
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, PASSWORD, Server};

const EMAIL: &str = "greta@example.com";
const NEW_PASSWORD: &str = "another horse battery";

#[tokio::test]
async fn whoever_is_not_signed_in_finds_the_way() {
    on_each_screen(Script::On, walk).await;
}

#[tokio::test]
async fn whoever_is_not_signed_in_finds_the_way_without_script() {
    on_each_screen(Script::Off, walk).await;
}

/// Through all pages for whoever is not signed in.
async fn walk(visitor: &Visitor, server: &Server) {
    sign_in_and_out(visitor).await;
    register(visitor).await;
    verify(visitor, server).await;
    forget_and_reset(visitor, server).await;
    switch_language(visitor).await;
    be_refused(visitor).await;
}

async fn sign_in_and_out(visitor: &Visitor) {
    visitor.open("/account/sessions").await;
    visitor.reads("Sign in", &["to your account at Example Works", "New here?"]).await;
    visitor.look("sign-in", 200).await;
    visitor.fill("Email or username", ADMIN_EMAIL).await;
    visitor.fill("Password", "not the password").await;
    visitor.press("Sign in").await;
    visitor.reads("Sign in", &["Email, username or password is wrong."]).await;
    assert_eq!(visitor.value("document.title").await, "Error: Sign in · Example Works");
    assert_eq!(visitor.value("document.activeElement.innerText.trim()").await, "Email, username or password is wrong.");
    assert_eq!(visitor.value("document.querySelector('#login').value").await, ADMIN_EMAIL);
    assert_eq!(visitor.value("document.querySelector('#password').value").await, "");
    visitor.look("sign-in-wrong", 401).await;
    visitor.fill("Password", ADMIN_PASSWORD).await;
    visitor.press("Sign in").await;
    assert_eq!(visitor.path().await, "/account/sessions");
    visitor.press("Sign out").await;
    visitor.reads("Sign in", &["You are signed out."]).await;
    visitor.look("signed-out", 200).await;
}

async fn register(visitor: &Visitor) {
    visitor.follow("Create an account").await;
    visitor.look("register", 200).await;
    visitor.fill("Name", "Greta Example").await;
    visitor.fill("Email", EMAIL).await;
    visitor.fill("Password", "short").await;
    visitor.press("Create an account").await;
    visitor.reads("Create an account", &["There is a problem", "Use at least 8 characters."]).await;
    visitor.look("register-wrong", 422).await;
    visitor.click("//a[@href='#password']").await;
    assert_eq!(visitor.value("location.hash").await, "#password");
    visitor.fill("Password", PASSWORD).await;
    visitor.press("Create an account").await;
    visitor.reads("Profile", &["Welcome! Your account is ready.", EMAIL, "Not verified"]).await;
    visitor.look("registered", 200).await;
}

async fn verify(visitor: &Visitor, server: &Server) {
    let before = server.mails();
    visitor.press("Send a mail to verify it").await;
    visitor.reads("Profile", &["A mail with a link is on its way."]).await;
    let link = visitor.mailed_link(server, &before, "/verify-email").await;
    visitor.open(&link).await;
    visitor.reads("Verify your email address", &[]).await;
    visitor.look("verify", 200).await;
    visitor.press("Verify the address").await;
    visitor.reads("Profile", &["Your email address is verified.", "Verified"]).await;
    visitor.open(&link).await;
    visitor.reads("This link no longer works", &["Your account has what you need for another."]).await;
    visitor.look("verify-dead", 422).await;
    visitor.follow("Go to your account").await;
    visitor.press("Sign out").await;
}

async fn forget_and_reset(visitor: &Visitor, server: &Server) {
    visitor.follow("Forgot your password?").await;
    visitor.look("forgot", 200).await;
    visitor.fill("Email", "greta").await;
    // A browser refuses what is no address before it is sent; the server does so where a browser does not.
    visitor.value("document.querySelector('form[action=\"/forgot-password\"]').noValidate = true").await;
    visitor.press("Send the link").await;
    visitor.look("forgot-wrong", 422).await;
    let before = server.mails();
    visitor.fill("Email", EMAIL).await;
    visitor.press("Send the link").await;
    visitor.reads("Look into your mailbox", &["If this address belongs to an account"]).await;
    visitor.look("forgot-sent", 200).await;
    let link = visitor.mailed_link(server, &before, "/reset-password").await;
    visitor.open(&link).await;
    visitor.reads("Choose a new password", &[]).await;
    visitor.look("reset", 200).await;
    visitor.fill("New password", NEW_PASSWORD).await;
    visitor.fill("New password again", PASSWORD).await;
    visitor.press("Save the password").await;
    visitor.reads("Choose a new password", &["The two passwords are not the same."]).await;
    visitor.look("reset-wrong", 422).await;
    visitor.fill("New password", NEW_PASSWORD).await;
    visitor.fill("New password again", NEW_PASSWORD).await;
    visitor.press("Save the password").await;
    visitor.reads("Sign in", &["Your password is changed. Sign in with the new one."]).await;
    visitor.open(&link).await;
    visitor.reads("This link no longer works", &[]).await;
    visitor.look("reset-dead", 422).await;
    visitor.sign_in(EMAIL, NEW_PASSWORD).await;
    assert_eq!(visitor.value("document.querySelector('#name').value").await, "Greta Example");
}

async fn switch_language(visitor: &Visitor) {
    visitor.press("Deutsch").await;
    visitor.reads("Profil", &["Über Sie", "Abmelden"]).await;
    assert_eq!(visitor.value("document.documentElement.lang").await, "de");
    visitor.look("profile-german", 200).await;
    visitor.press("Abmelden").await;
    visitor.reads("Anmelden", &["Sie sind abgemeldet."]).await;
    visitor.look("sign-in-german", 200).await;
    visitor.press("English").await;
    visitor.reads("Sign in", &[]).await;
}

async fn be_refused(visitor: &Visitor) {
    visitor.sign_in(EMAIL, NEW_PASSWORD).await;
    visitor.open("/console").await;
    visitor.reads("This is not for you", &["403"]).await;
    visitor.look("refused-403", 403).await;
    visitor.open("/account/projects/nothing").await;
    visitor.reads("Nothing here", &["404", "Example Works"]).await;
    visitor.look("refused-404", 404).await;
    visitor.open("/account/nothing").await;
    visitor.reads("Nothing here", &["404", "Example Works"]).await;
    visitor.look("refused-404-nowhere", 404).await;
    visitor.follow("Go to your account").await;
    visitor.reads("Profile", &[]).await;
    visitor.press("Sign out").await;
}

#[tokio::test]
async fn who_guesses_passwords_is_told_when_to_go_on() {
    let server = Server::start_with("[pages]\ntitle = \"Example Works\"\n").await;
    let mut visitor = Visitor::begin(Script::On).await;
    for _ in 0..10 {
        server.post_json("/auth/login", &json!({"email": EMAIL, "password": "not the password"})).await;
    }
    for screen in [Screen::Desk, Screen::Phone] {
        visitor.come_to(&server, screen).await;
        visitor.sign_in(EMAIL, PASSWORD).await;
        visitor.reads("Sign in", &["Too much failed here. Try again in"]).await;
        visitor.look("sign-in-throttled", 429).await;
    }
}
