//! What administrators look for is found by the index that was made for it, on both engines, and in its order:
//! nothing is sorted, and nothing passed by.

use super::super::sql::Described;
use super::super::users::search::{Named, by_name};
use super::super::{postgres, projects, sessions, tokens, users};
use super::functions::user;
use super::statements::{migrated, migrated_postgres};
use super::*;
use crate::domain::user::Username;

/// A statement and the indexes that lead to its rows, on SQLite and on PostgreSQL.
type Led = (&'static str, &'static str, &'static str);

const USERS: &[Led] = &[
    ("NEWEST", "sqlite_autoindex_users_1", "users_pkey"),
    ("NEWEST_ACTIVE", "users_active", "users_active"),
    ("NEWEST_DISABLED", "users_disabled", "users_disabled"),
    ("NEWEST_ADMINS", "users_admin", "users_admin"),
    ("NEWEST_ACTIVE_ADMINS", "users_admin", "users_admin"),
    ("NEWEST_DISABLED_ADMINS", "users_admin", "users_admin"),
    ("BY_EMAIL", "sqlite_autoindex_users_2", "users_email_key_key"),
    ("BY_EMAIL_ACTIVE", "users_active_email", "users_active_email"),
    ("BY_EMAIL_DISABLED", "users_disabled_email", "users_disabled_email"),
    ("BY_EMAIL_ADMINS", "users_admin_email", "users_admin_email"),
    ("BY_EMAIL_ACTIVE_ADMINS", "users_admin_email", "users_admin_email"),
    ("BY_EMAIL_DISABLED_ADMINS", "users_admin_email", "users_admin_email"),
    ("BY_USERNAME", "sqlite_autoindex_users_3", "users_username_key_key"),
    ("BY_USERNAME_ACTIVE", "users_active_username", "users_active_username"),
    ("BY_USERNAME_DISABLED", "users_disabled_username", "users_disabled_username"),
    ("BY_USERNAME_ADMINS", "users_admin_username", "users_admin_username"),
    ("BY_USERNAME_ACTIVE_ADMINS", "users_admin_username", "users_admin_username"),
    ("BY_USERNAME_DISABLED_ADMINS", "users_admin_username", "users_admin_username"),
];

const SESSIONS: &[Led] = &[
    ("NEWEST_LIVE", "sessions_live", "sessions_live"),
    ("NEWEST_LIVE_OF_USER", "sessions_live_user", "sessions_live_user"),
    ("NEWEST_OF_USER", "sessions_user", "sessions_user"),
    ("UNENDED_OF_USER", "sessions_live_user", "sessions_live_user"),
];

const TOKENS: &[Led] =
    &[("NEWEST", "sqlite_autoindex_tokens_1", "tokens_pkey"), ("NEWEST_OF_USER", "tokens_user", "tokens_user")];

const PROJECTS: &[Led] = &[
    ("NEWEST", "sqlite_autoindex_projects_1", "projects_pkey"),
    ("NEWEST_OF_OWNER", "projects_user", "projects_user"),
    ("NAMED", "projects_name", "projects_name"),
    ("NAMED_BEHIND", "projects_name", "projects_name"),
    ("NAMED_OF_OWNER", "projects_user_name", "projects_user_name"),
    ("NAMED_BEHIND_OF_OWNER", "projects_user_name", "projects_user_name"),
];

fn every_search() -> impl Iterator<Item = (&'static Described, &'static Led)> {
    let all = [(users::SEARCHES, USERS), (sessions::ALL, SESSIONS), (tokens::ALL, TOKENS), (projects::ALL, PROJECTS)];
    all.into_iter().flat_map(|(statements, led)| {
        led.iter().map(|led| {
            let statement = statements.iter().find(|statement| statement.name == led.0);
            (statement.unwrap_or_else(|| panic!("there is no statement {}", led.0)), led)
        })
    })
}

#[test]
fn on_sqlite_each_search_goes_along_its_index_and_sorts_nothing() {
    let connection = migrated();
    for (statement, (name, index, _)) in every_search() {
        let mut prepared = connection.prepare(&format!("explain query plan {}", statement.text)).unwrap();
        let values = vec![rusqlite::types::Null; statement.parameters.len()];
        let steps =
            prepared.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>("detail")).unwrap();
        let steps: Vec<String> = steps.map(Result::unwrap).collect();
        let [step] = steps.as_slice() else { panic!("{name}: {steps:#?}") };
        assert!(step.starts_with("SEARCH ") && step.contains(&format!("INDEX {index} (")), "{name}: {step}");
        // Its place in the index is found, also that of a page far behind.
        assert!(step.contains(['<', '>']), "{name}: {step}");
    }
}

