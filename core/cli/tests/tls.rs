//! Nodes and commands with certificates.
#![expect(clippy::unwrap_used, reason = "a test may")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// A CA, and a certificate for this machine, in `dir`.
fn make_certificates(dir: &Path) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap();
    std::fs::write(dir.join("ca.pem"), authority.pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    std::fs::write(dir.join("node.pem"), certificate.pem()).unwrap();
    std::fs::write(dir.join("node.key"), key.serialize_pem()).unwrap();
}

fn dqlite(dir: &Path, arguments: &[&str]) -> Command {
    let mut dqlite = Command::new(env!("CARGO_BIN_EXE_dqlite"));
    dqlite.current_dir(dir).args(arguments);
    dqlite
}

/// Runs the command and gives whether it succeeded, and all it said.
fn run(dir: &Path, arguments: &[&str]) -> (bool, String) {
    let output = dqlite(dir, arguments).stdin(Stdio::null()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

const TLS: [&str; 6] = ["--tls-ca", "ca.pem", "--tls-cert", "node.pem", "--tls-key", "node.key"];

/// A node, and where it listens.
fn start(dir: &Path) -> (Child, String) {
    let node = ["node", "--until-stdin-ends", "--dir", "n", "--address", "127.0.0.1:0"];
    let mut node = dqlite(dir, &[&node[..], &TLS[..]].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(node.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    (node, address)
}

#[test]
fn commands_speak_tls_to_a_node() {
    let dir = tempfile::tempdir().unwrap();
    make_certificates(dir.path());
    let (mut node, address) = start(dir.path());
    // The node is known by another port than the one it took, so it is asked about itself.
    let asked = |tls: &[&str]| {
        let status = ["status", "--servers", &address, "--timeout", "2"];
        run(dir.path(), &[&status[..], tls].concat())
    };
    let (_, plain) = asked(&[]);
    assert!(plain.contains("this node takes TLS connections only"), "{plain}");
    let (_, anonymous) = asked(&TLS[..2]);
    assert!(anonymous.contains("CertificateRequired"), "{anonymous}");
    let (_, served) = asked(&TLS);
    // It names an address with port 0, where nobody answers, through TLS.
    assert!(served.contains("names 127.0.0.1:0, which failed"), "{served}");
    drop(node.stdin.take());
    assert!(node.wait().unwrap().success());
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    make_certificates(dir.path());
    let node = ["node", "--dir", "n", "--address", "127.0.0.1:0", "--tls-ca", "ca.pem"];
    let with = |more: &[&str]| {
        let (succeeded, said) = run(dir.path(), &[&node[..], more].concat());
        assert!(!succeeded && !dir.path().join("n").exists(), "{said}");
        said
    };
    let said = with(&[]);
    assert!(said.contains("needs a certificate and its key"), "{said}");
    let said = with(&["--tls-cert", "node.pem", "--tls-key", "other.key"]);
    assert!(said.contains("cannot read other.key"), "{said}");
    let said = with(&["--tls-cert", "node.pem", "--tls-key", "ca.pem"]);
    assert!(said.contains("ca.pem has no private key in it"), "{said}");
}
