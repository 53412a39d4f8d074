//! What administrators look for: every page in its turn, nothing twice, nothing left out, and letters taken as
//! letters.

use std::collections::BTreeMap;

use doorward::actions::search::{
    self, Page, ProjectSearch, SessionSearch, TokenSearch, UserSearch, projects, sessions, tokens, users,
};
use doorward::clock::Timestamp;
use doorward::domain::caller::Actor;
use doorward::domain::error::{Error, Result};
use doorward::domain::id::{ProjectId, SessionId, TokenId, UserId};
use doorward::domain::permission::Permissions;
use doorward::domain::project::{Counters, Project};
use doorward::domain::session::Dialect;
use doorward::domain::token::ApiToken;
use doorward::domain::user::{Email, JsonObject, Status, User, Username};
use doorward::store::bulk::{self, Row};
use doorward::store::{NewSession, NewUser};

use super::{actor, administrator, registered};
use crate::harness::{ADMIN_EMAIL, Server};

const PAST: Timestamp = Timestamp::from_seconds(1_600_000_000);

/// The number as an id; the larger, the newer.
fn bytes(number: u32) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn user(number: u32, email: Option<&str>, username: Option<&str>) -> NewUser {
    NewUser {
        id: UserId::from_bytes(bytes(number)),
        email: email.map(|email| Email::parse(email).unwrap()),
        username: username.map(|username| Username::parse(username).unwrap()),
        name: None,
        bio: None,
        password: None,
        status: Status::Active,
        permissions: Permissions::of_new_user(),
        flags: JsonObject::new(),
        plan_worker: JsonObject::new(),
        email_verified_at: None,
        created_at: PAST,
    }
}

fn with(rows: impl IntoIterator<Item = Row>) -> impl Future<Output = (Server, Actor)> {
    let rows: Vec<Row> = rows.into_iter().collect();
    async {
        let server = Server::start().await;
        bulk::insert(server.app().store(), rows).await.unwrap();
        let admin = administrator(&server).await;
        (server, admin)
    }
}

/// All pages behind one another.
async fn all<T>(limit: usize, page: impl AsyncFn(Option<String>) -> Result<Page<T>>) -> Vec<T> {
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let mut page = page(after).await.unwrap();
        assert!(page.rows.len() <= limit);
        assert!(page.next.is_none() || !page.rows.is_empty(), "an empty page is the last one");
        rows.append(&mut page.rows);
        match page.next {
            Some(next) => after = Some(next),
            None => return rows,
        }
    }
}

async fn all_users(server: &Server, admin: &Actor, search: &UserSearch, limit: usize) -> Vec<User> {
    let page = async |after: Option<String>| {
        users(server.app(), &admin.caller, search, after.as_deref(), i64::try_from(limit).unwrap()).await
    };
    all(limit, page).await
}

fn text(text: &str) -> UserSearch {
    UserSearch { text: text.to_owned(), ..UserSearch::default() }
}

fn numbers(users: &[User]) -> Vec<u32> {
    users.iter().map(|user| u32::from_be_bytes(user.id.as_bytes()[..4].try_into().unwrap())).collect()
}

/// Users with emails, usernames and both: of the one before the other and behind it, and with nothing in common.
fn many() -> Vec<NewUser> {
    let names = |number: u32| match number % 5 {
        0 => (Some(format!("ann{number}@example.com")), None),
        1 => (None, Some(format!("ann{number}"))),
        2 => (Some(format!("ann{number}@example.com")), Some(format!("ANN{number}"))),
        3 => (Some(format!("Ann.{number}@example.com")), Some(format!("annz{number}"))),
        _ => (Some(format!("bob{number}@example.com")), Some(format!("anna{number}"))),
    };
    let made = |number: u32| {
        let (email, username) = names(number);
        let mut user = user(number, email.as_deref(), username.as_deref());
        if number.is_multiple_of(7) {
            user.status = Status::Disabled;
        }
        if number.is_multiple_of(11) {
            user.permissions = Permissions::of_administrator();
        }
        user
    };
    (1..=700).map(made).collect()
}

