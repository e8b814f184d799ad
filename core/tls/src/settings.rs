//! What both sides of a handshake show and demand.

use std::sync::Arc;

use dqlite_env::Network;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::error::Error;
use crate::network::TlsNetwork;

/// Certificates that were read and fit together. Clones share them.
#[derive(Clone, Debug)]
pub struct Tls {
    pub(crate) client: Option<Arc<ClientConfig>>,
    pub(crate) server: Option<Arc<ServerConfig>>,
}

/// The cryptography, chosen here and not by the process.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

impl Tls {
    pub(crate) fn client(
        ca: Arc<RootCertStore>,
        identity: Option<Arc<SingleCertAndKey>>,
    ) -> Result<Self, Error> {
        Ok(Self { client: Some(Arc::new(client_config(ca, identity)?)), server: None })
    }

    pub(crate) fn node(
        ca: Option<Arc<RootCertStore>>,
        identity: Arc<SingleCertAndKey>,
    ) -> Result<Self, Error> {
        let server = Some(Arc::new(server_config(ca.clone(), identity.clone())?));
        let client = match ca {
            Some(ca) => Some(Arc::new(client_config(ca, Some(identity))?)),
            None => None,
        };
        Ok(Self { client, server })
    }

    /// `network` with TLS on its streams, but for those over unix sockets.
    pub fn wrap(&self, network: Arc<dyn Network>) -> Arc<dyn Network> {
        Arc::new(TlsNetwork::new(network, self.clone()))
    }
}

fn client_config(
    ca: Arc<RootCertStore>,
    identity: Option<Arc<SingleCertAndKey>>,
) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(impossible)?
        .with_root_certificates(ca);
    Ok(match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder.with_client_cert_resolver(identity),
    })
}

fn server_config(
    ca: Option<Arc<RootCertStore>>,
    identity: Arc<SingleCertAndKey>,
) -> Result<ServerConfig, Error> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(impossible)?;
    let builder = match ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(ca, provider())
                .build()
                .map_err(|_| Error::Incomplete("the CA of a node with TLS is empty"))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    Ok(builder.with_cert_resolver(identity))
}

fn impossible(_: rustls::Error) -> Error {
    Error::Incomplete("this build of TLS has no common protocol version")
}
