//! wrk as load generator: runs it with one of the scripts and reads what that tells.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::directory::Server;
use crate::process::{Cores, Running};

const NUMBERS: &str = include_str!("numbers.lua");
const ASK: &str = include_str!("ask.lua");
const REFRESH: &str = include_str!("refresh.lua");
/// What begins the line that the scripts write.
const MARK: &str = "doorward-load ";
const CONNECTIONS: usize = 64;
pub(crate) const THREADS: usize = 2;

/// What one run measured; times in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Of several servers, the worst one's.
    pub(crate) p99: f64,
    /// Microseconds of a core that the servers themselves took for a request.
    pub(crate) cpu: f64,
}

/// A script and its arguments.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    /// Asks with the records of a tape.
    Ask {
        tape: PathBuf,
        /// Bytes of a record, and of the first text in it.
        widths: (usize, usize),
        /// The first record, and how many each thread has.
        records: (usize, usize),
        template: PathBuf,
    },
    /// Refreshes with these tokens and what they become.
    Refresh { tokens: PathBuf, width: usize, records: (usize, usize), path: &'static str },
}

/// The load generator, its scripts in a directory.
pub(crate) struct Wrk {
    directory: PathBuf,
    program: PathBuf,
}

impl Wrk {
    /// Looks for the program and writes the scripts.
    pub(crate) fn new(directory: &Path) -> anyhow::Result<Self> {
        if Command::new("wrk").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            bail!("wrk is missing: install it with `apt-get install wrk`");
        }
        for (name, text) in [("ask.lua", ASK), ("refresh.lua", REFRESH)] {
            std::fs::write(directory.join(name), format!("{NUMBERS}\n{text}"))?;
        }
        Ok(Self { directory: directory.to_owned(), program: PathBuf::from("wrk") })
    }

    /// Runs one script against a server, or against two that share its connections. Any answer but
    /// a good one, and any fault of a connection, is an error.
    pub(crate) fn run(
        &self,
        servers: &[&Server],
        script: &Script,
        seconds: u64,
        cores: Cores,
    ) -> anyhow::Result<Reading> {
        let before = cpu_seconds(servers)?;
        let told = self.start(servers, script, seconds, cores)?.finish()?;
        let cpu = (cpu_seconds(servers)? - before) * 1e6 / told.requests;
        Ok(Reading { rate: told.rate, p99: told.p99, cpu })
    }

    /// The same without waiting for its end.
    pub(crate) fn start(
        &self,
        servers: &[&Server],
        script: &Script,
        seconds: u64,
        cores: Cores,
    ) -> anyhow::Result<Load> {
        let threads = THREADS / servers.len();
        let connections = (CONNECTIONS / servers.len()).to_string();
        let generators = servers.iter().enumerate().map(|(number, server)| {
            let (file, own) = script.beginning_at_thread(number * threads).arguments();
            let file = self.directory.join(file).display().to_string();
            let (threads, duration) = (threads.to_string(), format!("{seconds}s"));
            let url = format!("http://{}/", server.address);
            let mut arguments =
                vec!["-t", &threads, "-c", &connections, "-d", &duration, "--latency", "-s", &file, &url, "--"];
            arguments.extend(own.iter().map(String::as_str));
            let log = self.directory.join(format!("wrk-{number}.log"));
            std::fs::write(&log, "")?;
            Ok(Generator { process: Running::start("wrk", &self.program, &arguments, &log, cores)?, url, log })
        });
        Ok(Load(generators.collect::<anyhow::Result<_>>()?))
    }
}

fn cpu_seconds(servers: &[&Server]) -> anyhow::Result<f64> {
    servers.iter().map(|server| server.process.cpu_seconds()).sum()
}

/// Load that is under way.
pub(crate) struct Load(Vec<Generator>);

struct Generator {
    process: Running,
    url: String,
    log: PathBuf,
}

/// What the scripts tell.
#[derive(Default)]
struct Told {
    requests: f64,
    rate: f64,
    p99: f64,
}

impl Load {
    /// Waits for its end.
    fn finish(self) -> anyhow::Result<Told> {
        let mut all = Told::default();
        for Generator { process, url, log } in self.0 {
            let output = process.finish()?;
            let log = || std::fs::read_to_string(&log).unwrap_or_default();
            let told = read(&output).with_context(|| format!("wrk against {url} {}", log().trim()))?;
            all.requests += told.requests;
            all.rate += told.rate;
            all.p99 = all.p99.max(told.p99);
        }
        Ok(all)
    }

    /// Waits for its end; requests a second.
    pub(crate) fn rate(self) -> anyhow::Result<f64> {
        Ok(self.finish()?.rate)
    }
}

impl Script {
    /// The same, beginning with the part that belongs to the thread with this number.
    fn beginning_at_thread(&self, number: usize) -> Self {
        let mut script = self.clone();
        let (Self::Ask { records, .. } | Self::Refresh { records, .. }) = &mut script;
        records.0 += number * records.1;
        script
    }

    fn arguments(&self) -> (&'static str, Vec<String>) {
        match self {
            Self::Ask { tape, widths, records, template } => {
                let numbers = [widths.0, widths.1, records.0, records.1].map(|number| number.to_string());
                let mut arguments = vec![tape.display().to_string()];
                arguments.extend(numbers);
                arguments.push(template.display().to_string());
                ("ask.lua", arguments)
            }
            Self::Refresh { tokens, width, records, path } => {
                let numbers = [*width, records.0, records.1].map(|number| number.to_string());
                let mut arguments = vec![tokens.display().to_string()];
                arguments.extend(numbers);
                arguments.push((*path).to_owned());
                ("refresh.lua", arguments)
            }
        }
    }
}

fn read(output: &str) -> anyhow::Result<Told> {
    let line = output.lines().find_map(|line| line.strip_prefix(MARK));
    let line = line.with_context(|| format!("it told nothing:\n{output}"))?;
    let number = |name: &str| -> anyhow::Result<f64> {
        let found = line.split(' ').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        Ok(found.with_context(|| format!("{name} is missing in {line:?}"))?.parse()?)
    };
    let requests = number("requests")?;
    let mut faults = Vec::new();
    for (name, meaning) in [
        ("status", "answers were no success"),
        ("connect", "connections failed"),
        ("read", "reads failed"),
        ("write", "writes failed"),
        ("timeout", "answers took longer than two seconds"),
    ] {
        let count = number(name)?;
        if count > 0.0 {
            faults.push(format!("{count} {meaning}"));
        }
    }
    if !faults.is_empty() || requests < 1.0 {
        bail!(
            "of {requests} requests, {}",
            if faults.is_empty() { "none was answered".into() } else { faults.join(", ") }
        );
    }
    Ok(Told { requests, rate: requests / (number("duration")? / 1e6), p99: number("p99")? / 1e3 })
}
