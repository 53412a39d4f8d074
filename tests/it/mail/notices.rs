//! Users are told when what they sign in with was changed: in the transaction of the change where a server sends mails,
//! as files else.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{wait_until_none_is_sent, wait_until_waiting, with_mail_server};
use crate::harness::{ADMIN_TOKEN, PASSWORD, Server, UNTHROTTLED, answer};
use crate::rest::{iron, reset, reset_token, text};

const OTHER: &str = "another pass phrase";

/// The subjects of all mails to an address, oldest first.
fn subjects(server: &Server, email: &str) -> Vec<String> {
    let to = format!("To: {email}\r\n");
    let mails = server.mails().into_iter().filter(|mail| mail.contains(&to));
    let subject =
        |mail: &String| mail.split("\r\n").find_map(|line| line.strip_prefix("Subject: ")).unwrap().to_owned();
    mails.map(|mail| subject(&mail)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_change_of_password_or_address_is_told_to_the_address_before_it() {
    let settings = format!("public_url = \"https://id.example.com\"\n{UNTHROTTLED}");
    let server = Server::start_with(&settings).await;
    let ann = server.register("ann@example.com").await;
    let step = || server.clock.advance(Duration::from_millis(1));
    let own = json!({"password": OTHER, "current_password": PASSWORD});
    iron(&server, text(&ann, "/accessToken"), Method::PATCH, "/1/users/ann@example.com", own).await;
    step();
    let changes = json!({"password": "a third pass phrase", "email": "new@example.com"});
    iron(&server, ADMIN_TOKEN, Method::PATCH, "/1/users/ann@example.com", changes).await;
    step();
    let (password, email) =
        ("Your password at id.example.com was changed", "Your email address at id.example.com was changed");
    let mut told = subjects(&server, "ann@example.com");
    told[1..].sort();
    assert_eq!(told, [password, email, password]);
    assert!(subjects(&server, "new@example.com").is_empty());
    let secret = reset_token(&server, "new@example.com").await;
    step();
    assert_eq!(reset(&server, &secret, OTHER).await.0, StatusCode::OK);
    assert_eq!(subjects(&server, "new@example.com")[1..], [password]);
    // The same address in other letters is the same address.
    let same = json!({"email": "NEW@example.com"});
    iron(&server, ADMIN_TOKEN, Method::PATCH, "/1/users/new@example.com", same).await;
    assert_eq!(server.mails().len(), 5);
    for mail in server.mails().iter().filter(|mail| mail.contains("was changed")) {
        assert!(!mail.contains("://") && !mail.contains("new@example.com was"), "{mail}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_is_part_of_the_change_where_a_server_sends_mails() {
    let (server, mails) = with_mail_server("").await;
    mails.does("hang");
    server.register("ann@example.com").await;
    iron(&server, ADMIN_TOKEN, Method::PATCH, "/1/users/ann@example.com", json!({"password": OTHER})).await;
    // With the answer it is there.
    assert_eq!(server.database().value("select count(*) from mails"), "1");
    mails.does("take");
    wait_until_none_is_sent(&server).await;
    server.clock.advance(Duration::from_secs(13));
    let told = mails.wait_for(1).await;
    assert!(told[0].head("Subject").starts_with("Your password at "), "{told:?}");
    wait_until_waiting(&server, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notices_can_be_left_out() {
    let server = Server::start_with(&format!("{UNTHROTTLED}[mail]\nnotices = false\n")).await;
    server.register("ann@example.com").await;
    iron(&server, ADMIN_TOKEN, Method::PATCH, "/1/users/ann@example.com", json!({"password": OTHER})).await;
    assert!(server.mails().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_registered_anothers_address_cannot_flood_it_with_notices() {
    let server = Server::start().await;
    server.register("victim@example.com").await;
    for number in 0..6 {
        let change = json!({"password": format!("pass phrase number {number}")});
        iron(&server, ADMIN_TOKEN, Method::PATCH, "/1/users/victim@example.com", change).await;
    }
    assert_eq!(server.mails().len(), 3, "as many as of other mails");
    // To an address that is proven to be the user's, each goes.
    let verified = "update users set email_verified_at = 1 where email = 'victim@example.com'";
    assert_eq!(server.database().execute(verified), 1);
    iron(&server, ADMIN_TOKEN, Method::PATCH, "/1/users/victim@example.com", json!({"password": OTHER})).await;
    assert_eq!(server.mails().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_stands_whatever_becomes_of_its_notice() {
    let server = Server::start_with(UNTHROTTLED).await;
    server.register("ann@example.com").await;
    std::fs::remove_dir_all(server.data_dir().join("outbox")).unwrap();
    iron(&server, ADMIN_TOKEN, Method::PATCH, "/1/users/ann@example.com", json!({"password": OTHER})).await;
    let credentials = json!({"email": "ann@example.com", "password": OTHER});
    assert_eq!(answer(server.post("/auth/login").json(&credentials)).await.0, StatusCode::OK);
}
