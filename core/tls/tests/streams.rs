//! Streams through TLS, one at a time.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod pki;

use std::time::Duration;

use dqlite_env::{Env, Network, RealNetwork, Stream};
use dqlite_tls::TlsFiles;
use pki::{Authority, env};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(20);

fn node(files: &TlsFiles) -> Env {
    files.node_env(env()).unwrap()
}

fn client(files: &TlsFiles) -> Env {
    files.client_env(env()).unwrap()
}

/// Why `files` cannot reach `address`, which `server` serves.
async fn refused(server: &TlsFiles, files: &TlsFiles, listen: &str, dial: &str) -> String {
    let listener = node(server).network.listen(listen).await.unwrap();
    let serving = tokio::spawn(async move {
        let mut stream = listener.accept().await.unwrap();
        stream.read_u8().await
    });
    let outcome = async {
        let mut stream = client(files).network.connect(dial).await?;
        stream.write_all(b"hello").await?;
        stream.flush().await?;
        stream.read_u8().await
    };
    let error = timeout(DEADLINE, outcome).await.unwrap().unwrap_err();
    // What was sent is not looked at.
    assert!(timeout(DEADLINE, serving).await.unwrap().unwrap().is_err());
    error.to_string()
}

#[tokio::test]
async fn much_goes_both_ways_at_once() {
    let authority = Authority::new();
    let files = authority.certified(&["127.0.0.1"]);
    let network = files.node_env(Env::real()).unwrap().network;
    let listener = network.listen("127.0.0.1:0").await.unwrap();
    let address = listener.address();
    let echo = tokio::spawn(async move {
        let stream = listener.accept().await.unwrap();
        let (mut reader, mut writer) = tokio::io::split(stream);
        tokio::io::copy(&mut reader, &mut writer).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    let content: Vec<u8> = (0..8_000_000_u32).map(|number| (number / 7) as u8).collect();
    let stream = network.connect(&address).await.unwrap();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let sent = content.clone();
    let sending = tokio::spawn(async move {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
        writer
    });
    let mut received = Vec::new();
    timeout(DEADLINE, reader.read_to_end(&mut received)).await.unwrap().unwrap();
    assert!(received == content);
    sending.await.unwrap();
    echo.await.unwrap();
}

#[tokio::test]
async fn nothing_that_is_sent_can_be_read_on_the_way() {
    let authority = Authority::new();
    let listener = RealNetwork.listen("127.0.0.1:0").await.unwrap();
    let address = listener.address();
    let network = authority.ca().client_env(Env::real()).unwrap().network;
    let dialling = tokio::spawn(async move { network.connect(&address).await.map(|_| ()) });
    let mut stream = listener.accept().await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), 0x16, "TLS begins with the first byte");
    drop(stream);
    let error = dialling.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("no TLS with 127.0.0.1"), "{error}");
}

#[tokio::test]
async fn a_server_of_another_authority_or_host_is_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = authority.certified(&["node1.test"]);
    let error = refused(&server, &other.ca(), "node1.test:101", "node1.test:101").await;
    assert_eq!(error, "no TLS with node1.test:101: its certificate is not signed by the given CA");
    let error = refused(&server, &server, "node1.test:102", "node2.test:102").await;
    assert_eq!(error, "no TLS with node2.test:102: its certificate is not for node2.test");
    let error = refused(&server, &server, "node1.test:103", "10.0.0.1:103").await;
    assert_eq!(error, "no TLS with 10.0.0.1:103: its certificate is not for 10.0.0.1");
}

#[tokio::test]
async fn a_client_without_the_right_certificate_is_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = authority.certified(&["node1.test"]);
    let error = refused(&server, &authority.ca(), "node1.test:111", "node1.test:111").await;
    assert!(error.contains("CertificateRequired"), "{error}");
    let stranger = TlsFiles { ca: authority.ca().ca, ..other.certified(&["client.test"]) };
    let error = refused(&server, &stranger, "node1.test:112", "node1.test:112").await;
    assert!(error.contains("fatal alert"), "{error}");
}

#[tokio::test]
async fn without_a_ca_a_node_takes_all_comers_and_dials_nobody() {
    let authority = Authority::new();
    let server = TlsFiles { ca: None, ..authority.certified(&["node1.test"]) };
    let network = node(&server).network;
    let listener = network.listen("node1.test:121").await.unwrap();
    let serving = tokio::spawn(async move {
        let mut stream = listener.accept().await.unwrap();
        let byte = stream.read_u8().await.unwrap();
        stream.write_u8(byte + 1).await.unwrap();
        stream.flush().await.unwrap();
        stream.read_u8().await.unwrap_err();
    });
    let mut stream = client(&authority.ca()).network.connect("node1.test:121").await.unwrap();
    stream.write_u8(1).await.unwrap();
    stream.flush().await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), 2);
    drop(stream);
    serving.await.unwrap();
    let error = network.connect("node1.test:121").await.unwrap_err().to_string();
    assert!(error.contains("no CA is given"), "{error}");
}

#[tokio::test]
async fn who_is_silent_holds_up_nobody() {
    let authority = Authority::new();
    let files = authority.certified(&["node1.test"]);
    let network = node(&files).network;
    let listener = network.listen("node1.test:131").await.unwrap();
    let silent = env().network.connect("node1.test:131").await.unwrap();
    let accepted = timeout(DEADLINE, listener.accept()).await.unwrap().unwrap();
    let serving = tokio::spawn(async move {
        let mut second = listener.accept().await.unwrap();
        second.read_u8().await.unwrap()
    });
    let mut stream = network.connect("node1.test:131").await.unwrap();
    stream.write_u8(7).await.unwrap();
    stream.flush().await.unwrap();
    assert_eq!(timeout(DEADLINE, serving).await.unwrap().unwrap(), 7);
    drop((silent, accepted));
}

#[tokio::test]
async fn unix_sockets_stay_plain() {
    let authority = Authority::new();
    let network = authority.certified(&["node1.test"]).node_env(Env::real()).unwrap().network;
    let address = format!("@dqlite-tls-plain-{}", std::process::id());
    let listener = network.listen(&address).await.unwrap();
    let mut stream = RealNetwork.connect(&address).await.unwrap();
    stream.write_u8(7).await.unwrap();
    let mut accepted: Box<dyn Stream> = listener.accept().await.unwrap();
    assert_eq!(accepted.read_u8().await.unwrap(), 7);
}
