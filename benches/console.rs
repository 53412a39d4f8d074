//! How long administrators wait for what they look for among a million users, sessions, API tokens and projects:
//! first pages and deep ones, by common and by rare beginnings, and where few fit. On SQLite, in a temporary
//! directory. `cargo bench --bench console`, and behind `--` another number of each.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::ops::AsyncFn;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use doorward::actions::export::own_data;
use doorward::actions::overview::overview;
use doorward::actions::search::{
    Page, ProjectSearch, SessionSearch, TokenSearch, UserSearch, projects, sessions, tokens, users,
};
use doorward::app::{App, Presence};
use doorward::clock::{Clock, Timestamp};
use doorward::config::{Overrides, Settings, Sources};
use doorward::domain::caller::{Caller, Credential, Principal};
use doorward::domain::error;
use doorward::domain::id::{ProjectId, SessionId, TokenId, UserId};
use doorward::domain::permission::Permissions;
use doorward::domain::project::{Counters, Project};
use doorward::domain::session::Dialect;
use doorward::domain::token::ApiToken;
use doorward::domain::user::{Email, JsonObject, Status, Username};
use doorward::secret::random;
use doorward::store::bulk::{self, Row};
use doorward::store::{NewSession, NewUser};

/// The server's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many rows a page of the console has.
const ROWS: i64 = 50;
/// How many times each page is asked for.
const ROUNDS: usize = 101;

fn main() -> Result<()> {
    let count = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    // Where the build is, and not /tmp: that may lie in memory.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(directory.path(), count))
}

async fn measure(directory: &Path, count: u32) -> Result<()> {
    let app = open(directory).await?;
    let begun = Instant::now();
    bulk::insert(app.store(), rows(count, app.now())?).await?;
    writeln!(std::io::stdout(), "{count} of each in {:.0} s", begun.elapsed().as_secs_f64())?;
    writeln!(std::io::stdout(), "| what | first page | deep page |\n| --- | --- | --- |")?;
    let deep = usize::try_from(count / 200)?;
    let admin = Caller::operator();
    for (name, search) in user_searches(count) {
        let page = async |after: Option<String>| users(&app, &admin, &search, after.as_deref(), ROWS).await;
        row(&format!("users {name}"), deep, page).await?;
    }
    for (name, user) in [("all live", None), ("of one user", Some(user_id(7, count)))] {
        let search = SessionSearch { user };
        let page = async |after: Option<String>| sessions(&app, &admin, &search, after.as_deref(), ROWS).await;
        row(&format!("sessions {name}"), deep, page).await?;
    }
    for (name, user) in [("all", None), ("of one user", Some(user_id(7, count)))] {
        let search = TokenSearch { user };
        let page = async |after: Option<String>| tokens(&app, &admin, &search, after.as_deref(), ROWS).await;
        row(&format!("API tokens {name}"), deep, page).await?;
    }
    for (name, text, owner) in [
        ("all", "", None),
        ("“project”, all of them", "project", None),
        ("“project 77”, eleven in a thousand", "project 77", None),
        ("“project” of one owner", "project", Some(user_id(7, count))),
    ] {
        let search = ProjectSearch { text: text.to_owned(), owner };
        let page = async |after: Option<String>| projects(&app, &admin, &search, after.as_deref(), ROWS).await;
        row(&format!("projects {name}"), deep, page).await?;
    }
    once("overview", async || overview(&app, &admin).await.map(drop)).await?;
    let one = Principal { id: user_id(7, count), is_admin: false };
    let caller = Caller::user(one, Credential::ApiToken { id: TokenId::from_bytes(random()), admin: false });
    once("own data", async || own_data(&app, &caller).await.map(drop)).await
}

async fn open(directory: &Path) -> Result<App> {
    let data_dir = directory.to_str().context("the temporary directory's name is no text")?;
    let overrides = Overrides { data_dir: Some(data_dir.to_owned()), ..Overrides::default() };
    let settings = Settings::load(&Sources { overrides, ..Sources::default() })?;
    Ok(App::open(settings, "http://127.0.0.1:8090".to_owned(), Clock::System, Presence::Made).await?.0)
}

fn user_searches(count: u32) -> Vec<(String, UserSearch)> {
    let text = |text: &str| UserSearch { text: text.to_owned(), ..UserSearch::default() };
    let disabled = Some(Status::Disabled);
    let rare = format!("user{:07}", count / 2);
    vec![
        ("all".to_owned(), text("")),
        ("disabled, one in 10,000".to_owned(), UserSearch { status: disabled, ..text("") }),
        ("administrators, one in 100,000".to_owned(), UserSearch { admins: true, ..text("") }),
        ("“user”, all of them".to_owned(), text("user")),
        ("“user05”, one in ten".to_owned(), text("user05")),
        (format!("“{rare}”, one"), text(&rare)),
        ("“nobody”, none".to_owned(), text("nobody")),
        ("“user”, disabled".to_owned(), UserSearch { status: disabled, ..text("user") }),
        (
            "“user”, disabled administrators, none".to_owned(),
            UserSearch { status: disabled, admins: true, ..text("user") },
        ),
    ]
}

