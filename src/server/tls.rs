//! The certificate: loaded at start, loaded again when its file changes.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::watch;

use crate::config::Tls;

/// How often the files are looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// The certificate in use, with how it is shown.
#[derive(Clone)]
pub(super) struct Certificate(Arc<ArcSwap<ServerConfig>>);

impl Certificate {
    /// The one for the next handshake.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        self.0.load_full()
    }
}

/// Loads the certificate, and goes on watching it until told to stop.
pub(super) async fn load(files: &Tls, stop: watch::Receiver<bool>) -> anyhow::Result<Certificate> {
    let seen = changed_at(files);
    let read = read(files).await.with_context(|| {
        format!(
            "TLS cannot start with tls.certificate_file {} and tls.key_file {}: both must be PEM, the key belonging \
             to the certificate",
            files.certificate_file.display(),
            files.key_file.display()
        )
    })?;
    let certificate = Certificate(Arc::new(ArcSwap::new(read)));
    tokio::spawn(watch_files(certificate.clone(), files.clone(), seen, stop));
    Ok(certificate)
}

/// Reads the pair. No version of TLS before 1.2; HTTP/2 where the client speaks it.
async fn read(files: &Tls) -> anyhow::Result<Arc<ServerConfig>> {
    let (certificate, key) =
        tokio::try_join!(tokio::fs::read(&files.certificate_file), tokio::fs::read(&files.key_file))?;
    let chain = CertificateDer::pem_slice_iter(&certificate).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(&key)?;
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

async fn watch_files(
    certificate: Certificate,
    files: Tls,
    mut seen: [Option<SystemTime>; 2],
    mut stop: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let now = changed_at(&files);
        if now == seen {
            continue;
        }
        match read(&files).await {
            Ok(config) => {
                certificate.0.store(config);
                seen = now;
                tracing::info!("the certificate changed and was loaded again");
            }
            // Two files are seldom replaced at once: the old pair serves until the new one fits.
            Err(error) => tracing::warn!(%error, "the changed certificate cannot be used yet; the old one stays"),
        }
    }
}

fn changed_at(files: &Tls) -> [Option<SystemTime>; 2] {
    let modified = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    [modified(&files.certificate_file), modified(&files.key_file)]
}
