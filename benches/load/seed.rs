//! Fills a data directory through the store itself, in a process of its own whose memory is gone
//! before the server starts, and writes the credentials to files for the load generators.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use doorward::app::{App, Presence};
use doorward::clock::{Clock, Timestamp};
use doorward::config::{Settings, Sources};
use doorward::domain::id::{ProjectId, SessionId, TokenId, UserId};
use doorward::domain::password::{self, Cost, Password, Workspace};
use doorward::domain::permission::Permissions;
use doorward::domain::project::{Counters, Project};
use doorward::domain::session::Dialect;
use doorward::domain::token::{ApiToken, ApiTokenSecret, ends};
use doorward::domain::user::{Email, JsonObject, Status};
use doorward::guard::jwt::AccessClaims;
use doorward::secret::{ExposeSecret as _, Secret, random};
use doorward::store::bulk::{self, Row};
use doorward::store::{NewSession, NewUser};

use crate::process::die_with_parent;

/// The first argument of this program where it fills a directory.
pub(crate) const SEED: &str = "seed";
/// The password of every user.
pub(crate) const PASSWORD: &str = "three green lamps";

/// Bytes of the records in the files.
pub(crate) const ID_TEXT: usize = 24;
pub(crate) const ASKED: usize = ID_TEXT + 53;
pub(crate) const REFRESH: usize = 80;

/// The moments of what is made lie in this span before now: within what the server remembers.
const SPAN: Duration = Duration::from_hours(10);

/// What a directory shall hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Amounts {
    /// Users, each with a part in one project.
    pub(crate) users: usize,
    /// API tokens; each user has as many.
    pub(crate) tokens: usize,
    pub(crate) projects: usize,
    /// Sessions with an access token each.
    pub(crate) sessions: usize,
    /// Sessions with a refresh token each.
    pub(crate) refreshes: usize,
    /// Sessions that ended.
    pub(crate) ended: usize,
}

/// The files beside a data directory.
pub(crate) struct Files(PathBuf);

impl Files {
    pub(crate) fn of(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.0.join("doorward.toml")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// Per token: the id of a project, then the token that may use it.
    pub(crate) fn asked(&self) -> PathBuf {
        self.0.join("asked")
    }

    pub(crate) fn access(&self) -> PathBuf {
        self.0.join("access")
    }

    pub(crate) fn refresh(&self) -> PathBuf {
        self.0.join("refresh")
    }

    fn users(&self) -> PathBuf {
        self.0.join("users")
    }
}

/// The address of a user, by number.
pub(crate) fn email(number: usize) -> String {
    format!("user{number:07}@load.test")
}

/// `seed DIRECTORY USERS TOKENS PROJECTS SESSIONS REFRESHES ENDED`. Without users it adds sessions to
/// those who are there.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let [directory, numbers @ ..] = arguments else { bail!("seed needs a directory") };
    die_with_parent()?;
    let numbers = numbers.iter().map(|number| number.parse()).collect::<Result<Vec<usize>, _>>()?;
    let [users, tokens, projects, sessions, refreshes, ended] = numbers[..] else { bail!("seed needs six numbers") };
    let amounts = Amounts { users, tokens, projects, sessions, refreshes, ended };
    let files = Files::of(Path::new(directory));
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(fill(&files, amounts))
}

async fn fill(files: &Files, amounts: Amounts) -> anyhow::Result<()> {
    let settings = Settings::load(&Sources { file: Some(files.config()), ..Sources::default() })?;
    let public_url = settings.effective_public_url();
    let (app, _) = App::open(settings, public_url, Clock::System, Presence::Made).await?;
    let seeder = Seeder { now: app.now(), app, amounts };
    let users = if amounts.users > 0 { seeder.users(files).await? } else { known_users(files)? };
    seeder.sessions(files, &users).await?;
    seeder.refreshes(files, &users).await?;
    seeder.ended(&users).await
}

struct Seeder {
    app: App,
    now: Timestamp,
    amounts: Amounts,
}

