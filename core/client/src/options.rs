//! How a client behaves.

use std::time::Duration;

/// A client's settings.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// How long one call may take in all, with the search for the leader and every retry. For a
    /// result it counts until the first rows, then anew for each batch of them.
    pub timeout: Duration,
    /// How long one node may take to accept a connection and to say who leads.
    pub connect_timeout: Duration,
    /// The most sessions that are open at once; whoever needs another waits.
    pub pool_size_max: usize,
    /// Whether to try again, where that cannot apply anything twice.
    pub retry: bool,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(2),
            pool_size_max: 32,
            retry: true,
        }
    }
}
