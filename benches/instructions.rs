//! How many instructions one verify request costs the whole server: a number that the code and
//! the compiler decide, not how fast or busy the machine is. `cargo bench --bench instructions`.
//!
//! The server runs under callgrind, once for many requests over one connection and once for a few,
//! for the same time: in the difference, start, end and background work cancel out. All of it is
//! done twice; exits 1 where the two differ by 2 % or more. Settings are the defaults and what
//! `DOORWARD_` variables say. Callgrind plays a processor without SHA instructions, so that hashes
//! count for more than they take.
//!
//! `cargo bench --profile profiling --bench instructions -- --profile` counts the steady state by
//! function instead, says where callgrind left it for `callgrind_annotate`, and counts allocations.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_doorward");
const URL: &str = "http://doorward.example";
const EMAIL: &str = "admin@example.com";
const PASSWORD: &str = "three green lamps";
const TOKEN: &str = "a-configured-admin-token-0123456789";

/// Not counted: they fill caches and buffers.
const WARM_UP: u64 = 200;
const FEW: u64 = 1_000;
const MANY: u64 = 11_000;
/// Only a fault takes as long.
const WAIT_MAX: Duration = Duration::from_mins(2);
/// In hundredths of a percent.
const SPREAD_MAX: u64 = 200;

fn main() -> ExitCode {
    if Command::new("valgrind").arg("--version").output().is_err() {
        report("valgrind is missing; install it: apt install valgrind\n");
        return ExitCode::FAILURE;
    }
    let profile = std::env::args().any(|argument| argument == "--profile");
    match measure(profile) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            report(&format!("the instructions cannot be counted: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}

/// A request that is counted.
struct Question {
    name: &'static str,
    file: &'static str,
    request: String,
}

/// Whether the numbers are steady.
fn measure(profile: bool) -> Result<bool> {
    let directory = tempfile::tempdir()?;
    let bench = Bench { directory: directory.path() };
    let questions = bench.furnish()?;
    if profile {
        for question in &questions {
            bench.profile(question)?;
        }
        return Ok(true);
    }
    report("| request | instructions | again | spread |\n| --- | --- | --- | --- |\n");
    let mut steady = true;
    for question in &questions {
        let (first, again) = (bench.count(question)?, bench.count(question)?);
        let spread = first.abs_diff(again) * 10_000 / first.max(again).max(1);
        report(&format!("| {} | {first} | {again} | {}.{:02} % |\n", question.name, spread / 100, spread % 100));
        steady &= spread < SPREAD_MAX;
    }
    Ok(steady)
}

/// The directory with the data and the log of the servers that run one after another.
struct Bench<'a> {
    directory: &'a Path,
}

impl Bench<'_> {
    /// Makes the data by a server at full speed, so that those under callgrind hash no password.
    fn furnish(&self) -> Result<[Question; 2]> {
        let mut command = Command::new(PROGRAM);
        for (name, value) in [("EMAIL", EMAIL), ("PASSWORD", PASSWORD), ("TOKEN", TOKEN)] {
            command.env(format!("DOORWARD_SUPER_USER__{name}"), value);
        }
        let mut server = self.start(command)?;
        let project = server.post("/1/projects", &json!({"name": "counted"}))?;
        let project = text(&project, "/project/id")?;
        let token = server.post("/1/tokens", &json!({"name": "counted"}))?;
        let token = text(&token, "/token/token")?;
        let login = server.post("/1/authentication", &json!({"email": EMAIL, "password": PASSWORD}))?;
        let jwt = text(&login, "/tokens/0")?;
        server.stop()?;
        let get = |path: &str, credential: &str| {
            format!("GET {path} HTTP/1.1\r\nHost: doorward.example\r\nAuthorization: {credential}\r\n\r\n")
        };
        Ok([
            Question {
                name: "`GET /1/authentication?project_id=` with an API token",
                file: "authentication",
                request: get(&format!("/1/authentication?project_id={project}"), &format!("OAuth {token}")),
            },
            Question {
                name: "`GET /users/me` with a JWT",
                file: "users-me",
                request: get("/users/me", &format!("Bearer {jwt}")),
            },
        ])
    }

    /// Instructions a request.
    fn count(&self, question: &Question) -> Result<u64> {
        let counts = self.directory.join("callgrind.out");
        let begun = Instant::now();
        self.warmed_up(question, &counts, &["--vgdb=no"])?.answer(question, MANY)?.stop()?;
        let lasted = begun.elapsed();
        let many = total(&counts)?;
        let begun = Instant::now();
        let server = self.warmed_up(question, &counts, &["--vgdb=no"])?.answer(question, FEW)?;
        sleep(lasted.saturating_sub(begun.elapsed()));
        server.stop()?;
        let few = total(&counts)?;
        Ok(many.saturating_sub(few) / (MANY - FEW))
    }

    /// Counts by function, from the end of the warm-up on.
    fn profile(&self, question: &Question) -> Result<()> {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("callgrind.out.{}", question.file));
        // Layers within layers are functions within themselves: the levels are told apart.
        let server = self.warmed_up(question, &kept, &["--separate-recs=10"])?;
        let zeroed = Command::new("callgrind_control").arg("--zero").arg(server.child.id().to_string()).output()?;
        ensure!(zeroed.status.success(), "callgrind_control: {}", String::from_utf8_lossy(&zeroed.stderr));
        server.answer(question, MANY)?.stop()?;
        report(&format!("{}: a request costs {} instructions", question.name, total(&kept)? / MANY));
        match allocations(&fs::read_to_string(&kept)?) {
            0 => report("; without the names of functions, for want of `--profile profiling`"),
            made => report(&format!(" and {}.{} allocations", made / MANY, made * 10 / MANY % 10)),
        }
        report(&format!("\n    callgrind_annotate --inclusive=yes {}\n", kept.display()));
        Ok(())
    }

    /// A server under callgrind that has answered the question often enough to know it.
    fn warmed_up(&self, question: &Question, counts: &Path, options: &[&str]) -> Result<Server> {
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", &format!("--callgrind-out-file={}", counts.display())]);
        command.args(options).arg(PROGRAM);
        self.start(command)?.answer(question, WARM_UP)
    }

    fn start(&self, mut command: Command) -> Result<Server> {
        let log = self.directory.join("log");
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = command
            .args(["serve", "--listen", &address.to_string(), "--public-url", URL, "--data-dir"])
            .arg(self.directory.join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()?;
        Server::connect(child, address, log)
    }
}

/// A server and the one connection to it. Ends with this value.
struct Server {
    child: Child,
    log: PathBuf,
    connection: Option<BufReader<TcpStream>>,
}

impl Server {
    fn connect(child: Child, address: SocketAddr, log: PathBuf) -> Result<Self> {
        let mut server = Self { child, log, connection: None };
        let begun = Instant::now();
        // It takes connections before it can answer.
        while server.connection.is_none() {
            ensure!(server.child.try_wait()?.is_none(), "the server ended: {}", server.last_words());
            ensure!(begun.elapsed() < WAIT_MAX, "the server does not listen: {}", server.last_words());
            server.connection = TcpStream::connect(address).ok().map(BufReader::new);
            sleep(Duration::from_millis(10));
        }
        server.stream()?.get_ref().set_read_timeout(Some(WAIT_MAX))?;
        server.stream()?.get_ref().set_nodelay(true)?;
        Ok(server)
    }

    fn stream(&mut self) -> Result<&mut BufReader<TcpStream>> {
        self.connection.as_mut().context("there is no connection")
    }

    /// The same question, so often.
    fn answer(mut self, question: &Question, times: u64) -> Result<Self> {
        for _ in 0..times {
            self.ask(&question.request)?;
        }
        Ok(self)
    }

    fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        let body = body.to_string();
        let answer = self.ask(&format!(
            "POST {path} HTTP/1.1\r\nHost: doorward.example\r\nAuthorization: OAuth {TOKEN}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))?;
        Ok(serde_json::from_slice(&answer)?)
    }

    /// One request; the body of its 200.
    fn ask(&mut self, request: &str) -> Result<Vec<u8>> {
        let answered = exchange(self.stream()?, request);
        answered.with_context(|| format!("no answer; the server says: {}", self.last_words()))
    }

    /// Ends it in good order: only then callgrind writes what it counted.
    fn stop(mut self) -> Result<()> {
        self.connection = None;
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            ensure!(begun.elapsed() < WAIT_MAX, "the server does not end: {}", self.last_words());
            sleep(Duration::from_millis(10));
        };
        ensure!(status.success(), "the server ended with {status}: {}", self.last_words());
        Ok(())
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().last().unwrap_or_default().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn exchange(stream: &mut BufReader<TcpStream>, request: &str) -> Result<Vec<u8>> {
    stream.get_mut().write_all(request.as_bytes())?;
    let mut line = String::new();
    stream.read_line(&mut line)?;
    ensure!(line.starts_with("HTTP/1.1 200 "), "{:?} instead of 200", line.trim_end());
    let mut length = 0;
    while line != "\r\n" {
        line.clear();
        ensure!(stream.read_line(&mut line)? > 0, "the answer ends in its head");
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(body)
}

fn text(answer: &Value, place: &str) -> Result<String> {
    answer.pointer(place).and_then(Value::as_str).map(str::to_owned).with_context(|| format!("no {place} in an answer"))
}

/// All instructions that callgrind counted.
fn total(counts: &Path) -> Result<u64> {
    let counts = fs::read_to_string(counts)?;
    let total =
        counts.lines().rev().find_map(|line| line.strip_prefix("totals: ")).context("callgrind wrote no total")?;
    Ok(total.trim().parse()?)
}

/// How often the allocator was called. The format gives each function's name once, with a number
/// in parentheses, and later only the number.
fn allocations(counts: &str) -> u64 {
    let mut names: HashMap<&str, bool> = HashMap::new();
    let mut callee = "";
    let mut made = 0;
    for line in counts.lines() {
        if let Some(function) = line.strip_prefix("cfn=").or_else(|| line.strip_prefix("fn=")) {
            let (number, name) = function.split_once(' ').unwrap_or((function, ""));
            if !name.is_empty() {
                names.insert(number, ["mi_malloc_aligned", "mi_zalloc_aligned", "mi_realloc_aligned"].contains(&name));
            }
            callee = number;
        } else if let Some(calls) = line.strip_prefix("calls=")
            && names.get(callee) == Some(&true)
        {
            made += calls.split(' ').next().and_then(|calls| calls.parse::<u64>().ok()).unwrap_or_default();
        }
    }
    made
}

fn report(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
