//! Another address: asked for by its user, confirmed by whoever reads its mail, and nothing else.

use std::time::Duration;

use doorward::actions::{email_change, export};
use doorward::domain::caller::Actor;
use doorward::domain::error::{Error, Result};
use doorward::domain::password::Password;
use doorward::domain::user::Email;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::actor;
use crate::harness::{ADMIN_EMAIL, ADMIN_TOKEN, PASSWORD, Server, UNTHROTTLED, answer, token_in};
use crate::rest::{iron, login, reset, reset_token, set_status, text, verification_token, welcome};

const NEW: &str = "New.Ann@Example.com";

/// A server on which Ann has signed up; who she is, and her access token.
async fn with_ann(settings: &str) -> (Server, Actor, String) {
    let server = Server::start_with(settings).await;
    let ann = server.register("ann@example.com").await;
    let bearer = text(&ann, "/accessToken").to_owned();
    let actor = actor(&server, &bearer).await;
    (server, actor, bearer)
}

async fn request(server: &Server, actor: &Actor, email: &str, password: Option<&str>) -> Result<()> {
    let password = password.map(|password| Password::parse(password).unwrap());
    email_change::request(server.app(), actor, Email::parse(email).unwrap(), password).await
}

/// The token that went to the new address.
async fn token(server: &Server, actor: &Actor, email: &str) -> String {
    server.clock.advance(Duration::from_millis(1));
    let before = mails_to(server, email).len();
    request(server, actor, email, Some(PASSWORD)).await.unwrap();
    for _ in 0..400 {
        let mails = mails_to(server, email);
        if mails.len() > before {
            return token_in(mails.last().unwrap());
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("no mail to {email}");
}

fn mails_to(server: &Server, email: &str) -> Vec<String> {
    server.mails().into_iter().filter(|mail| mail.contains(&format!("To: {email}\r\n"))).collect()
}

async fn confirm(server: &Server, actor: &Actor, token: &str) -> Result<()> {
    email_change::confirm(server.app(), actor, token).await
}

fn is_bad(outcome: &Result<()>) -> bool {
    matches!(outcome, Err(Error::BadToken))
}

/// Waits until the audit log has so many rows of an action with this result and reason.
async fn wait_for_rows(server: &Server, condition: &str, count: usize) {
    let query = format!("select count(*) from audit_log where {condition}");
    for _ in 0..400 {
        if server.database().value(&query) == count.to_string() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{condition}: {}", server.database().value(&query));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_becomes_the_users_once_its_link_is_followed_and_not_before() {
    let (server, ann, bearer) =
        with_ann("public_url = \"https://id.example.com\"\n[throttle]\nenabled = false\n").await;
    let pending = reset_token(&server, "ann@example.com").await;
    let token = token(&server, &ann, NEW).await;
    let mail = mails_to(&server, NEW).remove(0);
    assert!(mail.contains(&format!("https://id.example.com/confirm-email?token={token}\r\n")), "{mail}");
    assert_eq!(login(&server, "new.ann@example.com", PASSWORD).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(login(&server, "ann@example.com", PASSWORD).await.0, StatusCode::OK);
    let copy = export::own_data(server.app(), &ann.caller).await.unwrap();
    let wanted: Vec<_> = copy["mailed_secrets"].as_array().unwrap().iter().map(|it| &it["new_email"]).collect();
    assert!(wanted.contains(&&json!(NEW)), "what is kept of a user is theirs to see: {wanted:?}");
    for _ in 0..2 {
        assert!(email_change::check(server.app(), &token).await.unwrap(), "looking uses nothing up");
    }
    confirm(&server, &ann, &token).await.unwrap();
    assert_eq!(login(&server, "new.ann@example.com", PASSWORD).await.0, StatusCode::OK);
    assert_eq!(login(&server, "ann@example.com", PASSWORD).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(welcome(&server, &bearer).await, StatusCode::OK, "sessions go on");
    let query = format!("select count(*) from users where email = '{NEW}' and email_verified_at is not null");
    assert_eq!(server.database().value(&query), "1");
    assert_eq!(reset(&server, &pending, "another pass phrase").await.0, StatusCode::UNAUTHORIZED);
    assert!(is_bad(&confirm(&server, &ann, &token).await) && !email_change::check(server.app(), &token).await.unwrap());
    let done = "action = 'user.email_changed' and result = 'done' and credential = 'session'";
    wait_for_rows(&server, done, 1).await;
    let told = mails_to(&server, "ann@example.com").pop().unwrap();
    assert!(told.contains("Your email address at id.example.com was changed"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_proves_to_be_the_user_asks_for_another_address() {
    let (server, ann, _) = with_ann(UNTHROTTLED).await;
    let wrong = request(&server, &ann, NEW, Some("the wrong pass phrase")).await;
    assert!(matches!(wrong, Err(Error::WrongCurrentPassword)), "{wrong:?}");
    request(&server, &ann, NEW, None).await.unwrap();
    server.clock.advance(Duration::from_mins(10));
    let stale = request(&server, &ann, NEW, None).await;
    assert!(matches!(stale, Err(Error::ReauthenticationRequired)), "{stale:?}");
    let same = request(&server, &ann, "ann@example.com", Some(PASSWORD)).await;
    assert!(matches!(same, Err(Error::Invalid(_))), "{same:?}");
    let operator = request(&server, &Actor::operator(), NEW, None).await;
    assert!(matches!(operator, Err(Error::Forbidden(_))), "{operator:?}");
    let reauthentication = "action = 'email.change_requested' and reason = 'reauthentication_required'";
    wait_for_rows(&server, reauthentication, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_learns_whether_an_address_is_taken() {
    let (server, ann, _) = with_ann(UNTHROTTLED).await;
    let first = token(&server, &ann, NEW).await;
    let mut copies = Vec::new();
    for (number, email) in [ADMIN_EMAIL, "nobody@example.com"].into_iter().enumerate() {
        request(&server, &ann, email, Some(PASSWORD)).await.unwrap();
        wait_for_rows(&server, "action = 'email.change_requested' and result = 'done'", 2 + number).await;
        assert!(!email_change::check(server.app(), &first).await.unwrap(), "an older request is over either way");
        let copy = export::own_data(server.app(), &ann.caller).await.unwrap();
        let secrets = copy["mailed_secrets"].as_array().unwrap();
        assert_eq!((secrets.len(), &secrets[0]["new_email"]), (1, &json!(email)));
        let rows = copy["audit_log"].as_array().unwrap();
        copies.push(rows.iter().filter(|row| row["action"] == "email.change_requested").count() - number);
    }
    assert_eq!(copies[0], copies[1]);
    // Errands are run in order.
    token(&server, &ann, NEW).await;
    assert!(mails_to(&server, ADMIN_EMAIL).is_empty() && mails_to(&server, "nobody@example.com").len() == 1);
    assert_eq!(server.database().value("select count(*) from audit_log where reason = 'taken'"), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reads_a_mail_confirms_nothing_that_another_asked_for() {
    let (server, ann, _) = with_ann(UNTHROTTLED).await;
    let eve = server.register("eve@example.com").await;
    let eve = actor(&server, text(&eve, "/accessToken")).await;
    let token = token(&server, &eve, NEW).await;
    assert!(is_bad(&confirm(&server, &ann, &token).await));
    assert!(email_change::check(server.app(), &token).await.unwrap(), "and uses nothing up");
    confirm(&server, &eve, &token).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_was_taken_meanwhile_is_a_bad_link() {
    let (server, ann, _) = with_ann(UNTHROTTLED).await;
    let token = token(&server, &ann, NEW).await;
    server.register("new.ann@example.com").await;
    assert!(!email_change::check(server.app(), &token).await.unwrap());
    assert!(is_bad(&confirm(&server, &ann, &token).await));
    assert_eq!(login(&server, "ann@example.com", PASSWORD).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_request_takes_the_place_of_an_older_one_and_a_link_lives_an_hour() {
    let (server, ann, _) = with_ann(UNTHROTTLED).await;
    let first = token(&server, &ann, NEW).await;
    let second = token(&server, &ann, "other@example.com").await;
    assert!(is_bad(&confirm(&server, &ann, &first).await));
    server.clock.advance(Duration::from_hours(1));
    assert!(
        is_bad(&confirm(&server, &ann, &second).await) && !email_change::check(server.app(), &second).await.unwrap()
    );
    let third = token(&server, &ann, NEW).await;
    server.clock.advance(Duration::from_hours(1) - Duration::from_secs(1));
    confirm(&server, &ann, &third).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_the_credentials_ends_a_pending_change() {
    for end in ["reset", "password", "disabled", "address", "sessions"] {
        let (server, ann, bearer) = with_ann(UNTHROTTLED).await;
        let token = token(&server, &ann, NEW).await;
        match end {
            "reset" => {
                let secret = reset_token(&server, "ann@example.com").await;
                assert_eq!(reset(&server, &secret, "another pass phrase").await.0, StatusCode::OK);
            }
            "password" => {
                let change = json!({"password": "another pass phrase", "current_password": PASSWORD});
                iron(&server, &bearer, Method::PATCH, "/1/users/ann@example.com", change).await;
            }
            "disabled" => {
                set_status(&server, "ann@example.com", "disabled").await;
                set_status(&server, "ann@example.com", "active").await;
            }
            "address" => {
                let change = json!({"email": "third@example.com"});
                iron(&server, ADMIN_TOKEN, Method::PATCH, "/1/users/ann@example.com", change).await;
            }
            _ => {
                // As an administrator ends all sessions of a user.
                let raise =
                    "update users set credential_version = credential_version + 1 where email = 'ann@example.com'";
                assert_eq!(server.database().execute(raise), 1);
            }
        }
        assert!(!email_change::check(server.app(), &token).await.unwrap(), "{end}");
        assert!(confirm(&server, &ann, &token).await.is_err(), "{end}");
        assert_eq!(server.database().value("select count(*) from users where email_key = 'new.ann@example.com'"), "0");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_is_for_one_thing_only() {
    let (server, ann, bearer) = with_ann(UNTHROTTLED).await;
    let change = token(&server, &ann, NEW).await;
    let secret = reset_token(&server, "ann@example.com").await;
    let proof = verification_token(&server, &bearer).await;
    for other in [secret.as_str(), &proof, "", "x", &"A".repeat(43)] {
        assert!(is_bad(&confirm(&server, &ann, other).await), "{other}");
        assert!(!email_change::check(server.app(), other).await.unwrap(), "{other}");
    }
    assert_eq!(reset(&server, &change, "another pass phrase").await.0, StatusCode::UNAUTHORIZED);
    let verify = server.post(&format!("/auth/verify-email?token={change}")).bearer_auth(&bearer);
    assert_eq!(answer(verify).await.0, StatusCode::UNAUTHORIZED);
    confirm(&server, &ann, &change).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_follow_a_link_at_once_one_changes_the_address() {
    let (server, ann, _) = with_ann(UNTHROTTLED).await;
    let token = token(&server, &ann, NEW).await;
    let following: Vec<_> = (0..16)
        .map(|_| {
            let (app, ann, token) = (server.app().clone(), ann.clone(), token.clone());
            tokio::spawn(async move { email_change::confirm(&app, &ann, &token).await.is_ok() })
        })
        .collect();
    let mut followed = 0;
    for one in following {
        followed += usize::from(one.await.unwrap());
    }
    assert_eq!(followed, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mails_to_a_new_address_are_limited_like_others() {
    let (server, ann, _) = with_ann("").await;
    for _ in 0..3 {
        request(&server, &ann, NEW, Some(PASSWORD)).await.unwrap();
    }
    let fourth = request(&server, &ann, NEW, Some(PASSWORD)).await;
    assert!(matches!(fourth, Err(Error::TooMany(_))), "{fourth:?}");
}
