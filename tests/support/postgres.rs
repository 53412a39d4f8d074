//! A private PostgreSQL for tests and benchmarks, on a free port of this machine. It ends with the
//! process that uses it, however that ends, and leaves nothing behind. Knows nothing of Doorward.

use std::env;
use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::statvfs;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

/// How long anything may take that is waited for here. Only a fault takes as long.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The superuser, whom the cluster trusts.
const USER: &str = "doorward";

const ADDRESS: &str = "127.0.0.1";

/// What clusters may take at the same time, in bytes: one takes about 200 MB, most of it its log.
const ROOM: u64 = 2 << 30;

/// What a cluster is set to where nothing else is asked for.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", ADDRESS),
    ("unix_socket_directories", ""),
    ("max_connections", "300"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    // A test may kill the server, but it does not cut the power.
    ("fsync", "off"),
    ("max_wal_size", "128MB"),
    // Elsewhere a killed server's would stay behind.
    ("dynamic_shared_memory_type", "mmap"),
];

/// One cluster in a directory of its own.
pub(crate) struct Cluster {
    home: Home,
    port: u16,
    databases: AtomicU32,
}

/// The cluster that all of this process share.
pub(crate) fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(Cluster::start)
}

impl Cluster {
    /// A running cluster with the settings that suit tests.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with these settings of `postgresql.conf` before its own.
    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Self {
        Self::start_in(&place(), settings)
    }

    /// The same, below this directory, which the user who runs PostgreSQL must be able to reach.
    /// Elsewhere it lies in memory, where a durable write costs nothing.
    pub(crate) fn start_in(place: &Path, settings: &[(&str, &str)]) -> Self {
        let mut cluster = Self::planned(place);
        let mut copy = cluster.home.command("cp");
        run(copy.arg("-a").arg(template().data()).arg(cluster.home.data()));
        cluster.configure(SETTINGS);
        cluster.configure(settings);
        cluster.start_on_a_free_port();
        cluster
    }

    fn planned(place: &Path) -> Self {
        Self { home: Home::below(place), port: 0, databases: AtomicU32::new(0) }
    }

    /// A standby that follows this cluster by streaming replication.
    pub(crate) fn standby(&self) -> Self {
        let place = self.home.path().parent().expect("it lies somewhere");
        let mut standby = Self::planned(place);
        let mut backup = standby.home.program("pg_basebackup");
        backup.args(["-h", ADDRESS, "-p", &self.port.to_string(), "-U", USER]);
        backup.args(["--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream", "--no-sync", "-D"]);
        run(backup.arg(standby.home.data()));
        standby.start_on_a_free_port();
        standby
    }

    /// Waits until a standby has all that was committed to `primary` so far.
    pub(crate) fn catch_up_with(&self, primary: &Self) {
        let position = primary.sql("postgres", "select pg_current_wal_lsn()");
        let question = format!("select pg_last_wal_replay_lsn() >= '{position}'");
        wait_for("the standby to catch up", || (self.sql("postgres", &question) == "t").then_some(()));
    }

    /// Makes a standby the primary; it can be written to afterwards.
    pub(crate) fn promote(&self) {
        let promote = format!("select pg_promote(true, {})", WAIT_MAX.as_secs());
        assert_eq!(self.sql("postgres", &promote), "t", "{}", self.home.log());
    }

