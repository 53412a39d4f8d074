//! What the pieces of a request cost by themselves: reading credentials, verifying them, signing,
//! refreshing, hashing. Each runs on an application with a database of its own, in a temporary
//! directory. `cargo bench --bench pieces`, and behind `--` a part of a name to run only those.

use std::ops::AsyncFnMut;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HeaderValue};
use criterion::{Bencher, Criterion, Throughput};
use doorward::actions::sign_in::{SignIn, sign_in};
use doorward::actions::sign_up::{SignUp, sign_up};
use doorward::actions::tokens::CreateToken;
use doorward::actions::{credentials, projects, sessions, tokens};
use doorward::app::{App, Presence};
use doorward::clock::{Clock, Timestamp};
use doorward::config::{Overrides, Settings, Sources};
use doorward::domain::caller::{Actor, Origin};
use doorward::domain::id::{ProjectId, SessionId, UserId};
use doorward::domain::password::{Cost, Password, Workspace, hash};
use doorward::domain::project::ProjectName;
use doorward::domain::session::Dialect;
use doorward::domain::token::{Algorithm, ApiTokenSecret};
use doorward::domain::user::{Email, LoginName};
use doorward::guard::jwt::{AccessClaims, Realm};
use doorward::guard::keyring::{Keyring, Purpose, Settling};
use doorward::http::credential::{authorization, query};
use doorward::secret::{ExposeSecret, Secret, random};
use doorward::store::key_material::KeyMaterial;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

/// The server's own: it has a share in nearly every figure.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const URL: &str = "http://127.0.0.1:8090";
const EMAIL: &str = "ann@example.com";
const PASSWORD: &str = "three green lamps";
/// How many sessions are refreshed at once.
const SESSIONS: usize = 64;
/// How many tokens are asked about before the caches are emptied, so that each is a miss.
const TOKENS: usize = 10_000;

