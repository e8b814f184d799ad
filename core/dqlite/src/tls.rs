//! The network of a connection or a node, encrypted where that is asked for.

use std::path::Path;
use std::sync::Arc;

use dqlite_env::{Network, RealNetwork};
use dqlite_tls::{Files, TlsNetwork};

use crate::error::Error;
use crate::options::{ConnectOptions, NodeSettings};

/// The network of a client.
pub(crate) fn client_network(options: &ConnectOptions) -> Result<Arc<dyn Network>, Error> {
    network(
        options.tls_ca.as_deref(),
        options.tls_cert.as_deref(),
        options.tls_key.as_deref(),
    )
}

/// The network of a node: who connects must show a certificate of the same authority.
pub(crate) fn node_network(settings: &NodeSettings) -> Result<Arc<dyn Network>, Error> {
    let has_certificate = settings.tls_cert.is_some() && settings.tls_key.is_some();
    if settings.tls_ca.is_some() && !has_certificate {
        let reason = "a node with tls_ca needs tls_cert and tls_key too: others verify it";
        return Err(Error::new("option.value", reason));
    }
    network(
        settings.tls_ca.as_deref(),
        settings.tls_cert.as_deref(),
        settings.tls_key.as_deref(),
    )
}

fn network(
    ca: Option<&Path>,
    certificate: Option<&Path>,
    key: Option<&Path>,
) -> Result<Arc<dyn Network>, Error> {
    let plain: Arc<dyn Network> = Arc::new(RealNetwork);
    match (ca, certificate, key) {
        (None, None, None) => Ok(plain),
        (None, ..) => {
            let reason = "tls_cert and tls_key need tls_ca: who is to be trusted?";
            Err(Error::new("option.value", reason))
        }
        (_, Some(_), None) | (_, None, Some(_)) => {
            Err(Error::new("option.value", "tls_cert and tls_key go together"))
        }
        (Some(ca), certificate, key) => {
            let files = Files { ca, identity: certificate.zip(key) };
            let network = TlsNetwork::load(plain, &files)
                .map_err(|error| Error::new("connection.tls", error.to_string()))?;
            Ok(Arc::new(network))
        }
    }
}
