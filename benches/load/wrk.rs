//! wrk as load generator: runs it with one of the scripts and reads what that tells.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::process::{Cores, Running};

const NUMBERS: &str = include_str!("numbers.lua");
const ASK: &str = include_str!("ask.lua");
const REFRESH: &str = include_str!("refresh.lua");
/// What begins the line that the scripts write.
const MARK: &str = "doorward-load ";
const CONNECTIONS: &str = "64";
pub(crate) const THREADS: usize = 2;

/// What one run measured; times in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Requests a second.
    pub(crate) rate: f64,
    pub(crate) p99: f64,
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

    /// Runs one script against a server. Any answer but a good one, and any fault of a
    /// connection, is an error.
    pub(crate) fn run(
        &self,
        address: SocketAddr,
        script: &Script,
        seconds: u64,
        cores: Cores,
    ) -> anyhow::Result<Reading> {
        let (file, own) = script.arguments();
        let file = self.directory.join(file).display().to_string();
        let (duration, url) = (format!("{seconds}s"), format!("http://{address}/"));
        let threads = THREADS.to_string();
        let mut arguments =
            vec!["-t", &threads, "-c", CONNECTIONS, "-d", &duration, "--latency", "-s", &file, &url, "--"];
        arguments.extend(own.iter().map(String::as_str));
        let log = self.directory.join("wrk.log");
        std::fs::write(&log, "")?;
        let output = Running::start("wrk", &self.program, &arguments, &log, cores)?.finish()?;
        let told = || format!("wrk against {address} {}", std::fs::read_to_string(&log).unwrap_or_default().trim());
        read(&output).with_context(told)
    }
}

impl Script {
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

fn read(output: &str) -> anyhow::Result<Reading> {
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
    Ok(Reading { rate: requests / (number("duration")? / 1e6), p99: number("p99")? / 1e3 })
}