fn main() -> Result<()> {
    // Where the build is, and not /tmp: that may lie in memory, where a durable write costs nothing.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let runtime = Runtime::new()?;
    let house = runtime.block_on(House::furnish(directory.path()))?;
    let mut criterion = Criterion::default()
        .without_plots()
        .sample_size(30)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    reading(&mut criterion, &house)?;
    verifying(&mut criterion, &runtime, &house);
    missing(&mut criterion, &runtime, &house)?;
    signing(&mut criterion)?;
    refreshing(&mut criterion, &runtime, &house)?;
    hashing(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

/// An application with a user, who has a project, a session and an API token.
struct House {
    app: App,
    data_dir: PathBuf,
    actor: Actor,
    project: ProjectId,
    access: Secret,
    api_token: Secret,
}

impl House {
    async fn furnish(data_dir: &Path) -> Result<Self> {
        let app = open(data_dir).await?;
        let input = SignUp {
            email: Some(email()?),
            username: None,
            name: None,
            bio: None,
            password: password()?,
            dialect: Dialect::Iron,
        };
        let access = sign_up(&app, input, &Origin::default()).await?.tokens.access.secret;
        let caller = credentials::verify(&app, access.expose_secret(), Dialect::Iron, None).await?;
        let actor = Actor { caller, origin: Origin::default() };
        let name = ProjectName::parse("pieces").map_err(anyhow::Error::msg)?;
        let project = projects::create(&app, &actor, name, None).await?.project.id;
        let api_token = tokens::create(&app, &actor, CreateToken::default()).await?.secret;
        Ok(Self { app, data_dir: data_dir.to_owned(), actor, project, access, api_token })
    }

    /// Other API tokens of the same user.
    async fn more_tokens(&self, count: usize) -> Result<Vec<Secret>> {
        let mut secrets = Vec::with_capacity(count);
        while secrets.len() < count {
            // Those that are made at once share a commit.
            let mut making = JoinSet::new();
            for _ in 0..SESSIONS.min(count - secrets.len()) {
                let (app, actor) = (self.app.clone(), self.actor.clone());
                making.spawn(async move { tokens::create(&app, &actor, CreateToken::default()).await });
            }
            for created in making.join_all().await {
                secrets.push(created?.secret);
            }
        }
        Ok(secrets)
    }

    /// The refresh token of a new session.
    async fn session(&self) -> Result<Secret> {
        let input = SignIn { login: LoginName::Email(email()?), password: password()?, dialect: Dialect::Rest };
        Ok(sign_in(&self.app, input, &Origin::default()).await?.tokens.refresh.secret)
    }
}

async fn open(data_dir: &Path) -> Result<App> {
    let data_dir = data_dir.to_str().context("the temporary directory's name is no text")?;
    let overrides = Overrides { data_dir: Some(data_dir.to_owned()), ..Overrides::default() };
    let settings = Settings::load(&Sources { overrides, ..Sources::default() })?;
    Ok(App::open(settings, URL.to_owned(), Clock::System, Presence::Made).await?.0)
}

fn email() -> Result<Email> {
    Email::parse(EMAIL).map_err(|reason| anyhow!("{reason}"))
}

fn password() -> Result<Password> {
    Password::parse(PASSWORD).map_err(anyhow::Error::msg)
}

/// Times what has to be awaited, without the entry into the runtime.
fn awaited(bencher: &mut Bencher<'_>, runtime: &Runtime, mut piece: impl AsyncFnMut()) {
    bencher.iter_custom(|rounds| {
        runtime.block_on(async {
            let begun = Instant::now();
            for _ in 0..rounds {
                piece().await;
            }
            begun.elapsed()
        })
    });
}

fn reading(criterion: &mut Criterion, house: &House) -> Result<()> {
    let token = house.api_token.expose_secret();
    let value = HeaderValue::from_str(&format!("OAuth {token}"))?;
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
    criterion.bench_function("read a credential in the Authorization header", |bencher| {
        bencher.iter(|| authorization(&headers, &["OAuth", "Bearer", "Token"]).token().map(|token| token.len()));
    });
    let text = format!("project_id={}&oauth={token}", house.project);
    criterion.bench_function("read a credential in the query", |bencher| {
        bencher.iter(|| query(Some(&text), "oauth").token().map(|token| token.len()));
    });
    for (name, text) in [("parse an id", house.project.to_string()), ("parse an id as UUID", house.project.to_uuid())] {
        criterion.bench_function(name, |bencher| bencher.iter(|| ProjectId::parse(std::hint::black_box(&text))));
    }
    Ok(())
}

/// What is answered from memory, or refused without a look at it.
fn verifying(criterion: &mut Criterion, runtime: &Runtime, house: &House) {
    let app = &house.app;
    let known = [("verify an API token", &house.api_token), ("verify a JWT seen before", &house.access)];
    for (name, token) in known {
        criterion.bench_function(name, |bencher| {
            awaited(bencher, runtime, async || {
                assert!(credentials::verify(app, token.expose_secret(), Dialect::Iron, None).await.is_ok());
            });
        });
    }
    // The checksum stands at the end.
    let mut malformed = house.api_token.expose_secret().to_owned();
    let last = malformed.pop();
    malformed.push(if last == Some('0') { '1' } else { '0' });
    criterion.bench_function("refuse an API token with a wrong checksum", |bencher| {
        awaited(bencher, runtime, async || {
            assert!(credentials::verify(app, &malformed, Dialect::Iron, None).await.is_err());
        });
    });
    criterion.bench_function("admit a caller to a project", |bencher| {
        awaited(bencher, runtime, async || {
            assert!(credentials::use_project(app, &house.actor.caller, house.project).await.is_ok());
        });
    });
}

/// What the database has to be asked about.
fn missing(criterion: &mut Criterion, runtime: &Runtime, house: &House) -> Result<()> {
    let secrets = runtime.block_on(house.more_tokens(TOKENS))?;
    criterion.bench_function("verify an API token not in memory", |bencher| {
        bencher.iter_custom(|rounds| {
            let rounds = usize::try_from(rounds).expect("a count of rounds fits");
            let mut spent = Duration::ZERO;
            for begun in (0..rounds).step_by(TOKENS) {
                let part = secrets.iter().take(rounds - begun);
                spent += first_look(house, part).expect("a token that was made is known");
            }
            spent
        });
    });
    // What is not found is not kept: one such token is a miss each time.
    let unknown = ApiTokenSecret::generate(random);
    criterion.bench_function("refuse an unknown API token", |bencher| {
        awaited(bencher, runtime, async || {
            assert!(credentials::verify(&house.app, unknown.expose_secret(), Dialect::Iron, None).await.is_err());
        });
    });
    Ok(())
}

/// How long a second application on the same data takes that never saw these tokens. It runs on a
/// thread of its own, with which its connection ends.
fn first_look<'s>(house: &House, secrets: impl Iterator<Item = &'s Secret> + Send) -> Result<Duration> {
    let look = || {
        Builder::new_current_thread().enable_all().build()?.block_on(async {
            let app = open(&house.data_dir).await?;
            // The connection is open from here on. What counts of a holder is read with each token.
            credentials::verify(&app, house.api_token.expose_secret(), Dialect::Iron, None).await?;
            let begun = Instant::now();
            for secret in secrets {
                credentials::verify(&app, secret.expose_secret(), Dialect::Iron, None).await?;
            }
            Ok(begun.elapsed())
        })
    };
    thread::scope(|scope| scope.spawn(look).join()).map_err(|_| anyhow!("the second application failed"))?
}

fn signing(criterion: &mut Criterion) -> Result<()> {
    let now = Clock::System.now();
    let claims = AccessClaims {
        user_id: UserId::from_bytes(random()),
        session_id: SessionId::from_bytes(random()),
        dialect: Dialect::Iron,
        jti: random(),
        issued_at: now,
        expires_at: now.plus(Duration::from_hours(24)),
        auth_time: now,
        credential_version: 0,
    };
    for (algorithm, name) in [(Algorithm::EdDsa, "EdDSA"), (Algorithm::Es256, "ES256")] {
        let keyring = keyring(algorithm, now)?;
        let token = keyring.sign(&claims)?;
        criterion.bench_function(&format!("sign a JWT with {name}"), |bencher| {
            bencher.iter(|| keyring.sign(&claims).expect("a key that signed signs again"));
        });
        criterion.bench_function(&format!("check the signature of a JWT, {name}"), |bencher| {
            bencher.iter(|| keyring.verify(&token, now).expect("the key's own signature holds"));
        });
    }
    let keyring = keyring(Algorithm::EdDsa, now)?;
    let refresh =
        keyring.refresh_token(claims.session_id, 7, keyring.current_root_id(now)).context("the key is there")?;
    criterion.bench_function("check the MAC of a refresh token", |bencher| {
        bencher.iter(|| keyring.verify_refresh(&refresh).expect("the key's own code holds"));
    });
    Ok(())
}

fn keyring(algorithm: Algorithm, now: Timestamp) -> Result<Keyring> {
    let realm = Realm { issuer: URL.to_owned(), audience: URL.to_owned() };
    let purpose = Purpose { realm, settling: Settling::default() };
    Ok(Keyring::from_material(&KeyMaterial::generate(algorithm, now)?, &purpose)?)
}

/// Each refresh is on disk before it is answered; each trades the token that the one before gave.
fn refreshing(criterion: &mut Criterion, runtime: &Runtime, house: &House) -> Result<()> {
    let mut token = runtime.block_on(house.session())?;
    criterion.bench_function("refresh a session", |bencher| {
        awaited(bencher, runtime, async || {
            token = refreshed(house.app.clone(), token.clone()).await;
        });
    });
    let mut held = Vec::with_capacity(SESSIONS);
    for _ in 0..SESSIONS {
        held.push(runtime.block_on(house.session())?);
    }
    let mut group = criterion.benchmark_group("refresh sessions");
    group.throughput(Throughput::Elements(SESSIONS as u64));
    group.bench_function("64 at once", |bencher| {
        awaited(bencher, runtime, async || {
            let refreshing: JoinSet<Secret> = held.drain(..).map(|token| refreshed(house.app.clone(), token)).collect();
            held = refreshing.join_all().await;
        });
    });
    group.finish();
    Ok(())
}

async fn refreshed(app: App, token: Secret) -> Secret {
    let issued = sessions::refresh(&app, token.expose_secret(), &Origin::default()).await;
    issued.expect("the newest refresh token works").refresh.secret
}

fn hashing(criterion: &mut Criterion) -> Result<()> {
    let password = password()?;
    let mut group = criterion.benchmark_group("hash a password, Argon2id 19 MiB t=2");
    let mut kept = Workspace::default();
    group.bench_function("memory kept", |bencher| {
        bencher.iter(|| hash(&password, random(), Cost::DEFAULT, &mut kept));
    });
    // The pages are the same each time: the allocator does not give them back to the system so soon.
    group.bench_function("memory given back to the allocator each time", |bencher| {
        bencher.iter(|| hash(&password, random(), Cost::DEFAULT, &mut Workspace::default()));
    });
    group.finish();
    Ok(())
}
