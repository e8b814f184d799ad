//! The options that name certificates: the same for nodes and for those who speak to them.

use std::path::PathBuf;

use anyhow::Result;
use dqlite_env::Env;
use dqlite_tls::TlsFiles;

/// Where the certificates are. With none of them, streams are plain.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct TlsArguments {
    /// Speak TLS; nodes and clients must show certificates that this CA signed (PEM)
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// The certificate to show (PEM); a node needs one, a client where nodes have a CA
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// That certificate's private key (PEM)
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
}

impl TlsArguments {
    fn files(&self) -> TlsFiles {
        TlsFiles { ca: self.tls_ca.clone(), cert: self.tls_cert.clone(), key: self.tls_key.clone() }
    }

    /// Whether TLS is wanted.
    pub fn is_given(&self) -> bool {
        !self.files().is_empty()
    }

    /// The world as a client sees it.
    ///
    /// # Errors
    /// A file cannot be used.
    pub fn client_env(&self) -> Result<Env> {
        Ok(self.files().client_env(Env::real())?)
    }

    /// The world as a node sees it.
    ///
    /// # Errors
    /// A file cannot be used.
    pub fn node_env(&self) -> Result<Env> {
        Ok(self.files().node_env(Env::real())?)
    }
}
