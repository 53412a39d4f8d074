//! `POST /auth/forgot-password` and `POST /auth/reset-password`.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{
    assert_failure, create_api_token, fields, iron, login, next_mail, refresh, reset, reset_token, set_status, text,
    verification_token, verified_at, verify, welcome, with_ann,
};
use crate::harness::{ADMIN_EMAIL, ADMIN_TOKEN, ARRIVAL, PASSWORD, SLOW_HASHES, Server, UNTHROTTLED, answer, token_in};

const FORGOT: &str = "/auth/forgot-password";
const NEW: &str = "another pass phrase";

/// The mails to users once everything that was asked for is done: errands are run in order, and
/// the last one here is for the administrator.
pub(crate) async fn all_mails(server: &Server) -> Vec<String> {
    let to_admin = |mail: &String| mail.contains(&format!("To: {ADMIN_EMAIL}\r\n"));
    let before = server.mails().iter().filter(|mail| to_admin(mail)).count();
    next_mail(server);
    let (status, _) = server.post_json(FORGOT, &json!({"email": ADMIN_EMAIL})).await;
    assert_eq!(status, StatusCode::OK);
    for _ in 0..400 {
        let (admins, users): (Vec<_>, Vec<_>) = server.mails().into_iter().partition(to_admin);
        if admins.len() > before {
            return users;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("no mail to the administrator");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_learns_nothing_and_no_mail_is_written() {
    let (server, _) = with_ann().await;
    server.register("disabled@example.com").await;
    set_status(&server, "disabled@example.com", "disabled").await;
    let known = server.post_json(FORGOT, &json!({"email": "ann@example.com"})).await;
    assert_eq!(known.0, StatusCode::OK, "{}", known.1);
    assert!(!text(&known.1, "/message").is_empty());
    for email in ["nobody@example.com", "disabled@example.com", "ann@example.org"] {
        assert_eq!(server.post_json(FORGOT, &json!({"email": email})).await, known, "{email}");
    }
    let mails = server.wait_for_mails(1).await;
    assert!(mails[0].contains("To: ann@example.com\r\n"), "{}", mails[0]);
    assert_eq!(all_mails(&server).await.len(), 1);
}

/// CVE-2025-64101.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_link_is_the_configured_one_whatever_the_headers_say() {
    let settings = format!("public_url = \"https://id.example.com/sso\"\n{UNTHROTTLED}");
    let server = Server::start_with(&settings).await;
    server.register("ann@example.com").await;
    let headers = [
        ("Host", "evil.example"),
        ("Host", "id.example.com.evil.example"),
        ("Host", "id.example.com@evil.example"),
        ("Forwarded", "host=evil.example;proto=https"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Server", "evil.example"),
        ("X-Host", "evil.example"),
        ("X-Original-Host", "evil.example"),
        ("X-Forwarded-Proto", "gopher"),
        ("X-Forwarded-Port", "666"),
        ("X-Forwarded-Prefix", "/evil"),
        ("X-Original-URL", "http://evil.example/"),
        ("X-Rewrite-URL", "http://evil.example/"),
        ("Origin", "https://evil.example"),
        ("Referer", "https://evil.example/"),
    ];
    for (name, value) in headers {
        let before = next_mail(&server);
        let request = server.post(FORGOT).header(name, value).json(&json!({"email": "ann@example.com"}));
        assert_eq!(answer(request).await.0, StatusCode::OK, "{name}: {value}");
        let mail = server.wait_for_mails(before + 1).await.pop().unwrap();
        let link = format!("https://id.example.com/sso/reset-password?token={}\r\n", token_in(&mail));
        assert!(mail.contains(&link), "{name}: {value}\n{mail}");
        assert!(
            !mail.contains("evil.example")
                && !mail.contains("/evil")
                && !mail.contains("gopher:")
                && !mail.contains(":666"),
            "{name}: {value}\n{mail}"
        );
        assert_eq!(mail.matches("://").count(), mail.matches(link.trim_end()).count(), "{mail}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_link_can_lead_to_ones_own_page() {
    let settings = "[mail]\nreset_url = \"https://app.example.com/#/reset?t=\"\nfrom = \"Ids <ids@example.com>\"";
    let server = Server::start_with(settings).await;
    server.register("ann@example.com").await;
    let (status, _) = server.post_json(FORGOT, &json!({"email": "ann@example.com"})).await;
    assert_eq!(status, StatusCode::OK);
    let mail = server.wait_for_mails(1).await.remove(0);
    assert!(mail.contains("https://app.example.com/#/reset?t="), "{mail}");
    assert!(
        mail.contains("From: Ids <ids@example.com>\r\n") || mail.contains("From: \"Ids\" <ids@example.com>\r\n"),
        "{mail}"
    );
}

/// CVE-2023-7028, CVE-2019-19844.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_goes_to_the_stored_address_alone() {
    let server = Server::start().await;
    server.register("mike@example.com").await;
    let refused = [
        json!({"email": ["mike@example.com", "eve@example.com"]}),
        json!({"email": {"0": "mike@example.com"}}),
        json!({"email": "mike@example.com,eve@example.com"}),
        json!({"email": "mike@example.com, eve@example.com"}),
        json!({"email": "mike@example.com;eve@example.com"}),
        json!({"email": "mike@example.com eve@example.com"}),
        json!({"email": "Mike <mike@example.com>"}),
        json!({"email": "mike@example.com\r\nCc: eve@example.com"}),
        json!({"email": "mike@example.com%0d%0aCc: eve@example.com"}),
        json!({"email": "mike@example.com\0@eve.example"}),
        json!({"email": "mike"}),
        json!({"email": ""}),
        json!({"email": null}),
        json!({}),
    ];
    for body in refused {
        assert_eq!(fields(&server.post_json(FORGOT, &body).await), ["email"], "{body}");
    }
    let repeated = "{\"email\":\"mike@example.com\",\"email\":\"eve@example.com\"}";
    assert_eq!(fields(&answer(server.post(FORGOT).body(repeated)).await), ["body"]);
    let repeated = [("email", "mike@example.com"), ("email", "eve@example.com")];
    assert_eq!(fields(&answer(server.post(FORGOT).form(&repeated)).await), ["body"]);
    for email in ["m\u{131}ke@example.com", "\u{ff4d}ike@example.com", "mike@example.com.", "mi\u{301}ke@example.com"] {
        server.post_json(FORGOT, &json!({"email": email})).await;
    }
    assert_eq!(all_mails(&server).await.len(), 0);
    let (status, _) = server.post_json(FORGOT, &json!({"email": "MI\u{212a}E@\u{ff45}xample.com"})).await;
    assert_eq!(status, StatusCode::OK);
    let mails = all_mails(&server).await;
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert!(mail.contains("To: mike@example.com\r\n"), "{mail}");
    assert!(!mail.contains("eve@") && !mail.contains("Cc:"), "{mail}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_sets_the_password_and_ends_what_the_old_one_vouched_for() {
    let server = Server::start().await;
    let ann = server.register("ann@example.com").await;
    let other = reset_token(&server, "ann@example.com").await;
    let token = reset_token(&server, "ann@example.com").await;
    let (status, body) = reset(&server, &token, NEW).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert!(!text(&body, "/message").is_empty());
    assert_failure(&login(&server, "ann@example.com", PASSWORD).await, StatusCode::UNAUTHORIZED);
    assert_eq!(login(&server, "ann@example.com", NEW).await.0, StatusCode::OK);
    assert_eq!(welcome(&server, text(&ann, "/accessToken")).await, StatusCode::UNAUTHORIZED);
    assert_failure(&refresh(&server, text(&ann, "/refreshToken")).await, StatusCode::UNAUTHORIZED);
    for used in [token, other] {
        assert_failure(&reset(&server, &used, "a third pass phrase").await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(login(&server, "ann@example.com", NEW).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_password_leaves_the_token_usable() {
    let (server, _) = with_ann().await;
    let token = reset_token(&server, "ann@example.com").await;
    for password in ["short", "password", "ANN@example.com", "x".repeat(1_025).as_str()] {
        assert_eq!(fields(&reset(&server, &token, password).await), ["password"], "{password}");
    }
    let path = format!("/auth/reset-password?token={token}");
    for body in [json!({}), json!({"password": null}), json!({"password": ["another pass phrase"]})] {
        assert_eq!(fields(&server.post_json(&path, &body).await), ["password"], "{body}");
    }
    assert_eq!(reset(&server, &token, NEW).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_reset_token_resets() {
    let server = Server::start().await;
    let ann = server.register("ann@example.com").await;
    let bearer = text(&ann, "/accessToken");
    let verification = verification_token(&server, bearer).await;
    let token = reset_token(&server, "ann@example.com").await;
    let cut = &token[1..];
    let mirrored: String = token.chars().rev().collect();
    let zeros = "A".repeat(token.len());
    let api_token = create_api_token(&server, bearer).await;
    for bad in ["", "x", cut, &mirrored, &zeros, bearer, text(&ann, "/refreshToken"), &verification, &api_token] {
        assert_failure(&reset(&server, bad, NEW).await, StatusCode::UNAUTHORIZED);
    }
    let missing = server.post_json("/auth/reset-password", &json!({"password": NEW})).await;
    assert_failure(&missing, StatusCode::UNAUTHORIZED);
    let in_the_body = server.post_json("/auth/reset-password", &json!({"password": NEW, "token": token})).await;
    assert_failure(&in_the_body, StatusCode::UNAUTHORIZED);
    let twice = format!("/auth/reset-password?token={token}&token={token}");
    assert_eq!(fields(&server.post_json(&twice, &json!({"password": NEW})).await), ["query"]);
    assert_eq!(reset(&server, &token, NEW).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_token_lives_ten_minutes() {
    let (server, _) = with_ann().await;
    let token = reset_token(&server, "ann@example.com").await;
    server.clock.advance(Duration::from_mins(10));
    assert_failure(&reset(&server, &token, NEW).await, StatusCode::UNAUTHORIZED);
    let token = reset_token(&server, "ann@example.com").await;
    server.clock.advance(Duration::from_mins(10) - Duration::from_micros(1));
    assert_eq!(reset(&server, &token, NEW).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_token_outlives_the_process_that_mailed_it() {
    let mut server = Server::start().await;
    server.register("ann@example.com").await;
    let token = reset_token(&server, "ann@example.com").await;
    server.restart().await;
    assert_eq!(reset(&server, &token, NEW).await.0, StatusCode::OK);
}

/// CVE-2025-46815.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_clients_with_one_reset_token_one_succeeds() {
    let server = Server::start_with("[passwords]\nmax_wait = \"60s\"").await;
    server.register("ann@example.com").await;
    let token = reset_token(&server, "ann@example.com").await;
    let attempts = (0..64).map(|number| {
        let password = format!("pass phrase number {number}");
        let body = json!({"password": password});
        let request = server.post(&format!("/auth/reset-password?token={token}")).json(&body);
        (password, tokio::spawn(answer(request)))
    });
    let mut winners = Vec::new();
    for (password, attempt) in attempts.collect::<Vec<_>>() {
        let got = attempt.await.unwrap();
        if got.0 == StatusCode::OK {
            winners.push(password);
        } else {
            assert_failure(&got, StatusCode::UNAUTHORIZED);
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    assert_eq!(login(&server, "ann@example.com", &winners[0]).await.0, StatusCode::OK);
}

/// CVE-2026-44166.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_registered_anothers_address_first_is_out_once_it_is_proven() {
    let server = Server::start().await;
    let attacker = server.register("victim@example.com").await;
    let bearer = text(&attacker, "/accessToken");
    let api_token = create_api_token(&server, bearer).await;
    let verification = verification_token(&server, bearer).await;
    assert_eq!(welcome(&server, &api_token).await, StatusCode::OK);
    let token = reset_token(&server, "victim@example.com").await;
    assert_eq!(reset(&server, &token, NEW).await.0, StatusCode::OK);
    assert_failure(&login(&server, "victim@example.com", PASSWORD).await, StatusCode::UNAUTHORIZED);
    for dead in [bearer, &api_token] {
        assert_eq!(welcome(&server, dead).await, StatusCode::UNAUTHORIZED);
        let (status, _) = answer(server.get("/1/authentication").bearer_auth(dead)).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
    }
    assert_failure(&refresh(&server, text(&attacker, "/refreshToken")).await, StatusCode::UNAUTHORIZED);
    assert_failure(&verify(&server, bearer, &verification).await, StatusCode::UNAUTHORIZED);
    assert!(verified_at(&server, "victim@example.com").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_tokens_of_a_proven_address_outlive_a_reset() {
    let (server, bearer) = with_ann().await;
    let token = verification_token(&server, &bearer).await;
    assert_eq!(verify(&server, &bearer, &token).await.0, StatusCode::OK);
    let api_token = create_api_token(&server, &bearer).await;
    let token = reset_token(&server, "ann@example.com").await;
    assert_eq!(reset(&server, &token, NEW).await.0, StatusCode::OK);
    assert_eq!(welcome(&server, &api_token).await, StatusCode::OK);
    assert_eq!(welcome(&server, &bearer).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_address_ends_what_was_mailed_to_the_old_one() {
    let server = Server::start().await;
    let ann = server.register("old@example.com").await;
    let bearer = text(&ann, "/accessToken");
    let verification = verification_token(&server, bearer).await;
    let token = reset_token(&server, "old@example.com").await;
    let change = json!({"email": "new@example.com", "current_password": PASSWORD});
    iron(&server, bearer, Method::PATCH, "/1/users/old@example.com", change).await;
    assert_failure(&reset(&server, &token, NEW).await, StatusCode::UNAUTHORIZED);
    assert_failure(&verify(&server, bearer, &verification).await, StatusCode::UNAUTHORIZED);
    assert!(verified_at(&server, "new@example.com").is_none());
    assert_eq!(login(&server, "new@example.com", PASSWORD).await.0, StatusCode::OK);
}

/// A mail may be on its way while the address is changed: its secret comes after the change has
/// swept all others away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_was_mailed_to_another_address_resets_nothing() {
    let (server, _) = with_ann().await;
    let token = reset_token(&server, "ann@example.com").await;
    let changed = server.database().execute("update mail_secrets set email_key = 'old@example.com'");
    assert_eq!(changed, 1);
    assert_failure(&reset(&server, &token, NEW).await, StatusCode::UNAUTHORIZED);
    assert_eq!(login(&server, "ann@example.com", PASSWORD).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disabling_or_deleting_a_user_ends_pending_resets() {
    let server = Server::start().await;
    for name in ["disabled", "deleted"] {
        server.register(&format!("{name}@example.com")).await;
    }
    let disabled = reset_token(&server, "disabled@example.com").await;
    let deleted = reset_token(&server, "deleted@example.com").await;
    set_status(&server, "disabled@example.com", "disabled").await;
    iron(&server, ADMIN_TOKEN, Method::DELETE, "/1/users/deleted@example.com", json!({})).await;
    server.register("deleted@example.com").await;
    for token in [&disabled, &deleted] {
        assert_failure(&reset(&server, token, NEW).await, StatusCode::UNAUTHORIZED);
    }
    set_status(&server, "disabled@example.com", "active").await;
    assert_failure(&reset(&server, &disabled, NEW).await, StatusCode::UNAUTHORIZED);
}

/// Whoever knew the old password may have a change of it under way, waiting for its hash, when
/// the reset comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_on_the_strength_of_the_old_password_does_not_overtake_a_reset() {
    let server = Server::start_with(SLOW_HASHES).await;
    let ann = server.register("ann@example.com").await;
    let token = reset_token(&server, "ann@example.com").await;
    server.queue_hashes().await;
    // The change checks the old password, then queues up again for the hash of the new one, by
    // when the reset stands before it.
    let change = server.request(Method::PATCH, "/1/users/ann@example.com").bearer_auth(text(&ann, "/accessToken"));
    let change = change.json(&json!({"password": "the attacker's phrase", "current_password": PASSWORD}));
    let change = tokio::spawn(answer(change));
    tokio::time::sleep(ARRIVAL).await;
    assert_eq!(reset(&server, &token, NEW).await.0, StatusCode::OK);
    let (status, body) = change.await.unwrap();
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{body}");
    assert_eq!(login(&server, "ann@example.com", NEW).await.0, StatusCode::OK);
}
