//! The certificate: loaded at start, loaded again when its file changes.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use axum_server::tls_rustls::RustlsConfig;
use tokio::sync::watch;

use crate::config::Tls;

/// How often the files are looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// Loads the certificate, and goes on watching it until told to stop.
pub(super) async fn load(files: &Tls, stop: watch::Receiver<bool>) -> anyhow::Result<RustlsConfig> {
    let seen = changed_at(files);
    let config = RustlsConfig::from_pem_file(&files.certificate_file, &files.key_file).await.with_context(|| {
        format!(
            "TLS cannot start with tls.certificate_file {} and tls.key_file {}: both must be PEM, the key belonging \
             to the certificate",
            files.certificate_file.display(),
            files.key_file.display()
        )
    })?;
    tokio::spawn(watch_files(config.clone(), files.clone(), seen, stop));
    Ok(config)
}

async fn watch_files(
    config: RustlsConfig,
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
        match config.reload_from_pem_file(&files.certificate_file, &files.key_file).await {
            Ok(()) => {
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
