//! Links that administrators hand over to those who cannot get in.

use doorward::actions::recovery::reset_link;
use doorward::domain::error::Error;
use doorward::domain::user::UserRef;
use doorward::secret::ExposeSecret as _;
use reqwest::StatusCode;

use super::{actor, administrator, id, last_row, registered, rows_behind, said};
use crate::harness::{Server, token_in};
use crate::rest::{login, reset};

const OTHER: &str = "another pass phrase";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_hands_over_a_link_that_works_once_and_nobody_else_does() {
    let server = Server::start().await;
    let ann = actor(&server, &registered(&server, "ann@example.com").await).await;
    let admin = administrator(&server).await;
    let before = last_row(&server).await;
    let user = UserRef::Id(id(&ann));
    let link = reset_link(server.app(), &admin, &user).await.unwrap();
    assert!(matches!(reset_link(server.app(), &ann, &user).await, Err(Error::Forbidden(_))));
    assert!(matches!(reset_link(server.app(), &admin, &UserRef::parse("eve")).await, Err(Error::NotFound)));
    doorward::actions::audit::write_refusals(server.app()).await.unwrap();
    let rows = rows_behind(&server, before).await;
    let requested = ["done", "forbidden", "not_found"].map(|how| format!("password.reset_requested {how}"));
    assert_eq!(said(&rows), requested);
    assert_eq!(rows[0].actor.as_deref(), Some(id(&admin).as_bytes().as_slice()));
    assert_eq!(rows[0].user_id.as_deref(), Some(id(&ann).as_bytes().as_slice()));
    let token = token_in(link.expose_secret());
    assert_eq!(reset(&server, &token, OTHER).await.0, StatusCode::OK);
    assert_eq!(login(&server, "ann@example.com", OTHER).await.0, StatusCode::OK);
    assert_eq!(reset(&server, &token, "a third pass phrase").await.0, StatusCode::UNAUTHORIZED);
}
