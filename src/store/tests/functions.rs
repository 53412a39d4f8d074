//! Every store function, named after what it promises.

use std::collections::BTreeMap;

use super::super::sessions::Standing;
use super::*;
use crate::domain::audit::{Action, Event};
use crate::domain::error::Error;
use crate::domain::id::{MailId, ProjectId, SessionId, TokenId, UserId};
use crate::domain::network::Network;
use crate::domain::permission::Permissions;
use crate::domain::project::{Counters, Project};
use crate::domain::session::Dialect;
use crate::domain::token::ApiToken;
use crate::domain::user::{Email, JsonObject, LoginName, Status, Username};

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn later(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

/// A user with an id of this byte.
pub(super) fn user(byte: u8, email: &str) -> NewUser {
    NewUser {
        id: UserId::from_bytes([byte; 12]),
        email: Some(Email::parse(email).unwrap()),
        username: None,
        name: Some("Ann".to_owned()),
        bio: None,
        password: Some("a hash".to_owned()),
        status: Status::Active,
        permissions: Permissions::of_new_user(),
        flags: JsonObject::new(),
        plan_worker: JsonObject::new(),
        email_verified_at: None,
        created_at: NOW,
    }
}

fn token(byte: u8, user_id: UserId) -> ApiToken {
    ApiToken {
        id: TokenId::from_bytes([byte; 12]),
        user_id,
        kind: "kind".to_owned(),
        name: "name".to_owned(),
        admin: true,
        head: "dwt_".to_owned(),
        tail: "tail".to_owned(),
        expires_at: Some(later(60)),
        created_at: NOW,
    }
}

fn session(byte: u8, user_id: UserId) -> NewSession<'static> {
    NewSession {
        id: SessionId::from_bytes([byte; 12]),
        user_id,
        dialect: Dialect::Rest,
        created_at: NOW,
        expires_at: later(60),
        key_id: 1,
        address: Some("127.0.0.1"),
        user_agent: None,
    }
}

fn project(byte: u8, user_id: UserId) -> Project {
    Project {
        id: ProjectId::from_bytes([byte; 12]),
        user_id,
        name: "a project".to_owned(),
        kind: String::new(),
        partner: String::new(),
        status: "active".to_owned(),
        counters: Counters { task_count: i64::MAX, ..Counters::default() },
        hourly_time: NOW,
        flags: BTreeMap::from([("open".to_owned(), true)]),
        created_at: NOW,
    }
}

