//! The network of a node that is alone in its process.

use std::io;
use std::sync::Arc;

use crate::network::{BoxFuture, Listener, Network, Stream};

/// Reaches nobody and is reached by nobody: whatever is listened on, nothing arrives there, and no
/// port or socket is opened. For a node that only its own process uses, through memory.
#[derive(Clone, Copy, Debug)]
pub struct NoNetwork;

impl NoNetwork {
    /// The address of a node that has no other. It is dialled by nobody, and says so in lists.
    pub const ADDRESS: &'static str = "embedded";
}

impl Network for NoNetwork {
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let reason = format!("cannot reach {address}: this node is embedded, without network");
            Err(io::Error::new(io::ErrorKind::ConnectionRefused, reason))
        })
    }

    fn listen<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Arc<dyn Listener>>> {
        Box::pin(async move { Ok(Arc::new(Nobody { address: address.to_owned() }) as _) })
    }
}

/// Where nothing arrives.
#[derive(Debug)]
struct Nobody {
    address: String,
}

impl Listener for Nobody {
    fn accept(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(std::future::pending())
    }

    fn address(&self) -> String {
        self.address.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nobody_comes_and_nobody_is_reached() {
        let listener = NoNetwork.listen(NoNetwork::ADDRESS).await.unwrap();
        assert_eq!(listener.address(), "embedded");
        let error = NoNetwork.connect("embedded").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let hour = Duration::from_secs(3600);
        assert!(tokio::time::timeout(hour, listener.accept()).await.is_err());
    }
}