    /// The port of 127.0.0.1 that it listens on, also while it is stopped.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where a database of that name is reached.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@{ADDRESS}:{}/{database}", self.port)
    }

    /// The URL of a new and empty database.
    pub(crate) fn new_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        // Nobody is ever connected to this template, so that nobody has to be waited for.
        self.sql("postgres", &format!("create database {name} template template0"));
        self.url(&name)
    }

    /// Deletes a database, whoever is connected to it; where that fails it stays.
    pub(crate) fn drop_database(&self, name: &str) {
        let mut drop = self.psql("postgres");
        let _ = drop.args(["-c", &format!("drop database if exists {name} with (force)")]).output();
    }

    /// Runs statements in a database; what they print, a row a line, its columns between `|`.
    pub(crate) fn sql(&self, database: &str, text: &str) -> String {
        run(self.psql(database).args(["-c", text]))
    }

    /// A `psql` on a database that reads no file of anybody's, prints values only and stops at the
    /// first error.
    pub(crate) fn psql(&self, database: &str) -> Command {
        let mut psql = self.home.program("psql");
        psql.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", &self.url(database)]);
        psql
    }

    /// Ends it in good order, whoever is connected.
    pub(crate) fn stop_fast(&self) {
        let mut keeper = self.home.keeper();
        let server = keeper.server.expect("PostgreSQL runs");
        signal(server, Signal::INT);
        wait_until_ended(&[server]);
        keeper.forget();
    }

    /// Ends it as a crash would: all of its processes at once, by SIGKILL.
    pub(crate) fn kill(&self) {
        let mut keeper = self.home.keeper();
        let server = keeper.server.expect("PostgreSQL runs");
        let shared_memory = self.home.pid_file().nth(6).unwrap_or_default();
        // While it stands still it makes no more of them.
        signal(server, Signal::STOP);
        let mut processes = children(server);
        processes.push(server);
        for process in &processes {
            signal(*process, Signal::KILL);
        }
        wait_until_ended(&processes);
        keeper.forget();
        // "key id": what no process of the cluster is left to delete.
        if let Some(id) = shared_memory.split_whitespace().nth(1) {
            let _ = self.home.command("ipcrm").args(["-m", id]).output();
        }
    }

    /// Starts it where it was stopped or killed, on the same port.
    pub(crate) fn start_again(&self) {
        self.launch().expect("PostgreSQL starts again");
    }

    /// Stops it in good order and starts it again.
    pub(crate) fn restart(&self) {
        self.stop_fast();
        self.start_again();
    }

    /// Waits until it takes connections.
    pub(crate) fn wait_until_ready(&self) {
        let server = self.home.keeper().server.expect("PostgreSQL runs");
        self.ready_or_ended(server).expect("PostgreSQL is ready");
    }

    fn start_on_a_free_port(&mut self) {
        let attempt = |_| {
            self.port = free_port();
            self.configure(&[("port", &self.port.to_string())]);
            match self.launch() {
                // Somebody else was faster.
                Err(log) if log.contains("Address already in use") => None,
                other => Some(other),
            }
        };
        let started = (0..5).find_map(attempt).expect("no port stays free");
        started.expect("PostgreSQL starts");
    }

    /// Starts it; the log where it ends before it is ready.
    fn launch(&self) -> Result<(), String> {
        let server = self.home.keeper().start();
        let ready = self.ready_or_ended(server);
        if ready.is_err() {
            self.home.keeper().forget();
        }
        ready
    }

    fn ready_or_ended(&self, server: Pid) -> Result<(), String> {
        wait_for("PostgreSQL to be ready", || {
            if has_ended(server) {
                return Some(Err(self.home.log()));
            }
            let lines: Vec<String> = self.home.pid_file().collect();
            let is_of_this_start = lines.first().is_some_and(|line| line.trim() == server.as_raw_nonzero().to_string());
            let is_ready = lines.get(7).is_some_and(|line| line.trim() == "ready");
            (is_of_this_start && is_ready).then_some(Ok(()))
        })
    }

    /// Adds settings; of two for one name the later counts.
    fn configure(&self, settings: &[(&str, &str)]) {
        let file = self.home.data().join("postgresql.conf");
        let mut file = OpenOptions::new().append(true).open(file).expect("postgresql.conf can be opened");
        for (name, value) in settings {
            writeln!(file, "{name} = '{}'", value.replace('\'', "''")).expect("postgresql.conf can be written");
        }
    }
}

/// What all clusters of this process are copied from: to make one anew costs about a second.
fn template() -> &'static Home {
    static TEMPLATE: OnceLock<Home> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let home = Home::below(&place());
        let mut initdb = home.program("initdb");
        initdb.args(["--username", USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"]);
        run(initdb.arg(home.data()));
        home
    })
}