/// What a statement is asked for on PostgreSQL, as literals: something of which there is much.
fn values(name: &str) -> &'static str {
    match name {
        "NEWEST_LIVE" => r"(1, '\xffffffffffffffffffffffff')",
        "NEWEST_LIVE_OF_USER" => r"('\x000000000000000000000007', 1, '\xffffffffffffffffffffffff')",
        "NEWEST_OF_USER" | "NEWEST_OF_OWNER" => r"('\x000000000000000000000007', '\xffffffffffffffffffffffff')",
        "UNENDED_OF_USER" => r"('\x000000000000000000000007', '\x00')",
        "NAMED" => r"('project 1', 0, '\x00')",
        "NAMED_BEHIND" => "('project', 'projecu')",
        "NAMED_OF_OWNER" => r"('\x000000000000000000000007', 'project 6', 0, '\x00')",
        "NAMED_BEHIND_OF_OWNER" => r"('\x000000000000000000000007', 'project', 'projecu')",
        by_name if by_name.starts_with("BY_") => "('u', 'v')",
        _ => r"('\xffffffffffffffffffffffff')",
    }
}

/// Of 200,000 users one in a hundred is disabled, and another an administrator; of as many sessions one in a
/// hundred lives. Of fewer administrators all would be looked at, and that at once.
const FILL: &str = "
    insert into users select decode(lpad(to_hex(n), 24, '0'), 'hex'), 'u' || n || '@example.com',
        'u' || n || '@example.com', 'u' || n, 'u' || n, null, null, null,
        case when n % 100 = 1 or n % 2500 = 0 then 'disabled' else 'active' end, '[]', n % 100 = 0, '{}', '{}', 0, null, 0, 0
        from generate_series(1, 200000) n;
    insert into tokens select decode(lpad(to_hex(n), 24, '0'), 'hex'), decode(lpad(to_hex(n % 50000 + 1), 24, '0'), 'hex'),
        decode(lpad(to_hex(n), 64, '0'), 'hex'), false, '', '', false, '', '', null, null, 0
        from generate_series(1, 200000) n;
    insert into sessions select decode(lpad(to_hex(n), 24, '0'), 'hex'),
        decode(lpad(to_hex(n % 50000 + 1), 24, '0'), 'hex'), 'rest', 0, 0, 9, 0, 0, 0,
        case when n % 100 = 0 then null else 1 end, null, null from generate_series(1, 200000) n;
    insert into projects select decode(lpad(to_hex(n), 24, '0'), 'hex'),
        decode(lpad(to_hex(n % 50000 + 1), 24, '0'), 'hex'), 'Project ' || n % 50, '', '', '', 0, 0, 0, 0, 0, 0, '{}', 0
        from generate_series(1, 200000) n;
    analyze users; analyze tokens; analyze sessions; analyze projects; set plan_cache_mode = force_generic_plan";

#[tokio::test]
async fn on_postgres_each_search_among_many_goes_along_its_index_and_sorts_nothing() {
    let client = migrated_postgres().await;
    client.batch_execute(FILL).await.unwrap();
    for (number, (statement, (name, _, index))) in every_search().enumerate() {
        let types = statement.parameters.iter().map(|kind| postgres::type_of(*kind).name().to_owned());
        let types = types.collect::<Vec<_>>().join(", ");
        client.batch_execute(&format!("prepare s{number} ({types}) as {}", statement.text)).await.unwrap();
        let explain = format!("explain (analyze, costs off, timing off) execute s{number} {}", values(name));
        let plan = client.query(&explain, &[]).await.unwrap();
        let plan: Vec<&str> = plan.iter().map(|row| row.get(0)).collect();
        assert!(plan.iter().any(|step| step.contains(&format!(" using {index} on "))), "{name}: {plan:#?}");
        let is_costly = |step: &&&str| step.contains("Seq Scan") || step.contains("Sort");
        assert_eq!(plan.iter().find(is_costly), None, "{name}: {plan:#?}");
        // Of administrators there are few, whatever their status.
        let passes_by = plan.iter().any(|step| step.contains("Rows Removed"));
        assert!(!passes_by || name.ends_with("E_ADMINS") || name.ends_with("D_ADMINS"), "{name}: {plan:#?}");
    }
}

/// A locale has an order of its own, in which what begins alike does not lie together.
#[tokio::test]
async fn on_postgres_names_are_in_the_order_of_their_bytes_whatever_the_databases_locale() {
    let shared = cluster::shared();
    let create = "create database english encoding 'UTF8' locale_provider icu icu_locale 'en-US' template template0";
    shared.sql("postgres", create);
    assert_eq!(shared.sql("english", "select 'a&' < 'a%'"), "t", "or this shows nothing");
    let location = Location::Postgres(Box::new(target(&shared.url("english"))));
    let commits = Commits { clock: Clock::System, on_commit: Arc::new(|_| ()), group: 128 };
    let store = Store::open(location, Schema::Made, commits).await.unwrap();
    let mut new = user(1, "ann@example.com");
    new.username = Some(Username::parse("a%b").unwrap());
    store.write(async move |tx: &Tx<'_>| users::insert(tx, &new).await).await.unwrap();
    let found = by_name(&store.reads(), UserFilter::default(), Named::Username, ("a%", "a&")).await.unwrap();
    assert_eq!(found.len(), 1);
}
