//! How drawn records become requests, for wrk and for the own client.

use std::fs;
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
    pub(crate) path: PathBuf,
    pub(crate) template: PathBuf,
    /// Bytes of a record, and of the first text in it.
    pub(crate) widths: (usize, usize),
    /// Records of a section, and how many sections there are.
    pub(crate) section: usize,
    pub(crate) sections: usize,
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