/// A directory that belongs to the user who runs PostgreSQL, and the shell that keeps it.
struct Home {
    // In this order: the server ends before its directory goes.
    keeper: Mutex<Keeper>,
    directory: TempDir,
    owner: Option<Owner>,
}

impl Home {
    fn below(place: &Path) -> Self {
        let owner = Owner::needed();
        assert!(can_hold(place), "{} is out of the reach of PostgreSQL's user", place.display());
        let directory = tempfile::Builder::new().prefix("doorward-postgres-").tempdir_in(place);
        let directory = directory.expect("a directory can be made");
        if let Some(Owner { uid, gid }) = owner {
            chown(directory.path(), Some(uid), Some(gid)).expect("the directory can be given away");
        }
        let keeper = Mutex::new(Keeper::of(directory.path(), owner));
        Self { keeper, directory, owner }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn data(&self) -> PathBuf {
        data(self.path())
    }

    fn keeper(&self) -> MutexGuard<'_, Keeper> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }

    /// The lines of `postmaster.pid`: the first is the server's number, the seventh its shared
    /// memory, the eighth whether it is ready.
    fn pid_file(&self) -> impl Iterator<Item = String> + use<> {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        text.lines().map(str::to_owned).collect::<Vec<_>>().into_iter()
    }

    /// A program as PostgreSQL's user, which is not given for ever.
    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = command("timeout", self.path(), self.owner);
        command.arg(WAIT_MAX.as_secs().to_string()).arg(program.as_ref()).stdin(Stdio::null());
        command
    }

    /// One of PostgreSQL's programs.
    fn program(&self, name: &str) -> Command {
        self.command(programs().join(name))
    }
}

/// Starts the server when told to. When nobody is left who could tell it anything, ends the server,
/// the hard way but in order, and removes the directory.
const KEEPER: &str = r#"
directory=$1
shift
server=
while read -r order; do
    case $order in
    start)
        "$@" </dev/null >>"$directory/log" 2>&1 &
        server=$!
        echo "$server" ;;
    forget)
        wait "$server"
        server=
        echo ;;
    esac
done
if [ -n "$server" ]; then
    kill -QUIT "$server"
    wait "$server"
fi
cd /
rm -rf -- "$directory"
"#;

/// A shell that holds one end of a pipe from this process, and so learns of its end. A signal at a
/// parent's death would not do: it comes when the thread ends that was the parent.
struct Keeper {
    shell: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    server: Option<Pid>,
}

impl Keeper {
    fn of(directory: &Path, owner: Option<Owner>) -> Self {
        let mut shell = command("sh", directory, owner);
        shell.args(["-c", KEEPER, "sh"]).arg(directory).arg(programs().join("postgres")).arg("-D").arg(data(directory));
        // What the terminal sends to the tests must not end the one who cleans up behind them.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = shell.spawn().expect("sh can be started");
        let orders = shell.stdin.take();
        let answers = BufReader::new(shell.stdout.take().expect("it is piped"));
        Self { shell, orders, answers, server: None }
    }

    fn start(&mut self) -> Pid {
        assert!(self.server.is_none(), "PostgreSQL runs already");
        let server = self.tell("start").trim().parse().ok().and_then(Pid::from_raw);
        self.server = server;
        server.expect("the shell says what it started")
    }

    /// Has the shell forget a server that has ended, whose number may be another's soon.
    fn forget(&mut self) {
        self.server = None;
        self.tell("forget");
    }

    fn tell(&mut self, order: &str) -> String {
        let orders = self.orders.as_mut().expect("it is open until the end");
        writeln!(orders, "{order}").expect("the shell hears");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the shell answers");
        answer
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.orders.take());
        let begun = Instant::now();
        while matches!(self.shell.try_wait(), Ok(None)) && begun.elapsed() < WAIT_MAX {
            sleep(Duration::from_millis(5));
        }
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// Whom PostgreSQL runs as where this process is root's, as whom it refuses to run.
#[derive(Clone, Copy)]
struct Owner {
    uid: u32,
    gid: u32,
}

impl Owner {
    fn needed() -> Option<Self> {
        if !geteuid().is_root() {
            return None;
        }
        let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd can be read");
        let find = |name| users.lines().find_map(|line| Self::read(line, name));
        Some(find("postgres").or_else(|| find("nobody")).expect("there is a user `postgres` or `nobody`"))
    }

