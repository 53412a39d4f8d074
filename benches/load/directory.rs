//! Data directories and the servers on them.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::process::{Cores, Running, free_address};
use crate::seed::{Amounts, Files, SEED};
use crate::table::progress;

/// The server's program, built the same way as this one.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_doorward");
/// How long a server may take to answer for the first time.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A data directory, its configuration, and what the load generators need of it.
#[derive(Clone, Debug)]
pub(crate) struct Directory(PathBuf);

/// A server on a directory.
pub(crate) struct Server {
    pub(crate) process: Running,
    pub(crate) address: SocketAddr,
}

impl Directory {
    /// One without anything.
    pub(crate) fn empty(path: PathBuf) -> anyhow::Result<Self> {
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    /// A copy of one on which no server runs.
    pub(crate) fn copy(&self, path: PathBuf) -> anyhow::Result<Self> {
        copy_all(&self.0, &path)?;
        Ok(Self(path))
    }

    pub(crate) fn files(&self) -> Files {
        Files::of(&self.0)
    }

    /// Adds all this, by a configuration to which `more` is added.
    pub(crate) fn fill(&self, amounts: Amounts, more: &str) -> anyhow::Result<()> {
        let Amounts { users, tokens, projects, sessions, refreshes, ended } = amounts;
        progress(&format!("  filling a directory: {users} users, {tokens} tokens, {ended} ended sessions"));
        let begun = Instant::now();
        self.configure(free_address()?, more)?;
        let own = std::env::current_exe()?;
        let path = self.0.display().to_string();
        let numbers = [users, tokens, projects, sessions, refreshes, ended].map(|number| number.to_string());
        let mut arguments = vec![SEED, &path];
        arguments.extend(numbers.iter().map(String::as_str));
        Running::start("the seeding", &own, &arguments, &self.0.join("seed.log"), Cores::Any)?.finish()?;
        progress(&format!("  filled in {:.1} s", begun.elapsed().as_secs_f64()));
        Ok(())
    }

    /// Writes the configuration: defaults, but for where things are, what tokens are issued as, and that
    /// all clients come from one address, which may have more in flight than one client would.
    pub(crate) fn configure(&self, listen: SocketAddr, more: &str) -> anyhow::Result<()> {
        let data = toml::Value::from(self.files().data().display().to_string());
        let text = format!(
            "listen = \"{listen}\"\npublic_url = \"http://load.test\"\ndata_dir = {data}\n{more}\n[throttle]\nexempt = [\"127.0.0.1\"]\n"
        );
        Ok(fs::write(self.files().config(), text)?)
    }

    /// A server on this directory, once it answers. `more` is added to its configuration.
    pub(crate) fn serve(&self, more: &str, cores: Cores) -> anyhow::Result<Server> {
        let address = free_address()?;
        self.configure(address, more)?;
        let config = self.files().config().display().to_string();
        let arguments = ["serve", "--config", config.as_str()];
        let log = self.0.join("server.log");
        let mut process = Running::start("the server", Path::new(PROGRAM), &arguments, &log, cores)?;
        process.wait_until_it_answers(address, PATIENCE)?;
        Ok(Server { process, address })
    }
}

fn copy_all(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir(to)?;
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