/// Times a search's first page, and one about `deep` pages behind it or the last there is.
async fn row<T>(name: &str, deep: usize, page: impl AsyncFn(Option<String>) -> error::Result<Page<T>>) -> Result<()> {
    let first = timed(&page, None).await?;
    let mut after = page(None).await?.next;
    let Some(mut deepest) = after.clone() else {
        writeln!(std::io::stdout(), "| {name} | {first} | – |")?;
        return Ok(());
    };
    let mut pages = 1;
    while let Some(next) = after.filter(|_| pages < deep) {
        deepest.clone_from(&next);
        after = page(Some(next)).await?.next;
        pages += 1;
    }
    let behind = timed(&page, Some(deepest)).await?;
    writeln!(std::io::stdout(), "| {name} | {first} | {behind} (page {pages}) |")?;
    Ok(())
}

/// The median and the slowest but one in a hundred.
async fn timed<T>(
    page: impl AsyncFn(Option<String>) -> error::Result<Page<T>>,
    after: Option<String>,
) -> Result<String> {
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        page(after.clone()).await?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let shown = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1_000.0);
    Ok(format!("{} ms, {} ms", shown(times[ROUNDS / 2]), shown(times[ROUNDS * 99 / 100])))
}

async fn once(name: &str, work: impl AsyncFn() -> error::Result<()>) -> Result<()> {
    let begun = Instant::now();
    work().await?;
    writeln!(std::io::stdout(), "| {name}, once | {:.0} ms | – |", begun.elapsed().as_secs_f64() * 1_000.0)?;
    Ok(())
}

/// Scattered over all there are, as names and times are.
fn scattered(number: u32, count: u32) -> u32 {
    u32::try_from(u64::from(number) * 7_919 % u64::from(count)).unwrap_or(0)
}

fn id(number: u32) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&(1_700_000_000 + number / 20).to_be_bytes());
    bytes[4..8].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn user_id(number: u32, count: u32) -> UserId {
    UserId::from_bytes(id(number % count))
}

fn rows(count: u32, now: Timestamp) -> Result<impl Iterator<Item = Row>> {
    let sample = user(0, count, now)?;
    let users = (0..count).map(move |number| user(number, count, now).unwrap_or_else(|_| sample.clone()));
    let users = users.map(|user| Row::User(Box::new(user)));
    let tokens = (0..count).map(move |number| token(number, count, now));
    let sessions = (0..count).map(move |number| session(number, count, now));
    let projects = (0..count).map(move |number| project(number, count, now));
    Ok(users.chain(tokens).chain(sessions).chain(projects))
}

fn user(number: u32, count: u32, now: Timestamp) -> Result<NewUser> {
    let name = format!("user{:07}", scattered(number, count));
    let is_admin = number % 100_000 == 7;
    Ok(NewUser {
        id: user_id(number, count),
        email: Some(Email::parse(&format!("{name}@example.com")).map_err(|reason| anyhow!("{reason}"))?),
        username: if number.is_multiple_of(2) { Username::parse(&name).ok() } else { None },
        name: Some("A name of some length".to_owned()),
        bio: None,
        // As long as a hash is.
        password: Some("x".repeat(97)),
        status: if number % 10_000 == 3 { Status::Disabled } else { Status::Active },
        permissions: if is_admin { Permissions::of_administrator() } else { Permissions::of_new_user() },
        flags: JsonObject::new(),
        plan_worker: JsonObject::new(),
        email_verified_at: None,
        created_at: now,
    })
}

fn token(number: u32, count: u32, now: Timestamp) -> Row {
    let token = ApiToken {
        id: TokenId::from_bytes(id(number)),
        user_id: user_id(scattered(number, count), count),
        kind: String::new(),
        name: "a token".to_owned(),
        admin: false,
        head: "dwt_".to_owned(),
        tail: "tail".to_owned(),
        expires_at: None,
        created_at: now,
    };
    Row::Token(Box::new(token), random())
}

/// One in five lives.
fn session(number: u32, count: u32, now: Timestamp) -> Row {
    let session = Box::new(NewSession {
        id: SessionId::from_bytes(id(number)),
        user_id: user_id(scattered(number, count), count),
        dialect: Dialect::Rest,
        created_at: now,
        expires_at: now.plus(Duration::from_hours(24)),
        key_id: 1,
        address: Some("192.0.2.10"),
        user_agent: Some("an agent with a name of some length"),
    });
    if number.is_multiple_of(5) { Row::Session(session) } else { Row::EndedSession(session, now) }
}

fn project(number: u32, count: u32, now: Timestamp) -> Row {
    Row::Project(Box::new(Project {
        id: ProjectId::from_bytes(id(number)),
        user_id: user_id(scattered(number, count), count),
        name: format!("Project {} of some name", number % 1_000),
        kind: String::new(),
        partner: String::new(),
        status: "active".to_owned(),
        counters: Counters::default(),
        hourly_time: now,
        flags: BTreeMap::new(),
        created_at: now,
    }))
}