/// What `body` gives, committed.
macro_rules! write {
    ($store:expr, |$tx:ident| $body:expr) => {
        $store.write(async move |$tx: &Tx<'_>| $body.await).await
    };
}

async fn with_users(place: &Place) -> (Store, UserId, UserId) {
    let store = place.open().await;
    let users = [user(1, "Ann@Example.com"), user(2, "bob@example.com")];
    let ids = [users[0].id, users[1].id];
    for new in users {
        write!(store, |tx| users::insert(tx, &new)).unwrap();
    }
    (store, ids[0], ids[1])
}

#[tokio::test]
async fn a_user_is_found_by_each_of_its_names_and_listed_in_order() {
    on_each(async |place| {
        let (store, ann, bob) = with_users(place).await;
        let reads = store.reads();
        assert!(users::any(&reads).await.unwrap());
        let found = users::find(&reads, ann).await.unwrap().unwrap();
        assert_eq!(
            (found.email.as_deref(), found.name.as_deref(), found.created_at),
            (Some("Ann@Example.com"), Some("Ann"), NOW)
        );
        assert_eq!(users::account(&reads, ann).await.unwrap().unwrap().password.as_deref(), Some("a hash"));
        let login = LoginName::Email(Email::parse("ANN@example.com").unwrap());
        assert_eq!(users::account_by_login(&reads, &login).await.unwrap().unwrap().user.id, ann);
        let ids = |users: Vec<crate::domain::user::User>| users.into_iter().map(|user| user.id).collect::<Vec<_>>();
        assert_eq!(ids(users::list(&reads, None, 10).await.unwrap()), [ann, bob]);
        assert_eq!(ids(users::list(&reads, Some(ann), 10).await.unwrap()), [bob]);
        assert_eq!(ids(users::list(&reads, None, 1).await.unwrap()), [ann]);
        let twin = user(3, "ANN@EXAMPLE.COM");
        assert!(matches!(write!(store, |tx| users::insert(tx, &twin)), Err(Error::Taken("email"))));
    })
    .await;
}

#[tokio::test]
async fn every_change_of_a_user_is_kept() {
    on_each(async |place| {
        let (store, ann, _) = with_users(place).await;
        let username = Username::parse("Ann").unwrap();
        let (email, permissions) = (Email::parse("new@example.com").unwrap(), Permissions::of_administrator());
        let flags: JsonObject = serde_json::from_str(r#"{"a":"\u0000ü","b":[1.5,null]}"#).unwrap();
        let expected = flags.clone();
        let change = async move |tx: &Tx<'_>| {
            for change in [
                UserChange::Username(&username),
                UserChange::Email(&email, None),
                UserChange::Verified,
                UserChange::Password("another hash"),
                UserChange::Status(Status::Disabled),
                UserChange::Permissions(&permissions),
                UserChange::Objects(&flags, &flags),
            ] {
                users::update(tx, ann, change, later(1)).await?;
            }
            users::raise_credential_version(tx, ann).await?;
            users::replace_hash(tx, ann, "not this one", "x").await?;
            users::replace_hash(tx, ann, "another hash", "a third hash").await
        };
        store.write(change).await.unwrap();
        let account = users::account(&store.reads(), ann).await.unwrap().unwrap();
        assert_eq!(account.password.as_deref(), Some("a third hash"));
        let user = account.user;
        assert_eq!((user.username.as_deref(), user.email.as_deref()), (Some("Ann"), Some("new@example.com")));
        assert_eq!((user.email_verified_at, user.updated_at), (Some(later(1)), later(1)));
        assert_eq!((user.status, user.is_admin(), user.credential_version), (Status::Disabled, true, 1));
        assert_eq!((&user.flags, &user.plan_worker), (&expected, &expected));
    })
    .await;
}

#[tokio::test]
async fn an_administrator_is_one_while_active() {
    on_each(async |place| {
        let (store, ann, bob) = with_users(place).await;
        let promote = async move |tx: &Tx<'_>| {
            users::update(tx, ann, UserChange::Permissions(&Permissions::of_administrator()), NOW).await?;
            let without_ann = users::another_admin_exists(tx, ann).await?;
            let without_bob = users::another_admin_exists(tx, bob).await?;
            users::update(tx, ann, UserChange::Status(Status::Disabled), NOW).await?;
            Ok((without_ann, without_bob, users::another_admin_exists(tx, bob).await?))
        };
        assert_eq!(store.write(promote).await.unwrap(), (false, true, false));
    })
    .await;
}

