//! The network between hosts: turmoil's, with what TCP does at a partition.
//!
//! Turmoil drops what is sent into a partition and sends nothing again, so a stream that lost bytes
//! would stay silent for ever. Real TCP gives up on it: when a partition ends, all streams across
//! it are reset here, on both sides. (A partition that TCP survives is turmoil's `hold`.)

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use dqlite_env::{BoxFuture, Listener, Network, Stream};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};

/// All streams of a world. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Streams {
    by_hosts: Arc<Mutex<BTreeMap<Pair, Vec<Weak<Break>>>>>,
}

/// The names of two hosts, the smaller first.
type Pair = (String, String);

/// Whether a stream was reset.
#[derive(Debug, Default)]
struct Break {
    state: Mutex<(bool, Vec<Waker>)>,
}

impl Break {
    /// An error once the stream is reset; until then the task is woken when it is.
    fn check(&self, context: &Context<'_>) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.0 {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if !state.1.iter().any(|waker| waker.will_wake(context.waker())) {
            state.1.push(context.waker().clone());
        }
        Ok(())
    }
}

impl Streams {
    /// Resets every stream between the hosts `a` and `b`.
    pub fn reset(&self, a: &str, b: &str) {
        let streams = self.by_hosts.lock().remove(&key(a, b)).unwrap_or_default();
        for stream in streams.iter().filter_map(Weak::upgrade) {
            let wakers = {
                let mut state = stream.state.lock();
                state.0 = true;
                std::mem::take(&mut state.1)
            };
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    fn register(&self, a: &str, b: &str) -> Arc<Break> {
        let broken = Arc::default();
        let mut by_hosts = self.by_hosts.lock();
        let streams = by_hosts.entry(key(a, b)).or_default();
        streams.retain(|stream| stream.strong_count() > 0);
        streams.push(Arc::downgrade(&broken));
        broken
    }
}

fn key(a: &str, b: &str) -> Pair {
    if a < b { (a.to_owned(), b.to_owned()) } else { (b.to_owned(), a.to_owned()) }
}

/// The network as the host `host` sees it. Used only by tasks of that host.
#[derive(Debug)]
pub struct SimulatedNetwork {
    /// The host's name.
    pub host: String,
    /// All streams of the world.
    pub streams: Streams,
}

impl SimulatedNetwork {
    fn wrap(&self, peer: &str, stream: TcpStream) -> Box<dyn Stream> {
        Box::new(Wire { stream, broken: self.streams.register(&self.host, peer) })
    }
}

impl Network for SimulatedNetwork {
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let peer = host_of(address)?;
            let stream = TcpStream::connect(address).await?;
            Ok(self.wrap(peer, stream))
        })
    }

    fn listen<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Arc<dyn Listener>>> {
        Box::pin(async move {
            let host = host_of(address)?;
            let everywhere = format!("0.0.0.0{}", &address[host.len()..]);
            let listener = TcpListener::bind(everywhere).await?;
            let network = Self { host: self.host.clone(), streams: self.streams.clone() };
            let address = address.to_owned();
            Ok(Arc::new(Port { listener, address, network }) as Arc<dyn Listener>)
        })
    }
}

fn host_of(address: &str) -> io::Result<&str> {
    let host = address.rsplit_once(':').map(|(host, _)| host);
    host.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no port in the address"))
}

struct Port {
    listener: TcpListener,
    address: String,
    network: SimulatedNetwork,
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Listener for Port {
    fn accept(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let (stream, peer) = self.listener.accept().await?;
            let peer = turmoil::reverse_lookup(peer.ip()).unwrap_or_default();
            Ok(self.network.wrap(&peer, stream))
        })
    }

    fn address(&self) -> String {
        self.address.clone()
    }
}

#[derive(Debug)]
struct Wire {
    stream: TcpStream,
    broken: Arc<Break>,
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.broken.check(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.broken.check(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn network(host: &str, streams: &Streams) -> SimulatedNetwork {
        SimulatedNetwork { host: host.to_owned(), streams: streams.clone() }
    }

    #[test]
    fn streams_carry_bytes_until_a_partition_ends_them() {
        let streams = Streams::default();
        let mut sim = turmoil::Builder::new().build();
        let at_server = streams.clone();
        sim.host("server", move || {
            let network = network("server", &at_server);
            async move {
                let listener = network.listen("server:9000").await?;
                let mut stream = listener.accept().await?;
                let mut bytes = [0; 4];
                stream.read_exact(&mut bytes).await?;
                stream.write_all(&bytes).await?;
                let ended = stream.read(&mut bytes).await.map_err(|error| error.kind());
                assert_eq!(ended, Err(io::ErrorKind::ConnectionReset));
                std::future::pending().await
            }
        });
        let at_client = network("client", &streams);
        sim.client("client", async move {
            let mut stream = at_client.connect("server:9000").await?;
            stream.write_all(b"ping").await?;
            let mut bytes = [0; 4];
            stream.read_exact(&mut bytes).await?;
            assert_eq!(&bytes, b"ping");
            let reading = tokio::spawn(async move {
                stream.read(&mut [0; 4]).await.map_err(|error| error.kind())
            });
            tokio::time::sleep(Duration::from_millis(10)).await;
            turmoil::partition("client", "server");
            tokio::time::sleep(Duration::from_millis(10)).await;
            turmoil::repair("client", "server");
            at_client.streams.reset("client", "server");
            assert_eq!(reading.await?, Err(io::ErrorKind::ConnectionReset));
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok(())
        });
        sim.run().unwrap();
    }
}
