//! What the rows share: how much and how long, the directories and the servers on them, the limit
//! server, the load generator. Everything is made when it is first needed.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use crate::limit::LIMIT;
use crate::process::{Cores, Running, free_address};
use crate::rows::{Idle, Stormed};
use crate::seed::{Amounts, Files, SEED};
use crate::table::progress;
use crate::tape::{self, Draw};
use crate::wrk::{Reading, Script, THREADS, Wrk};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_doorward");
/// How long a server may take to answer for the first time.
const PATIENCE: Duration = Duration::from_mins(1);

/// How much and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) quick: bool,
    /// Pairs of rounds, and the seconds of a round and of its warm-up.
    pub(crate) pairs: usize,
    pub(crate) seconds: u64,
    pub(crate) warm_up: u64,
    /// Users of the first row, of the large directory, and of the small one.
    pub(crate) first: usize,
    pub(crate) large: usize,
    pub(crate) small: usize,
    pub(crate) ended: usize,
    /// Seconds of the login storms, and of each side of the calm row.
    pub(crate) storm: u64,
    pub(crate) calm: u64,
}

impl Plan {
    pub(crate) const FULL: Self = Self {
        quick: false,
        pairs: 3,
        seconds: 5,
        warm_up: 1,
        first: 100_000,
        large: 1_000_000,
        small: 1_000,
        ended: 1_000_000,
        storm: 10,
        calm: 10,
    };
    pub(crate) const QUICK: Self = Self {
        quick: true,
        pairs: 3,
        seconds: 1,
        warm_up: 0,
        first: 20_000,
        large: 100_000,
        small: 1_000,
        ended: 100_000,
        storm: 5,
        calm: 4,
    };
}

/// A filled directory.
#[derive(Clone, Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn files(&self) -> Files {
        Files::of(&self.0)
    }

    /// Writes the configuration: defaults, but for where things are and what tokens are issued as.
    pub(crate) fn configure(&self, listen: SocketAddr, more: &str) -> anyhow::Result<()> {
        let data = toml::Value::from(self.files().data().display().to_string());
        let text = format!("listen = \"{listen}\"\npublic_url = \"http://load.test\"\ndata_dir = {data}\n{more}\n");
        Ok(fs::write(self.files().config(), text)?)
    }
}

/// A server on a directory.
pub(crate) struct Server {
    pub(crate) process: Running,
    pub(crate) address: SocketAddr,
}

/// What the rows share.
pub(crate) struct Bench {
    pub(crate) plan: Plan,
    root: PathBuf,
    wrk: Wrk,
    limit: Option<Server>,
    filled: HashMap<Amounts, Directory>,
    numbered: usize,
    /// What one row leaves for the row `memory`.
    pub(crate) idle: Option<Idle>,
    pub(crate) stormed: Option<Stormed>,
    pub(crate) served_memory: Option<f64>,
}

impl Bench {
    pub(crate) fn new(plan: Plan, root: &Path) -> anyhow::Result<Self> {
        let wrk = Wrk::new(root)?;
        Ok(Self {
            plan,
            root: root.to_owned(),
            wrk,
            limit: None,
            filled: HashMap::new(),
            numbered: 0,
            idle: None,
            stormed: None,
            served_memory: None,
        })
    }

    /// What a directory holds whose users have a token each and a tenth as many projects.
    pub(crate) fn amounts(&self, users: usize) -> Amounts {
        let (sessions, refreshes) = match users {
            users if users == self.plan.first => (10_000, 0),
            users if users == self.plan.small => (0, 10_000),
            _ => (0, 0),
        };
        Amounts { users, projects: users / 10, sessions, refreshes, ended: 0 }
    }

    /// The directory of so many users, filled when it is first asked for.
    pub(crate) fn filled(&mut self, users: usize) -> anyhow::Result<Directory> {
        let amounts = self.amounts(users);
        if let Some(directory) = self.filled.get(&amounts) {
            return Ok(directory.clone());
        }
        let directory = self.empty()?;
        self.fill(&directory, amounts)?;
        self.filled.insert(amounts, directory.clone());
        Ok(directory)
    }

    /// A copy of a directory on which no server runs, with these sessions more that ended.
    pub(crate) fn copied(&mut self, directory: &Directory, ended: usize) -> anyhow::Result<Directory> {
        let copy = self.empty()?;
        copy_all(&directory.0, &copy.0)?;
        if ended > 0 {
            self.fill(&copy, Amounts { users: 0, projects: 0, sessions: 0, refreshes: 0, ended })?;
        }
        Ok(copy)
    }

    /// A directory without anything.
    pub(crate) fn empty(&mut self) -> anyhow::Result<Directory> {
        let path = self.fresh("directory");
        fs::create_dir(&path)?;
        Ok(Directory(path))
    }

    fn fill(&self, directory: &Directory, amounts: Amounts) -> anyhow::Result<()> {
        self.fill_with(directory, amounts, "")
    }

