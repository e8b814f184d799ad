//! Authorities and certificates made for a test, and a network of made-up host names.
#![allow(dead_code, reason = "each test uses a part")]

use std::path::PathBuf;
use std::sync::Arc;

use dqlite_env::{BoxFuture, Env, Listener, Network, RealNetwork, Stream};
use dqlite_tls::TlsFiles;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// An authority, and a folder for what it signs.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    dir: TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { issuer: Issuer::new(params, key), dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The CA alone.
    pub fn ca(&self) -> TlsFiles {
        TlsFiles { ca: Some(self.path("ca.pem")), ..TlsFiles::default() }
    }

    /// The CA, and a certificate for these hosts.
    pub fn certified(&self, hosts: &[&str]) -> TlsFiles {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let name = hosts.join("_").replace(':', "-");
        let params = CertificateParams::new(hosts).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (cert, secret) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        std::fs::write(&cert, certificate.pem()).unwrap();
        std::fs::write(&secret, key.serialize_pem()).unwrap();
        TlsFiles { cert: Some(cert), key: Some(secret), ..self.ca() }
    }
}

/// Any `host:port`, each a socket of this process: all hosts with one port are one machine.
#[derive(Debug)]
pub struct Hosts;

fn socket(address: &str) -> String {
    let (_, port) = address.rsplit_once(':').unwrap();
    format!("@dqlite-tls-{}-{port}", std::process::id())
}

impl Network for Hosts {
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, std::io::Result<Box<dyn Stream>>> {
        Box::pin(async move { RealNetwork.connect(&socket(address)).await })
    }

    fn listen<'a>(&'a self, address: &'a str) -> BoxFuture<'a, std::io::Result<Arc<dyn Listener>>> {
        Box::pin(async move { RealNetwork.listen(&socket(address)).await })
    }
}

/// The real machine, with made-up hosts.
pub fn env() -> Env {
    Env { network: Arc::new(Hosts), ..Env::real() }
}
