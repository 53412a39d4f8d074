//! What PostgreSQL has to show before it is believed to be itself.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::store::OpenError;

/// Whom to believe.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Anybody: who listens in learns nothing, who stands in between does.
    Anybody,
    /// Who has a certificate from one of these.
    Issuer(Roots),
    /// Who has one that names the host, too.
    Host(Roots),
}

/// Whom certificates are believed from.
#[derive(Clone, Debug)]
pub enum Roots {
    /// Those in this PEM file.
    File(PathBuf),
    /// Those that the operating system believes.
    System,
}

/// The client's side of TLS.
///
/// # Errors
///
/// That the roots cannot be read.
pub fn tls(trust: &Trust) -> Result<Arc<ClientConfig>, OpenError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| OpenError::new(format!("TLS cannot be set up: {error}")))?;
    let config = match trust {
        Trust::Host(roots) => builder.with_root_certificates(read(roots)?),
        Trust::Anybody | Trust::Issuer(_) => {
            let chain = match trust {
                Trust::Issuer(roots) => Some(chain(read(roots)?, &provider)?),
                Trust::Anybody | Trust::Host(_) => None,
            };
            let verifier = Arc::new(Lenient { chain, provider });
            builder.dangerous().with_custom_certificate_verifier(verifier)
        }
    };
    Ok(Arc::new(config.with_no_client_auth()))
}

fn chain(roots: RootCertStore, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, OpenError> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| OpenError::new(format!("sslrootcert cannot be used: {error}")))
}

fn read(roots: &Roots) -> Result<RootCertStore, OpenError> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::File(path) => {
            let unusable = |error: &dyn std::fmt::Display| {
                OpenError::new(format!("sslrootcert {} cannot be used ({error}): name a PEM file", path.display()))
            };
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unusable(&error))? {
                let certificate = certificate.map_err(|error| unusable(&error))?;
                store.add(certificate).map_err(|error| unusable(&error))?;
            }
            if store.is_empty() {
                return Err(unusable(&"it holds no certificate"));
            }
        }
        Roots::System => {
            // One that cannot be read is one that is not believed.
            let _ = store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if store.is_empty() {
                return Err(OpenError::new(
                    "this system believes no certificates: install ca-certificates, or name sslrootcert in database_url",
                ));
            }
        }
    }
    Ok(store)
}

/// Looks at less than all: at the chain alone, or at nothing but that the server has the key of its
/// own certificate.
#[derive(Debug)]
struct Lenient {
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(certificate, between, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
