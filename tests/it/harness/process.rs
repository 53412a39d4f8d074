//! The real program as a process of its own: started, spoken to, signalled, killed. It never
//! outlives its test, and every wait has an end.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::NamedTempFile;

use super::{ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN};

/// How long anything may take that is waited for here. Only a fault takes as long.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// What the variables of the first administrator begin with.
const SUPER_USER: &str = "DOORWARD_SUPER_USER__";

/// How a server is to be started. Without further words: on a free port of this machine, with the
/// first administrator of all tests.
#[derive(Clone)]
pub(crate) struct Launch {
    before: Vec<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    listen: String,
    log_into: Option<PathBuf>,
}

impl Launch {
    pub(crate) fn on(data_dir: &Path) -> Self {
        let environment = [("EMAIL", ADMIN_EMAIL), ("PASSWORD", ADMIN_PASSWORD), ("TOKEN", ADMIN_TOKEN)];
        Self {
            before: Vec::new(),
            arguments: vec!["--data-dir".to_owned(), data_dir.to_str().unwrap().to_owned()],
            environment: environment.map(|(name, value)| (format!("{SUPER_USER}{name}"), value.to_owned())).to_vec(),
            listen: "127.0.0.1:0".to_owned(),
            log_into: None,
        }
    }

    /// By another program, which is given the server's command line after these words.
    pub(crate) fn under(mut self, before: &[&str]) -> Self {
        self.before = before.iter().map(|&word| word.to_owned()).collect();
        self
    }

    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As if that had not been said.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self
    }

    /// Without a configured administrator.
    pub(crate) fn anonymous(mut self) -> Self {
        self.environment.retain(|(name, _)| !name.starts_with(SUPER_USER));
        self
    }

    /// On a database elsewhere, with the file that its keys are sealed under.
    pub(crate) fn database(self, url: &str, secret_file: &Path) -> Self {
        self.variable("DOORWARD_DATABASE_URL", url).variable("DOORWARD_SECRET_FILE", secret_file.to_str().unwrap())
    }

    pub(crate) fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address.to_string();
        self
    }

    /// With a log of one's own; the process then knows neither it nor its address.
    pub(crate) fn log_into(mut self, file: &Path) -> Self {
        self.log_into = Some(file.to_owned());
        self
    }

    /// Starts it and goes on at once.
    pub(crate) fn spawn(&self) -> Process {
        let log = NamedTempFile::new().unwrap();
        let stderr = OpenOptions::new().append(true).open(self.log_into.as_deref().unwrap_or(log.path())).unwrap();
        let words = [self.before.clone(), vec![env!("CARGO_BIN_EXE_doorward").to_owned()]].concat();
        let child = Command::new(&words[0])
            .args(&words[1..])
            .args(["serve", "--listen", &self.listen])
            .args(&self.arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{words:?} cannot be started: {error}"));
        Process { child, log, address: None }
    }

    /// Starts it and waits until it answers.
    pub(crate) fn serve(&self) -> Process {
        let mut process = self.spawn();
        process.wait_until_it_answers();
        process
    }

    /// Starts it where it cannot start, and waits for its end.
    pub(crate) fn refused(&self) -> Ended {
        let mut process = self.spawn();
        process.answers_or_ends().unwrap_or_else(|| panic!("it started: {}", process.log()))
    }
}

/// What an ended server left.
#[derive(Debug)]
pub(crate) struct Ended {
    /// None where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) log: String,
}

impl Ended {
    /// Asserts that the start ended with this code, and that its last line says all of this.
    pub(crate) fn says(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        let last = self.log.lines().last().unwrap_or_default();
        assert!(last.starts_with("error: "), "{self:?}");
        for part in parts {
            assert!(last.contains(part), "{part:?} is missing in: {last}");
        }
    }
}

/// A server in a process of its own.
pub(crate) struct Process {
    child: Child,
    log: NamedTempFile,
    address: Option<SocketAddr>,
}

impl Process {
    /// Waits until it listens and answers.
    pub(crate) fn wait_until_it_answers(&mut self) {
        let address = self.wait_until_it_listens();
        let answer = exchange(address, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Waits until it listens, and asks nothing.
    pub(crate) fn wait_until_it_listens(&mut self) -> SocketAddr {
        let address = wait_for("the server to listen", || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the server ended ({status}): {}", self.log());
            }
            let log = self.log();
            // A log for machines has no other line that says so.
            let (_, rest) = log.split_once(" listens on ").or_else(|| log.split_once("\"address\":\""))?;
            rest.split([',', '"']).next()?.parse().ok()
        });
        self.address = Some(address);
        address
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it answers, or, where it cannot, for its end.
    pub(crate) fn answers_or_ends(&mut self) -> Option<Ended> {
        wait_for("the server to listen or end", || {
            let status = self.child.try_wait().unwrap();
            (status.is_some() || self.log().contains(" listens on ")).then_some(())
        });
        if let Some(status) = self.child.try_wait().unwrap() {
            return Some(Ended { code: status.code(), log: self.log() });
        }
        self.wait_until_it_answers();
        None
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address.expect("the server was waited for")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// What it wrote on standard error so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log.path()).unwrap()
    }

    /// The server's own process, whatever was started before it.
    pub(crate) fn pid(&self) -> Pid {
        let first = self.child.id();
        let children = PathBuf::from(format!("/proc/{first}/task/{first}/children"));
        let children = fs::read_to_string(children).unwrap_or_default();
        let server = children.split_whitespace().next().map_or(first, |child| child.parse().unwrap());
        Pid::from_raw(server.cast_signed()).unwrap()
    }

    /// A number of the server's `/proc/PID/status`, such as `VmRSS` (in KiB) or `Threads`.
    pub(crate) fn status(&self, field: &str) -> usize {
        let status = fs::read_to_string(self.proc("status")).unwrap();
        let lines = status.lines().filter_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let number = lines.flat_map(str::split_whitespace).next();
        number.unwrap_or_else(|| panic!("{field} is missing in: {status}")).parse().unwrap()
    }

    /// How many files, sockets included, the server has open.
    pub(crate) fn open_files(&self) -> usize {
        fs::read_dir(self.proc("fd")).unwrap().count()
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.pid().as_raw_nonzero()))
    }

    pub(crate) fn terminate(&self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
    }

    /// Ends it as power loss would end it, but for what the kernel holds.
    pub(crate) fn kill(mut self) {
        self.kill_group();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Ended {
        let status = wait_for("the server to end", || self.child.try_wait().unwrap());
        Ended { code: status.code(), log: self.log() }
    }

    /// Asks it to end, and asserts that it does so in good order.
    pub(crate) fn stop(self) {
        self.terminate();
        let ended = self.ended();
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }

    fn kill_group(&self) {
        // It leads a group of its own, in which all that it started are. It may be gone already.
        let group = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        let _ = kill_process_group(group, Signal::KILL);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Once it was waited for, its number may be another's.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill_group();
            let _ = self.child.wait();
        }
    }
}

/// Asks again and again until there is an answer.
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < WAIT_MAX, "waited too long for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// One request on a connection of its own; the whole answer.
pub(crate) fn exchange(address: SocketAddr, request: &str) -> String {
    read_to_end(&mut send(address, request))
}

/// Connects and sends a request, whose answer is yet to be read.
pub(crate) fn send(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect_timeout(&address, WAIT_MAX).unwrap();
    stream.set_read_timeout(Some(WAIT_MAX)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

pub(crate) fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
