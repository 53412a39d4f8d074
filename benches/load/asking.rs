//! How drawn records become requests, for wrk and for the own client.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use crate::wrk::{Script, THREADS};

/// How a record becomes a request: before the first text, between the two, after them.
pub(crate) struct Asking {
    /// Bytes of a record, and of the first text in it.
    pub(crate) width: usize,
    pub(crate) split: usize,
    pub(crate) parts: [String; 3],
}

impl Asking {
    /// What the script reads.
    pub(crate) fn template(&self) -> String {
        self.parts.join("\0")
    }

    /// The request of one record.
    pub(crate) fn request(&self, record: &[u8]) -> Vec<u8> {
        let [head, middle, tail] = &self.parts;
        let (first, second) = record.split_at(self.split);
        let between = if second.is_empty() { "" } else { middle };
        [head.as_bytes(), first, between.as_bytes(), second, tail.as_bytes()].concat()
    }

    /// The requests of all records in a file.
    pub(crate) fn requests(&self, source: &Path) -> anyhow::Result<Arc<Vec<Vec<u8>>>> {
        let records = fs::read(source).context("the records cannot be read")?;
        Ok(Arc::new(records.chunks_exact(self.width).map(|record| self.request(record)).collect()))
    }
}

/// Drawn requests in sections: one for each round, and one for all warm-ups, so that no round
/// begins with what was just asked. The file is gone with this value.
pub(crate) struct Tape {
    pub(crate) path: PathBuf,
    pub(crate) template: PathBuf,
    /// Bytes of a record, and of the first text in it.
    pub(crate) widths: (usize, usize),
    pub(crate) warm_up: Range<usize>,
    pub(crate) rounds: Vec<Range<usize>>,
}

impl Tape {
    /// The script of one round.
    pub(crate) fn round(&self, number: usize) -> Script {
        self.script(&self.rounds[number % self.rounds.len()])
    }

    /// The script before each round.
    pub(crate) fn warm_up(&self) -> Script {
        self.script(&self.warm_up)
    }

    fn script(&self, section: &Range<usize>) -> Script {
        Script::Ask {
            tape: self.path.clone(),
            widths: self.widths,
            records: (section.start, section.len() / THREADS),
            template: self.template.clone(),
        }
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        // Where it stays, it goes with the bench's directory.
        let _ = fs::remove_file(&self.path);
    }
}
