//! How a mail gets to the server, whatever that does.

use std::time::{Duration, Instant};

use doorward::domain::id::hex;
use reqwest::StatusCode;
use serde_json::json;

use super::{LEASE, forgot, wait_for_attempts, wait_until_none_is_sent, wait_until_waiting, waiting, with_mail_server};
use crate::harness::{PASSWORD, answer, token_in};
use crate::rest::{login, reset, text};

/// More than the pause after a first failure can be.
const FIRST_PAUSE: Duration = Duration::from_secs(13);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_is_sent_at_once_as_text_and_html_and_waits_no_more() {
    let (server, mails) = with_mail_server("public_url = \"https://id.example.com\"\n").await;
    server.register("Ann@Example.com").await;
    forgot(&server, "ann@example.com").await;
    let mail = mails.wait_for(1).await.remove(0);
    assert_eq!((mail.from.as_str(), &mail.to[..]), ("no-reply@localhost", &["Ann@Example.com".to_owned()][..]));
    assert_eq!(mail.hello, "id.example.com");
    assert!(mail.message.contains("multipart/alternative") && mail.message.contains("text/html"), "{mail:?}");
    assert_eq!(mail.head("Subject"), "Choose a new password at id.example.com");
    wait_until_waiting(&server, 0).await;
    assert!(!server.data_dir().join("outbox").exists(), "no file holds the link");
    assert_eq!(reset(&server, &token_in(&mail.message), "another pass phrase").await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_server_that_hangs_slows_no_request_and_costs_no_mail() {
    for mode in ["hang", "hang-rcpt", "hang-data"] {
        let (server, mails) = with_mail_server("").await;
        mails.does(mode);
        let ann = server.register("ann@example.com").await;
        let bearer = text(&ann, "/accessToken");
        for _ in 0..8 {
            let asked = Instant::now();
            forgot(&server, "ann@example.com").await;
            let (status, _) = answer(server.post("/auth/send-verification-email").bearer_auth(bearer)).await;
            assert_eq!(status, StatusCode::OK, "{mode}");
            // A step takes two seconds there, and all of a mail six.
            assert!(asked.elapsed() < Duration::from_millis(1_800), "{mode}: it took {:?}", asked.elapsed());
        }
        let asked = Instant::now();
        assert_eq!(login(&server, "ann@example.com", PASSWORD).await.0, StatusCode::OK);
        assert!(asked.elapsed() < Duration::from_secs(2), "{mode}: it took {:?}", asked.elapsed());
        wait_until_waiting(&server, 16).await;
        mails.does("take");
        // Those that are in hand fail, and come again with the others.
        while waiting(&server) > 0 {
            wait_until_none_is_sent(&server).await;
            server.clock.advance(FIRST_PAUSE);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert_eq!(mails.taken().len(), 16, "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_is_tried_again_ever_more_seldom() {
    let (server, mails) = with_mail_server("").await;
    mails.does("later");
    let ann = server.register("ann@example.com").await;
    answer(server.post("/auth/send-verification-email").bearer_auth(text(&ann, "/accessToken"))).await;
    for (attempts, least, most) in [(1, 8, 12), (2, 16, 24), (3, 32, 48)] {
        wait_for_attempts(&server, attempts).await;
        let due: i64 = server.database().value("select due_at from mails").parse().unwrap();
        let pause = (due - server.clock.now().micros()) / 1_000_000;
        assert!((least - 1..=most).contains(&pause), "after {attempts} attempts: {pause} s");
        assert_eq!(server.database().value("select failure from mails"), "recipient: 451");
        assert_eq!(mails.saw("rcpt"), attempts);
        server.clock.advance(Duration::from_secs(u64::try_from(most).unwrap() + 1));
    }
    mails.does("take");
    server.clock.advance(Duration::from_mins(3));
    mails.wait_for(1).await;
    wait_until_waiting(&server, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_for_good_is_given_up_and_holds_up_nothing_else() {
    for (mode, event) in [("never-eve", "rcpt eve@"), ("never-data", "data")] {
        let (server, mails) = with_mail_server("").await;
        mails.does(mode);
        server.register("eve@example.com").await;
        forgot(&server, "eve@example.com").await;
        mails.wait_until_it_saw(event, 1).await;
        wait_until_waiting(&server, 0).await;
        if mode == "never-data" {
            mails.does("take");
        }
        server.register("ann@example.com").await;
        forgot(&server, "ann@example.com").await;
        assert_eq!(mails.wait_for(1).await[0].to, ["ann@example.com"]);
        server.clock.advance(Duration::from_mins(5));
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!((mails.saw(event), mails.taken().len()), (if event == "data" { 2 } else { 1 }, 1), "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_operator_can_mend_is_not_given_up() {
    let (server, mails) = with_mail_server("").await;
    mails.does("sender");
    server.register("ann@example.com").await;
    forgot(&server, "ann@example.com").await;
    wait_for_attempts(&server, 1).await;
    assert_eq!(server.database().value("select failure from mails"), "sender: 550");
    mails.does("take");
    server.clock.advance(FIRST_PAUSE);
    mails.wait_for(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_after_the_message_has_it_sent_once_more_as_the_same_mail() {
    let (server, mails) = with_mail_server("").await;
    mails.does("drop");
    server.register("ann@example.com").await;
    forgot(&server, "ann@example.com").await;
    mails.wait_for(1).await;
    wait_for_attempts(&server, 1).await;
    mails.does("take");
    server.clock.advance(FIRST_PAUSE);
    let taken = mails.wait_for(2).await;
    // By which a mail system knows it again.
    assert_eq!(taken[0].head("Message-ID"), taken[1].head("Message-ID"));
    wait_until_waiting(&server, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_whose_link_is_over_is_not_sent_any_more() {
    let (server, mails) = with_mail_server("").await;
    mails.does("later");
    server.register("ann@example.com").await;
    forgot(&server, "ann@example.com").await;
    wait_for_attempts(&server, 1).await;
    mails.does("take");
    server.clock.advance(Duration::from_mins(10));
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!((mails.taken().len(), waiting(&server)), (0, 1));
    // Nothing is deleted before the clock has gone evenly for an hour.
    for _ in 0..70 {
        server.clock.advance(Duration::from_mins(1));
        server.sweep().await;
    }
    assert_eq!((mails.taken().len(), waiting(&server)), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_mails_go_by_few_connections_and_each_once() {
    let (server, mails) = with_mail_server("").await;
    server.register("ann@example.com").await;
    for _ in 0..40 {
        forgot(&server, "ann@example.com").await;
    }
    let taken = mails.wait_for(40).await;
    wait_until_waiting(&server, 0).await;
    let mut ids: Vec<_> = taken.iter().map(|mail| mail.head("Message-ID")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), mails.taken().len()), (40, 40));
    assert!(mails.saw("connect") < 10, "connections are used again: {}", mails.saw("connect"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_sealed_and_outlives_the_process() {
    let (mut server, mails) = with_mail_server("").await;
    mails.does("later");
    server.register("ann@example.com").await;
    forgot(&server, "ann@example.com").await;
    wait_for_attempts(&server, 1).await;
    let sealed = server.database().value(&format!("select {} from mails", server.database().hex("sealed")));
    assert!(sealed.len() > 2_000, "{sealed}");
    for word in ["ann@example.com", "token=", "Subject", "http"] {
        assert!(!sealed.contains(&hex(word.as_bytes())), "{word} stands there in clear");
    }
    server.crash().await;
    mails.does("take");
    server.clock.advance(FIRST_PAUSE.max(LEASE));
    let mail = mails.wait_for(1).await.remove(0);
    let token = token_in(&mail.message);
    for file in ["doorward.db", "doorward.db-wal"] {
        // On PostgreSQL there is none.
        let Ok(bytes) = std::fs::read(server.data_dir().join(file)) else { continue };
        assert!(!bytes.windows(20).any(|window| window == &token.as_bytes()[..20]), "the token is in {file}");
    }
    assert_eq!(reset(&server, &token, "another pass phrase").await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_no_mail_server() {
    let (mut server, mails) = with_mail_server("").await;
    mails.does("hang");
    server.register("ann@example.com").await;
    forgot(&server, "ann@example.com").await;
    mails.wait_until_it_saw("connect", 1).await;
    let stopping = Instant::now();
    server.stop().await;
    assert!(stopping.elapsed() < Duration::from_secs(4), "it took {:?}", stopping.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_is_undone_sends_nothing() {
    let (server, mails) = with_mail_server("").await;
    let ann = server.register("ann@example.com").await;
    server.register("bob@example.com").await;
    let change = json!({"email": "bob@example.com", "password": "another pass phrase", "current_password": PASSWORD});
    let request = server.request(reqwest::Method::PATCH, "/1/users/ann@example.com").json(&change);
    let (status, body) = answer(request.bearer_auth(text(&ann, "/accessToken"))).await;
    assert!(status.is_client_error(), "{status} {body}");
    assert_eq!(waiting(&server), 0);
    forgot(&server, "ann@example.com").await;
    assert_eq!(mails.wait_for(1).await.len(), 1);
    wait_until_waiting(&server, 0).await;
    assert_eq!(mails.taken().len(), 1);
}
