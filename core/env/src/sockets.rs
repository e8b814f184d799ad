//! Sockets that somebody else has connected, or that are bound before they are listened on.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::network::{BoxFuture, Listener, Stream, set_up};

const BACKLOG: i32 = 1024;

/// Takes over a socket that is connected already: TCP or unix.
///
/// # Errors
/// It is no such socket, or not connected.
pub fn adopt(socket: OwnedFd) -> io::Result<Box<dyn Stream>> {
    let socket = Socket::from(socket);
    socket.set_nonblocking(true)?;
    socket.set_cloexec(true)?;
    let address = socket.peer_addr()?;
    if socket.r#type()? != Type::STREAM {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a socket for streams"));
    }
    if address.is_unix() {
        return Ok(Box::new(UnixStream::from_std(OwnedFd::from(socket).into())?));
    }
    if address.as_socket().is_none() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither TCP nor a unix socket"));
    }
    let stream = TcpStream::from_std(OwnedFd::from(socket).into())?;
    set_up(&stream)?;
    Ok(Box::new(stream))
}

/// A socket that has its address, and is not listened on yet: whoever dials it is refused.
#[derive(Debug)]
pub struct Bound {
    socket: Socket,
    address: String,
    /// Whether streams of other processes are turned away.
    own_process_only: bool,
}

impl Bound {
    /// Binds a TCP socket.
    ///
    /// # Errors
    /// The address is in use, or not one of this machine.
    pub fn tcp(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        let address = socket.local_addr()?.as_socket().map_or(address, |bound| bound);
        Ok(Self { socket, address: address.to_string(), own_process_only: false })
    }

    /// Binds an abstract unix socket, which takes streams of this process only. With an empty name
    /// the system finds one.
    ///
    /// # Errors
    /// The name is in use or too long, or the system has no such sockets.
    pub fn abstract_unix(name: &str) -> io::Result<Self> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        if name.is_empty() {
            nix::sys::socket::bind(
                std::os::fd::AsRawFd::as_raw_fd(&socket),
                &nix::sys::socket::UnixAddr::new_unnamed(),
            )?;
        } else {
            socket.bind(&SockAddr::unix(format!("\0{name}"))?)?;
        }
        let bound = socket.local_addr()?;
        let found = bound.as_abstract_namespace().unwrap_or_default();
        let address = format!("@{}", String::from_utf8_lossy(found));
        Ok(Self { socket, address, own_process_only: true })
    }

    /// The address, with the port or name that the system found.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Listens from now on.
    ///
    /// # Errors
    /// The system refuses.
    pub fn listen(self) -> io::Result<Arc<dyn Listener>> {
        self.socket.listen(BACKLOG)?;
        self.socket.set_nonblocking(true)?;
        let socket = OwnedFd::from(self.socket);
        if !self.own_process_only {
            return Ok(Arc::new(TcpListener::from_std(socket.into())?));
        }
        let listener = UnixListener::from_std(socket.into())?;
        Ok(Arc::new(OwnProcess { listener, address: self.address }))
    }
}

/// Streams of this process.
#[derive(Debug)]
struct OwnProcess {
    listener: UnixListener,
    address: String,
}

impl Listener for OwnProcess {
    fn accept(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            loop {
                let (stream, _) = self.listener.accept().await?;
                if is_own(stream.peer_cred()?.pid()) {
                    return Ok(Box::new(stream) as Box<dyn Stream>);
                }
            }
        })
    }

    fn address(&self) -> String {
        self.address.clone()
    }
}

fn is_own(peer: Option<i32>) -> bool {
    peer.is_some_and(|peer| peer.unsigned_abs() == std::process::id())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::{Network, RealNetwork};

    async fn ask(bound: Bound) {
        let address = bound.address().to_owned();
        let refused = RealNetwork.connect(&address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let listener = bound.listen().unwrap();
        assert_eq!(listener.address(), address);
        let mut near = RealNetwork.connect(&address).await.unwrap();
        let mut far = listener.accept().await.unwrap();
        near.write_all(b"ping").await.unwrap();
        let mut buffer = [0; 4];
        far.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"ping");
    }

    #[tokio::test]
    async fn what_is_bound_is_listened_on_later() {
        ask(Bound::tcp("127.0.0.1:0".parse().unwrap()).unwrap()).await;
        ask(Bound::tcp("[::1]:0".parse().unwrap()).unwrap()).await;
        ask(Bound::abstract_unix("").unwrap()).await;
        let name = format!("dqlite-bound-{}", std::process::id());
        let bound = Bound::abstract_unix(&name).unwrap();
        assert_eq!(bound.address(), format!("@{name}"));
        assert!(Bound::abstract_unix(&name).is_err(), "it is in use");
        ask(bound).await;
    }

    #[tokio::test]
    async fn sockets_of_others_are_taken_over() {
        let (near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut stream = adopt(near.into()).unwrap();
        stream.write_all(b"unix").await.unwrap();
        let mut buffer = [0; 4];
        std::io::Read::read_exact(&mut far, &mut buffer).unwrap();
        assert_eq!(&buffer, b"unix");

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        let mut stream = adopt(near.into()).unwrap();
        std::io::Write::write_all(&mut far, b"tcp!").unwrap();
        stream.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"tcp!");
    }

    #[tokio::test]
    async fn what_is_no_connected_socket_is_refused() {
        assert!(adopt(std::fs::File::open("/dev/null").unwrap().into()).is_err());
        let unconnected = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        assert!(adopt(unconnected.into()).is_err());
        let (datagram, _other) = std::os::unix::net::UnixDatagram::pair().unwrap();
        assert!(adopt(datagram.into()).is_err());
    }

    #[test]
    fn other_processes_are_told_apart() {
        assert!(is_own(Some(std::process::id() as i32)));
        assert!(!is_own(Some(1)) && !is_own(None));
    }
}