    /// Fills a directory by a configuration to which `more` is added.
    pub(crate) fn fill_with(&self, directory: &Directory, amounts: Amounts, more: &str) -> anyhow::Result<()> {
        let Amounts { users, projects, sessions, refreshes, ended } = amounts;
        progress(&format!("  filling a directory: {users} users, {ended} ended sessions"));
        let begun = std::time::Instant::now();
        directory.configure(free_address()?, more)?;
        let own = std::env::current_exe()?;
        let path = directory.0.display().to_string();
        let numbers = [users, projects, sessions, refreshes, ended].map(|number| number.to_string());
        let mut arguments = vec![SEED, &path];
        arguments.extend(numbers.iter().map(String::as_str));
        Running::start("the seeding", &own, &arguments, &directory.0.join("seed.log"), Cores::Any)?.finish()?;
        progress(&format!("  filled in {:.1} s", begun.elapsed().as_secs_f64()));
        Ok(())
    }

    /// A server on this directory, once it answers. `more` is added to its configuration.
    pub(crate) fn serve(&self, directory: &Directory, more: &str, cores: Cores) -> anyhow::Result<Server> {
        let address = free_address()?;
        directory.configure(address, more)?;
        let config = directory.files().config().display().to_string();
        let arguments = ["serve", "--config", config.as_str()];
        let log = directory.0.join("server.log");
        let mut process = Running::start("the server", Path::new(PROGRAM), &arguments, &log, cores)?;
        process.wait_until_it_answers(address, PATIENCE)?;
        Ok(Server { process, address })
    }

    /// The limit server's address.
    pub(crate) fn limit(&mut self) -> anyhow::Result<SocketAddr> {
        if let Some(limit) = &self.limit {
            return Ok(limit.address);
        }
        let address = free_address()?;
        let own = std::env::current_exe()?;
        let (listen, database) = (address.to_string(), self.root.join("limit.db").display().to_string());
        let log = self.root.join("limit.log");
        let mut process = Running::start("the limit server", &own, &[LIMIT, &listen, &database], &log, Cores::Any)?;
        process.wait_until_it_answers(address, PATIENCE)?;
        self.limit = Some(Server { process, address });
        Ok(address)
    }

    /// One round of wrk, after its warm-up.
    pub(crate) fn round(&self, address: SocketAddr, script: &Script) -> anyhow::Result<Reading> {
        self.round_on(address, script, Cores::Any)
    }

    /// The same, with wrk on these cores.
    pub(crate) fn round_on(&self, address: SocketAddr, script: &Script, cores: Cores) -> anyhow::Result<Reading> {
        if self.plan.warm_up > 0 {
            self.wrk.run(address, script, self.plan.warm_up, cores)?;
        }
        self.wrk.run(address, script, self.plan.seconds, cores)
    }

    /// One run of wrk, as it is.
    pub(crate) fn wrk(&self, address: SocketAddr, script: &Script, seconds: u64) -> anyhow::Result<Reading> {
        self.wrk.run(address, script, seconds, Cores::Any)
    }

    /// Requests drawn beforehand from a file of records.
    pub(crate) fn tape(&mut self, source: &Path, asking: &Asking, draw: Draw) -> anyhow::Result<Tape> {
        let path = self.fresh("tape");
        // So many that no round comes to its end twice.
        let section = match draw {
            Draw::Shuffled => usize::try_from(fs::metadata(source)?.len())? / asking.width,
            _ if self.plan.quick => 120_000,
            _ => 600_000,
        };
        let sections = if draw == Draw::Shuffled { 1 } else { self.plan.pairs };
        tape::write(source, asking.width, &path, section * sections, draw)?;
        let template = self.fresh("template");
        fs::write(&template, asking.template())?;
        Ok(Tape { path, template, widths: (asking.width, asking.split), section, sections })
    }

    /// A path in the bench's own directory that nobody uses.
    pub(crate) fn fresh(&mut self, name: &str) -> PathBuf {
        self.numbered += 1;
        self.root.join(format!("{name}-{}", self.numbered))
    }
}

/// How a record becomes a request: before the first text, between the two, after them.
pub(crate) struct Asking {
    /// Bytes of a record, and of the first text in it.
    pub(crate) width: usize,
    pub(crate) split: usize,
    pub(crate) parts: [String; 3],
}

impl Asking {
    fn template(&self) -> String {
        self.parts.join("\0")
    }

    /// The requests of all records in a file.
    pub(crate) fn requests(&self, source: &Path) -> anyhow::Result<Arc<Vec<Vec<u8>>>> {
        let records = fs::read(source).context("the records cannot be read")?;
        let [head, middle, tail] = &self.parts;
        let request = |record: &[u8]| {
            let (first, second) = record.split_at(self.split);
            let between = if second.is_empty() { "" } else { middle };
            [head.as_bytes(), first, between.as_bytes(), second, tail.as_bytes()].concat()
        };
        Ok(Arc::new(records.chunks_exact(self.width).map(request).collect()))
    }
}

/// Drawn requests in sections, one for each round.
pub(crate) struct Tape {
    path: PathBuf,
    template: PathBuf,
    widths: (usize, usize),
    section: usize,
    sections: usize,
}

impl Tape {
    /// The script of one round.
    pub(crate) fn script(&self, round: usize) -> Script {
        Script::Ask {
            tape: self.path.clone(),
            widths: self.widths,
            records: (round % self.sections * self.section, self.section / THREADS),
            template: self.template.clone(),
        }
    }
}

fn copy_all(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_all(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
