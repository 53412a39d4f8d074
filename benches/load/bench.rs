//! What the rows share: how much and how long, the directories and the servers on them, the limit
//! server, the load generator. Everything is made when it is first needed.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::asking::{Asking, Tape};
use crate::directory::{Directory, PATIENCE, Server};
use crate::limit::LIMIT;
use crate::process::{Cores, Running, free_address};
use crate::rows::{Idle, Stormed};
use crate::seed::Amounts;
use crate::tape::{self, Draw};
use crate::wrk::{Reading, Script, Wrk};

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
        pairs: 2,
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
        directory.fill(amounts, "")?;
        self.filled.insert(amounts, directory.clone());
        Ok(directory)
    }

    /// A copy of a directory on which no server runs, with these sessions more that ended.
    pub(crate) fn copied(&mut self, directory: &Directory, ended: usize) -> anyhow::Result<Directory> {
        let copy = directory.copy(self.fresh("directory"))?;
        if ended > 0 {
            copy.fill(Amounts { users: 0, projects: 0, sessions: 0, refreshes: 0, ended }, "")?;
        }
        Ok(copy)
    }

    /// A directory without anything.
    pub(crate) fn empty(&mut self) -> anyhow::Result<Directory> {
        Directory::empty(self.fresh("directory"))
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
