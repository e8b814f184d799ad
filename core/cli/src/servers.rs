//! Which nodes a command asks.

use std::time::Duration;

use dqlite_client::{Client, ClientOptions};
use dqlite_env::Env;

/// The option that every command with a running cluster has.
#[derive(Clone, Debug, clap::Args)]
pub struct Servers {
    /// Addresses of nodes of the cluster; one that is up is enough
    #[arg(long, short, value_delimiter = ',', required = true, value_name = "ADDRESS,…")]
    pub servers: Vec<String>,
    /// How long one call may take, with the search for the leader
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    timeout: u64,
}

impl Servers {
    /// A client of the database `name`.
    pub fn client(&self, name: &str) -> Client {
        let options = ClientOptions {
            timeout: Duration::from_secs(self.timeout),
            ..ClientOptions::default()
        };
        Client::with_options(Env::real(), self.servers.iter().cloned(), name, options)
    }
}
