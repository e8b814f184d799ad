//! What is said of files that cannot be used.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod pki;

use std::path::PathBuf;

use dqlite_env::Env;
use dqlite_tls::{Error, TlsFiles};
use pki::Authority;

#[test]
fn the_file_and_what_is_wrong_are_named() {
    let authority = Authority::new();
    let good = authority.certified(&["node1.test"]);
    let other = authority.certified(&["node2.test"]);
    good.for_node().unwrap();
    let empty = authority.path("empty");
    std::fs::write(&empty, "").unwrap();
    let broken = authority.path("broken");
    let whole = std::fs::read_to_string(good.cert.as_ref().unwrap()).unwrap();
    std::fs::write(&broken, whole.replace('M', "!")).unwrap();
    let nonsense = authority.path("nonsense");
    let text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(&nonsense, text).unwrap();
    let missing = authority.path("missing");
    let with = |change: fn(&mut TlsFiles, PathBuf), path: &PathBuf| {
        let mut files = good.clone();
        change(&mut files, path.clone());
        let error = files.for_node().unwrap_err().to_string();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(error.contains(name), "{error}");
        error
    };
    let ca = |files: &mut TlsFiles, path| files.ca = Some(path);
    let cert = |files: &mut TlsFiles, path| files.cert = Some(path);
    let key = |files: &mut TlsFiles, path| files.key = Some(path);
    for part in [ca, cert, key] {
        assert!(with(part, &missing).starts_with("cannot read "));
        assert!(with(part, &broken).ends_with("in it") || with(part, &broken).contains("PEM"));
    }
    assert!(with(ca, &empty).ends_with("has no certificate in it"));
    assert!(with(cert, &empty).ends_with("has no certificate in it"));
    assert!(with(key, &empty).ends_with("has no private key in it"));
    assert!(with(key, good.cert.as_ref().unwrap()).ends_with("has no private key in it"));
    assert!(with(cert, good.key.as_ref().unwrap()).ends_with("has no certificate in it"));
    with(ca, &nonsense);
    with(cert, &nonsense);
    let mismatch = with(key, other.key.as_ref().unwrap());
    assert!(mismatch.contains("does not match the certificate in"), "{mismatch}");
}

#[test]
fn what_belongs_together_is_asked_for() {
    let authority = Authority::new();
    let good = authority.certified(&["node1.test"]);
    let incomplete = |files: &TlsFiles, node: bool| {
        let made = if node { files.for_node() } else { files.for_client() };
        matches!(made, Err(Error::Incomplete(_)))
    };
    assert!(incomplete(&TlsFiles { key: None, ..good.clone() }, false));
    assert!(incomplete(&TlsFiles { cert: None, ..good.clone() }, true));
    assert!(incomplete(&TlsFiles { ca: None, ..good.clone() }, false));
    assert!(incomplete(&authority.ca(), true));
    assert!(!incomplete(&authority.ca(), false));
    assert!(!incomplete(&good, false) && !incomplete(&good, true));
    TlsFiles::default().node_env(Env::real()).unwrap();
}
