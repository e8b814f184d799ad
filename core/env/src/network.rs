//! Connections between nodes, and between clients and nodes.
//!
//! An address is `host:port`, or `@name` for a Linux abstract unix socket, or a path (it holds a
//! `/`) for a unix socket in the file system: the spellings of dqlite.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// A future that can be stored and sent.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A reliable, ordered stream of bytes in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Debug + Send + Sync + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Debug + Send + Sync + Unpin + 'static> Stream for T {}

/// How nodes and clients reach each other.
pub trait Network: Debug + Send + Sync {
    /// Opens a stream to `address`. The caller sets a deadline.
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>>;
    /// Listens on `address`; port 0 takes a free one.
    fn listen<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Arc<dyn Listener>>>;
}

/// A place where streams arrive.
pub trait Listener: Debug + Send + Sync {
    /// Waits for the next stream.
    fn accept(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>>;
    /// The address that is listened on, with the port that was taken.
    fn address(&self) -> String;
}

/// The operating system's sockets.
#[derive(Clone, Copy, Debug)]
pub struct RealNetwork;

impl Network for RealNetwork {
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            if let Some(path) = unix_path(address) {
                return Ok(Box::new(UnixStream::connect(path).await?) as Box<dyn Stream>);
            }
            let stream = TcpStream::connect(address).await?;
            set_up(&stream)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn listen<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Arc<dyn Listener>>> {
        Box::pin(async move {
            if let Some(path) = unix_path(address) {
                let listener = UnixListener::bind(path)?;
                return Ok(Arc::new((listener, address.to_owned())) as Arc<dyn Listener>);
            }
            Ok(Arc::new(TcpListener::bind(address).await?) as Arc<dyn Listener>)
        })
    }
}

/// How long a silent stream is trusted before the other machine is asked for a sign of life.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(10);
/// How often it is asked then.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);
/// How many times, before the stream counts as broken.
const KEEPALIVE_COUNT: u32 = 3;

/// Small messages go at once, and a machine that vanished without a word is noticed: what its
/// client held, a write lock say, is let go.
pub(crate) fn set_up(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY)
        .with_retries(KEEPALIVE_COUNT);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// The socket path that `address` stands for; tokio writes an abstract name with a leading NUL.
fn unix_path(address: &str) -> Option<String> {
    match address.strip_prefix('@') {
        Some(name) => Some(format!("\0{name}")),
        None => address.contains('/').then(|| address.to_owned()),
    }
}

impl Listener for TcpListener {
    fn accept(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let (stream, _) = TcpListener::accept(self).await?;
            set_up(&stream)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn address(&self) -> String {
        self.local_addr().map(|address| address.to_string()).unwrap_or_default()
    }
}

impl Listener for (UnixListener, String) {
    fn accept(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move { Ok(Box::new(self.0.accept().await?.0) as Box<dyn Stream>) })
    }

    fn address(&self) -> String {
        self.1.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn echo(address: &str) {
        let listener = RealNetwork.listen(address).await.unwrap();
        let mut client = RealNetwork.connect(&listener.address()).await.unwrap();
        let mut server = listener.accept().await.unwrap();
        client.write_all(b"ping").await.unwrap();
        let mut buffer = [0; 4];
        server.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"ping");
    }

    #[tokio::test]
    async fn tcp_and_unix_streams_carry_bytes() {
        echo("127.0.0.1:0").await;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        set_up(&stream).unwrap();
        assert!(SockRef::from(&stream).keepalive().unwrap());
        let dir = tempfile::tempdir().unwrap();
        echo(dir.path().join("socket").to_str().unwrap()).await;
        echo(&format!("@dqlite-env-{}", std::process::id())).await;
    }
}
