//! What a link is worth by itself: looking changes nothing, and and each is for one thing.

use std::time::Duration;

use doorward::actions::recovery;
use reqwest::StatusCode;

use crate::harness::{Server, UNTHROTTLED};
use crate::rest::{reset, reset_token, set_status, text, verification_token};

async fn with_ann() -> (Server, String) {
    let server = Server::start_with(UNTHROTTLED).await;
    let ann = server.register("ann@example.com").await;
    (server, text(&ann, "/accessToken").to_owned())
}

fn is_verified(server: &Server) -> bool {
    server
        .database()
        .value("select count(*) from users where email_verified_at is not null and email = 'ann@example.com'")
        == "1"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_at_a_link_says_whether_it_works_and_uses_nothing_up() {
    let (server, bearer) = with_ann().await;
    let app = server.app();
    let (reset_secret, proof) =
        (reset_token(&server, "ann@example.com").await, verification_token(&server, &bearer).await);
    for _ in 0..3 {
        assert!(recovery::whose_reset(app, &reset_secret).await.unwrap().is_some());
        assert!(recovery::check_verification(app, &proof).await.unwrap());
        assert!(recovery::whose_reset(app, &proof).await.unwrap().is_none(), "a link is for one thing");
        assert!(!recovery::check_verification(app, &reset_secret).await.unwrap());
        for forged in ["", "x", &"A".repeat(43)] {
            assert!(recovery::whose_reset(app, forged).await.unwrap().is_none());
            assert!(!recovery::check_verification(app, forged).await.unwrap());
        }
    }
    assert!(!is_verified(&server));
    server.clock.advance(Duration::from_mins(10));
    assert!(recovery::whose_reset(app, &reset_secret).await.unwrap().is_none());
    assert!(recovery::check_verification(app, &proof).await.unwrap());
    server.clock.advance(Duration::from_hours(24));
    assert!(!recovery::check_verification(app, &proof).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_used_link_and_one_of_a_disabled_user_are_told_from_good_ones() {
    let (server, bearer) = with_ann().await;
    let (secret, proof) = (reset_token(&server, "ann@example.com").await, verification_token(&server, &bearer).await);
    set_status(&server, "ann@example.com", "disabled").await;
    assert!(recovery::whose_reset(server.app(), &secret).await.unwrap().is_none());
    assert!(!recovery::check_verification(server.app(), &proof).await.unwrap());
    set_status(&server, "ann@example.com", "active").await;
    let secret = reset_token(&server, "ann@example.com").await;
    assert_eq!(reset(&server, &secret, "another pass phrase").await.0, StatusCode::OK);
    assert!(recovery::whose_reset(server.app(), &secret).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_of_an_address_that_is_the_users_no_more_proves_nothing() {
    let (server, bearer) = with_ann().await;
    let proof = verification_token(&server, &bearer).await;
    // As if the change had come from beside, where nothing that was mailed ended with it.
    let change =
        "update users set email = 'new@example.com', email_key = 'new@example.com' where email = 'ann@example.com'";
    assert_eq!(server.database().execute(change), 1);
    assert!(!recovery::check_verification(server.app(), &proof).await.unwrap());
}