#[tokio::test]
async fn a_deleted_user_takes_everything_along() {
    on_each(async |place| {
        let (store, ann, bob) = with_users(place).await;
        let (token, session, project) = (token(1, ann), session(1, ann), project(1, ann));
        let (token_id, session_id, project_id) = (token.id, session.id, project.id);
        let fill = async move |tx: &Tx<'_>| {
            tokens::insert(tx, &NewToken { token: &token, secret_hash: [1; 32], foreign_form: true, sealed: None })
                .await?;
            sessions::insert(tx, &session).await?;
            projects::insert(tx, &project).await?;
            shares::insert(tx, project.id, bob).await
        };
        store.write(fill).await.unwrap();
        let delete = async move |tx: &Tx<'_>| {
            projects::record_deletion_of_owner(tx, ann).await?;
            let tokens = tokens::delete_of_user(tx, ann).await?;
            Ok((tokens, users::delete(tx, ann).await?, users::delete(tx, ann).await?))
        };
        assert_eq!(store.write(delete).await.unwrap(), (1, true, false));
        let reads = store.reads();
        assert!(tokens::find(&reads, token_id).await.unwrap().is_none());
        assert!(sessions::find(&reads, session_id).await.unwrap().is_none());
        assert!(projects::find(&reads, project_id).await.unwrap().is_none());
        assert!(shares::list(&reads, project_id).await.unwrap().is_empty());
        assert!(users::find(&reads, bob).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_token_is_found_by_its_hash_and_gone_when_deleted_or_swept() {
    on_each(async |place| {
        let (store, ann, _) = with_users(place).await;
        for byte in 1..=3 {
            let token = token(byte, ann);
            let insert = async move |tx: &Tx<'_>| {
                let sealed = (byte == 1).then_some(&[0_u8, 255][..]);
                tokens::insert(
                    tx,
                    &NewToken { token: &token, secret_hash: [byte; 32], foreign_form: byte == 2, sealed },
                )
                .await
            };
            store.write(insert).await.unwrap();
        }
        let reads = store.reads();
        let hit = tokens::find_by_hash(&reads, [1; 32]).await.unwrap().unwrap();
        assert_eq!(
            (hit.holder.id, hit.admin, hit.holder_is_active, hit.expires_at),
            (ann, true, true, Some(later(60)))
        );
        assert!(tokens::find_by_hash(&reads, [9; 32]).await.unwrap().is_none());
        assert_eq!(tokens::list_foreign(&reads).await.unwrap(), [[2; 32]]);
        assert_eq!(tokens::list_sealed(&reads, ann, NOW).await.unwrap(), [(token(1, ann).id, true, vec![0, 255])]);
        assert!(tokens::list_sealed(&reads, ann, later(61)).await.unwrap().is_empty());
        assert_eq!(tokens::list_of_user(&reads, ann).await.unwrap().len(), 3);
        let id = token(1, ann).id;
        assert!(write!(store, |tx| tokens::delete(tx, id)).unwrap());
        assert!(!write!(store, |tx| tokens::delete(tx, id)).unwrap());
        assert_eq!(write!(store, |tx| tokens::sweep(tx, later(60))).unwrap(), 0);
        assert_eq!(write!(store, |tx| tokens::sweep(tx, later(61))).unwrap(), 2);
        assert_eq!(write!(store, |tx| tokens::sweep(tx, later(61))).unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_session_moves_on_from_its_generation_only_and_ends_once() {
    on_each(async |place| {
        let (store, ann, _) = with_users(place).await;
        let (one, other) = (session(1, ann), session(2, ann));
        let (id, other_id) = (one.id, other.id);
        let begin = async move |tx: &Tx<'_>| {
            sessions::insert(tx, &one).await?;
            sessions::insert(tx, &other).await
        };
        store.write(begin).await.unwrap();
        assert!(write!(store, |tx| sessions::advance(tx, id, 0, 7, later(1))).unwrap());
        assert!(!write!(store, |tx| sessions::advance(tx, id, 0, 7, later(1))).unwrap());
        let reads = store.reads();
        let standing: Standing = sessions::find_standing(&reads, id).await.unwrap().unwrap();
        assert_eq!(
            (standing.generation, standing.key_id, standing.rotated_at, standing.user_id),
            (1, 7, later(1), ann)
        );
        let found = sessions::find(&reads, id).await.unwrap().unwrap();
        assert_eq!(
            (found.address.as_deref(), found.user_agent, found.last_used_at),
            (Some("127.0.0.1"), None, later(1))
        );
        assert_eq!(sessions::list_live(&reads, ann, NOW).await.unwrap().len(), 2);
        assert!(write!(store, |tx| sessions::end(tx, id, later(2))).unwrap());
        assert!(!write!(store, |tx| sessions::end(tx, id, later(2))).unwrap());
        assert!(!write!(store, |tx| sessions::advance(tx, id, 1, 7, later(1))).unwrap());
        assert_eq!(sessions::list_ended(&reads, NOW).await.unwrap(), [(id, later(2))]);
        assert_eq!(write!(store, |tx| sessions::end_of_user(tx, ann, later(3))).unwrap(), 1);
        assert!(sessions::list_live(&reads, ann, NOW).await.unwrap().is_empty());
        assert_eq!(write!(store, |tx| sessions::sweep(tx, NOW, later(3))).unwrap(), 1);
        assert!(sessions::find(&reads, id).await.unwrap().is_none());
        assert_eq!(write!(store, |tx| sessions::sweep(tx, later(61), NOW)).unwrap(), 1);
        assert!(sessions::find_standing(&reads, other_id).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_project_is_for_its_owner_and_whom_it_is_shared_with() {
    on_each(async |place| {
        let (store, ann, bob) = with_users(place).await;
        let made = project(1, ann);
        let id = made.id;
        let inserted = made.clone();
        write!(store, |tx| projects::insert(tx, &inserted)).unwrap();
        let share = async move |tx: &Tx<'_>| {
            shares::insert(tx, id, bob).await?;
            shares::insert(tx, id, bob).await
        };
        store.write(share).await.unwrap();
        let reads = store.reads();
        assert_eq!(projects::find_owner(&reads, id).await.unwrap(), Some(ann));
        let access = projects::find_access(&reads, id).await.unwrap().unwrap();
        assert!(access.admits(ann) && access.admits(bob) && !access.admits(UserId::from_bytes([9; 12])));
        assert_eq!(shares::list(&reads, id).await.unwrap(), [bob]);
        assert_eq!(shares::list_members(&reads, id).await.unwrap(), [(bob, Some("bob@example.com".to_owned()), None)]);
        for user in [ann, bob] {
            let listed = projects::list_of_user(&reads, user, None, 5).await.unwrap();
            assert_eq!(listed.iter().map(|project| project.id).collect::<Vec<_>>(), [id]);
            assert!(projects::list_of_user(&reads, user, Some(id), 5).await.unwrap().is_empty());
        }
        let renamed = Project { name: "renamed".to_owned(), ..made };
        write!(store, |tx| projects::update(tx, &renamed)).unwrap();
        let found = projects::find(&reads, id).await.unwrap().unwrap();
        assert_eq!((found.name.as_str(), found.counters.task_count, found.flags["open"]), ("renamed", i64::MAX, true));
        write!(store, |tx| shares::delete(tx, id, bob)).unwrap();
        assert!(shares::list(&reads, id).await.unwrap().is_empty());
        assert!(write!(store, |tx| projects::delete(tx, id)).unwrap());
        assert!(projects::find_access(&reads, id).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_mailed_secret_is_taken_once() {
    on_each(async |place| {
        let (store, ann, _) = with_users(place).await;
        for byte in 1..=2 {
            let new = MailSecret {
                secret_hash: [byte; 32],
                user_id: ann,
                purpose: Purpose::Reset,
                email_key: "ann@example.com".to_owned(),
                created_at: NOW,
                expires_at: later(60),
                another: None,
            };
            write!(store, |tx| mail_secrets::insert(tx, &new)).unwrap();
        }
        let reads = store.reads();
        let pledge = Pledge { user_id: ann, email_key: "ann@example.com".to_owned(), another: None };
        let found = |purpose, now| mail_secrets::find(&reads, [1; 32], purpose, now);
        assert_eq!(found(Purpose::Reset, NOW).await.unwrap(), Some(pledge.clone()));
        assert_eq!(found(Purpose::Reset, later(60)).await.unwrap(), None);
        assert_eq!(found(Purpose::Verification, NOW).await.unwrap(), None);
        let take =
            |now| store.write(async move |tx: &Tx<'_>| mail_secrets::consume(tx, [1; 32], Purpose::Reset, now).await);
        assert_eq!(take(NOW).await.unwrap(), Some(pledge));
        assert_eq!(take(NOW).await.unwrap(), None);
        assert_eq!(write!(store, |tx| mail_secrets::sweep(tx, later(61))).unwrap(), 1);
        write!(store, |tx| mail_secrets::delete_of_user(tx, ann)).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_secret_for_another_address_keeps_what_it_is_bound_to_and_gives_way_to_a_newer_one() {
    on_each(async |place| {
        let (store, ann, _) = with_users(place).await;
        let new = |byte, purpose| MailSecret {
            secret_hash: [byte; 32],
            user_id: ann,
            purpose,
            email_key: "new@example.com".to_owned(),
            created_at: NOW,
            expires_at: later(60),
            another: (purpose == Purpose::EmailChange).then(|| ("New@Example.com".to_owned(), 7)),
        };
        for new in [new(1, Purpose::EmailChange), new(2, Purpose::Verification)] {
            write!(store, |tx| mail_secrets::insert(tx, &new)).unwrap();
        }
        let reads = store.reads();
        let found = mail_secrets::find(&reads, [1; 32], Purpose::EmailChange, NOW).await.unwrap().unwrap();
        assert_eq!(found.another, Some(("New@Example.com".to_owned(), 7)));
        write!(store, |tx| mail_secrets::delete_of_purpose(tx, ann, Purpose::EmailChange)).unwrap();
        assert_eq!(mail_secrets::find(&reads, [1; 32], Purpose::EmailChange, NOW).await.unwrap(), None);
        assert!(mail_secrets::find(&reads, [2; 32], Purpose::Verification, NOW).await.unwrap().is_some());
    })
    .await;
}

fn mail(byte: u8, created_at: Timestamp, expires_at: Timestamp) -> NewMail {
    NewMail { id: MailId::from_bytes([byte; 12]), sealed: vec![byte, 0, 255], created_at, expires_at }
}

#[tokio::test]
async fn a_mail_is_claimed_by_one_at_a_time_and_in_order() {
    on_each(async |place| {
        let store = place.open().await;
        assert_eq!(mails::next(&store.reads()).await.unwrap(), None);
        for new in [mail(2, later(1), later(60)), mail(1, NOW, later(60)), mail(3, NOW, later(2))] {
            write!(store, |tx| mails::insert(tx, &new)).unwrap();
        }
        let due = async || mails::next(&store.reads()).await.unwrap().map(|next| next.due_at);
        assert_eq!(due().await, Some(NOW));
        let claim = |now, until| store.write(async move |tx: &Tx<'_>| mails::claim(tx, now, until).await);
        // The third one is worthless by then.
        let first = claim(later(5), later(20)).await.unwrap().unwrap();
        assert_eq!((first.id, first.sealed, first.attempts), (mail(1, NOW, NOW).id, vec![1, 0, 255], 1));
        let second = claim(later(5), later(20)).await.unwrap().unwrap();
        assert_eq!((second.id, second.expires_at), (mail(2, NOW, NOW).id, later(60)));
        assert!(claim(later(5), later(20)).await.unwrap().is_none());
        let worthless = mails::Next { due_at: NOW, expires_at: later(2) };
        assert_eq!(mails::next(&store.reads()).await.unwrap(), Some(worthless));
        assert_eq!(write!(store, |tx| mails::park(tx, later(5))).unwrap(), 1);
        assert_eq!(write!(store, |tx| mails::park(tx, later(5))).unwrap(), 0);
        assert_eq!(due().await, Some(later(20)));
        let again = claim(later(20), later(40)).await.unwrap().unwrap();
        assert_eq!(again.attempts, 2, "whoever had it did not come back");
        let (id, other) = (again.id, if again.id == first.id { second.id } else { first.id });
        // Of an attempt that another one followed.
        write!(store, |tx| mails::postpone(tx, id, 1, later(21), "late")).unwrap();
        assert_eq!(due().await, Some(later(20)));
        write!(store, |tx| mails::delete(tx, other)).unwrap();
        assert_eq!(due().await, Some(later(40)));
        write!(store, |tx| mails::postpone(tx, id, 2, later(30), "late")).unwrap();
        let waiting = mails::list(&store.reads(), 10).await.unwrap();
        let shown: Vec<_> = waiting.iter().map(|it| (it.id, it.due_at, it.sending, it.failure.as_deref())).collect();
        let parked = (mail(3, NOW, NOW).id, mails::NEVER, false, None);
        assert_eq!(shown, [(id, later(30), false, Some("late")), parked]);
        assert_eq!(write!(store, |tx| mails::sweep(tx, later(3))).unwrap(), 1);
        assert_eq!(mails::list(&store.reads(), 10).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_mail_is_hurried_unless_it_is_being_sent() {
    on_each(async |place| {
        let store = place.open().await;
        for new in [mail(1, NOW, later(60)), mail(2, NOW, later(60)), mail(3, NOW, later(60))] {
            write!(store, |tx| mails::insert(tx, &new)).unwrap();
        }
        let claim = || store.write(async |tx: &Tx<'_>| mails::claim(tx, NOW, later(50)).await);
        let taken = [claim().await.unwrap().unwrap().id, claim().await.unwrap().unwrap().id];
        let third = claim().await.unwrap().unwrap().id;
        for id in taken {
            write!(store, |tx| mails::postpone(tx, id, 1, later(40), "x")).unwrap();
        }
        let [first, _] = taken;
        assert_eq!(write!(store, |tx| mails::hurry(tx, Some(third), later(1))).unwrap(), 0);
        assert_eq!(write!(store, |tx| mails::hurry(tx, Some(first), later(1))).unwrap(), 1);
        assert_eq!(write!(store, |tx| mails::hurry(tx, None, later(2))).unwrap(), 1);
        assert_eq!(mails::next(&store.reads()).await.unwrap().unwrap().due_at, later(1));
    })
    .await;
}

#[tokio::test]
async fn of_many_that_claim_at_once_no_two_get_the_same_mail() {
    on_each(async |place| {
        let store = place.open().await;
        for byte in 1..=20 {
            let new = mail(byte, NOW, later(60));
            write!(store, |tx| mails::insert(tx, &new)).unwrap();
        }
        // On PostgreSQL each has a connection of its own.
        let others = [place.open().await, place.open().await];
        let claiming: Vec<_> = (0..60)
            .map(|number| {
                let store = [&store, &others[0], &others[1]][number % 3].clone();
                tokio::spawn(async move {
                    store.write(async |tx: &Tx<'_>| mails::claim(tx, later(1), later(50)).await).await
                })
            })
            .collect();
        let mut claimed = Vec::new();
        for claim in claiming {
            claimed.extend(claim.await.unwrap().unwrap().map(|mail| (mail.id, mail.attempts)));
        }
        let count = claimed.len();
        claimed.sort();
        claimed.dedup();
        assert!(count > 0 && claimed.len() == count, "{claimed:?}");
        assert!(claimed.iter().all(|(_, attempts)| *attempts == 1), "{claimed:?}");
    })
    .await;
}

#[tokio::test]
async fn values_and_events_are_kept() {
    on_each(async |place| {
        let (store, ann, _) = with_users(place).await;
        let set = async move |tx: &Tx<'_>| {
            meta::set(tx, "name", "one").await?;
            meta::set(tx, "name", "two").await?;
            meta::insert(tx, "name", "three").await?;
            for _ in 0..2 {
                tx.audit(Event::by_server(Action::UserUpdated).about_user(ann));
            }
            counters::hold(tx, counters::ADMINISTRATORS).await
        };
        store.write(set).await.unwrap();
        assert_eq!(meta::find(&store.reads(), "name").await.unwrap().as_deref(), Some("two"));
        let unknown = write!(store, |tx| counters::hold(tx, "no such counter"));
        assert!(matches!(unknown, Err(Error::Internal(_))));
    })
    .await;
}

#[tokio::test]
async fn a_network_that_a_user_signs_in_from_is_noted_until_it_is_swept() {
    on_each(async |place| {
        let (store, ann, bob) = with_users(place).await;
        let (here, there) = (Network::parse("192.0.2.1").unwrap(), Network::parse("2001:db8::/64").unwrap());
        let note =
            |at, stale| store.write(async move |tx: &Tx<'_>| known_networks::note(tx, ann, here, at, stale).await);
        note(NOW, NOW).await.unwrap();
        // Noted after that moment already.
        note(later(60), NOW).await.unwrap();
        let reads = store.reads();
        assert_eq!(known_networks::find(&reads, ann, here).await.unwrap(), Some(NOW));
        note(later(60), later(1)).await.unwrap();
        assert_eq!(known_networks::find(&reads, ann, here).await.unwrap(), Some(later(60)));
        assert_eq!(known_networks::find(&reads, ann, there).await.unwrap(), None);
        assert_eq!(known_networks::find(&reads, bob, here).await.unwrap(), None);
        assert_eq!(write!(store, |tx| known_networks::sweep(tx, later(60))).unwrap(), 0);
        assert_eq!(write!(store, |tx| known_networks::sweep(tx, later(61))).unwrap(), 1);
        assert_eq!(known_networks::find(&reads, ann, here).await.unwrap(), None);
        note(NOW, NOW).await.unwrap();
        write!(store, |tx| known_networks::delete_of_user(tx, ann)).unwrap();
        assert_eq!(known_networks::find(&reads, ann, here).await.unwrap(), None);
        note(NOW, NOW).await.unwrap();
        assert!(write!(store, |tx| users::delete(tx, ann)).unwrap());
        assert_eq!(known_networks::find(&reads, ann, here).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn failures_of_all_servers_add_up_until_they_are_forgotten() {
    on_each(async |place| {
        let store = place.open().await;
        let add = |seconds, now| {
            let later = Duration::from_secs(seconds);
            store
                .write(async move |tx: &Tx<'_>| failures::add(tx, b"key", (later, Duration::from_secs(200)), now).await)
        };
        assert_eq!(add(60, NOW).await.unwrap(), later(60));
        assert_eq!(add(60, later(30)).await.unwrap(), later(120));
        assert_eq!(add(60, later(500)).await.unwrap(), later(560), "what was forgotten counts no more");
        assert_eq!(add(60, later(300)).await.unwrap(), later(560), "what is that far away goes no further");
        assert_eq!(write!(store, |tx| failures::sweep(tx, later(560))).unwrap(), 0);
        assert_eq!(write!(store, |tx| failures::sweep(tx, later(561))).unwrap(), 1);
        add(60, NOW).await.unwrap();
        write!(store, |tx| failures::delete(tx, b"key")).unwrap();
        assert_eq!(add(1, NOW).await.unwrap(), later(1));
    })
    .await;
}
