//! HTTPS, and the certificate's replacement while the server runs.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::{Certificate, Client, Version};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::assert_not_kept;
use crate::harness::Server;

/// A certificate for this machine, and its key, both PEM.
struct Pair {
    certificate: String,
    key: String,
}

impl Pair {
    fn new() -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        Self { certificate: cert.pem(), key: signing_key.serialize_pem() }
    }

    /// A client that believes this certificate and no other.
    fn client(&self) -> Client {
        let certificate = Certificate::from_pem(self.certificate.as_bytes()).unwrap();
        let client = Client::builder().tls_certs_only([certificate]).timeout(Duration::from_secs(10));
        // Each request shakes hands anew.
        client.pool_max_idle_per_host(0).build().unwrap()
    }
}

struct Files {
    _folder: TempDir,
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn with(pair: &Pair) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files =
            Self { certificate: folder.path().join("chain.pem"), key: folder.path().join("key.pem"), _folder: folder };
        files.replace(pair);
        files
    }

    fn replace(&self, pair: &Pair) {
        fs::write(&self.certificate, &pair.certificate).unwrap();
        fs::write(&self.key, &pair.key).unwrap();
    }

    async fn server(&self, more: &str) -> Server {
        let tls = format!(
            "[tls]\ncertificate_file = \"{}\"\nkey_file = \"{}\"\n{more}",
            self.certificate.display(),
            self.key.display()
        );
        let mut server = Server::start_with(&tls).await;
        server.base = server.base.replacen("http:", "https:", 1);
        server
    }
}

async fn is_believed(server: &Server, client: &Client) -> bool {
    client.get(format!("{}/healthz", server.base)).send().await.is_ok_and(|answer| answer.status() == 200)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_below_the_routes_is_a_problem_by_tls_too() {
    let pair = Pair::new();
    let files = Files::with(&pair);
    let server = files.server("").await;
    let certificate = Certificate::from_pem(pair.certificate.as_bytes()).unwrap();
    let client = Client::builder().tls_certs_only([certificate]).http1_only().build().unwrap();
    let mut request = client.get(format!("{}/healthz", server.base));
    for number in 0..200 {
        request = request.header(format!("x-{number}"), "1");
    }
    let answer = request.send().await.unwrap();
    assert_eq!((answer.version(), answer.status().as_u16()), (Version::HTTP_11, 431));
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_not_kept(|name| answer.headers().get(name)?.to_str().ok().map(str::to_owned));
    assert_eq!(answer.json::<serde_json::Value>().await.unwrap()["status"], 431);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_of_http_are_spoken_by_tls() {
    let pair = Pair::new();
    let files = Files::with(&pair);
    let server = files.server("").await;
    let url = format!("{}/nowhere", server.base);
    let newest = pair.client().get(&url).send().await.unwrap();
    assert_eq!((newest.version(), newest.status().as_u16()), (Version::HTTP_2, 404));
    let certificate = Certificate::from_pem(pair.certificate.as_bytes()).unwrap();
    let old = Client::builder().tls_certs_only([certificate]).http1_only().build().unwrap();
    let old = old.get(&url).send().await.unwrap();
    assert_eq!((old.version(), old.status().as_u16()), (Version::HTTP_11, 404));
    let in_clear = server.client.get(url.replacen("https:", "http:", 1)).send().await;
    assert!(in_clear.is_err(), "{in_clear:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_certificate_is_used_without_a_restart_and_a_broken_one_is_not() {
    let (old, new) = (Pair::new(), Pair::new());
    let files = Files::with(&old);
    let server = files.server("").await;
    let (believes_old, believes_new) = (old.client(), new.client());
    assert!(is_believed(&server, &believes_old).await && !is_believed(&server, &believes_new).await);

    // A key that is not the certificate's, and then no certificate at all.
    fs::write(&files.key, &new.key).unwrap();
    sleep(Duration::from_millis(2_200)).await;
    assert!(is_believed(&server, &believes_old).await, "the half of a new pair was taken");
    fs::write(&files.certificate, "-----BEGIN CERTIFICATE-----\nAAAA").unwrap();
    sleep(Duration::from_millis(2_200)).await;
    assert!(is_believed(&server, &believes_old).await, "a broken certificate was taken");

    files.replace(&new);
    let replaced = Instant::now();
    while !is_believed(&server, &believes_new).await {
        assert!(replaced.elapsed() < Duration::from_secs(10), "the new certificate is not used");
        sleep(Duration::from_millis(50)).await;
    }
    assert!(!is_believed(&server, &believes_old).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_shake_hands_is_cut_off() {
    let pair = Pair::new();
    let files = Files::with(&pair);
    let server = files.server("[http]\nheader_timeout = \"1s\"\n").await;
    let mut silent = TcpStream::connect(server.base.split_once("://").unwrap().1).await.unwrap();
    let mut bytes = [0; 64];
    let read = timeout(Duration::from_secs(5), silent.read(&mut bytes)).await;
    assert!(matches!(read, Ok(Ok(0) | Err(_))), "{read:?}");
    assert!(is_believed(&server, &pair.client()).await);
}