    fn read(line: &str, name: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        let [known, _, uid, gid, ..] = fields[..] else { return None };
        (known == name).then_some(Self { uid: uid.parse().ok()?, gid: gid.parse().ok()? })
    }
}

/// Where the cluster's own files are.
fn data(directory: &Path) -> PathBuf {
    directory.join("data")
}

/// A command in this directory and as this user, whose environment is everywhere the same.
fn command(program: &str, directory: &Path, owner: Option<Owner>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(directory).env_clear().env("LC_ALL", "C");
    command.env("PATH", env::var_os("PATH").unwrap_or_default());
    if let Some(Owner { uid, gid }) = owner {
        command.uid(uid).gid(gid);
    }
    command
}

/// Runs a command that has to succeed; what it prints.
fn run(command: &mut Command) -> String {
    let output = command.output().expect("the program can be started");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed ({}): {errors}", output.status);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The folder of PostgreSQL's programs: one of the PATH, or the newest that Debian installed.
fn programs() -> PathBuf {
    let mut installed: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .map(|version| (version, PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"))))
        .collect();
    installed.sort_unstable();
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders = env::split_paths(&path).chain(installed.into_iter().rev().map(|(_, folder)| folder));
    let found = folders.find(|folder| ["initdb", "postgres", "psql"].iter().all(|name| folder.join(name).exists()));
    found.expect("PostgreSQL is missing: install the package `postgresql`")
}

/// A directory for temporary ones, within the reach of PostgreSQL's user: in memory where there is
/// room, since a new database is hundreds of files, and on a disk they take ten times as long.
fn place() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let has_room = statvfs(&memory).is_ok_and(|disk| disk.f_bavail * disk.f_frsize >= ROOM);
    let memory = Some(memory).filter(|_| has_room);
    let disks = [env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")];
    let mut places = memory.into_iter().chain(disks);
    places.find(|place| others_reach(place)).expect("there is a directory for temporary files")
}

/// Whether a cluster can be started below a directory.
pub(crate) fn can_hold(place: &Path) -> bool {
    Owner::needed().is_none() || others_reach(place)
}

/// Whether users who do not own them may go through a directory and all above it.
fn others_reach(directory: &Path) -> bool {
    let Ok(directory) = directory.canonicalize() else { return false };
    directory.ancestors().all(|above| fs::metadata(above).is_ok_and(|found| found.mode() & 0o001 != 0))
}

/// A port on which nobody listens, below those that the system gives to clients, so that none of
/// them takes it while the server is down.
fn free_port() -> u16 {
    let random = || RandomState::new().hash_one("port") % 20_000;
    let ports = (0..100).filter_map(|_| u16::try_from(10_240 + random()).ok());
    let mut free = ports.filter(|&port| TcpListener::bind((ADDRESS, port)).is_ok());
    free.next().expect("a port is free")
}

/// Sends a signal to a process that may be gone already.
fn signal(process: Pid, signal: Signal) {
    let _ = kill_process(process, signal);
}

fn children(process: Pid) -> Vec<Pid> {
    let process = process.as_raw_nonzero();
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|child| child.parse().ok().and_then(Pid::from_raw)).collect()
}

fn wait_until_ended(processes: &[Pid]) {
    wait_for("PostgreSQL to end", || processes.iter().all(|process| has_ended(*process)).then_some(()));
}

/// Whether a process is gone, or only waits for its parent to hear of its end.
fn has_ended(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).unwrap_or_default();
    // The state comes after the name, which may hold anything.
    stat.rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with(['Z', 'X']))
}

/// Asks again and again until there is an answer.
fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < WAIT_MAX, "waited too long for {what}");
        sleep(Duration::from_millis(5));
    }
}
