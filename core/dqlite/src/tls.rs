//! What a connection or a node takes from outside this process, encrypted where that is asked for.

use dqlite_env::Env;
use dqlite_tls::TlsFiles;

use crate::error::Error;
use crate::options::{ConnectOptions, NodeSettings};

/// What a client takes from outside.
pub(crate) fn client_env(options: &ConnectOptions) -> Result<Env, Error> {
    files_of(options).client_env(Env::real()).map_err(error)
}

/// What a node takes from outside. Who connects to it must show a certificate of its authority.
pub(crate) fn node_env(settings: &NodeSettings) -> Result<Env, Error> {
    let files = TlsFiles {
        ca: settings.tls_ca.clone(),
        cert: settings.tls_cert.clone(),
        key: settings.tls_key.clone(),
    };
    files.node_env(Env::real()).map_err(error)
}

/// Whether a connection is to be encrypted.
pub(crate) fn is_wanted(options: &ConnectOptions) -> bool {
    !files_of(options).is_empty()
}

fn files_of(options: &ConnectOptions) -> TlsFiles {
    TlsFiles {
        ca: options.tls_ca.clone(),
        cert: options.tls_cert.clone(),
        key: options.tls_key.clone(),
    }
}

fn error(error: dqlite_tls::Error) -> Error {
    let id = match error {
        dqlite_tls::Error::Incomplete(_) => "option.value",
        _ => "connection.tls",
    };
    Error::new(id, error.to_string())
}
