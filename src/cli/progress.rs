//! How far a move is, for people: on a terminal one line that is written over, elsewhere a line now
//! and then. Standard error, beside the result.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::app::transfer::{Progress, Work};

/// How often the line changes on a terminal, and how often there is another line elsewhere.
const ON_TERMINAL: Duration = Duration::from_millis(200);
const ELSEWHERE: Duration = Duration::from_secs(1);

pub(super) struct ProgressLine {
    is_terminal: bool,
    said: Instant,
    /// How wide the line is that stands on the terminal.
    width: usize,
}

impl ProgressLine {
    pub(super) fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), said: Instant::now(), width: 0 }
    }

    /// Says it, unless something was said just now.
    pub(super) fn tell(&mut self, progress: Progress) {
        let period = if self.is_terminal { ON_TERMINAL } else { ELSEWHERE };
        if self.said.elapsed() < period {
            return;
        }
        self.said = Instant::now();
        let text = line(progress);
        if self.is_terminal {
            let _ = write!(io::stderr().lock(), "\r{text:width$}", width = self.width);
            self.width = text.len();
        } else {
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// Takes the line off the terminal.
    pub(super) fn clear(&mut self) {
        if self.width > 0 {
            let _ = write!(io::stderr().lock(), "\r{:width$}\r", "", width = self.width);
            self.width = 0;
        }
    }
}

fn line(progress: Progress) -> String {
    let work = match progress.work {
        Work::Copying => "copying",
        Work::Checking => "checking",
    };
    format!("{work} {}: {} of {} rows", progress.table, progress.rows, progress.total)
}
