//! What the rows share: how much and how long, the directories and the servers on them, the limit
//! server, the load generator. Everything is made when it is first needed.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::asking::{Asking, Tape};
use crate::cluster::{Cluster, Site};
use crate::directory::{Directory, PATIENCE, Server};
use crate::limit::LIMIT;
use crate::process::{Cores, Running, free_address};
use crate::seed::Amounts;
use crate::tape::{self, Draw};
use crate::wrk::{Load, Reading, Script, Wrk};

/// More than are answered in a second: where more are, the first ones are asked once more.
const DRAWN_A_SECOND: u64 = 200_000;

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
    limit: Option<Rc<Server>>,
    filled: HashMap<Amounts, Directory>,
    cluster: Option<Rc<Cluster>>,
    /// What was filled on PostgreSQL.
    pub(crate) sites: HashMap<Amounts, Site>,
    numbered: usize,
    /// What the row `million` leaves for the row `memory`.
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
            cluster: None,
            sites: HashMap::new(),
            numbered: 0,
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
        Amounts { users, tokens: users, projects: users / 10, sessions, refreshes, ended: 0 }
    }

    /// The directory of so many users, filled when it is first asked for.
    pub(crate) fn filled(&mut self, users: usize) -> anyhow::Result<Directory> {
        let amounts = self.amounts(users);
        self.known(amounts, |bench| {
            let directory = bench.empty()?;
            directory.fill(amounts, "")?;
            Ok(directory)
        })
    }

    /// The same with these sessions more that ended. No server may run on that of so many users
    /// when this is first asked for.
    pub(crate) fn filled_with_ended(&mut self, users: usize, ended: usize) -> anyhow::Result<Directory> {
        let plain = self.filled(users)?;
        self.known(Amounts { ended, ..self.amounts(users) }, |bench| {
            let copy = bench.copied(&plain)?;
            copy.fill(Amounts { ended, ..Amounts::default() }, "")?;
            Ok(copy)
        })
    }

    fn known(
        &mut self,
        amounts: Amounts,
        make: impl FnOnce(&mut Self) -> anyhow::Result<Directory>,
    ) -> anyhow::Result<Directory> {
        if let Some(directory) = self.filled.get(&amounts) {
            return Ok(directory.clone());
        }
        let directory = make(self)?;
        self.filled.insert(amounts, directory.clone());
        Ok(directory)
    }

    /// A copy of a directory on which no server runs.
    pub(crate) fn copied(&mut self, directory: &Directory) -> anyhow::Result<Directory> {
        directory.copy(self.fresh("directory"))
    }

    /// A directory without anything.
    pub(crate) fn empty(&mut self) -> anyhow::Result<Directory> {
        Directory::empty(self.fresh("directory"))
    }

    /// The limit server.
    pub(crate) fn limit(&mut self) -> anyhow::Result<Rc<Server>> {
        if let Some(limit) = &self.limit {
            return Ok(Rc::clone(limit));
        }
        let address = free_address()?;
        let own = std::env::current_exe()?;
        let (listen, database) = (address.to_string(), self.root.join("limit.db").display().to_string());
        let log = self.root.join("limit.log");
        let mut process = Running::start("the limit server", &own, &[LIMIT, &listen, &database], &log, Cores::Any)?;
        process.wait_until_it_answers(address, PATIENCE)?;
        Ok(Rc::clone(self.limit.insert(Rc::new(Server { process, address }))))
    }

    /// PostgreSQL.
    pub(crate) fn cluster(&mut self) -> anyhow::Result<Rc<Cluster>> {
        if let Some(cluster) = &self.cluster {
            return Ok(Rc::clone(cluster));
        }
        let cluster = Cluster::start(&self.root)?;
        Ok(Rc::clone(self.cluster.insert(Rc::new(cluster))))
    }

    /// One round of wrk on these cores, after its warm-up, on a server or on two that share it.
    pub(crate) fn round(
        &self,
        servers: &[&Server],
        cores: Cores,
        [warm_up, round]: [&Script; 2],
    ) -> anyhow::Result<Reading> {
        for server in servers {
            server.process.shorten_log()?;
        }
        if self.plan.warm_up > 0 {
            self.wrk.run(servers, warm_up, self.plan.warm_up, cores)?;
        }
        self.wrk.run(servers, round, self.plan.seconds, cores)
    }

    /// Load on servers for so long, beside whatever else is done.
    pub(crate) fn load(&self, servers: &[&Server], script: &Script, seconds: u64) -> anyhow::Result<Load> {
        self.wrk.start(servers, script, seconds, Cores::Any)
    }

    /// Requests drawn beforehand from a file of records.
    pub(crate) fn tape(&mut self, source: &Path, asking: &Asking, draw: Draw) -> anyhow::Result<Tape> {
        let Plan { pairs, seconds, warm_up, .. } = self.plan;
        let drawn = |seconds| usize::try_from(seconds * DRAWN_A_SECOND);
        let (warm_up, rounds) = if draw == Draw::Shuffled {
            let all = 0..usize::try_from(fs::metadata(source)?.len())? / asking.width;
            (all.clone(), vec![all])
        } else {
            let (first, each) = (drawn(warm_up)?, drawn(seconds)?);
            (0..first, (0..pairs).map(|number| first + number * each..first + (number + 1) * each).collect())
        };
        let count = rounds.last().map_or(0, |section| section.end);
        let (path, template) = (self.fresh("tape"), self.fresh("template"));
        tape::write(source, asking.width, &path, count, draw)?;
        fs::write(&template, asking.template())?;
        Ok(Tape { path, template, widths: (asking.width, asking.split), warm_up, rounds })
    }

    /// A path in the bench's own directory that nobody uses.
    pub(crate) fn fresh(&mut self, name: &str) -> PathBuf {
        self.numbered += 1;
        self.root.join(format!("{name}-{}", self.numbered))
    }
}
