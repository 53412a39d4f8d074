//! Several servers on one PostgreSQL send each mail once, and one does what another one left.

use std::collections::HashSet;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;

use super::server::MailServer;
use crate::nodes::Nodes;

const MAILS: usize = 120;

/// Nodes that send their mails by one server.
fn nodes(mails: &MailServer, count: usize) -> Nodes {
    let nodes = Nodes::on_an_empty_database();
    let mut nodes = mails.variables().into_iter().fold(nodes, |nodes, (name, value)| nodes.with(&name, &value));
    nodes.add(count);
    nodes
}

async fn forgot(nodes: &Nodes, node: usize) {
    let (status, body) = nodes.post(node, "/auth/forgot-password", &json!({"email": "ann@example.com"})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

async fn wait_until_waiting(nodes: &Nodes, count: usize) {
    for _ in 0..1_200 {
        if nodes.sql("select count(*) from mails") == count.to_string() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{count} mails should wait, {} do", nodes.sql("select count(*) from mails"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_nodes_that_all_send_each_mail_is_sent_by_one() {
    let mails = MailServer::start();
    let nodes = nodes(&mails, 3);
    nodes.register(0, "ann@example.com").await;
    for number in 0..MAILS {
        forgot(&nodes, number % 3).await;
    }
    let taken = mails.wait_for(MAILS).await;
    wait_until_waiting(&nodes, 0).await;
    let ids: HashSet<_> = taken.iter().map(|mail| mail.head("Message-ID").to_owned()).collect();
    assert_eq!((ids.len(), mails.taken().len()), (MAILS, MAILS));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_node_was_sending_another_one_sends() {
    let mails = MailServer::start();
    let mut nodes = nodes(&mails, 2);
    nodes.register(0, "ann@example.com").await;
    mails.does("hang-rcpt");
    for _ in 0..3 {
        forgot(&nodes, 0).await;
    }
    // What is asked for is worked off after the answer: until then it is in memory alone.
    wait_until_waiting(&nodes, 3).await;
    mails.wait_until_it_saw("rcpt", 1).await;
    nodes.running.remove(0).kill();
    mails.does("take");
    let taken = mails.wait_for(3).await;
    wait_until_waiting(&nodes, 0).await;
    let ids: HashSet<_> = taken.iter().map(|mail| mail.head("Message-ID").to_owned()).collect();
    assert_eq!((ids.len(), mails.taken().len()), (3, 3));
}
