//! Ways back into an account by mailed links: shown by GET, used up by POST.

use reqwest::StatusCode;

use crate::harness::pages::Browser;
use crate::harness::{PASSWORD, Server, token_in};

const OTHER: &str = "another pass phrase";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_link_is_used_up_by_its_form_and_by_no_look_at_it() {
    let server = Server::start().await;
    let mut ann = Browser::registered(&server, "ann@example.com").await;
    let mut lost = Browser::new(&server);
    let page = lost.fill("/forgot-password", "/forgot-password", &[("email", "ann@example.com")]).await;
    assert!(page.status == StatusCode::OK && page.says("a mail with a link is on its way"));
    let unknown =
        Browser::new(&server).fill("/forgot-password", "/forgot-password", &[("email", "bob@example.com")]).await;
    assert_eq!(unknown.status, StatusCode::OK);
    let token = token_in(&server.wait_for_mails(1).await[0]);
    let link = format!("/reset-password?token={token}");
    for _ in 0..3 {
        assert!(lost.get(&link).await.says("Choose a new password"));
    }
    let send = async |lost: &mut Browser<'_>, password: &str, confirm: &str| {
        lost.send("/reset-password", &[("token", &*token), ("password", password), ("confirm", confirm)]).await
    };
    let page = send(&mut lost, "short", "short").await;
    assert!(page.status == StatusCode::UNPROCESSABLE_ENTITY && page.says("Use at least 8 characters."));
    let page = send(&mut lost, OTHER, PASSWORD).await;
    assert!(page.status == StatusCode::UNPROCESSABLE_ENTITY && page.says("The two passwords are not the same."));
    assert_eq!(send(&mut lost, OTHER, OTHER).await.to(), "/sign-in?done=password_reset");
    assert!(send(&mut lost, OTHER, OTHER).await.says("This link no longer works"));
    assert!(lost.get(&link).await.says("This link no longer works"));
    assert_eq!(ann.get("/account").await.to(), "/sign-in", "a reset ends every session");
    Browser::signed_in(&server, "ann@example.com", OTHER).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_verified_by_its_link_in_any_browser() {
    let server = Server::start().await;
    let mut ann = Browser::registered(&server, "ann@example.com").await;
    assert!(ann.get("/account").await.says("Not verified"));
    assert_eq!(ann.send("/account/email/verify", &[]).await.to(), "/account?done=verification_sent");
    let token = token_in(&server.wait_for_mails(1).await[0]);
    let mut phone = Browser::new(&server);
    let link = format!("/verify-email?token={token}");
    let sign_in = phone.get(&link).await.to().to_owned();
    assert_eq!(sign_in, format!("/sign-in?next=/verify-email%3Ftoken%3D{token}"));
    phone.get(&sign_in).await;
    let pair = [("login", "ann@example.com"), ("password", PASSWORD), ("next", &*link)];
    assert_eq!(phone.send("/sign-in", &pair).await.to(), link);
    assert!(phone.get(&link).await.says("Verify your email address"));
    assert!(ann.get("/account").await.says("Not verified"), "looking proves nothing");
    assert_eq!(phone.send("/verify-email", &[("token", &*token)]).await.to(), "/account?done=email_verified");
    assert!(!ann.get("/account").await.says("Not verified"));
    assert!(phone.get(&link).await.says("This link no longer works"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reads_a_mail_proves_nothing_for_a_stranger_who_took_the_address() {
    let server = Server::start().await;
    let mut eve = Browser::registered(&server, "ann@example.com").await;
    let page = eve.fill("/account/tokens", "/account/tokens", &[("name", "x"), ("expires", "")]).await;
    let planted = page.between("<code id=\"secret\">", "<");
    eve.fill("/account", "/account/email/verify", &[]).await.to();
    let token = token_in(&server.wait_for_mails(1).await[0]);
    // Ann reads the mail, and has no account of hers.
    let mut ann = Browser::new(&server);
    assert!(ann.get(&format!("/verify-email?token={token}")).await.to().starts_with("/sign-in?next="));
    ann.get("/sign-in").await;
    assert_eq!(ann.send("/verify-email", &[("token", &*token)]).await.to(), "/sign-in");
    let mut other = Browser::registered(&server, "other@example.com").await;
    other.get("/account").await;
    assert!(other.send("/verify-email", &[("token", &*token)]).await.says("This link no longer works"));
    // So her reset leaves the stranger with nothing.
    let mut ann = Browser::new(&server);
    ann.fill("/forgot-password", "/forgot-password", &[("email", "ann@example.com")]).await;
    let mails = server.wait_for_mails(2).await;
    let reset = token_in(mails.iter().find(|mail| mail.contains("/reset-password?token=")).unwrap());
    ann.get(&format!("/reset-password?token={reset}")).await;
    let fields = [("token", &*reset), ("password", OTHER), ("confirm", OTHER)];
    assert_eq!(ann.send("/reset-password", &fields).await.to(), "/sign-in?done=password_reset");
    let asked = server.get("/1/tokens").header("authorization", format!("OAuth {planted}"));
    assert_eq!(asked.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_address_counts_once_its_link_is_used() {
    let server = Server::start().await;
    let mut ann = Browser::registered(&server, "ann@example.com").await;
    let fields = [("email", "ann@example.org"), ("current_password", OTHER)];
    let page = ann.fill("/account", "/account/email", &fields).await;
    assert!(page.status == StatusCode::UNPROCESSABLE_ENTITY && page.says("This is not your password."));
    let fields = [("email", "ann@example.org"), ("current_password", PASSWORD)];
    assert_eq!(ann.fill("/account", "/account/email", &fields).await.to(), "/account?done=confirm_email_sent");
    let mail = server.wait_for_mails(1).await.remove(0);
    assert!(mail.contains("To: ann@example.org"), "{mail}");
    let page = ann.get("/account").await;
    assert!(page.says("ann@example.com") && page.says("ann@example.org") && page.says("Waits for its link"));
    let token = token_in(&mail);
    assert!(ann.get(&format!("/confirm-email?token={token}")).await.says("Use your new email address"));
    assert_eq!(ann.send("/confirm-email", &[("token", &*token)]).await.to(), "/account?done=email_changed");
    let page = ann.get("/account").await;
    assert!(page.says("ann@example.org") && !page.says("Not verified") && !page.says("Waits for its link"));
    assert!(ann.send("/confirm-email", &[("token", &*token)]).await.says("This link no longer works"));
}