impl Seeder {
    /// Users, projects, shares and tokens, each in the order in which its indexes keep it: what
    /// comes out is the same in any order, and a million rows at random places take long.
    async fn users(&self, files: &Files) -> anyhow::Result<Vec<UserId>> {
        let count = self.amounts.users;
        let ids: Vec<UserId> =
            (0..count).map(|number| UserId::generate(self.moment(number, count), random())).collect();
        let hash = self.password()?;
        self.insert(ids.iter().enumerate().map(|(number, id)| Row::User(Box::new(self.user(number, *id, &hash)))))
            .await?;
        let projects = self.projects(&ids).await?;
        self.tokens(files, &ids, &projects).await?;
        let texts: String = ids.iter().map(ToString::to_string).collect();
        std::fs::write(files.users(), texts)?;
        Ok(ids)
    }

    async fn tokens(&self, files: &Files, users: &[UserId], projects: &[ProjectId]) -> anyhow::Result<()> {
        let count = self.amounts.tokens;
        let holder = |number: usize| number * users.len() / count;
        let mut asked = BufWriter::new(File::create(files.asked())?);
        let mut secrets: Vec<([u8; 32], Secret)> = (0..count).map(|_| self.secret()).collect();
        secrets.sort_by_key(|(hash, _)| *hash);
        for (number, (_, secret)) in secrets.iter().enumerate() {
            let project = projects[holder(number) * projects.len() / users.len()];
            write!(asked, "{project}{}", secret.expose_secret())?;
        }
        asked.flush()?;
        self.insert(secrets.iter().enumerate().map(|(number, (hash, secret))| {
            Row::Token(Box::new(self.token(number, users[holder(number)], secret.expose_secret())), *hash)
        }))
        .await
    }

    /// Each project is owned by the first of its users and shared with the others.
    async fn projects(&self, users: &[UserId]) -> anyhow::Result<Vec<ProjectId>> {
        let count = self.amounts.projects.min(users.len());
        let first = |project: usize| (project * users.len()).div_ceil(count);
        let ids: Vec<ProjectId> =
            (0..count).map(|number| ProjectId::generate(self.moment(number, count), random())).collect();
        self.insert(ids.iter().enumerate().flat_map(|(number, id)| {
            let members = &users[first(number)..first(number + 1)];
            let project = Row::Project(Box::new(self.project(number, *id, members[0])));
            let shares = members[1..].iter().map(|user| Row::Share(*id, *user));
            std::iter::once(project).chain(shares)
        }))
        .await?;
        Ok(ids)
    }

    async fn sessions(&self, files: &Files, users: &[UserId]) -> anyhow::Result<()> {
        let count = self.amounts.sessions;
        let mut rows = Vec::with_capacity(count);
        let mut access = BufWriter::new(append(&files.access())?);
        for number in 0..count {
            let session = self.session(number, count, users, Dialect::XAccessToken);
            let claims = AccessClaims {
                user_id: session.user_id,
                session_id: session.id,
                dialect: session.dialect,
                jti: random(),
                issued_at: self.now,
                expires_at: self.now.plus(self.app.settings().lifetimes(session.dialect).access),
                auth_time: session.created_at,
                credential_version: 0,
            };
            access.write_all(self.app.keyring().sign(&claims).map_err(|error| anyhow!("{error}"))?.as_bytes())?;
            rows.push(Row::Session(Box::new(session)));
        }
        access.flush()?;
        self.insert(rows).await
    }

    async fn refreshes(&self, files: &Files, users: &[UserId]) -> anyhow::Result<()> {
        let count = self.amounts.refreshes;
        let mut rows = Vec::with_capacity(count);
        let mut refresh = BufWriter::new(append(&files.refresh())?);
        for number in 0..count {
            let session = self.session(number, count, users, Dialect::Rest);
            let token = self.app.keyring().refresh_token(session.id, 0, session.key_id);
            let token = token.context("the root key is missing")?;
            ensure!(token.len() == REFRESH, "a refresh token has another length");
            refresh.write_all(token.as_bytes())?;
            rows.push(Row::Session(Box::new(session)));
        }
        refresh.flush()?;
        self.insert(rows).await
    }

