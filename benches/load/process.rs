//! Processes that end with the value that started them, and with this program however it ends.

use std::fs::{self, File, OpenOptions};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use rustix::process::{
    Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal, set_parent_process_death_signal,
};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::http::get;

/// The first argument of this program where it only becomes another one.
pub(crate) const BECOME: &str = "become";

/// A log longer than this is emptied: it shall not fill the disk.
const LONGEST_LOG: u64 = 64 << 20;
const LINES_SHOWN: usize = 12;

/// Which cores a process may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Cores {
    /// All.
    #[default]
    Any,
    /// Only the one with this number.
    Only(usize),
}

/// Becomes another program, one that is killed when this program's parent ends and keeps to its
/// cores: `become CORES PROGRAM ARGUMENT…`. Comes back only with an error.
pub(crate) fn run_become(arguments: &[String]) -> anyhow::Result<()> {
    let [cores, program, arguments @ ..] = arguments else { bail!("become needs cores and a program") };
    die_with_parent()?;
    if let Ok(core) = cores.parse() {
        let mut only = CpuSet::new();
        only.set(core);
        sched_setaffinity(None, &only).with_context(|| format!("core {core} cannot be had"))?;
    }
    let error = Command::new(program).args(arguments).exec();
    Err(anyhow!("{program} cannot be started: {error}"))
}

/// Has this process killed when the one that started it is gone.
pub(crate) fn die_with_parent() -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("the parent's death cannot be listened for")
}

/// Handles of the children, as long as they are kept.
static CHILDREN: Mutex<Vec<Weak<OwnedFd>>> = Mutex::new(Vec::new());

/// Kills all children, where this process ends before their values do.
pub(crate) fn kill_children() {
    let children = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
    for child in children.iter().filter_map(Weak::upgrade) {
        // One that has ended already needs nothing.
        let _ = pidfd_send_signal(child, Signal::KILL);
    }
}

/// A child of this process. To be started from the main thread: it dies with the thread that
/// started it.
pub(crate) struct Running {
    child: Child,
    name: &'static str,
    log: PathBuf,
    /// Kept for [`kill_children`].
    _handle: Arc<OwnedFd>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// Starts `program`; what it writes to standard error goes to the file `log`.
    pub(crate) fn start(
        name: &'static str,
        program: &Path,
        arguments: &[&str],
        log: &Path,
        cores: Cores,
    ) -> anyhow::Result<Self> {
        let cores = match cores {
            Cores::Any => "any".to_owned(),
            Cores::Only(core) => core.to_string(),
        };
        let own = std::env::current_exe().context("this program cannot be found")?;
        let mut command = Command::new(own);
        command.args([BECOME, &cores]).arg(program).args(arguments);
        Self::spawn(name, command, log)
    }

    /// The same without a step between, for what is timed.
    pub(crate) fn spawn(name: &'static str, mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        let handle = Arc::new(pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?);
        let mut children = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
        children.retain(|child| child.strong_count() > 0);
        children.push(Arc::downgrade(&handle));
        Ok(Self { child, name, log: log.to_owned(), _handle: handle })
    }

    /// Waits until `address` answers 200 to `GET /healthz`, looking each millisecond.
    pub(crate) fn wait_until_it_answers(&mut self, address: SocketAddr, patience: Duration) -> anyhow::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            if get(address, "/healthz").is_ok_and(|status| status == 200) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended ({status}) before it answered; its last lines:\n{}", self.name, self.last_lines());
            }
            sleep(Duration::from_millis(1));
        }
        bail!("{} did not answer within {patience:?}; its last lines:\n{}", self.name, self.last_lines())
    }

    /// Waits for its end and gives back what it wrote to standard output.
    pub(crate) fn finish(mut self) -> anyhow::Result<String> {
        let output = self.child.stdout.take().map_or(Ok(String::new()), std::io::read_to_string)?;
        let status: ExitStatus = self.child.wait()?;
        if !status.success() {
            bail!("{} failed ({status}); its last lines:\n{}", self.name, self.last_lines());
        }
        Ok(output)
    }

    /// Asks it to end by SIGTERM and waits until it has.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            if begun.elapsed() > Duration::from_secs(20) {
                bail!("{} did not stop; its last lines:\n{}", self.name, self.last_lines());
            }
            sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// What the operating system counts as resident, in MiB.
    pub(crate) fn resident_mebibytes(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes =
            line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<f64>().ok());
        kibibytes.map(|number| number / 1024.0).with_context(|| format!("the memory of {} cannot be read", self.name))
    }

    /// How long its threads ran so far, those that have not ended.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id()))?;
        let nanoseconds = threads.flatten().filter_map(|thread| {
            // A thread may end meanwhile.
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<f64>().ok()
        });
        Ok(nanoseconds.sum::<f64>() / 1e9)
    }

    /// Its last lines on standard error.
    pub(crate) fn last_lines(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
    }

    /// Empties the log where it has grown long.
    pub(crate) fn shorten_log(&self) -> anyhow::Result<()> {
        if fs::metadata(&self.log)?.len() > LONGEST_LOG {
            File::options().write(true).open(&self.log)?.set_len(0)?;
        }
        Ok(())
    }
}

/// An address of this machine on which nobody listens.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Whether somebody listens there.
pub(crate) fn is_listened_on(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
}