/// Whether a user fits, looked at one by one.
fn fits(user: &NewUser, search: &UserSearch) -> bool {
    let text = search.text.to_lowercase();
    let keys = [user.email.as_ref().map(Email::canonical), user.username.as_ref().map(Username::canonical)];
    keys.into_iter().flatten().any(|key| key.starts_with(&text))
        && search.status.is_none_or(|status| user.status == status)
        && (!search.admins || user.permissions.is_admin())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_user_who_fits_is_on_one_page_and_no_other_is() {
    let many = many();
    let (server, admin) = with(many.iter().map(|user| Row::User(Box::new(user.clone())))).await;
    for search_text in ["ann", "ANN", "ann1", "ann.", "annz", "anna5", "b", "ann2@", "nobody"] {
        for status in [None, Some(Status::Active), Some(Status::Disabled)] {
            for (admins, limit) in [(false, 100), (true, 7)] {
                let search = UserSearch { status, admins, ..text(search_text) };
                let mut expected: Vec<_> = many.iter().filter(|user| fits(user, &search)).map(|user| user.id).collect();
                expected.sort_unstable();
                let mut found: Vec<_> =
                    all_users(&server, &admin, &search, limit).await.into_iter().map(|user| user.id).collect();
                found.sort_unstable();
                assert_eq!(found, expected, "{search:?} by {limit}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_text_users_come_newest_first_also_where_few_fit() {
    let many = many();
    let (server, admin) = with(many.iter().map(|user| Row::User(Box::new(user.clone())))).await;
    let ours = |users: Vec<User>| {
        let ours: Vec<User> = users.into_iter().filter(|user| user.email.as_deref() != Some(ADMIN_EMAIL)).collect();
        numbers(&ours)
    };
    for status in [None, Some(Status::Active), Some(Status::Disabled)] {
        for admins in [false, true] {
            let search = UserSearch { text: "  ".to_owned(), status, admins };
            let fits = |user: &&NewUser| fits(user, &UserSearch { text: String::new(), ..search.clone() });
            let expected: Vec<_> =
                many.iter().rev().filter(fits).map(|user| user.id.as_bytes()[..4].to_vec()).collect();
            let found = ours(all_users(&server, &admin, &search, 33).await);
            let found: Vec<_> = found.into_iter().map(|number| number.to_be_bytes().to_vec()).collect();
            assert_eq!(found, expected, "{search:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn found_by_a_text_users_come_in_the_order_of_their_names() {
    let users = [
        user(1, Some("ann@example.com"), Some("zoe")),
        user(2, None, Some("annb")),
        user(3, Some("anna@example.com"), Some("ann")),
        user(4, Some("bob@example.com"), None),
    ];
    let (server, admin) = with(users.into_iter().map(|user| Row::User(Box::new(user)))).await;
    assert_eq!(numbers(&all_users(&server, &admin, &text("ann"), 1).await), [3, 1, 2], "ann, ann@, annb");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_that_mean_something_to_databases_are_letters() {
    let users = [
        user(1, None, Some("a%b")),
        user(2, None, Some("axb")),
        user(3, None, Some("a_b")),
        user(4, None, Some("a\\b")),
        user(5, None, Some("a'b")),
        user(6, None, Some("übung")),
        user(7, Some("jürgen@bücher.example"), None),
        user(8, None, Some("a\u{10ffff}b")),
    ];
    let (server, admin) = with(users.into_iter().map(|user| Row::User(Box::new(user)))).await;
    for (search_text, expected) in [
        ("a%", vec![1]),
        ("a_", vec![3]),
        ("a\\", vec![4]),
        ("a'", vec![5]),
        ("ÜB", vec![6]),
        ("JÜRGEN@", vec![7]),
        ("jürgen@bücher.example", vec![7]),
        ("a\u{10ffff}", vec![8]),
        ("a\0", vec![]),
        (" axb ", vec![2]),
        ("%", vec![]),
    ] {
        assert_eq!(numbers(&all_users(&server, &admin, &text(search_text), 10).await), expected, "{search_text:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_id_finds_its_user_where_the_filters_fit() {
    let (server, admin) = with([Row::User(Box::new(user(1, None, Some("ann"))))]).await;
    let id = UserId::from_bytes(bytes(1));
    for spelled in [id.to_string(), id.to_uuid()] {
        assert_eq!(numbers(&all_users(&server, &admin, &text(&spelled), 10).await), [1]);
        for filtered in [
            UserSearch { status: Some(Status::Disabled), ..text(&spelled) },
            UserSearch { admins: true, ..text(&spelled) },
        ] {
            assert!(all_users(&server, &admin, &filtered, 10).await.is_empty());
        }
    }
    assert!(all_users(&server, &admin, &text(&UserId::from_bytes(bytes(2)).to_string()), 10).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_goes_on_where_the_one_before_ended_whatever_was_deleted_or_made_meanwhile() {
    let made = (1..=10).map(|number| Row::User(Box::new(user(number * 2, None, Some(&format!("ann{number:02}"))))));
    let (server, admin) = with(made).await;
    let (by_age, by_name) = (UserSearch::default(), text("ann"));
    let page = async |search: &UserSearch, after: Option<&str>| {
        users(server.app(), &admin.caller, search, after, 4).await.unwrap()
    };
    let (newest, named) = (page(&by_age, None).await, page(&by_name, None).await);
    // The administrator is the newest of all.
    assert_eq!(numbers(&newest.rows)[1..], [20, 18, 16]);
    assert_eq!(numbers(&named.rows), [2, 4, 6, 8]);
    let gone = "delete from users where username_key in ('ann05', 'ann07')";
    assert_eq!(server.database().execute(gone), 2);
    let late = [user(13, None, Some("ann055")), user(99, None, Some("ann00"))];
    bulk::insert(server.app().store(), late.map(|user| Row::User(Box::new(user)))).await.unwrap();
    assert_eq!(numbers(&page(&by_age, newest.next.as_deref()).await.rows), [13, 12, 8, 6]);
    assert_eq!(numbers(&page(&by_name, named.next.as_deref()).await.rows), [13, 12, 16, 18]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_that_is_none_is_refused_and_so_is_whoever_is_no_administrator() {
    let server = Server::start().await;
    let admin = administrator(&server).await;
    let ann = actor(&server, &registered(&server, "ann@example.com").await).await;
    let (app, admin, ann) = (server.app(), &admin.caller, &ann.caller);
    for bad in ["", "x", "%", "ÿ", "////"] {
        let refusals = [
            users(app, admin, &UserSearch::default(), Some(bad), 10).await.err(),
            sessions(app, admin, &SessionSearch::default(), Some(bad), 10).await.err(),
            tokens(app, admin, &TokenSearch::default(), Some(bad), 10).await.err(),
            projects(app, admin, &ProjectSearch::default(), Some(bad), 10).await.err(),
            projects(app, admin, &ProjectSearch { text: "p".to_owned(), owner: None }, Some(bad), 10).await.err(),
        ];
        for refusal in refusals {
            assert!(
                matches!(&refusal, Some(Error::Invalid(faults)) if faults[0].field == "after"),
                "{bad}: {refusal:?}"
            );
        }
    }
    assert!(matches!(users(app, admin, &text("a"), Some("ÿ"), 10).await, Err(Error::Invalid(_))));
    let refusals = [
        users(app, ann, &UserSearch::default(), None, 10).await.err(),
        sessions(app, ann, &SessionSearch::default(), None, 10).await.err(),
        tokens(app, ann, &TokenSearch::default(), None, 10).await.err(),
        projects(app, ann, &ProjectSearch::default(), None, 10).await.err(),
        sessions(app, ann, &SessionSearch { user: admin.require_user().ok() }, None, 10).await.err(),
        tokens(app, ann, &TokenSearch { user: admin.require_user().ok() }, None, 10).await.err(),
    ];
    assert!(refusals.iter().all(|refusal| matches!(refusal, Some(Error::Forbidden(_)))), "{refusals:?}");
    for limit in [i64::MIN, 0, 1] {
        assert_eq!(users(app, admin, &UserSearch::default(), None, limit).await.unwrap().rows.len(), 1);
    }
}

fn session(number: u32, user: u32, expires_at: Timestamp) -> NewSession<'static> {
    NewSession {
        id: SessionId::from_bytes(bytes(number)),
        user_id: UserId::from_bytes(bytes(user)),
        dialect: Dialect::Rest,
        created_at: PAST,
        expires_at,
        key_id: 1,
        address: None,
        user_agent: None,
    }
}

fn two_users() -> [Row; 2] {
    [user(1, Some("Ann@example.com"), Some("ann")), user(2, None, Some("Bob"))].map(|user| Row::User(Box::new(user)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_sessions_come_newest_first_with_what_their_user_is_shown_by() {
    let ahead = Timestamp::from_seconds(4_000_000_000);
    let rows = (1..=250).map(|number| match number % 5 {
        0 => Row::EndedSession(Box::new(session(number, 1, ahead)), PAST),
        1 => Row::Session(Box::new(session(number, 1, PAST))),
        rest => Row::Session(Box::new(session(number, 1 + rest % 2, ahead))),
    });
    let (server, admin) = with(two_users().into_iter().chain(rows)).await;
    for user in [None, Some(1), Some(2)] {
        let search = SessionSearch { user: user.map(|user| UserId::from_bytes(bytes(user))) };
        let page = async |after: Option<String>| {
            search::sessions(server.app(), &admin.caller, &search, after.as_deref(), 20).await
        };
        let found: Vec<_> = all(20, page).await.into_iter().map(|(session, name)| (session.id, name)).collect();
        let lives = |number: &u32| number % 5 > 1 && user.is_none_or(|user| 1 + number % 5 % 2 == user);
        let name = |number| if number % 5 == 3 { "Bob" } else { "Ann@example.com" };
        let expected = (1..=250_u32).rev().filter(lives);
        let expected: Vec<_> =
            expected.map(|number| (SessionId::from_bytes(bytes(number)), name(number).to_owned())).collect();
        assert_eq!(found, expected, "{user:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_tokens_come_newest_first_of_all_and_of_one() {
    let token = |number: u32| {
        let token = ApiToken {
            id: TokenId::from_bytes(bytes(number)),
            user_id: UserId::from_bytes(bytes(1 + number % 2)),
            kind: String::new(),
            name: format!("token {number}"),
            admin: false,
            head: "dwt_".to_owned(),
            tail: "tail".to_owned(),
            expires_at: None,
            created_at: PAST,
        };
        let mut hash = [7; 32];
        hash[..4].copy_from_slice(&number.to_be_bytes());
        Row::Token(Box::new(token), hash)
    };
    let (server, admin) = with(two_users().into_iter().chain((1..=230).map(token))).await;
    for user in [None, Some(1), Some(2)] {
        let search = TokenSearch { user: user.map(|user| UserId::from_bytes(bytes(user))) };
        let page = async |after: Option<String>| {
            search::tokens(server.app(), &admin.caller, &search, after.as_deref(), 100).await
        };
        let mut found = all(100, page).await;
        // The administrator has one, too.
        found.retain(|(token, _)| token.name.starts_with("token "));
        let found: Vec<_> = found.into_iter().map(|(token, name)| (token.name, name)).collect();
        let is_asked_for = |number: &u32| user.is_none_or(|user| 1 + number % 2 == user);
        let name = |number| if number % 2 == 1 { "Bob" } else { "Ann@example.com" };
        let expected = (1..=230_u32).rev().filter(is_asked_for);
        let expected: Vec<_> = expected.map(|number| (format!("token {number}"), name(number).to_owned())).collect();
        assert_eq!(found, expected, "{user:?}");
    }
}

fn project(number: u32, name: &str) -> Row {
    Row::Project(Box::new(Project {
        id: ProjectId::from_bytes(bytes(number)),
        user_id: UserId::from_bytes(bytes(1 + number % 2)),
        name: name.to_owned(),
        kind: String::new(),
        partner: String::new(),
        status: "active".to_owned(),
        counters: Counters::default(),
        hourly_time: PAST,
        flags: BTreeMap::new(),
        created_at: PAST,
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projects_are_found_by_the_beginning_of_their_names_of_which_many_are_alike() {
    // More of one name than a statement finds at once.
    let name = |number: u32| match number % 4 {
        0 => "Mail".to_owned(),
        1 => "mail".to_owned(),
        2 => format!("MAIL {number}"),
        _ => format!("m%{number}"),
    };
    let rows = (1..=600).map(|number| project(number, &name(number)));
    let (server, admin) = with(two_users().into_iter().chain(rows)).await;
    for (search_text, owner, limit) in [
        ("mail", None, 100),
        ("MAIL", Some(2), 33),
        ("mail 1", None, 7),
        ("m%", None, 50),
        ("m_", None, 5),
        ("", Some(1), 99),
    ] {
        let owner_id = owner.map(|owner| UserId::from_bytes(bytes(owner)));
        let search = ProjectSearch { text: search_text.to_owned(), owner: owner_id };
        let page =
            async |after: Option<String>| projects(server.app(), &admin.caller, &search, after.as_deref(), limit).await;
        let found = all(usize::try_from(limit).unwrap(), page).await;
        let found: Vec<_> = found.into_iter().map(|(project, _)| project.id).collect();
        let fits = |number: &u32| {
            name(*number).to_lowercase().starts_with(&search_text.to_lowercase())
                && owner.is_none_or(|owner| 1 + number % 2 == owner)
        };
        let mut expected: Vec<u32> = (1..=600).filter(fits).collect();
        if search_text.is_empty() {
            expected.reverse();
        } else {
            expected.sort_by_key(|number| (name(*number).to_lowercase(), *number));
        }
        let expected: Vec<_> = expected.into_iter().map(|number| ProjectId::from_bytes(bytes(number))).collect();
        assert_eq!(found, expected, "{search:?}");
    }
    let whole = ProjectSearch { text: ProjectId::from_bytes(bytes(9)).to_string(), owner: None };
    let found = projects(server.app(), &admin.caller, &whole, None, 10).await.unwrap();
    assert_eq!(
        found.rows.iter().map(|(project, owner)| (project.id, owner.as_str())).collect::<Vec<_>>(),
        [(ProjectId::from_bytes(bytes(9)), "Bob")]
    );
}
