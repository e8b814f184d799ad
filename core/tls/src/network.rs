//! A network whose streams speak TLS.

use std::io;
use std::sync::Arc;

use dqlite_env::{BoxFuture, Listener, Network, Stream};
use rustls::{CertificateError, Error as Rustls, ServerConfig};
use rustls_pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::accepting::Accepting;
use crate::settings::Tls;

/// Wraps another network. See the [crate](crate).
#[derive(Debug)]
pub struct TlsNetwork {
    inner: Arc<dyn Network>,
    tls: Tls,
}

impl TlsNetwork {
    /// TLS on the streams of `inner`.
    pub fn new(inner: Arc<dyn Network>, tls: Tls) -> Self {
        Self { inner, tls }
    }

    async fn dial(&self, address: &str) -> io::Result<Box<dyn Stream>> {
        let invalid = |reason: &str| {
            let reason = format!("no TLS with {address}: {reason}");
            io::Error::new(io::ErrorKind::InvalidInput, reason)
        };
        let Some(config) = &self.tls.client else {
            return Err(invalid("no CA is given to check its certificate with"));
        };
        let host = host(address).ok_or_else(|| invalid("it is not HOST:PORT"))?;
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| invalid("its host is neither an IP address nor a DNS name"))?;
        let stream = self.inner.connect(address).await?;
        match TlsConnector::from(config.clone()).connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(explain(address, host, &error)),
        }
    }

    async fn listen_on(&self, address: &str) -> io::Result<Arc<dyn Listener>> {
        let Some(config) = &self.tls.server else {
            let reason = "TLS: no certificate is given to listen with";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        };
        let inner = self.inner.listen(address).await?;
        Ok(Arc::new(TlsListener { inner, config: config.clone() }))
    }
}

impl Network for TlsNetwork {
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        if is_unix(address) { self.inner.connect(address) } else { Box::pin(self.dial(address)) }
    }

    fn listen<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Arc<dyn Listener>>> {
        if is_unix(address) {
            self.inner.listen(address)
        } else {
            Box::pin(self.listen_on(address))
        }
    }
}

#[derive(Debug)]
struct TlsListener {
    inner: Arc<dyn Listener>,
    config: Arc<ServerConfig>,
}

impl Listener for TlsListener {
    fn accept(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let stream = self.inner.accept().await?;
            // The handshake is the stream's own business: who is slow with it holds up nobody.
            let acceptor = TlsAcceptor::from(self.config.clone());
            Ok(Box::new(Accepting::new(acceptor, stream)) as Box<dyn Stream>)
        })
    }

    fn address(&self) -> String {
        self.inner.address()
    }
}

fn is_unix(address: &str) -> bool {
    address.starts_with('@') || address.contains('/')
}

/// `host` of `host:port`, without the brackets of an IPv6 address.
fn host(address: &str) -> Option<&str> {
    let (host, _) = address.rsplit_once(':')?;
    match host.strip_prefix('[') {
        None => Some(host),
        Some(rest) => rest.strip_suffix(']'),
    }
}

/// Why a handshake failed, in words of what was set up.
fn explain(address: &str, host: &str, error: &io::Error) -> io::Error {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Rustls>());
    let reason = match cause {
        // The other authority may even have the same name.
        Some(Rustls::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        )) => "its certificate is not signed by the given CA".to_owned(),
        Some(Rustls::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => format!("its certificate is not for {host}"),
        Some(Rustls::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => "its certificate has expired".to_owned(),
        Some(Rustls::InvalidMessage(_)) => "it does not speak TLS".to_owned(),
        _ if error.kind() == io::ErrorKind::UnexpectedEof => {
            "it closed the stream; does it speak TLS?".to_owned()
        }
        _ => error.to_string(),
    };
    io::Error::new(error.kind(), format!("no TLS with {address}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_what_stands_before_the_port() {
        for (address, expected) in [
            ("node1.example:9000", Some("node1.example")),
            ("10.0.0.1:9000", Some("10.0.0.1")),
            ("[::1]:9000", Some("::1")),
            ("[::1", None),
            ("node1", None),
        ] {
            assert_eq!(host(address), expected, "{address}");
        }
    }

    #[test]
    fn unix_sockets_stay_plain() {
        assert!(is_unix("@name") && is_unix("/run/dqlite") && is_unix("./socket"));
        assert!(!is_unix("localhost:1") && !is_unix("[::1]:1"));
    }
}
