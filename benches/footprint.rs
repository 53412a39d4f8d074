//! What a server costs that does nothing yet: the time from its start to its first answer, on an
//! empty directory and on its own data, its memory at rest, and the size of the program. Prints
//! one table and exits 1 where a target is missed. `cargo bench --bench footprint`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_doorward");
const ROUNDS: usize = 7;
/// The first start hashes a password; its memory is given back after some seconds of rest.
const REST: Duration = Duration::from_secs(15);

/// One line of the table.
struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    target: f64,
}

/// A server that ends with this value.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() -> ExitCode {
    match measure() {
        Ok(figures) => print(&figures),
        Err(error) => {
            report(&format!("the footprint cannot be measured: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn measure() -> std::io::Result<Vec<Figure>> {
    let mut empty = Vec::new();
    let mut again = Vec::new();
    for _ in 0..ROUNDS {
        let directory = tempfile::tempdir()?;
        empty.push(start(directory.path())?.1);
        again.push(start(directory.path())?.1);
    }
    let directory = tempfile::tempdir()?;
    let first = start(directory.path())?.0;
    sleep(REST);
    let memory = resident_mebibytes(&first)?;
    #[expect(clippy::cast_precision_loss, reason = "a size in MB needs no exact bytes")]
    let size = fs::metadata(PROGRAM)?.len() as f64 / 1e6;
    Ok(vec![
        Figure { name: "start to first 200, empty directory", value: median(empty), unit: "ms", target: 150.0 },
        Figure { name: "start to first 200, its own data", value: median(again), unit: "ms", target: 150.0 },
        Figure { name: "memory at rest after the first start", value: memory, unit: "MiB", target: 30.0 },
        Figure { name: "stripped program", value: size, unit: "MB", target: 20.0 },
    ])
}

/// Starts a server on `data` and waits for its first 200; how long that took, in milliseconds.
fn start(data: &Path) -> std::io::Result<(Server, f64)> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let begun = Instant::now();
    let child = Command::new(PROGRAM)
        .args(["serve", "--listen", &address.to_string(), "--data-dir"])
        .arg(data)
        .stderr(Stdio::null())
        .spawn()?;
    let server = Server(child);
    while begun.elapsed() < Duration::from_secs(10) {
        if answers(address).unwrap_or(false) {
            return Ok((server, begun.elapsed().as_secs_f64() * 1e3));
        }
        sleep(Duration::from_millis(1));
    }
    Err(std::io::Error::other("the server did not answer within 10 s"))
}

fn answers(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}

fn resident_mebibytes(server: &Server) -> std::io::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", server.0.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<f64>().ok());
    kibibytes.map(|number| number / 1024.0).ok_or_else(|| std::io::Error::other("the memory cannot be read"))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn print(figures: &[Figure]) -> ExitCode {
    report("| figure | ours | target |\n| --- | --- | --- |\n");
    for figure in figures {
        report(&format!(
            "| {} | {:.1} {} | {} {} |\n",
            figure.name, figure.value, figure.unit, figure.target, figure.unit
        ));
    }
    let met = figures.iter().all(|figure| figure.value <= figure.target);
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn report(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
