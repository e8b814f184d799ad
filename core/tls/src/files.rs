//! Certificates and keys in PEM files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dqlite_env::Env;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::Error;
use crate::settings::{Tls, provider};

/// Where the certificates are. All files are PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificates of the authorities that are trusted, and no others are.
    pub ca: Option<PathBuf>,
    /// The own certificate, followed by those between it and the CA, if any.
    pub cert: Option<PathBuf>,
    /// The private key of the own certificate.
    pub key: Option<PathBuf>,
}

impl TlsFiles {
    /// True when no file is given: TLS is not wanted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads the files for a program that dials nodes. The CA is needed; a certificate and its key
    /// are shown to nodes that demand one. Blocks.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn for_client(&self) -> Result<Tls, Error> {
        let Some(ca) = &self.ca else {
            return Err(Error::Incomplete("TLS needs the CA that signed the nodes' certificates"));
        };
        Tls::client(roots(ca)?, self.identity()?)
    }

    /// Reads the files for a node. The certificate and its key are needed. With the CA the node
    /// demands certificates of whoever dials it, and can dial other nodes; without, it can do
    /// neither. Blocks.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn for_node(&self) -> Result<Tls, Error> {
        let Some(identity) = self.identity()? else {
            return Err(Error::Incomplete("a node with TLS needs a certificate and its key"));
        };
        let ca = self.ca.as_deref().map(roots).transpose()?;
        Tls::node(ca, identity)
    }

    /// `env`, with [`for_client`](Self::for_client) on its network if there are files. Blocks.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn client_env(&self, env: Env) -> Result<Env, Error> {
        if self.is_empty() {
            return Ok(env);
        }
        Ok(Env { network: self.for_client()?.wrap(env.network), ..env })
    }

    /// `env`, with [`for_node`](Self::for_node) on its network if there are files. Blocks.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn node_env(&self, env: Env) -> Result<Env, Error> {
        if self.is_empty() {
            return Ok(env);
        }
        Ok(Env { network: self.for_node()?.wrap(env.network), ..env })
    }

    fn identity(&self) -> Result<Option<Arc<SingleCertAndKey>>, Error> {
        match (&self.cert, &self.key) {
            (None, None) => Ok(None),
            (Some(cert), Some(key)) => identity(&provider(), cert, key).map(Some),
            (Some(_), None) => Err(Error::Incomplete("a TLS certificate needs its key")),
            (None, Some(_)) => Err(Error::Incomplete("a TLS key needs its certificate")),
        }
    }
}

fn identity(
    provider: &CryptoProvider,
    cert: &Path,
    key: &Path,
) -> Result<Arc<SingleCertAndKey>, Error> {
    let chain = certificates(cert)?;
    let secret =
        PrivateKeyDer::from_pem_file(key).map_err(|error| pem_error(key, error, "private key"))?;
    let unusable = |path: &Path, error: rustls::Error| Error::Unusable {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let secret =
        provider.key_provider.load_private_key(secret).map_err(|error| unusable(key, error))?;
    let certified = CertifiedKey::new(chain, secret);
    match certified.keys_match() {
        // A kind of key that cannot be compared shows in the first handshake.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok(Arc::new(SingleCertAndKey::from(certified)))
        }
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(Error::KeyMismatch { cert: cert.to_owned(), key: key.to_owned() })
        }
        Err(error) => Err(unusable(cert, error)),
    }
}

fn roots(ca: &Path) -> Result<Arc<RootCertStore>, Error> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(ca)? {
        store
            .add(certificate)
            .map_err(|error| Error::Unusable { path: ca.to_owned(), reason: error.to_string() })?;
    }
    Ok(Arc::new(store))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let wrong = |error| pem_error(path, error, "certificate");
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(wrong)?.collect();
    match found.map_err(wrong)? {
        none if none.is_empty() => Err(wrong(pem::Error::NoItemsFound)),
        some => Ok(some),
    }
}

fn pem_error(path: &Path, error: pem::Error, what: &'static str) -> Error {
    let path = path.to_owned();
    match error {
        pem::Error::Io(source) => Error::Read { path, source },
        pem::Error::NoItemsFound => Error::Missing { path, what },
        other => Error::Unusable { path, reason: format!("not a sound PEM file: {other}") },
    }
}
