//! The README's first minute, line by line, against the real program.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_doorward");

/// A command and what it should print; `…` stands for anything.
struct Step {
    command: String,
    expected: String,
}

fn steps(readme: &str) -> Vec<Step> {
    let block = readme.split("```console\n").nth(2).and_then(|rest| rest.split("```").next()).unwrap();
    let mut steps: Vec<Step> = Vec::new();
    for line in block.lines() {
        match line.strip_prefix("$ ") {
            Some(command) => steps.push(Step { command: command.to_owned(), expected: String::new() }),
            None => steps.last_mut().unwrap().expected.push_str(line),
        }
    }
    steps
}

/// Whether `printed` is `expected`, where each `…` stands for anything.
fn fits(expected: &str, printed: &str) -> bool {
    let mut parts = expected.split('…');
    let Some(mut rest) = parts.next().and_then(|first| printed.strip_prefix(first)) else { return false };
    let mut ends_open = false;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        ends_open = part.is_empty();
    }
    rest.is_empty() || ends_open
}

struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(directory: &Path, address: &str) -> Serving {
    let child = Command::new(PROGRAM)
        .args(["serve", "--listen", address])
        .current_dir(directory)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let serving = Serving(child);
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the server does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
    serving
}

#[test]
fn the_first_minute_of_the_readme_goes_as_it_says() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let steps = steps(&readme);
    assert!(steps.len() > 8, "the transcript is missing");
    let directory = tempfile::tempdir().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let _serving = serve(directory.path(), &address);
    let mut script = String::from("set -u\n");
    for step in &steps {
        let command = step.command.replace("127.0.0.1:8090", &address);
        script.push_str(&command.replace("cargo run --release --", PROGRAM));
        script.push_str("\nprintf '\\n--- next ---\\n'\n");
    }
    let mut shell = Command::new("sh")
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let ran = shell.wait_with_output().unwrap();
    let printed = String::from_utf8(ran.stdout).unwrap();
    for (step, printed) in steps.iter().zip(printed.split("--- next ---\n")) {
        let printed = printed.trim_end();
        assert!(
            fits(&step.expected, printed),
            "{}\nshould print {}\nbut printed {printed}\n{}",
            step.command,
            step.expected,
            String::from_utf8_lossy(&ran.stderr)
        );
    }
}

#[test]
fn an_ellipsis_stands_for_anything_and_nothing_else_does() {
    assert!(fits("{\"a\":\"…\",\"b\":1}", "{\"a\":\"xyz\",\"b\":1}"));
    assert!(!fits("{\"a\":\"…\",\"b\":1}", "{\"a\":\"xyz\",\"b\":2}"));
    assert!(!fits("", "something"));
}
