//! What a user says of themselves: changed all at once or not at all, cleared, and known at once.

use doorward::actions::credentials;
use doorward::actions::profile::{ProfileChange, update};
use doorward::actions::sign_up::{SignUp, sign_up};
use doorward::domain::caller::{Actor, Caller, Origin};
use doorward::domain::error::Error;
use doorward::domain::password::Password;
use doorward::domain::session::Dialect;
use doorward::domain::user::{Bio, DisplayName, User, Username};
use doorward::secret::ExposeSecret as _;

use super::{actor, id, last_row, registered, rows_behind, said};
use crate::harness::{PASSWORD, Server};

fn name(text: &str) -> DisplayName {
    DisplayName::parse(text).unwrap()
}

fn bio(text: &str) -> Bio {
    Bio::parse(text).unwrap()
}

fn username(text: &str) -> Username {
    Username::parse(text).unwrap()
}

fn shown(user: &User) -> [Option<&str>; 3] {
    [user.name.as_deref(), user.bio.as_deref(), user.username.as_deref()]
}

async fn with_ann() -> (Server, Actor) {
    let server = Server::start().await;
    let token = registered(&server, "ann@example.com").await;
    let ann = actor(&server, &token).await;
    (server, ann)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_changed_is_known_at_once_and_recorded_by_its_fields() {
    let (server, ann) = with_ann().await;
    // From here on it is in memory.
    assert_eq!(credentials::user(server.app(), &ann.caller).await.unwrap().name.as_deref(), Some("Ann"));
    let before = last_row(&server).await;
    let change = ProfileChange {
        name: Some(Some(name("Ann Lee"))),
        bio: Some(Some(bio("I mend clocks."))),
        username: Some(Some(username("Ann"))),
    };
    let changed = update(server.app(), &ann, change.clone()).await.unwrap();
    assert_eq!(shown(&changed), [Some("Ann Lee"), Some("I mend clocks."), Some("Ann")]);
    let known = credentials::user(server.app(), &ann.caller).await.unwrap();
    assert_eq!(shown(&known), shown(&changed));
    update(server.app(), &ann, change).await.unwrap();
    update(server.app(), &ann, ProfileChange::default()).await.unwrap();
    update(server.app(), &ann, ProfileChange { bio: Some(None), ..ProfileChange::default() }).await.unwrap();
    let cleared = ProfileChange { name: Some(None), username: Some(None), ..ProfileChange::default() };
    let cleared = update(server.app(), &ann, cleared).await.unwrap();
    assert_eq!(shown(&cleared), [None; 3]);
    let rows = rows_behind(&server, before).await;
    assert_eq!(
        said(&rows),
        [
            "user.username_changed done",
            "user.updated done [name,bio]",
            "user.updated done [bio]",
            "user.username_changed done",
            "user.updated done [name]",
        ],
        "what is so already is not recorded"
    );
    let ann = id(&ann);
    assert!(rows.iter().all(|row| row.user_id.as_deref() == Some(ann.as_bytes())
        && row.subject_id.as_deref() == Some(ann.as_bytes())
        && row.actor.as_deref() == Some(ann.as_bytes())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_username_is_taken_nothing_is_changed() {
    let (server, ann) = with_ann().await;
    let bob = actor(&server, &registered(&server, "bob@example.com").await).await;
    update(server.app(), &bob, ProfileChange { username: Some(Some(username("Bob"))), ..ProfileChange::default() })
        .await
        .unwrap();
    let change = ProfileChange {
        name: Some(Some(name("Bob"))),
        bio: Some(Some(bio("Bob"))),
        username: Some(Some(username("BOB"))),
    };
    assert!(matches!(update(server.app(), &ann, change).await, Err(Error::Taken("username"))));
    let known = credentials::user(server.app(), &ann.caller).await.unwrap();
    assert_eq!(shown(&known), [Some("Ann"), None, None]);
    // In other letters it is still one's own.
    let change = ProfileChange { username: Some(Some(username("BOB"))), ..ProfileChange::default() };
    assert_eq!(update(server.app(), &bob, change).await.unwrap().username.as_deref(), Some("BOB"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_username_is_not_cleared_where_nothing_else_names_the_user() {
    let server = Server::start().await;
    let input = SignUp {
        email: None,
        username: Some(Username::parse("carol").unwrap()),
        name: None,
        bio: None,
        password: Password::parse(PASSWORD).unwrap(),
        dialect: Dialect::Argon,
    };
    let issued = sign_up(server.app(), input, &Origin::default()).await.unwrap();
    let carol = actor(&server, issued.tokens.access.secret.expose_secret()).await;
    let change = ProfileChange { name: Some(Some(name("Carol"))), username: Some(None), ..ProfileChange::default() };
    let refused = update(server.app(), &carol, change).await;
    assert!(matches!(refused, Err(Error::Invalid(faults)) if faults[0].field == "username"));
    let known = credentials::user(server.app(), &carol.caller).await.unwrap();
    assert_eq!(shown(&known), [None, None, Some("carol")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_has_no_profile() {
    let server = Server::start().await;
    let operator = Actor { caller: Caller::operator(), origin: Origin::default() };
    let change = ProfileChange { name: Some(Some(name("Nobody"))), ..ProfileChange::default() };
    assert!(matches!(update(server.app(), &operator, change).await, Err(Error::Forbidden(_))));
}
