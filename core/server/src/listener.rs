//! Streams that arrive: the first eight bytes tell whose they are.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use dqlite_env::{Listener, Stream};
use dqlite_wire::read_hello;
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::gateway::Gateway;
use crate::node::Shared;

const HELLO_BYTES: usize = 8;

/// Whoever connects has this long to say who it is.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait when the process cannot take another stream, out of descriptors say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the streams that arrive, until dropped; they end with it.
pub(crate) async fn listen(node: Arc<Shared>, listener: Arc<dyn Listener>) {
    let mut streams = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(stream) => {
                    streams.spawn(serve_any(node.clone(), stream));
                }
                Err(error) => {
                    tracing::warn!(%error, "a stream could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = streams.join_next() => {}
        }
    }
}

/// Serves a stream and notes how it ended.
pub(crate) async fn serve_any(node: Arc<Shared>, stream: Box<dyn Stream>) {
    if let Err(error) = serve(node, stream).await {
        tracing::debug!(%error, "a stream ended");
    }
}

async fn serve(node: Arc<Shared>, mut stream: Box<dyn Stream>) -> io::Result<()> {
    let mut buffer = BytesMut::with_capacity(4096);
    let hello = async {
        while buffer.len() < HELLO_BYTES {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
        }
        Ok(())
    };
    timeout(HELLO_TIMEOUT, hello).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    if buffer.starts_with(&dqlite_raft::PEER_MAGIC.to_le_bytes()) {
        node.raft.serve_peer(stream, &buffer).await;
        return Ok(());
    }
    let hello = read_hello(&mut buffer)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    match hello {
        Some(protocol) => Gateway::serve(node, protocol, stream, buffer).await,
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
