//! Each acknowledged write is on disk before its answer: shown by the system calls of the real
//! server, in their order.

use std::fs;

use crate::harness::ADMIN_TOKEN;
use crate::harness::process::{Launch, exchange};

const WRITES: usize = 50;

/// A trace of the calls that write and sync, one call a line, `-f` with the thread's number first.
/// A call during which another thread made one is two lines: `<unfinished ...>`, `<... resumed>`.
const STRACE: &[&str] = &["strace", "-f", "-y", "-qq", "-s", "32", "-e", "signal=none"];
const CALLS: &str = "trace=fdatasync,fsync,pwrite64,write,writev,sendto,sendmsg";

/// How many answers a trace acknowledges, each after a write to the log and a sync of it; or what
/// is wrong.
fn synced_acknowledgements(trace: &str) -> Result<usize, String> {
    let mut acknowledged = 0;
    let mut log = Log::default();
    for (number, line) in trace.lines().enumerate() {
        let (thread, call) = line.split_once(' ').unwrap_or_default();
        let call = call.trim_start();
        if call.starts_with("pwrite64(") && call.contains("-wal>") {
            log.written += 1;
        } else if is_sync(call) && call.contains("-wal>") {
            log.begin(thread);
            if !call.contains("<unfinished") {
                log.finish(thread, call);
            }
        } else if call.starts_with("<... f") && call.contains("sync resumed>") {
            log.finish(thread, call);
        } else if is_answer(line) {
            log.acknowledge().map_err(|what| format!("line {}: {what}: {line}", number + 1))?;
            acknowledged += 1;
        }
    }
    Ok(acknowledged)
}

/// The write-ahead log, by counts of writes to it.
#[derive(Default)]
struct Log {
    written: usize,
    synced: usize,
    acknowledged: usize,
    syncing: Vec<(String, usize)>,
}

impl Log {
    /// A sync covers what was written before it began.
    fn begin(&mut self, thread: &str) {
        self.syncing.push((thread.to_owned(), self.written));
    }

    fn finish(&mut self, thread: &str, call: &str) {
        let Some(at) = self.syncing.iter().position(|(syncing, _)| syncing == thread) else { return };
        let (_, covered) = self.syncing.remove(at);
        if call.trim_end().ends_with("= 0") {
            self.synced = self.synced.max(covered);
        }
    }

    fn acknowledge(&mut self) -> Result<(), &'static str> {
        if self.written == self.acknowledged {
            return Err("acknowledged, and nothing was written");
        }
        if self.synced < self.written {
            return Err("acknowledged before it was synced");
        }
        self.acknowledged = self.written;
        Ok(())
    }
}

fn is_sync(call: &str) -> bool {
    call.starts_with("fsync(") || call.starts_with("fdatasync(")
}

/// The beginning of an answer on a client's connection: what tells that a write was done.
fn is_answer(line: &str) -> bool {
    ["write(", "writev(", "sendto(", "sendmsg("].iter().any(|name| line.contains(name))
        && line.contains("\"HTTP/1.1 20")
}

/// The trace of a server that makes so many tokens, one after the other, from its first answer on.
fn trace_of_writes() -> String {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    let before = [STRACE, &["-e", CALLS, "-o", trace.to_str().unwrap()]].concat();
    let server = Launch::on(&directory.path().join("data")).under(&before).serve();
    for _ in 0..WRITES {
        let request = format!(
            "POST /1/tokens HTTP/1.1\r\nHost: x\r\nAuthorization: OAuth {ADMIN_TOKEN}\r\nContent-Length: 2\r\n\
             Connection: close\r\n\r\n{{}}"
        );
        let answer = exchange(server.address(), &request);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    server.stop();
    let text = fs::read_to_string(&trace).unwrap();
    // The first answer is the one to the question whether it lives.
    let mut lines = text.split_inclusive('\n');
    assert!(lines.any(is_answer), "{text}");
    lines.collect()
}

#[test]
fn every_acknowledged_write_was_synced_before_its_answer() {
    let trace = trace_of_writes();
    assert_eq!(synced_acknowledgements(&trace), Ok(WRITES), "{trace}");

    // The same trace with its syncs taken out, and with one of them alone, is found out.
    let syncs: Vec<_> = trace.lines().enumerate().filter(|(_, line)| line.contains("sync")).map(|(at, _)| at).collect();
    let without = |gone: &dyn Fn(usize) -> bool| -> String {
        trace.split_inclusive('\n').enumerate().filter(|(at, _)| !gone(*at)).map(|(_, line)| line).collect()
    };
    assert!(syncs.len() >= WRITES, "{trace}");
    assert!(synced_acknowledgements(&without(&|at| syncs.contains(&at))).is_err());
    let one = syncs[syncs.len() / 2];
    assert!(synced_acknowledgements(&without(&|at| at == one)).is_err());
}

#[test]
fn a_trace_that_acknowledges_too_early_is_found_out() {
    const WRITE: &str = "7 pwrite64(13</d/doorward.db-wal>, \"\"..., 4096, 32) = 4096\n";
    const SYNC: &str = "7 fdatasync(13</d/doorward.db-wal>) = 0\n";
    const SYNC_OF_ANOTHER_FILE: &str = "7 fdatasync(12</d/doorward.db>) = 0\n";
    const SYNC_THAT_FAILS: &str = "7 fdatasync(13</d/doorward.db-wal>) = -1 EIO (Input/output error)\n";
    const SYNC_BEGINS: &str = "7 fdatasync(13</d/doorward.db-wal> <unfinished ...>\n";
    const SYNC_ENDS: &str = "7 <... fdatasync resumed>) = 0\n";
    const ANSWER: &str = "8 writev(11<socket:[5]>, [{iov_base=\"HTTP/1.1 200 OK\\r\\n\"..., iov_len=229}], 1) = 229\n";
    const LINE_OF_THE_SERVERS_LOG: &str = "8 write(2</log>, \"2026-01-01T00:00:00Z INFO\"..., 145) = 145\n";
    let verdict = |calls: &[&str]| synced_acknowledgements(&calls.concat()).ok();
    assert_eq!(verdict(&[WRITE, WRITE, SYNC, LINE_OF_THE_SERVERS_LOG, ANSWER, WRITE, SYNC, ANSWER]), Some(2));
    assert_eq!(verdict(&[WRITE, SYNC_BEGINS, LINE_OF_THE_SERVERS_LOG, SYNC_ENDS, ANSWER]), Some(1));
    for early in [
        &[WRITE, ANSWER][..],
        &[WRITE, ANSWER, SYNC],
        &[WRITE, SYNC, WRITE, ANSWER],
        &[WRITE, SYNC_BEGINS, ANSWER, SYNC_ENDS],
        &[WRITE, SYNC_BEGINS, WRITE, SYNC_ENDS, ANSWER],
        &[WRITE, SYNC_OF_ANOTHER_FILE, ANSWER],
        &[WRITE, SYNC_THAT_FAILS, ANSWER],
        &[WRITE, SYNC, ANSWER, ANSWER],
    ] {
        assert_eq!(verdict(early), None, "{early:?}");
    }
}