    async fn ended(&self, users: &[UserId]) -> anyhow::Result<()> {
        let count = self.amounts.ended;
        self.insert((0..count).map(|number| {
            let session = self.session(number, count, users, Dialect::XAccessToken);
            let ended_at = session.created_at.plus(Duration::from_mins(5));
            Row::EndedSession(Box::new(session), ended_at)
        }))
        .await
    }

    async fn insert(&self, rows: impl IntoIterator<Item = Row>) -> anyhow::Result<()> {
        bulk::insert(self.app.store(), rows).await.map(drop).map_err(|error| anyhow!("{error}"))
    }

    /// The moment of the thing with this number: ids begin with it, so later ones sort later.
    fn moment(&self, number: usize, count: usize) -> Timestamp {
        let passed = SPAN.as_micros() * number as u128 / count.max(1) as u128;
        self.now.minus(SPAN).plus(Duration::from_micros(u64::try_from(passed).unwrap_or(0)))
    }

    fn password(&self) -> anyhow::Result<String> {
        let passwords = &self.app.settings().passwords;
        let cost = Cost::new(passwords.memory_kib, passwords.iterations, passwords.parallelism);
        let typed = Password::parse(PASSWORD).map_err(|error| anyhow!(error))?;
        let hash = password::hash(&typed, random(), cost.map_err(|error| anyhow!(error))?, &mut Workspace::default());
        Ok(hash.as_str().to_owned())
    }

    fn secret(&self) -> ([u8; 32], Secret) {
        let secret = ApiTokenSecret::generate(random);
        (self.app.keyring().api_token_hash(secret.expose_secret()), secret)
    }

    fn user(&self, number: usize, id: UserId, hash: &str) -> NewUser {
        NewUser {
            id,
            email: Email::parse(&email(number)).ok(),
            username: None,
            name: Some(format!("User {number:07}")),
            bio: None,
            password: Some(hash.to_owned()),
            status: Status::Active,
            permissions: Permissions::of_new_user(),
            flags: JsonObject::new(),
            plan_worker: JsonObject::new(),
            email_verified_at: None,
            created_at: self.moment(number, self.amounts.users),
        }
    }

    fn token(&self, number: usize, user_id: UserId, secret: &str) -> ApiToken {
        let created_at = self.moment(number, self.amounts.tokens);
        let (head, tail) = ends(secret);
        ApiToken {
            id: TokenId::generate(created_at, random()),
            user_id,
            kind: String::new(),
            name: "default".to_owned(),
            admin: false,
            head: head.to_owned(),
            tail: tail.to_owned(),
            expires_at: None,
            created_at,
        }
    }

    fn project(&self, number: usize, id: ProjectId, user_id: UserId) -> Project {
        let created_at = self.moment(number, self.amounts.projects);
        Project {
            id,
            user_id,
            name: format!("project {number}"),
            kind: String::new(),
            partner: String::new(),
            status: "active".to_owned(),
            counters: Counters::default(),
            hourly_time: created_at,
            flags: BTreeMap::new(),
            created_at,
        }
    }

    fn session(&self, number: usize, count: usize, users: &[UserId], dialect: Dialect) -> NewSession<'static> {
        let created_at = self.moment(number, count);
        NewSession {
            id: SessionId::generate(created_at, random()),
            user_id: users[number * users.len() / count],
            dialect,
            created_at,
            expires_at: created_at.plus(self.app.settings().lifetimes(dialect).session),
            key_id: self.app.keyring().current_root_id(self.app.now()),
            address: Some("127.0.0.1"),
            user_agent: Some("load"),
        }
    }
}

fn known_users(files: &Files) -> anyhow::Result<Vec<UserId>> {
    let text = std::fs::read_to_string(files.users())?;
    let ids = text.as_bytes().chunks(ID_TEXT).map(|id| std::str::from_utf8(id).ok().and_then(UserId::parse));
    ids.collect::<Option<Vec<_>>>().context("the list of users cannot be read")
}

fn append(path: &Path) -> std::io::Result<File> {
    File::options().create(true).append(true).open(path)
}
